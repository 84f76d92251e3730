"""The form of an LLM's attributes: the JSON schema it is held to, and the strict reading of what it wrote."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator

from goldsmith.attributes.taxonomy import CONTROVERSIALITIES, OBJECTIVITIES, Controversiality, Objectivity, Taxonomy
from goldsmith.errors import ParseError

MOST_DESIRED = 5
LONGEST_QUALITY = 40
LONGEST_GUIDELINE = 400
SHORTEST_GUIDELINE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a model may write and read; small for the embedded one, which is slow.

    Attributes:
        desired: qualities at most.
        quality: characters of one.
        guideline: characters of the guideline.
        sentence: a regular expression that the guideline keeps to, with bounded repetitions only, so that a constrained reply always ends; none: free text.
        reply_tokens: tokens of the reply.
        pair_tokens: estimated tokens of the pair in the prompt.
        shows_replies: the model reads the two replies too, not the conversation alone; a very small one only copies from them.
        qualities: what `desired` is chosen from; none: free words.
        prompt: name of the prompt file for the open fields.
    """

    desired: int
    quality: int
    guideline: int
    reply_tokens: int
    pair_tokens: int
    shows_replies: bool = True
    sentence: str = ""
    qualities: tuple[str, ...] = ()
    prompt: str = "attributes"


QUALITIES = (
    "accuracy", "brevity", "clarity", "code quality", "completeness", "consistency", "creativity", "depth", "empathy", "examples",
    "fluency", "following instructions", "format", "helpfulness", "honesty", "humor", "neutrality", "originality", "politeness",
    "practicality", "reasoning", "relevance", "safety", "simplicity", "sources", "structure", "style", "tone",
)  # fmt: skip
"""Words for what a user may want; held to them, a small model cannot wander off."""
PLAIN_SENTENCE = r"^[A-Z][a-z]{1,11}( ([A-Za-z][a-z'-]{0,11},?|[0-9]{1,4})){2,15}\.$"
"""3 to 16 words: a small model that falls into a loop of digits or signs would write to the end of its tokens, without closing the reply."""
EMBEDDED_LIMITS = Limits(
    desired=3,
    quality=24,
    guideline=225,
    sentence=PLAIN_SENTENCE,
    reply_tokens=140,
    pair_tokens=120,
    shows_replies=False,
    qualities=QUALITIES,
    prompt="attributes_small",
)
LIMITS = Limits(desired=MOST_DESIRED, quality=LONGEST_QUALITY, guideline=300, reply_tokens=400, pair_tokens=3000)

Quality = Annotated[str, StringConstraints(strip_whitespace=True, min_length=2, max_length=LONGEST_QUALITY, pattern=r"\w")]
Guideline = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=SHORTEST_GUIDELINE, max_length=LONGEST_GUIDELINE, pattern=r"\w")
]


class OpenFields(BaseModel):
    """The attributes that only an LLM can write."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    desired: list[Quality] = Field(min_length=1, max_length=MOST_DESIRED)
    guideline: Guideline

    @field_validator("desired")
    @classmethod
    def _distinct(cls, desired: list[str]) -> list[str]:
        """A quality named twice says no more than once: the first mention stays."""
        first: dict[str, str] = {}
        for quality in desired:
            first.setdefault(quality.casefold(), quality)
        return list(first.values())


class AllFields(OpenFields):
    """All five attributes; `task` is checked against the taxonomy by `read_reply`."""

    task: str
    objectivity: Objectivity
    controversiality: Controversiality


def reply_schema(limits: Limits, taxonomy: Taxonomy | None = None) -> dict[str, Any]:
    """Return the JSON schema of a reply; with a taxonomy, of all five attributes."""
    quality: dict[str, Any] = {"type": "string", "minLength": 2, "maxLength": limits.quality}
    if limits.qualities:
        quality = {"type": "string", "enum": list(limits.qualities)}
    properties: dict[str, Any] = {}
    if taxonomy is not None:
        properties["task"] = {"type": "string", "enum": [leaf.id for leaf in taxonomy.leaf]}
        properties["objectivity"] = {"type": "string", "enum": list(OBJECTIVITIES)}
        properties["controversiality"] = {"type": "string", "enum": list(CONTROVERSIALITIES)}
    properties["desired"] = {"type": "array", "items": quality, "minItems": 1, "maxItems": limits.desired}
    properties["guideline"] = {"type": "string", "minLength": SHORTEST_GUIDELINE, "maxLength": limits.guideline}
    if limits.sentence:
        properties["guideline"] = {"type": "string", "pattern": limits.sentence}
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def read_reply(text: str, taxonomy: Taxonomy | None = None) -> OpenFields | AllFields:
    """Return the attributes in a reply, which must be exactly one JSON object of the agreed form.

    Args:
        text: the reply.
        taxonomy: all five attributes are expected, and `task` names one of its leaves; none: the two open ones.

    Raises:
        ParseError: the reply has another form; the message says where, for the repair and the count.
    """
    try:
        if taxonomy is None:
            return OpenFields.model_validate_json(text)
        fields = AllFields.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "reply"
        raise ParseError(f"{where}: {first['msg']}") from None
    task = taxonomy.resolve(fields.task)
    if task is None:
        raise ParseError(f"task: '{fields.task[:60]}' is no leaf of the taxonomy")
    return fields.model_copy(update={"task": task})
