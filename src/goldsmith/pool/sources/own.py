"""Goldsmith's own pairs: `context`, `first`, `second`, `label` (contracts, "Records")."""

from __future__ import annotations

from goldsmith.pool.sources.draft import ORIGINS, Draft, Format, Reject, Row, messages, number

_SIDES = {"first": 1, "second": 2, "tie": 0}


def _matches(row: Row) -> bool:
    return {"context", "first", "second", "label"} <= row.keys()


def _read(row: Row) -> list[Draft]:
    label = row["label"]
    if label not in _SIDES:
        raise Reject("unknown-label", f"label {label!r}, expected first, second or tie")
    origin = row.get("label_origin", "unknown")
    swapped = label == "second"
    draft = Draft(
        messages(row["context"]),
        row["second"] if swapped else row["first"],
        row["first"] if swapped else row["second"],
        tie=label == "tie",
        label_origin=origin if origin in ORIGINS else "unknown",
        strength=number(row.get("strength")),
        source=row.get("source") or None,
        meta=row.get("meta") or {},
    )
    if row.get("pair_id"):
        draft.meta = {**draft.meta, "_pair_id": row["pair_id"]}
    return [draft]


OWN = Format("goldsmith", "context, first, second, label", _matches, _read)
