"""The input's further columns, given back with the pairs that stay after cleaning.

A column whose name is ours, or would make the file look like another format, comes back as `input_NAME`. Columns that say the same of both
replies follow their reply where the label was turned; what speaks of the label that is gone is null there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from goldsmith.pool.sources.draft import Row
from goldsmith.pool.sources.formats import format_of
from goldsmith.pool.sources.further import other_side
from goldsmith.pool.sources.trl import EXPLICIT
from goldsmith.types import Pair

PREFIX = "input_"
OF_THE_LABEL = ("strength", "margin", "messages")
"""Columns that speak of the label as it came; `messages` is where datasets repeat the chosen conversation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Staying:
    """A pair that stays: as it came, its line with our columns, and its row's further columns."""

    pair: Pair
    line: Row
    further: Row

    @property
    def is_turned(self) -> bool:
        """Whether another reply is the chosen one now; a tie had none."""
        chosen = self.pair.second if self.pair.label == "second" else self.pair.first
        return self.pair.label != "tie" and bool(self.line["chosen"] != chosen)

    def value(self, name: str) -> object:
        """Return the value of a further column under the label as it is now."""
        if not self.is_turned:
            return self.further.get(name)
        return None if name in OF_THE_LABEL else self.further.get(other_side(name) or name)


def with_columns(staying: Sequence[Staying]) -> list[Row]:
    """Return the lines, each with all further columns of the input; null where its row has none."""
    names = new_names(staying)
    return [one.line | {new: one.value(old) for old, new in names.items()} for one in staying]


def renamed(staying: Sequence[Staying]) -> str | None:
    """Return a sentence about the columns that come back under another name; None when there are none."""
    changed = [f"`{old}` as `{new}`" for old, new in new_names(staying).items() if old != new]
    if not changed:
        return None
    return f"columns of the input whose names are Goldsmith's, or another format's, come back under others: {', '.join(changed)}"


def new_names(staying: Sequence[Staying]) -> dict[str, str]:
    """Return the further columns in order of appearance, each with the name under which it comes back."""
    if not staying:
        return {}
    samples: Row = {}
    for one in staying:
        samples |= {name: value for name, value in one.further.items() if samples.get(name) is None}
    line = staying[0].line
    # `label_source`, for one, belongs to a layout that knows nothing of `p_chosen`.
    kept = {name: value for name, value in samples.items() if name not in line and _is_ours(line | {name: value})}
    kept = kept if _is_ours(line | kept) else {}
    names: dict[str, str] = {}
    for name in samples:
        names[name] = name if name in kept else _free(PREFIX + name, samples.keys() | line.keys() | set(names.values()))
    return names


def _is_ours(line: Mapping[str, object]) -> bool:
    return format_of(dict(line)) is EXPLICIT


def _free(name: str, taken: Iterable[str]) -> str:
    return _free(PREFIX + name, taken) if name in taken else name
