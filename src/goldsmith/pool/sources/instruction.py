"""Replies as text beside a prompt that is not called `prompt`: LLaMA-Factory's Alpaca preference rows, Orca DPO pairs."""

from __future__ import annotations

from goldsmith.pool.sources.draft import Draft, Format, Reject, Row, content_of, label_origin, leftovers, name_or_none, number

PROMPTS = ("instruction", "question", "query", "input")
"""What the prompt's column is called, most telling first; beside an `instruction`, `input` is what it is about."""
_USED = (*PROMPTS, "chosen", "rejected", "system", "history", "label_origin", "label_source", "source", "strength")


def _matches(row: Row) -> bool:
    is_text = all(isinstance(row.get(key, 0), (str, type(None))) for key in ("chosen", "rejected"))
    return is_text and "prompt" not in row and any(isinstance(row.get(name), str) for name in PROMPTS)


def _context(row: Row) -> list[Row]:
    name = next(name for name in PROMPTS if isinstance(row.get(name), str))
    about = row.get("input") if name == "instruction" else None
    if not isinstance(about, (str, type(None))):
        raise Reject("wrong-type", f"input is {type(about).__name__}, not text")
    context = [{"role": "system", "content": row["system"]}] if isinstance(row.get("system"), str) and row["system"] else []
    for turns in row.get("history") or []:
        if not isinstance(turns, list) or len(turns) != 2:
            raise Reject("wrong-type", f"history holds {str(turns)[:80]}, not a question and its answer")
        context += [
            {"role": role, "content": content_of(turn) or ""} for role, turn in zip(("user", "assistant"), turns, strict=True)
        ]
    context.append({"role": "user", "content": f"{row[name]}\n{about}" if about else row[name]})
    return context


def _read(row: Row) -> list[Draft]:
    if not isinstance(row.get("history"), (list, type(None))):
        raise Reject("wrong-type", f"history is {type(row['history']).__name__}, not a list")
    return [
        Draft(
            _context(row),
            content_of(row["chosen"]),
            content_of(row["rejected"]),
            label_origin=label_origin(row.get("label_origin", row.get("label_source"))),
            strength=number(row.get("strength")),
            source=name_or_none(row.get("source")),
            meta=leftovers(row, _USED),
        )
    ]


INSTRUCTION = Format("instruction", "instruction (or question, query, input), chosen, rejected, all text", _matches, _read)
