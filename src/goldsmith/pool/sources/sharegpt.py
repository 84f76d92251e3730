"""LLaMA-Factory's ShareGPT preference rows: `conversations` with `from`/`value`, `chosen`, `rejected`."""

from __future__ import annotations

from typing import Any

from goldsmith.pool.sources.draft import Draft, Format, Row, content_of, label_origin, leftovers, messages


def _matches(row: Row) -> bool:
    return isinstance(row.get("conversations"), list) and {"chosen", "rejected"} <= row.keys()


def _reply(value: Any) -> Any:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, dict):
        value = value.get("value", value.get("content"))
    return content_of(value)


def _read(row: Row) -> list[Draft]:
    context = messages(row["conversations"])
    if isinstance(row.get("system"), str) and row["system"] and (not context or context[0]["role"] != "system"):
        context.insert(0, {"role": "system", "content": row["system"]})
    origin = label_origin(row.get("label_origin", row.get("label_source")))
    meta = leftovers(row, ("conversations", "chosen", "rejected", "system", "label_origin", "label_source"))
    return [Draft(context, _reply(row["chosen"]), _reply(row["rejected"]), label_origin=origin, meta=meta)]


SHAREGPT = Format("sharegpt", "conversations, chosen, rejected (from/value)", _matches, _read)
