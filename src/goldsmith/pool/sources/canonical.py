"""The schema of the development data: `prompt` (messages), `chosen`, `rejected`, `label_source`, `meta`."""

from __future__ import annotations

from goldsmith.pool.sources.draft import Draft, Format, Row, content_of, label_origin, name_or_none, number, prompt_of

_NUMBERS = {"response_1": 1, "response_2": 2, "1": 1, "2": 2}
"""How the meta of rows names the response that became `chosen`."""


def _matches(row: Row) -> bool:
    return {"prompt", "chosen", "rejected", "label_source"} <= row.keys()


def _read(row: Row) -> list[Draft]:
    told = row.get("meta")
    meta = dict(told) if isinstance(told, dict) else {}
    if row.get("id") is not None:
        meta["id"] = row["id"]
    strength = number(row.get("strength"))
    return [
        Draft(
            prompt_of(row["prompt"]),
            content_of(row["chosen"]),
            content_of(row["rejected"]),
            tie=meta.get("is_tie") is True,
            label_origin=label_origin(row["label_source"]),
            # AlpacaEval's raw preferences saturate: the gap of the log-odds is the usable strength.
            strength=number(meta.get("logit_gap")) if strength is None else strength,
            source=name_or_none(row.get("source")),
            meta=meta,
            chosen_number=_NUMBERS.get(str(meta.get("chosen_was", meta.get("label"))), 0),
        )
    ]


CANONICAL = Format("canonical", "prompt, chosen, rejected, label_source, meta", _matches, _read)
