"""The records that cross every border of Goldsmith: files, tables, processes and sockets.

Field names and allowed values are those of the contracts; `first` and `second` always name the
pair's own fields, and only `shown_order` tells what stood where on a screen or in a prompt.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from goldsmith.identity import canonical_json, context_id, pair_id

Content = str | list[dict[str, Any]]
"""A message's content: text, or a list of parts `{"type": "text" | "image" | "audio", ...}`."""

Side = Literal["first", "second"]
Label = Literal["first", "second", "tie"]
VoteChoice = Literal["first", "second", "tie", "discard"]
CheckOutcome = Literal["correct", "incorrect", "cannot-tell"]
LabelOrigin = Literal["human", "llm", "rule", "likes", "unknown"]


class Record(BaseModel):
    """A frozen record that refuses fields it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Message(Record):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant", "tool"]
    content: Content


class Pair(Record):
    """Two replies to one context; `first < second` in code-point order, the preference is `label`."""

    pair_id: str
    context: list[Message]
    first: Content
    second: Content
    label: Label
    label_origin: LabelOrigin = "unknown"
    strength: float | None = None
    source: str = ""
    source_ref: str = ""
    meta: dict[str, Any] = Field(default_factory=dict)

    @classmethod
    def from_replies(
        cls, context: list[dict[str, Any]], chosen: Content, rejected: Content, *, tie: bool = False, **fields: Any
    ) -> Pair:
        """Return the pair of a context and two replies, oriented and named by content.

        Args:
            context: messages as dicts with `role` and `content` alone.
            chosen: the preferred reply (either one when `tie`).
            rejected: the other reply.
            tie: neither is preferred.
            fields: the remaining fields of `Pair`.

        Raises:
            TypeError: `fields` names again what follows from the context and the replies.
        """
        chosen_is_first = _sort_key(chosen) < _sort_key(rejected)
        first, second = (chosen, rejected) if chosen_is_first else (rejected, chosen)
        label: Label = "tie" if tie else ("first" if chosen_is_first else "second")
        name = pair_id(context, chosen, rejected)
        turns = [Message.model_validate(turn) for turn in context]
        return cls(pair_id=name, context=turns, first=first, second=second, label=label, **fields)

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The context as plain dicts."""
        return [{"role": message.role, "content": message.content} for message in self.context]

    @property
    def context_id(self) -> str:
        """The id of the context, which pairs of one prompt share."""
        return context_id(self.messages)

    @property
    def chosen(self) -> Content:
        """The preferred reply; `first` when the label is a tie."""
        return self.second if self.label == "second" else self.first

    @property
    def rejected(self) -> Content:
        """The reply that is not preferred; `second` when the label is a tie."""
        return self.first if self.label == "second" else self.second


def _sort_key(content: Content) -> str:
    return content if isinstance(content, str) else canonical_json(content)


class Attributes(Record):
    """What an LLM or a classifier says about a pair (spec 3); `made_by` names the source of each field."""

    pair_id: str
    task: str
    objectivity: Literal["factual", "opinion", "open-ended"]
    controversiality: Literal["low", "medium", "high"]
    desired: list[str] | None = None
    guideline: str | None = None
    made_by: dict[str, str] = Field(default_factory=dict)
    confidence: dict[str, float] = Field(default_factory=dict)


class ToolUse(Record):
    """One use of a tool while voting."""

    tool: str
    input: str
    at: str


def _own_order() -> list[Side]:
    return ["first", "second"]


class Vote(Record):
    """One person's judgement of one pair in one round."""

    vote_id: str
    pair_id: str
    annotator: str
    round: Literal["first", "retest", "expert", "late", "check", "qualify"]
    choice: VoteChoice
    strength: Literal[0, 1, 2] = 1
    confidence: Literal[1, 2, 3] = 2
    rationale: str = ""
    reason: str | None = None
    shown_order: list[Side] = Field(default_factory=_own_order)
    tools: list[ToolUse] = Field(default_factory=list)
    seconds: float = 0.0
    changed_after_hint: bool = False
    at: str = ""


class Verdict(Record):
    """One sample of one LLM judge; `choice` is None when it failed, and `failure` says how. `shown_order` is empty where a file does not tell it."""

    pair_id: str
    model: str
    sample: int
    shown_order: list[Side]
    choice: Literal["first", "second", "tie", "abstain"] | None
    failure: str | None = None
    usage: dict[str, int] = Field(default_factory=dict)


class Judgement(Record):
    """Verdicts on one pair, aggregated within each model first and across models second."""

    pair_id: str
    choice: Literal["first", "second", "tie", "abstain"]
    p_first: float = Field(ge=0.0, le=1.0)
    by_model: dict[str, float] = Field(default_factory=dict)


class Check(Record):
    """What a model says of one reply alone, before people see it; `outcome` is None when it failed, and `failure` says how."""

    pair_id: str
    side: Side
    model: str
    outcome: CheckOutcome | None
    reason: str = ""
    failure: str | None = None
    usage: dict[str, int] = Field(default_factory=dict)


class Score(Record):
    """Rewards of a pair's replies under one model; `fold` names the part the model was not trained on."""

    pair_id: str
    model_digest: str
    first: float
    second: float
    fold: int | None = None


class Decision(Record):
    """What stage 2 did with a pair, and why."""

    pair_id: str
    action: Literal["keep", "relabel", "flip", "drop"]
    label_before: Label
    label_after: Label
    p_first: float | None
    rule: str
    judges: dict[str, Any] = Field(default_factory=dict)
    reason: str = ""
