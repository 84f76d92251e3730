"""PPE Correctness: 32 replies to one prompt with their truth, in five sets. `lmarena-ai/PPE-<set>-Best-of-K`, split `train`."""

from __future__ import annotations

import re
from typing import Any

from goldsmith.benchdata.item import Item, one_turn
from goldsmith.benchdata.rows import BenchRow
from goldsmith.errors import DataError

ID = "ppe-correctness"
COLUMNS = ("question_id", "prompt", "model_name", "scores", "sampled_conflict_pairs")
EXPECTED = {"MMLU-Pro": 512, "MATH": 512, "GPQA": 512, "IFEval": 512, "MBPP-Plus": 507}
_IN_NAMES = {
    "mmlupro": "MMLU-Pro",
    "math": "MATH",
    "gpqa": "GPQA",
    "ifeval": "IFEval",
    "mbppplus": "MBPP-Plus",
    "mbpp": "MBPP-Plus",
}
"""How a file or folder says which set it is, letters and digits only; the first that fits counts."""


def matches(row: dict[str, object], _name: str) -> bool:
    """Whether a row looks like PPE Correctness's."""
    return "sampled_conflict_pairs" in row or {"response_1", "response_32"} <= row.keys()


def set_of(name: str) -> str:
    """Return which of the five sets a file holds, by its name or, failing that, by the folders above it.

    Raises:
        DataError: no part of the name says so.
    """
    for part in reversed(re.split(r"[/:]", name)):
        plain = re.sub(r"[^a-z0-9]", "", part.lower())
        found = next((known for word, known in _IN_NAMES.items() if word in plain), None)
        if found is not None:
            return found
    raise DataError(
        f"{name}: holds rows of PPE Correctness, but its name does not say which of {', '.join(EXPECTED)} they are; "
        "rename the file or its folder, as in ppe/MATH.parquet"
    )


def read(row: BenchRow) -> list[Item]:
    """Return the row's item, named by question and generating model; its comparisons are the sampled pairs, repeats included."""
    row.need(COLUMNS)
    good = [_truth(row, value) for value in row.items("scores")]
    row.need([f"response_{place + 1}" for place in range(len(good))])
    if f"response_{len(good) + 1}" in row.data:
        raise row.error(f"scores has {len(good)} values, and there is a response_{len(good) + 1}")
    model = row.name_of("model_name")
    pairs = [_pair(row, pair, good) for pair in row.items("sampled_conflict_pairs")]
    return [
        Item(
            benchmark=ID,
            subset=set_of(row.name),
            item_id=f"{set_of(row.name)}/{row.name_of('question_id')}/{model}",
            context=one_turn(row.text("prompt")),
            replies=[row.text(f"response_{place + 1}") for place in range(len(good))],
            good=good,
            comparisons=pairs,
            weight=float(len(pairs)),
            source_ref=row.where,
            meta={"model": model},
        )
    ]


def _truth(row: BenchRow, value: Any) -> bool:
    if value not in (0, 1):
        raise row.error(f"scores holds {value!r}; each must be true or false")
    return bool(value)


def _pair(row: BenchRow, pair: Any, good: list[bool]) -> tuple[int, int]:
    if not isinstance(pair, list) or len(pair) != 2 or not all(type(place) is int and 0 <= place < len(good) for place in pair):
        raise row.error(f"sampled_conflict_pairs holds {str(pair)[:60]}; each must be two places from 0 to {len(good) - 1}")
    one, other = pair
    if good[one] == good[other]:
        raise row.error(f"the sampled pair {pair} has two {'right' if good[one] else 'wrong'} replies; one must be right")
    return (one, other) if good[one] else (other, one)
