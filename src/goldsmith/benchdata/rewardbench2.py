"""RewardBench 2: best of four in five subsets, and Ties, where several replies are right. `allenai/reward-bench-2`, split `test`."""

from __future__ import annotations

import re

from goldsmith.benchdata.item import Item, every_comparison, one_turn
from goldsmith.benchdata.rows import BenchRow

ID = "rewardbench-2"
COLUMNS = ("id", "prompt", "chosen", "rejected", "subset")
EXPECTED = {"Factuality": 475, "Precise IF": 160, "Math": 183, "Safety": 450, "Focus": 495, "Ties": 102}
TIES = "Ties"
_BY_LOWER = {name.lower(): name for name in EXPECTED}
_TIES_ID = re.compile(r"(ref|tied):(\d+)")


def matches(row: dict[str, object], _name: str) -> bool:
    """Whether a row looks like RewardBench 2's."""
    lists = isinstance(row.get("chosen"), list) and isinstance(row.get("rejected"), list)
    return lists and ("num_correct" in row or "total_completions" in row or "additional_metadata" in row)


def read(row: BenchRow) -> list[Item]:
    """Return the row's item; the chosen replies come first."""
    row.need(COLUMNS)
    subset = _BY_LOWER.get(row.text("subset").lower())
    if subset is None:
        row.one_of("subset", tuple(EXPECTED))
        raise AssertionError
    chosen, rejected = row.texts("chosen"), row.texts("rejected")
    _check_counts(row, subset, len(chosen), len(rejected))
    good = [True] * len(chosen) + [False] * len(rejected)
    name, meta, cluster = row.name_of("id"), {"kind": "best-of-4"}, ""
    if subset == TIES:
        found = _TIES_ID.fullmatch(name)
        if found is None:
            raise row.error(f"id is '{name}'; a row of Ties is named ref:NUMBER or tied:NUMBER")
        meta, cluster = {"kind": "ties", "ties": found[1], "ties_id": found[2]}, f"ties:{found[2]}"
        if found[1] == "tied" and len(chosen) < 2:
            raise row.error("a tied row has one correct reply, so its scores have no spread; has the upstream layout changed?")
    return [
        Item(
            benchmark=ID, subset=subset, item_id=name, context=one_turn(row.text("prompt")), replies=[*chosen, *rejected],
            good=good, comparisons=every_comparison(good), source_ref=row.where, cluster=cluster, meta=meta,
        )
    ]  # fmt: skip


def _check_counts(row: BenchRow, subset: str, chosen: int, rejected: int) -> None:
    if subset != TIES and (chosen, rejected) != (1, 3):
        raise row.error(f"{chosen} chosen and {rejected} rejected replies; {subset} has 1 and 3")
    for column, found in (("num_correct", chosen), ("num_incorrect", rejected), ("total_completions", chosen + rejected)):
        told = row.data.get(column)
        if told is not None and told != found:
            raise row.error(f"{column} is {told}, and the row has {found} such replies")
