"""TRL's preference datasets: explicit prompt (strings or messages), or the prompt inside both replies."""

from __future__ import annotations

from typing import Any

from goldsmith.pool.sources.draft import (
    Draft,
    Format,
    Reject,
    Row,
    content_of,
    label_origin,
    leftovers,
    messages,
    name_or_none,
    number,
    prompt_of,
    user,
)

_MAY_BE_PROMPT = ("instruction", "question", "query", "input", "context", "history", "conversation", "conversations", "text")
_USED = ("prompt", "chosen", "rejected", "label_origin", "label_source", "source", "strength", "margin", "messages")


def _fields(row: Row) -> dict[str, Any]:
    strength = number(row.get("strength", row.get("margin")))
    better, worse = number(row.get("score_chosen")), number(row.get("score_rejected"))
    if strength is None and better is not None and worse is not None:
        strength = better - worse
    return {
        "strength": strength,
        "label_origin": label_origin(row.get("label_origin", row.get("label_source"))),
        "source": name_or_none(row.get("source")),
        "meta": leftovers(row, _USED),
    }


def _is_reply(value: Any) -> bool:
    return value is None or isinstance(value, str) or (isinstance(value, list) and (not value or isinstance(value[0], dict)))


def _explicit_matches(row: Row) -> bool:
    return {"prompt", "chosen", "rejected"} <= row.keys() and all(_is_reply(row[key]) for key in ("chosen", "rejected"))


def _explicit(row: Row) -> list[Draft]:
    context = prompt_of(row["prompt"])
    chosen, rejected = (_last_reply(row[key], context) for key in ("chosen", "rejected"))
    return [Draft(context, chosen, rejected, **_fields(row))]


def _last_reply(value: Any, context: list[Row]) -> Any:
    """The reply's content: text, one assistant message, or a conversation that repeats the context before it."""
    is_turns = isinstance(value, list) and bool(value) and isinstance(value[0], dict) and bool({"role", "from"} & value[0].keys())
    if not is_turns:
        return content_of(value)
    turns = messages(value)
    if turns[-1]["role"] != "assistant":
        raise Reject("no-assistant-turn", f"the reply ends with a turn of {turns[-1]['role']}")
    if len(turns) > 1 and turns[:-1] != context:
        raise Reject("differs-before-last-turn", f"{len(turns)} turns in the reply do not continue the prompt")
    return turns[-1]["content"]


def _implicit_matches(row: Row) -> bool:
    values = [row.get("chosen"), row.get("rejected")]
    if "prompt" in row or not all(value is not None and _is_reply(value) for value in values):
        return False
    # Beside a column that may be the prompt, what two texts begin with alike is not it.
    return not (isinstance(values[0], str) and any(row.get(name) for name in _MAY_BE_PROMPT))


def _implicit(row: Row) -> list[Draft]:
    if isinstance(row["chosen"], str) and isinstance(row["rejected"], str):
        return [_common_start(row["chosen"], row["rejected"], row)]
    chosen, rejected = messages(row["chosen"]), messages(row["rejected"])
    if not chosen or not rejected or chosen[-1]["role"] != "assistant" or rejected[-1]["role"] != "assistant":
        raise Reject("no-assistant-turn", "both conversations must end with a turn of the assistant")
    if chosen[:-1] != rejected[:-1]:
        raise Reject("differs-before-last-turn", "chosen and rejected are different conversations")
    return [Draft(chosen[:-1], chosen[-1]["content"], rejected[-1]["content"], **_fields(row))]


def _common_start(chosen: str, rejected: str, row: Row) -> Draft:
    """Two texts without roles: what they begin with alike, up to the last space or line end, is the prompt."""
    alike = next((place for place, (one, other) in enumerate(zip(chosen, rejected, strict=False)) if one != other), len(chosen))
    prefix = chosen[: min(alike, len(rejected))]
    cut = max(prefix.rfind(" "), prefix.rfind("\n")) + 1
    return Draft(user(prefix[:cut].strip()), chosen[cut:].strip(), rejected[cut:].strip(), **_fields(row))


EXPLICIT = Format("trl-explicit", "prompt, chosen, rejected", _explicit_matches, _explicit)
IMPLICIT = Format("trl-implicit", "chosen, rejected (each with the prompt inside)", _implicit_matches, _implicit)
