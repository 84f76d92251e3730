"""Goldsmith's own pairs: `context`, `first`, `second`, `label` (contracts, "Records")."""

from __future__ import annotations

from goldsmith.pool.sources.draft import ORIGINS, Draft, Format, Reject, Row, messages, name_or_none, number

_SIDES = {"first": 1, "second": 2, "tie": 0}


def _matches(row: Row) -> bool:
    return {"context", "first", "second", "label"} <= row.keys()


def _read(row: Row) -> list[Draft]:
    label = row["label"]
    if not isinstance(label, str) or label not in _SIDES:
        raise Reject("unknown-label", f"label {label!r}, expected first, second or tie")
    origin = row.get("label_origin", "unknown")
    meta = row.get("meta")
    if meta is not None and not isinstance(meta, dict):
        raise Reject("wrong-type", f"meta is {type(meta).__name__}, not an object")
    swapped = label == "second"
    draft = Draft(
        messages(row["context"]),
        row["second"] if swapped else row["first"],
        row["first"] if swapped else row["second"],
        tie=label == "tie",
        label_origin=origin if origin in ORIGINS else "unknown",
        strength=number(row.get("strength")),
        source=name_or_none(row.get("source")),
        meta=meta or {},
    )
    if row.get("pair_id"):
        draft.meta = {**draft.meta, "_pair_id": row["pair_id"]}
    return [draft]


OWN = Format("goldsmith", "context, first, second, label", _matches, _read)
