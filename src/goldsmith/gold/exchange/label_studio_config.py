"""The labelling interface of a Label Studio project in which pairs are compared; the names here are those that results refer to."""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

COMPARISON, VERDICT, STRENGTH, CONFIDENCE, RATIONALE, REASON = (
    "comparison",
    "verdict",
    "strength",
    "confidence",
    "rationale",
    "reason",
)
PROMPT, LEFT, RIGHT = "prompt", "answer1", "answer2"
STRENGTHS = {1: "better", 2: "much better"}
REASONS = (
    "unreadable",
    "both-harmful",
    "needs-missing-material",
    "not-enough-knowledge",
    "identical-in-substance",
    "other",
)
"""The room's reasons for a discard."""


def config(reasons: tuple[str, ...] = REASONS) -> str:
    """Return the interface as XML.

    Whoever votes clicks a reply, or chooses `tie` or `discard`; how much better, how sure, and why are asked below.

    Args:
        reasons: what a discard can be for; those of votes that are exported must be among them.
    """
    return f"""<View>
  <Style>.replies {{ display: flex; gap: 1em }} .replies > div {{ flex: 1 }} .htx-text {{ white-space: pre-wrap }}</Style>
  <Header value="Which reply is better?"/>
  <Text name="{PROMPT}" value="$prompt"/>
  <Pairwise name="{COMPARISON}" toName="{LEFT},{RIGHT}"/>
  <View className="replies">
    <View><Text name="{LEFT}" value="$answer1"/></View>
    <View><Text name="{RIGHT}" value="$answer2"/></View>
  </View>
  <Header size="4" value="Neither: a tie, or a pair that should not be used"/>
  {_choices(VERDICT, ("tie", "discard"))}
  <Header size="4" value="How much better?"/>
  {_choices(STRENGTH, tuple(STRENGTHS.values()))}
  <Header size="4" value="How sure are you?"/>
  <Rating name="{CONFIDENCE}" toName="{PROMPT}" maxRating="3"/>
  <Header size="4" value="Why?"/>
  <TextArea name="{RATIONALE}" toName="{PROMPT}" rows="3" maxSubmissions="1" editable="true"/>
  <Header size="4" value="Why it should not be used"/>
  {_choices(REASON, reasons)}
</View>
"""


def _choices(name: str, values: tuple[str, ...]) -> str:
    lines = "".join(f"<Choice value={quoteattr(value)}/>" for value in values)
    return f'<Choices name="{name}" toName="{PROMPT}" choice="single" showInline="true">{lines}</Choices>'
