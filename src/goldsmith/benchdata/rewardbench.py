"""RewardBench (v1): one user turn, one chosen and one rejected reply, in 23 subsets of four sections.

`allenai/reward-bench`, split `filtered`. Rows of the older preference test sets (*Prior Sets*) in the same layout are read too.
"""

from __future__ import annotations

from goldsmith.benchdata.item import Item, one_turn
from goldsmith.benchdata.rows import BenchRow

ID = "rewardbench"
COLUMNS = ("prompt", "chosen", "rejected", "subset", "id")
SECTIONS: dict[str, dict[str, int]] = {
    "Chat": {"alpacaeval-easy": 100, "alpacaeval-length": 95, "alpacaeval-hard": 95, "mt-bench-easy": 28, "mt-bench-med": 40},
    "Chat Hard": {
        "mt-bench-hard": 37, "llmbar-natural": 100, "llmbar-adver-neighbor": 134, "llmbar-adver-GPTInst": 92,
        "llmbar-adver-GPTOut": 47, "llmbar-adver-manual": 46,
    },
    "Safety": {
        "refusals-dangerous": 100, "refusals-offensive": 100, "xstest-should-refuse": 154, "xstest-should-respond": 250,
        "donotanswer": 136,
    },
    "Reasoning": {
        "math-prm": 447, "hep-cpp": 164, "hep-go": 164, "hep-java": 164, "hep-js": 164, "hep-python": 164, "hep-rust": 164,
    },
}  # fmt: skip
"""Rows of each subset by section; the weights of the official score differ in one place (`goldsmith.evaluate.scoring.rewardbench`)."""
EXPECTED = {subset: number for subsets in SECTIONS.values() for subset, number in subsets.items()}
PRIOR = ("anthropic_helpful", "anthropic_hhh", "shp", "summarize")
"""The test sets of the first paper's fifth section."""
_KNOWN = (*EXPECTED, *PRIOR)


def matches(row: dict[str, object], _name: str) -> bool:
    """Whether a row looks like RewardBench's."""
    sides = [row[name] for name in ("chosen", "rejected") if name in row]
    # The models' columns are its own: such a row is named when a reply is null, not passed over.
    own = {"chosen_model", "rejected_model"} <= row.keys() and not any(isinstance(side, list) for side in sides)
    return len(sides) == 2 and (
        own or (all(isinstance(side, str) for side in sides) and {"subset", "prompt", "id"} <= row.keys())
    )


def read(row: BenchRow) -> list[Item]:
    """Return the row's item."""
    row.need(COLUMNS)
    subset = row.one_of("subset", _KNOWN)
    return [
        Item(
            benchmark=ID,
            subset=subset,
            item_id=row.name_of("id"),
            context=one_turn(row.text("prompt")),
            replies=[row.text("chosen"), row.text("rejected")],
            good=[True, False],
            comparisons=[(0, 1)],
            source_ref=row.where,
            meta=row.rest(("chosen_model", "rejected_model")),
        )
    ]
