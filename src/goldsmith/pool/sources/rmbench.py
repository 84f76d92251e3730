"""RM-Bench: three chosen and three rejected answers, from concise to detailed Markdown."""

from __future__ import annotations

from goldsmith.pool.sources.draft import Draft, Format, Row
from goldsmith.pool.sources.rewardbench import every_pair, is_lists


def _matches(row: Row) -> bool:
    return is_lists(row) and len(row["chosen"]) == len(row["rejected"]) == 3 and "num_correct" not in row


def _read(row: Row) -> list[Draft]:
    return every_pair(row, "rule")


RMBENCH = Format("rm-bench", "prompt, chosen (3), rejected (3)", _matches, _read)
