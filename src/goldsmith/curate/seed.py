"""The seed: pairs drawn evenly over task, objectivity and controversiality; a part goes to people (spec 4.0).

An attribute whose source is not clearly better than chance on the hand-labelled pairs makes no quota.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from typing import Any

import pyarrow as pa

from goldsmith.curate.context import Context
from goldsmith.curate.proven import read_proven
from goldsmith.errors import UserError
from goldsmith.identity import unit_interval
from goldsmith.store import Counts

QUOTAS = ("task", "objectivity", "controversiality")
MOST_COMPARED = 1000
"""Candidates of a cell that are compared at least, where there are so many."""
ANY = "any"
"""Stands in a quota cell for an attribute that does not count."""
SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("pair_id", "context_id", "task", "objectivity", "controversiality")]
    + [("to_humans", pa.bool_())]
)


def select_seed(context: Context, fingerprint: str) -> dict[str, Any]:
    """Write the table `seed`: the selected pairs in order of selection."""
    workspace, config = context.workspace, context.config
    pool = {row["pair_id"]: row["context_id"] for row in workspace.table("pool").rows(["pair_id", "context_id"])}
    attributes = [row for row in workspace.table("attributes").rows() if row["pair_id"] in pool]
    proven = read_proven(context)
    candidates = [
        {**row, "context_id": pool[row["pair_id"]], "left_out": proven.leave_out(json.loads(row["made_by"]))}
        for row in attributes
    ]
    if not candidates:
        raise UserError(
            "no pair is left in the pool after deduplication and decontamination; `goldsmith status` shows where they went"
        )
    settings = config.seed_selection
    if settings.order == "diverse" or settings.near_copies_above < 1.0:
        chosen, num_copies = diverse_round_robin(context, candidates)
    else:
        chosen, num_copies = round_robin(candidates, settings.size, context.seed), 0
    humans = human_part(chosen, config.gold.seed_budget)
    for row in chosen:
        row["to_humans"] = row["pair_id"] in humans
    with workspace.writer("seed", step="seed", fingerprint=fingerprint) as out:
        out.write_rows([{name: row[name] for name in SCHEMA.names} for row in chosen], SCHEMA)
        left = {"not-selected": len(candidates) - len(chosen) - num_copies, "near-copy": num_copies}
        out.counts = Counts(
            total=len(candidates),
            kept=len(chosen),
            dropped={name: num for name, num in left.items() if num or name == "not-selected"},
        )
    return {
        "size": len(chosen),
        "to_humans": len(humans),
        "cells": len({cell(row) for row in chosen}),
        "without_quota": dict(Counter(name for row in candidates for name in QUOTAS if name in row["left_out"])),
        "counts": out.counts.model_dump(),
    }


def cell(row: dict[str, Any]) -> tuple[str, str, str]:
    """Return the quota cell of a pair: task, objectivity, controversiality; `any` for one named in the row's `left_out`."""
    left_out: Collection[str] = row.get("left_out", ())
    task, objectivity, controversiality = (ANY if name in left_out else row[name] for name in QUOTAS)
    return (task, objectivity, controversiality)


def round_robin(candidates: Sequence[dict[str, Any]], size: int, seed: int) -> list[dict[str, Any]]:
    """Return at most `size` candidates, one from each cell in turn; within a cell new contexts first, then by hash.

    Objective cells of low controversiality lead each turn, as people are to see those first (spec 4, human protocol).
    """
    cells: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in candidates:
        cells[cell(row)].append(row)
    queues = [_new_contexts_first(cells[name], seed) for name in sorted(cells, key=_easy_first)]
    chosen: list[dict[str, Any]] = []
    while queues and len(chosen) < size:
        for queue in queues:
            if len(chosen) < size:
                chosen.append(queue.pop())
        queues = [queue for queue in queues if queue]
    return chosen


def diverse_round_robin(context: Context, candidates: Sequence[dict[str, Any]]) -> tuple[list[dict[str, Any]], int]:
    """Return the seed by quotas, diversity and without near-copies, and how many pairs were left out as near-copies."""
    from goldsmith.curate.diverse import Picker
    from goldsmith.curate.similarity import SimilarPairs

    settings = context.config.seed_selection
    cells: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in candidates:
        cells[cell(row)].append(row)
    similar = SimilarPairs(context)
    share = -(-settings.size // len(cells))
    picker = Picker(near_copies_above=settings.near_copies_above, diverse=settings.order == "diverse")
    for name in sorted(cells, key=_easy_first):
        # Enough for the cell's share many times over; all of a huge cell would be compared with every chosen pair.
        rows = _new_contexts_first(cells[name], context.seed)[::-1][: max(MOST_COMPARED, 20 * share)]
        picker.add_cell(rows, similar.vectors_of([row["pair_id"] for row in rows]))
    return picker.pick(settings.size), picker.num_copies


def human_part(chosen: Sequence[dict[str, Any]], budget: int) -> set[str]:
    """Return the ids of the first `budget` pairs, at most one a context: gold is split by context, and wants many of them."""
    picked: dict[str, str] = {}
    for row in chosen:
        if len(picked) < budget:
            picked.setdefault(row["context_id"], row["pair_id"])
    return set(picked.values())


def _easy_first(name: tuple[str, str, str]) -> tuple[int, int, str]:
    task, objectivity, controversiality = name
    kinds, heats = ["factual", "opinion", "open-ended", ANY], ["low", "medium", "high", ANY]
    return (kinds.index(objectivity), heats.index(controversiality), task)


def _new_contexts_first(rows: list[dict[str, Any]], seed: int) -> list[dict[str, Any]]:
    """Order for popping from the end: the first pair of each context, then the second of each, and so on."""
    seen: dict[str, int] = defaultdict(int)
    ranked: list[tuple[int, int, dict[str, Any]]] = []
    for row in sorted(rows, key=lambda row: (unit_interval(row["pair_id"], seed), row["pair_id"])):
        ranked.append((seen[row["context_id"]], len(ranked), row))
        seen[row["context_id"]] += 1
    return [row for _, _, row in sorted(ranked, key=lambda item: item[:2], reverse=True)]
