"""Pairs as Parquet rows: the context is canonical JSON, replies are plain text, parts ride in a column of their own."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa

from goldsmith.identity import canonical_json
from goldsmith.types import Content, Pair


def pair_schema(*more: tuple[str, pa.DataType]) -> pa.Schema:
    """Return the columns of a table of pairs, followed by a table's own columns."""
    text = pa.string()
    names = ["pair_id", "context_id", "context", "first", "second", "parts", "label", "label_origin"]
    fields = [(name, text) for name in names]
    fields += [("strength", pa.float64()), ("source", text), ("source_ref", text), ("meta", text)]
    return pa.schema(fields + list(more))


PAIR_COLUMNS = tuple(pair_schema().names)
"""The columns of a stored pair, in their order."""


def to_row(pair: Pair) -> dict[str, Any]:
    """Return the Parquet row of a pair."""
    lists = {side: content for side, content in (("first", pair.first), ("second", pair.second)) if not isinstance(content, str)}
    return {
        "pair_id": pair.pair_id,
        "context_id": pair.context_id,
        "context": canonical_json(pair.messages),
        "first": text_of(pair.first),
        "second": text_of(pair.second),
        "parts": canonical_json(lists) if lists else None,
        "label": pair.label,
        "label_origin": pair.label_origin,
        "strength": pair.strength,
        "source": pair.source,
        "source_ref": pair.source_ref,
        "meta": canonical_json(pair.meta),
    }


def from_row(row: dict[str, Any]) -> Pair:
    """Return the pair of a Parquet row; columns that are no field of a pair are left out."""
    parts = json.loads(row["parts"]) if row.get("parts") else {}
    return Pair(
        pair_id=row["pair_id"],
        context=json.loads(row["context"]),
        first=parts.get("first", row["first"]),
        second=parts.get("second", row["second"]),
        label=row["label"],
        label_origin=row["label_origin"],
        strength=row["strength"],
        source=row["source"],
        source_ref=row["source_ref"],
        meta=json.loads(row["meta"] or "{}"),
    )


def text_of(content: Content) -> str:
    """Return the text of a content: itself, or its text parts joined by line ends."""
    if isinstance(content, str):
        return content
    return "\n".join(str(part.get("text", "")) for part in content if part.get("type") == "text")
