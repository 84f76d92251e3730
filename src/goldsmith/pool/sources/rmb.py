"""RMB's layout: `conversation_input` with one chosen and one rejected answer, or a best answer and its losers."""

from __future__ import annotations

from typing import Any

from goldsmith.pool.sources.draft import Draft, Format, Reject, Row, content_of, leftovers, messages


def _pairwise_matches(row: Row) -> bool:
    return {"conversation_input", "chosen", "reject"} <= row.keys()


def _bon_matches(row: Row) -> bool:
    return {"conversation_input", "bon_best", "loser_list"} <= row.keys()


def _answer(value: Any) -> Any:
    return content_of(value.get("answer") if isinstance(value, dict) else value)


def _draft(row: Row, context: list[Row], winner: Any, loser: Any, part: str = "") -> Draft:
    models = [value.get("llm_name") if isinstance(value, dict) else None for value in (winner, loser)]
    meta = {**leftovers(row, ()), "models": models}
    # RMB's preferences are agreements of several LLM judges.
    return Draft(context, _answer(winner), _answer(loser), label_origin="llm", source="RMB", meta=meta, part=part)


def _pairwise(row: Row) -> list[Draft]:
    return [_draft(row, messages(row["conversation_input"]), row["chosen"], row["reject"])]


def _bon(row: Row) -> list[Draft]:
    losers = row["loser_list"]
    if not isinstance(losers, list) or not losers:
        raise Reject("too-few-replies", "loser_list is empty")
    context = messages(row["conversation_input"])
    return [_draft(row, context, row["bon_best"], loser, f"best-{place}") for place, loser in enumerate(losers)]


RMB_PAIRWISE = Format("rmb-pairwise", "conversation_input, chosen, reject", _pairwise_matches, _pairwise)
RMB_BON = Format("rmb-best-of-n", "conversation_input, bon_best, loser_list", _bon_matches, _bon)
