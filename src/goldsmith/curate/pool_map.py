"""The map of the pool: a sample of the decided pairs, where the embeddings of retrieval put them, with their texts cut short."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable
from html import escape
from typing import Any

import numpy as np

from goldsmith.curate.context import Context
from goldsmith.curate.proven import TABLE as QUALITY
from goldsmith.curate.proven import read_proven
from goldsmith.curate.similarity import attributes_of, embedded_text
from goldsmith.errors import UserError
from goldsmith.evaluate.report import tables
from goldsmith.evaluate.report import text as say
from goldsmith.evaluate.report.pool_parts import MapPoint, PoolMap
from goldsmith.evaluate.report.projection import project, spread
from goldsmith.identity import unit_interval
from goldsmith.store import Table

MOST_POINTS = 1200
TEXT_BYTES = 1_500_000
"""All texts of the map as they stand on the page; with 600 bytes of frame for each point, and the other pictures, the page stays below 3 MB."""
LENGTHS = ((300, 600), (200, 400), (120, 200), (60, 80))
"""Characters of (prompt, reply): the first of these with which the texts fit."""
_DECISION = ("pair_id", "action", "label_before", "label_after", "reason", "p_first")
Row = dict[str, Any]


def pool_map(context: Context) -> PoolMap | None:
    """Return the map; None before stage 2, and without points but with the reason where nothing can be drawn."""
    decisions, pool = context.workspace.table("decisions"), context.workspace.table("pool")
    if not (tables.has_rows(decisions) and tables.has_rows(pool)):
        return None
    sample = draw(decisions, context.seed)
    pairs = tables.rows_of(pool, sample, ["pair_id", "context", "first", "second"])
    places, reason = _places(context, pairs)
    names = [name for name in pairs if name in places]
    if not names:
        return PoolMap(reason=reason, num_decided=decisions.num_rows)
    plane = project(np.stack([places[name] for name in names]))
    lengths = next((cut for cut in LENGTHS if _bytes(pairs, names, cut) <= TEXT_BYTES), LENGTHS[-1])
    points = [
        _point(sample[name], pairs[name], place, lengths)
        for name, place in zip(names, spread(plane.points).tolist(), strict=True)
    ]
    return PoolMap(
        points=sorted(points, key=lambda point: (point.x, point.y, point.pair_id)), num_decided=decisions.num_rows,
        by_action=dict(Counter(point.action for point in points)), num_without_vector=len(sample) - len(points),
        variance=plane.variance, prompt_characters=lengths[0], reply_characters=lengths[1],
    )  # fmt: skip


def draw(decisions: Table, seed: int, most: int = MOST_POINTS) -> dict[str, Row]:
    """Return the decisions with the smallest hashes of seed and pair id, by id in the order of the hashes; one batch in memory."""
    best: list[tuple[float, str, Row]] = []
    for batch in decisions.batches(list(_DECISION)):
        hashes = [unit_interval(f"report-map:{name}", seed) for name in batch.column("pair_id").to_pylist()]
        bound = best[-1][0] if len(best) == most else 1.0
        near = [(at, value) for at, value in enumerate(hashes) if value <= bound]
        rows = batch.take([at for at, _ in near]).to_pylist()
        hashed = [(value, row["pair_id"], row) for (_, value), row in zip(near, rows, strict=True)]
        best = heapq.nsmallest(most, [*best, *hashed], key=lambda item: item[:2]) if hashed else best
    return {name: row for _, name, row in best}


def _places(context: Context, pairs: dict[str, Row]) -> tuple[dict[str, Any], str]:
    """The cached vectors of pairs by id, and why there are none; nothing is embedded for a picture."""
    missing = "the embeddings of the pool are not in the workspace's cache, as no round has retrieved pairs by them"
    attributes = context.workspace.table("attributes")
    if not attributes.exists or not context.workspace.table(QUALITY).exists:
        return {}, missing
    found, proven = attributes_of(tables.rows_of(attributes, pairs)), read_proven(context)
    texts = {name: embedded_text(row["context"], found.get(name), proven) for name, row in pairs.items()}
    try:
        known = context.embedder.known(list(texts.values()))
    except UserError as error:
        return {}, f"the embeddings cannot be looked up: {error}"
    return {name: known[text] for name, text in texts.items() if text in known}, missing


def _texts(pair: Row, lengths: tuple[int, int]) -> tuple[str, str, str]:
    prompt, reply = lengths
    return (
        say.shorten(tables.last_turns(pair["context"]), prompt),
        say.shorten(pair["first"] or "", reply),
        say.shorten(pair["second"] or "", reply),
    )


def _bytes(pairs: dict[str, Row], names: Iterable[str], lengths: tuple[int, int]) -> int:
    """How much the texts weigh on the page, where some characters are written as entities."""
    return sum(len(escape(text).encode()) for name in names for text in _texts(pairs[name], lengths))


def _point(decision: Row, pair: Row, place: list[float], lengths: tuple[int, int]) -> MapPoint:
    prompt, first, second = _texts(pair, lengths)
    return MapPoint(
        x=round(place[0], 4), y=round(place[1], 4), pair_id=decision["pair_id"], action=decision["action"],
        label_before=decision["label_before"], label_after=decision["label_after"], reason=say.shorten(decision["reason"] or "", 100),
        p_label=tables.p_label(decision), prompt=prompt, first=first, second=second,
    )  # fmt: skip
