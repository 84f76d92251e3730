"""RewardBench 1 (one chosen, one rejected) and RewardBench 2 (lists of both)."""

from __future__ import annotations

from goldsmith.pool.sources.draft import Draft, Format, Reject, Row, content_of, label_origin, leftovers, prompt_of

_USED = ("prompt", "chosen", "rejected", "source", "label_origin", "label_source")


def _one_matches(row: Row) -> bool:
    has_columns = {"prompt", "chosen", "rejected", "subset"} <= row.keys()
    return has_columns and all(isinstance(row[key], str) for key in ("prompt", "chosen", "rejected"))


def _one(row: Row) -> list[Draft]:
    chosen, rejected = content_of(row["chosen"]), content_of(row["rejected"])
    origin = label_origin(row.get("label_origin", row.get("label_source")))
    return [Draft(prompt_of(row["prompt"]), chosen, rejected, label_origin=origin, meta=leftovers(row, _USED))]


def is_lists(row: Row) -> bool:
    """Whether `chosen` and `rejected` are lists of texts."""
    values = [row.get("chosen"), row.get("rejected")]
    return "prompt" in row and all(isinstance(value, list) and value and isinstance(value[0], str) for value in values)


def every_pair(row: Row, origin: str) -> list[Draft]:
    """Return a draft for each of the chosen against each of the rejected texts.

    Raises:
        Reject: `wrong-type`.
    """
    if not isinstance(row["chosen"], list) or not isinstance(row["rejected"], list):
        raise Reject("wrong-type", "chosen and rejected must be lists of texts")
    context, meta = prompt_of(row["prompt"]), leftovers(row, _USED)
    return [
        Draft(
            context,
            content_of(chosen),
            content_of(rejected),
            label_origin=origin,
            meta={**meta, "pair": [one, other]},
            part=f"{one}-{other}",
        )
        for one, chosen in enumerate(row["chosen"])
        for other, rejected in enumerate(row["rejected"])
    ]


def _two(row: Row) -> list[Draft]:
    return every_pair(row, label_origin(row.get("label_origin")))


REWARDBENCH = Format("rewardbench", "prompt, chosen, rejected, subset", _one_matches, _one)
REWARDBENCH_2 = Format("rewardbench-2", "prompt, chosen (list), rejected (list)", is_lists, _two)
