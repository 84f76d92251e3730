"""How much longer and how much more formatted one reply is than the other: what careless labels and weak models follow."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MARKS = ("\n- ", "\n* ", "\n#", "**", "```", "\n|")
"""Plain signs of formatting: bullets, headings, bold, code fences, tables; each occurrence counts once."""
NUMBERED = r"\n\d{1,3}[.)] "
"""A numbered line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """Differences of N pairs; both are 0 for equal replies and change sign when the replies change places.

    Attributes:
        length: log of (1 + characters of `first`) over (1 + characters of `second`), float64 [N].
        format: the same of signs of formatting.
    """

    length: Floats
    format: Floats

    def of(self, rows: NDArray[Any]) -> Surface:
        """Return those of some rows, by place or by mask."""
        return Surface(length=self.length[rows], format=self.format[rows])


def surface(first: Sequence[str] | Any, second: Sequence[str] | Any, *, formats: bool = True) -> Surface:
    """Return the differences of replies.

    Args:
        first: texts, as a list or an Arrow string column.
        second: likewise.
        formats: count signs of formatting; else `format` is 0 everywhere, at a tenth of the time.
    """
    one, other = _texts(first), _texts(second)
    return Surface(
        length=np.log1p(_characters(one)) - np.log1p(_characters(other)),
        format=np.log1p(_marks(one)) - np.log1p(_marks(other)) if formats else np.zeros(len(one)),
    )


def _texts(column: Any) -> Any:
    import pyarrow as pa

    return column if isinstance(column, (pa.Array, pa.ChunkedArray)) else pa.array(map(_clean, column), pa.large_string())


def _characters(texts: Any) -> Floats:
    import pyarrow.compute as pc

    return np.asarray(pc.utf8_length(texts).to_numpy(), dtype=np.float64)


def _marks(texts: Any) -> Floats:
    import pyarrow as pa
    import pyarrow.compute as pc

    # A mark at the very start of a reply stands at the start of a line too.
    led = pc.binary_join_element_wise(pa.scalar("\n", texts.type), texts, pa.scalar("", texts.type))
    total = np.zeros(len(texts))
    for mark in MARKS:
        total += pc.count_substring(led, mark).to_numpy()
    return np.asarray(total + pc.count_substring_regex(led, NUMBERED).to_numpy(), dtype=np.float64)


def _clean(text: str) -> str:
    """A lone surrogate cannot be stored as UTF-8; it counts as one character like any other."""
    return re.sub("[\ud800-\udfff]", "?", text)
