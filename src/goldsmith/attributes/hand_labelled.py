"""The 200 pairs whose attributes were labelled by hand: what a source of attributes is measured against.

They ship with the package, are in the public domain (CC0-1.0), and nothing is ever trained or tuned on them.
How the labels were given, and by whom: docs/attributes.md.
"""

from __future__ import annotations

from functools import cache
from importlib import resources

from pydantic import BaseModel, ConfigDict

from goldsmith.attributes.taxonomy import Controversiality, Objectivity
from goldsmith.types import Attributes, Message, Pair

FILE = "hand_labelled.jsonl"


class HandLabels(BaseModel):
    """The labels of one pair; `desired` and `guideline` are None where none were written."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: str
    objectivity: Objectivity
    controversiality: Controversiality
    desired: list[str] | None
    guideline: str | None


class HandLabelled(BaseModel):
    """One pair of the set, as its line in the file says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    language: str
    prompt: list[Message]
    chosen: str
    rejected: str
    attributes: HandLabels

    @property
    def pair(self) -> Pair:
        """The pair as a record."""
        context = [message.model_dump() for message in self.prompt]
        return Pair.from_replies(context, self.chosen, self.rejected, label_origin="human", source="hand-labelled")

    @property
    def labels(self) -> Attributes:
        """The labels as a record, made by hand."""
        labels = self.attributes.model_dump()
        return Attributes(pair_id=self.pair.pair_id, made_by=dict.fromkeys(labels, "hand"), **labels)


@cache
def load_hand_labelled() -> tuple[HandLabelled, ...]:
    """Return the set, in the file's order."""
    text = resources.files("goldsmith.attributes").joinpath(FILE).read_text(encoding="utf-8")
    return tuple(HandLabelled.model_validate_json(line) for line in text.split("\n") if line)
