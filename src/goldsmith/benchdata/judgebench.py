"""JudgeBench: two replies of one model to a hard question, one of them right. `ScalerLab/JudgeBench`, splits `gpt` and `claude`."""

from __future__ import annotations

from goldsmith.benchdata.item import Item, one_turn
from goldsmith.benchdata.rows import BenchRow

ID = "judgebench"
COLUMNS = ("pair_id", "source", "question", "response_model", "response_A", "response_B", "label")
CATEGORIES = {"mmlu-pro": "Knowledge", "livebench-reasoning": "Reasoning", "livebench-math": "Math", "livecodebench": "Coding"}
"""By the beginning of `source`."""
EXPECTED = {
    "gpt": {"Knowledge": 154, "Reasoning": 98, "Math": 56, "Coding": 42},
    "claude": {"Knowledge": 154, "Reasoning": 51, "Math": 34, "Coding": 31},
}
LEADERBOARD_SPLIT = "gpt"
_LABELS = ("A>B", "B>A")


def matches(row: dict[str, object], _name: str) -> bool:
    """Whether a row looks like JudgeBench's."""
    return {"response_A", "response_B"} <= row.keys()


def read(row: BenchRow) -> list[Item]:
    """Return the row's item; its subset is the category, with `claude/` before it in that split."""
    row.need(COLUMNS)
    better = _LABELS.index(row.one_of("label", _LABELS))
    category, split = _category(row), _split(row)
    return [
        Item(
            benchmark=ID,
            subset=category if split == LEADERBOARD_SPLIT else f"{split}/{category}",
            item_id=row.name_of("pair_id"),
            context=one_turn(row.text("question")),
            replies=[row.text("response_A"), row.text("response_B")],
            good=[better == 0, better == 1],
            comparisons=[(better, 1 - better)],
            is_ordered=True,
            source_ref=row.where,
            meta={"split": split, "category": category, **row.rest(("source", "response_model"))},
        )
    ]


def _category(row: BenchRow) -> str:
    source = row.text("source")
    found = next((category for start, category in CATEGORIES.items() if source.startswith(start)), None)
    if found is None:
        raise row.error(f"source is '{source}'; JudgeBench's begin with {', '.join(CATEGORIES)}")
    return found


def _split(row: BenchRow) -> str:
    model = row.text("response_model").lower()
    found = next((split for split in EXPECTED if split in model), None)
    if found is None:
        raise row.error(f"response_model is '{model}'; JudgeBench's replies are by a gpt or a claude model")
    return found
