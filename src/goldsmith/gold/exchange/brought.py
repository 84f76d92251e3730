"""Pairs that votes bring along: kept in a table of their own, from which the next run takes them."""

from __future__ import annotations

from collections.abc import Iterable

from goldsmith.identity import combined_digest
from goldsmith.store import Workspace, pair_schema, to_row
from goldsmith.store.lock import exclusive
from goldsmith.types import Pair

TABLE = "imported_pairs"


def unknown_pairs(workspace: Workspace, names: set[str]) -> set[str]:
    """Return which pairs the pool does not hold: these have to bring their texts."""
    pool = workspace.table("pool")
    unknown = set(names)
    for batch in pool.batches(["pair_id"]) if unknown and pool.exists else ():
        unknown -= set(batch.column(0).to_pylist())
    return unknown


def bring(workspace: Workspace, pairs: Iterable[Pair]) -> int:
    """Keep pairs and return how many were new; the texts of a pair never change, as its id is made of them.

    Raises:
        StoreError: another import is writing at this moment.
    """
    wanted = {pair.pair_id: pair for pair in pairs}
    if not wanted:
        return 0
    table = workspace.table(TABLE)
    with exclusive(workspace.root / ".imported.lock", "the table of imported pairs"):
        rows = table.rows(pair_schema().names) if table.exists else []
        new = [wanted[name] for name in sorted(wanted.keys() - {row["pair_id"] for row in rows})]
        if new:
            every = sorted([*rows, *map(to_row, new)], key=lambda row: str(row["pair_id"]))
            fingerprint = combined_digest(str(row["pair_id"]) for row in every)
            with workspace.writer(TABLE, step="votes import", fingerprint=fingerprint) as out:
                out.write_rows(every, pair_schema())
    return len(new)
