"""PPE Human Preference: two anonymous models' replies to one prompt, and a person's vote. `lmarena-ai/PPE-Human-Preference-V1`, `test`."""

from __future__ import annotations

from goldsmith.benchdata.item import Item, one_turn
from goldsmith.benchdata.rows import BenchRow

ID = "ppe-preference"
COLUMNS = ("question_id", "model_a", "model_b", "winner", "prompt", "response_1", "response_2")
ROWS = 16_038
FLAGS = ("is_code", "is_refusal", "hard_prompt", "easy_prompt", "if_prompt", "math_prompt")
UNKNOWN_LANGUAGE = "unknown"
_SIDES = {"model_a": 0, "model_b": 1}


def matches(row: dict[str, object], _name: str) -> bool:
    """Whether a row looks like PPE Preference's."""
    return (
        {"response_1", "response_2"} <= row.keys()
        and "sampled_conflict_pairs" not in row
        and bool({"winner", "model_a"} & row.keys())
    )


def read(row: BenchRow) -> list[Item]:
    """Return the row's item; every value of `winner` but the two models is a tie, null too. Its subset is its language."""
    row.need(COLUMNS)
    side = None if row.data["winner"] is None else _SIDES.get(row.text("winner"))
    language = row.data.get("language")
    meta = {**row.rest(("model_a", "model_b", "winner")), "flags": [flag for flag in FLAGS if row.data.get(flag) is True]}
    return [
        Item(
            benchmark=ID,
            subset=language if isinstance(language, str) and language else UNKNOWN_LANGUAGE,
            item_id=row.name_of("question_id"),
            context=one_turn(row.text("prompt")),
            replies=[row.text("response_1"), row.text("response_2")],
            good=[side == 0, side == 1],
            comparisons=[] if side is None else [(side, 1 - side)],
            is_ordered=True,
            source_ref=row.where,
            meta=meta,
        )
    ]
