"""Several replies with scores or ranks: UltraFeedback's `completions`, or `responses` with `scores` or `ranks`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from goldsmith.pool.sources.draft import (
    Draft,
    Format,
    Reject,
    Row,
    from_scores,
    label_origin,
    leftovers,
    name_or_none,
    number,
    prompt_of,
)

_REPLIES = ("completions", "responses", "replies", "answers")
_SCORES = ("scores", "ratings", "rewards")
_RANKS = ("ranks", "ranking", "rank")
_PROMPTS = ("prompt", "instruction", "question", "messages", "context", "input")
_TEXTS = ("response", "text", "content", "answer", "completion")
_OWN_SCORES = ("overall_score", "score", "fine-grained_score", "rating", "reward")


def _first(row: Row, names: tuple[str, ...]) -> str | None:
    return next((name for name in names if row.get(name) is not None), None)


def _matches(row: Row) -> bool:
    key = _first(row, _REPLIES)
    if key is None or _first(row, _PROMPTS) is None or not isinstance(row[key], list):
        return False
    scored_inside = bool(row[key]) and isinstance(row[key][0], dict) and _first(row[key][0], (*_OWN_SCORES, *_RANKS)) is not None
    return scored_inside or _first(row, (*_SCORES, *_RANKS)) is not None


@dataclass(frozen=True, slots=True)
class RankedRow:
    """A row's context, its replies, and their scores (higher is better, None where it has none), as they stand."""

    context: list[Row]
    replies: list[Any]
    scores: list[float | None]


def ranked_row(row: Row) -> RankedRow:
    """Return what a row says about its replies.

    Raises:
        Reject: `unknown-fields`, or a prompt that is no context.
    """
    key, prompt = _first(row, _REPLIES), _first(row, _PROMPTS)
    if key is None or prompt is None or not isinstance(row[key], list):
        raise Reject("unknown-fields", f"columns {sorted(row)}")
    entries = row[key]
    return RankedRow(prompt_of(row[prompt]), [_text(entry) for entry in entries], _scores(row, entries))


def _read(row: Row) -> list[Draft]:
    ranked = ranked_row(row)
    told = row.get("label_origin", row.get("label_source", "llm" if _first(row, _REPLIES) == "completions" else None))
    fields = {
        "label_origin": label_origin(told),
        "source": name_or_none(row.get("source")),
        "meta": leftovers(row, (*_PROMPTS, "source", "label_origin", "label_source")),
    }
    return from_scores(ranked.context, ranked.replies, ranked.scores, **fields)


def _text(entry: Any) -> Any:
    if not isinstance(entry, dict):
        return entry
    key = _first(entry, _TEXTS)
    return entry[key] if key else None


def _scores(row: Row, entries: list[Any]) -> list[float | None]:
    """Higher is better; a rank counts backwards, so its negative is the score."""
    column = _first(row, (*_SCORES, *_RANKS))
    if column is not None:
        values = row[column] if isinstance(row[column], list) else []
        return [_signed(value, column in _RANKS) for value in values]
    scores = []
    for entry in entries:
        own = _first(entry, (*_OWN_SCORES, *_RANKS)) if isinstance(entry, dict) else None
        scores.append(_signed(entry[own], own in _RANKS) if own else None)
    return scores


def _signed(value: Any, is_rank: bool) -> float | None:
    score = number(value)
    return -score if is_rank and score is not None else score


RANKED = Format("ranked-replies", "prompt, responses (or completions), scores (or ranks)", _matches, _read)
