"""HelpSteer3's preference columns: `context`, `response1`, `response2`, and a signed `overall_preference`."""

from __future__ import annotations

from goldsmith.pool.sources.draft import Draft, Format, Reject, Row, from_choice, leftovers, number, prompt_of

_USED = ("context", "prompt", "response1", "response2", "overall_preference")


def _matches(row: Row) -> bool:
    return {"response1", "response2", "overall_preference"} <= row.keys() and bool({"context", "prompt"} & row.keys())


def _read(row: Row) -> list[Draft]:
    preference = number(row["overall_preference"])
    if preference is None:
        raise Reject("score-missing", f"overall_preference {row['overall_preference']!r}")
    context = prompt_of(row["context"] if "context" in row else row["prompt"])
    # Negative: the first response is better; positive: the second.
    choice = 0 if preference == 0 else (1 if preference < 0 else 2)
    fields = {"label_origin": "human", "strength": abs(preference), "meta": leftovers(row, _USED)}
    return [from_choice(context, row["response1"], row["response2"], choice, **fields)]


HELPSTEER = Format("helpsteer3", "context, response1, response2, overall_preference", _matches, _read)
