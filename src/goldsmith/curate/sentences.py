"""What a row of a table says about its pair, as a sentence: one small function a stage."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

Row = dict[str, Any]


def describe(stage: str, table: str, row: Row) -> str:
    """Return the sentence about a row of a table that belongs to a stage."""
    return _DESCRIBED.get(stage, _every_field)(table, row)


def _source(_table: str, row: Row) -> str:
    label = f"label {row['label']} ({row['label_origin']})"
    return f"{row['source']} {row['source_ref']}: {label}; prompt {_short(_last_turn(row['context']))}"


def _dropped(_table: str, row: Row) -> str:
    return f"{row['reason']}: {row['detail']}" if row.get("detail") else str(row["reason"])


def _contradiction(_table: str, row: Row) -> str:
    return f"{row['source']} {row['source_ref']} says {row['label']}, and another row says the opposite"


def _noise(_table: str, _row: Row) -> str:
    return "label reversed on purpose for this experiment"


def _near(_table: str, row: Row) -> str:
    return f"about {row['similarity']:.0%} of the text is that of {row['like']}; kept, as near-duplicates are reported only"


def _evaluation(_table: str, row: Row) -> str:
    return f"set {row['set']}, label {row['label']}"


def _attributes(_table: str, row: Row) -> str:
    named = f"{row['task']}, {row['objectivity']}, controversiality {row['controversiality']}"
    return f"{named}; wants {row['desired'] or 'unknown'}; guideline: {row['guideline'] or 'none'}"


def _seed(_table: str, row: Row) -> str:
    return "selected" + (", to people" if row["to_humans"] else ", to silver")


def _check(_table: str, row: Row) -> str:
    told = f"{row['outcome']}: {row['reason']}" if row["outcome"] else f"no answer ({row['failure']})"
    return f"{row['model']} on the {row['side']} reply: {told}"


def _retrieved(table: str, row: Row) -> str:
    num_asking = len(json.loads(row["gold_ids"]))
    return f"{table}: priority {row['priority']:.3f}, asked for by {num_asking} gold pairs" + (
        ", to people" if row["to_humans"] else ""
    )


def _silver(table: str, row: Row) -> str:
    return f"{table}: label {row['label']} ({row['label_origin']}), {row['origin']}"


def _gold(_table: str, row: Row) -> str:
    return f"label {row['label']}, {row['how']}, part {row['split']}, batch {row['batch']}"


def _margin(table: str, row: Row) -> str:
    return f"{table}: p of the human label {row['p']:.3f}"


def _score(table: str, row: Row) -> str:
    fold = "whole model" if row["fold"] is None else f"fold {row['fold']} held out"
    return f"{table}: first {row['first']:.3f}, second {row['second']:.3f} ({fold})"


def _decision(_table: str, row: Row) -> str:
    return f"{row['action']} by {row['rule']}: {row['label_before']} -> {row['label_after']}; {row['reason']}"


def _curated(_table: str, row: Row) -> str:
    return f"in the curated set with label {row['label']} ({row['label_origin']})"


def _measured(_table: str, row: Row) -> str:
    return f"{row['set']}, {row['model']}: margin {row['margin']:.3f}, {'right' if row['correct'] else 'wrong'}"


def _every_field(_table: str, row: Row) -> str:
    return ", ".join(f"{name} {value}" for name, value in row.items() if name != "pair_id" and value is not None)


_DESCRIBED: dict[str, Callable[[str, Row], str]] = {
    "source": _source, "dropped": _dropped, "contradiction": _contradiction, "noise": _noise, "near": _near, "evaluation": _evaluation, "attributes": _attributes,
    "seed": _seed, "check": _check, "retrieved": _retrieved, "silver": _silver, "gold": _gold, "margin": _margin, "score": _score, "decision": _decision,
    "curated": _curated, "measured": _measured,
}  # fmt: skip
"""From a stage to the sentence about a row of its table; other stages list the row's fields."""


def _last_turn(context: str) -> str:
    content = json.loads(context)[-1]["content"]
    return content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)


def _short(text: str, limit: int = 70) -> str:
    flat = " ".join(text.split())
    return repr(flat if len(flat) <= limit else flat[: limit - 1] + "…")
