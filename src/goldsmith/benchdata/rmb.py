"""RMB: pairs, and lists of one best answer and its losers, of 49 categories. GitHub `Zhou-Zoey/RMB-Reward-Model-Benchmark`, `RMB_dataset/`."""

from __future__ import annotations

from typing import Any

from goldsmith.benchdata.item import Item
from goldsmith.benchdata.rows import BenchRow

ID = "rmb"
PAIRWISE = ("pair_uid", "conversation_input", "chosen", "reject", "category_path")
BEST_OF_N = ("bon_uid", "conversation_input", "bon_best", "loser_list", "category_path")
SETS = {"Pairwise_set": "pairwise", "BoN_set": "BoN"}
GOALS = ("Helpfulness", "Harmlessness")
ROWS = 17_131 + 3_786
"""Pairs and lists of the whole set, by its mirrors."""


def matches(row: dict[str, object], _name: str) -> bool:
    """Whether a row looks like RMB's."""
    return "conversation_input" in row


def read(row: BenchRow) -> list[Item]:
    """Return the row's item: two replies, or the best one and then its losers. Its subset is `cell/category`."""
    is_list = "bon_best" in row.data or "loser_list" in row.data
    row.need(BEST_OF_N if is_list else PAIRWISE)
    cell, category = _group(row, "BoN_set" if is_list else "Pairwise_set")
    answers = [row.mapping("bon_best"), *row.items("loser_list")] if is_list else [row.mapping("chosen"), row.mapping("reject")]
    if len(answers) < 2:
        raise row.error("loser_list is empty; the best answer has nothing to beat")
    replies = [_answer(row, answer) for answer in answers]
    name = f"bon/{row.name_of('bon_uid')}" if is_list else f"pair/{row.name_of('pair_uid')}"
    return [
        Item(
            benchmark=ID, subset=f"{cell}/{category}", item_id=name, context=_context(row), replies=replies,
            good=[place == 0 for place in range(len(replies))], comparisons=[(0, place) for place in range(1, len(replies))],
            source_ref=row.where,
            meta={"kind": "bon" if is_list else "pairwise", "cell": cell, "category": category, "models": [answer.get("llm_name") for answer in answers]},
        )
    ]  # fmt: skip


def _group(row: BenchRow, expected: str) -> tuple[str, str]:
    """Return the cell, as in `Helpfulness BoN`, and the category, as in `Code/Development and Implementation`."""
    parts = row.text("category_path").split("/")
    if len(parts) < 3 or parts[0] != expected or parts[1] not in GOALS:
        raise row.error(
            f"category_path is '{row.text('category_path')}'; expected {expected}/ and one of {' and '.join(GOALS)}, then a category"
        )
    return f"{parts[1]} {SETS[expected]}", "/".join(parts[2:])


def _answer(row: BenchRow, answer: Any) -> str:
    if not isinstance(answer, dict) or not isinstance(answer.get("answer"), str):
        raise row.error(f"an answer is {str(answer)[:60]!r}; RMB has an object with llm_name and answer")
    return str(answer["answer"])


def _context(row: BenchRow) -> list[dict[str, Any]]:
    turns = row.items("conversation_input")
    for place, turn in enumerate(turns):
        role = ("user", "assistant")[place % 2]
        if not isinstance(turn, dict) or turn.get("role") != role or not isinstance(turn.get("content"), str):
            raise row.error(f"turn {place + 1} of conversation_input is {str(turn)[:60]!r}; expected text of the role {role}")
    if len(turns) % 2 == 0:
        raise row.error("conversation_input does not end with a turn of the user")
    return [{"role": turn["role"], "content": turn["content"]} for turn in turns]
