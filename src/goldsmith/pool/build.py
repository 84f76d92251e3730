"""From everything that was added to the pool: deduplicated, decontaminated, without evaluation and gold contexts."""

from __future__ import annotations

import json
import shutil
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict

from goldsmith.benchdata.prompts import BenchmarkPrompt
from goldsmith.errors import UserError
from goldsmith.pool.decontaminate import BenchmarkIndex
from goldsmith.pool.dedup import CONTRADICTION, find_copies, part_name
from goldsmith.pool.index_files import write_index
from goldsmith.pool.limit import OVER_LIMIT, apply_limit
from goldsmith.pool.near import NEAR_SCHEMA, find_near
from goldsmith.pool.parts import RAW_PREFIX, ensure_part
from goldsmith.pool.sift import EXCLUDED, INDEX, SCHEMAS, sift_chunk
from goldsmith.progress import Progress
from goldsmith.store import Counts, Table, Workspace
from goldsmith.store.atomic import TEMPORARY
from goldsmith.store.engine import Chunk, map_chunks

CHUNK_BYTES = 64 << 20
"""Row groups of a part are sifted together up to about this many bytes of text."""
TABLES = ("pool", "pool_dropped", "contradictions", "flipped_on_purpose", "near_duplicates")
"""What a build writes; the pool commits last."""


class PoolResult(BaseModel):
    """What became of every raw pair: `total` = `kept` + the sum of `dropped`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    total: int
    kept: int
    dropped: dict[str, int]
    flipped_on_purpose: int
    ties: int
    sources: dict[str, int]
    label_origins: dict[str, int]
    near_duplicates: int | None
    """Pairs of the pool that are like an earlier one; None: not looked for."""
    benchmark_prompts: int


def raw_tables(workspace: Workspace) -> list[Table]:
    """Return the tables of everything that was added, by digest: the order of adding makes no difference."""
    return [table for table in workspace.tables() if table.name.startswith(RAW_PREFIX)]


def build_pool(
    workspace: Workspace,
    fingerprint: str,
    benchmark_prompts: Iterable[BenchmarkPrompt] = (),
    excluded_contexts: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> PoolResult:
    """Make the tables `pool`, `pool_dropped`, `contradictions`, `flipped_on_purpose` and `near_duplicates` from all raw tables.

    Args:
        workspace: its `pool` section gives `limit` and `flip_share`, its `engine` section the runner.
        fingerprint: names the inputs and rules; stored in the manifests.
        benchmark_prompts: no pair that shares text with one of them enters the pool.
        excluded_contexts: context id -> reason (`evaluation-context`, `gold-context`, ...) of contexts that stay out.
        progress: shows the pairs done.

    Raises:
        UserError: nothing was added yet, or nothing is left.
    """
    raw = raw_tables(workspace)
    if not raw:
        raise UserError(f"{workspace.root}: the pool is empty; add pairs first: goldsmith pool add FILE")
    index = BenchmarkIndex.build(prompts := list(benchmark_prompts))
    parts = [path for table in raw for path in table.files()]
    num_rows = sum(table.num_rows for table in raw)
    work = workspace.cache / f"{TEMPORARY}pool-{uuid.uuid4().hex[:12]}"
    work.mkdir(parents=True)
    try:
        _write_inputs(work, index, excluded_contexts or {})
        verdicts = find_copies(parts, num_rows, workspace.config.engine)
        with ExitStack() as stack:
            inputs = {table.name: table.fingerprint for table in raw}
            writers = {
                name: stack.enter_context(workspace.writer(name, step="pool-build", fingerprint=fingerprint, inputs=inputs))
                for name in TABLES
            }
            folders = {name: str(writer.directory) for name, writer in writers.items()}
            chunks = _chunks(parts, verdicts, work, folders, workspace)
            totals = _sift(chunks, workspace, num_rows, progress)
            if (limit := workspace.config.pool.limit) is not None:
                totals.update(apply_limit(folders, limit, workspace.seed))
            totals["near"] = _near(work, Path(folders["pool"]), writers["near_duplicates"], totals["kept"], workspace)
            for name, writer in writers.items():
                ensure_part(writer, SCHEMAS[name])
            return _finish(writers, totals, num_rows, len(prompts))
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _write_inputs(work: Path, index: BenchmarkIndex, excluded: Mapping[str, str]) -> None:
    write_index(index, work / INDEX)
    (work / EXCLUDED).write_text(json.dumps(dict(excluded)), encoding="ascii")


def _chunks(
    parts: list[Path], verdicts: dict[tuple[str, int], str], work: Path, folders: dict[str, str], workspace: Workspace
) -> list[Chunk]:
    """Return the row groups to sift together; each chunk finds the verdicts on its copies in a file of its own part."""
    by_part: dict[str, dict[int, str]] = defaultdict(dict)
    for (part, row), verdict in verdicts.items():
        by_part[part][row] = verdict
    shared = {
        "work": str(work),
        "folders": folders,
        "seed": workspace.seed,
        "flip_share": workspace.config.pool.flip_share,
    }
    chunks: list[Chunk] = []
    for number, path in enumerate(parts):
        copies = work / f"copies-{number:06d}.json"
        found = by_part.get(part_name(path), {})
        copies.write_text(json.dumps({str(row): verdict for row, verdict in found.items()}), encoding="utf-8")
        chunks += [
            {"number": len(chunks) + offset, "part": str(path), "groups": groups, "copies": str(copies), **shared}
            for offset, groups in enumerate(_row_groups(path))
        ]
    for chunk in chunks:
        chunk["near"] = str(work / f"near-{chunk['number']:06d}.parquet") if workspace.config.pool.near_duplicates else None
    return chunks


def _row_groups(path: Path) -> list[list[int]]:
    facts = pq.read_metadata(path)
    together: list[list[int]] = [[]]
    size = 0
    for group in range(facts.num_row_groups):
        size += facts.row_group(group).total_byte_size
        if together[-1] and size > CHUNK_BYTES:
            together.append([])
            size = facts.row_group(group).total_byte_size
        together[-1].append(group)
    return together


def _sift(chunks: list[Chunk], workspace: Workspace, num_rows: int, progress: Progress | None) -> dict[str, Any]:
    totals: dict[str, Any] = {"kept": 0, "flipped": 0, "ties": 0}
    counted: dict[str, Counter[str]] = {name: Counter() for name in ("dropped", "sources", "label_origins")}
    done = 0
    for result in map_chunks(sift_chunk, chunks, workspace.config.engine):
        for name in totals:
            totals[name] += result[name]
        for name, counter in counted.items():
            counter.update(result[name])
        done += result["total"]
        if progress is not None:
            progress.update(done, num_rows, "pairs")
    return {**totals, **counted}


def _near(work: Path, pool: Path, writer: Any, num_rows: int, workspace: Workspace) -> int | None:
    """Write the table of near-duplicates within the pool; returns how many pairs have one, or None when that is not asked for."""
    files = sorted(work.glob("near-*.parquet"))
    if not workspace.config.pool.near_duplicates or not files:
        return None
    found = find_near(files, num_rows, workspace.config.engine)
    if workspace.config.pool.limit is not None:
        stays = {
            name for path in pool.glob("*.parquet") for name in pq.read_table(path, columns=["pair_id"])["pair_id"].to_pylist()
        }
        found = [near for near in found if near.pair_id in stays and near.like in stays]
    if found:
        writer.write_rows([asdict(near) for near in found], NEAR_SCHEMA)
    return len(found)


def _finish(writers: dict[str, Any], totals: dict[str, Any], num_rows: int, num_prompts: int) -> PoolResult:
    over = {OVER_LIMIT: totals["over_limit"]} if totals.get("over_limit") else {}
    dropped = dict(sorted({**totals["dropped"], **over}.items()))
    if not totals["kept"]:
        raise UserError(
            f"nothing is left of {num_rows} pairs: {dropped}; add more pairs, or look at pool.benchmarks and evaluate.sets"
        )
    result = PoolResult(
        total=num_rows,
        kept=totals["kept"],
        dropped=dropped,
        flipped_on_purpose=totals["flipped"],
        ties=totals["ties"],
        sources=dict(sorted(totals["sources"].items())),
        label_origins=dict(sorted(totals["label_origins"].items())),
        near_duplicates=totals["near"],
        benchmark_prompts=num_prompts,
    )
    writers["pool"].counts = Counts(total=num_rows, kept=result.kept, dropped=dropped)
    writers["pool"].extra = {"result": result.model_dump()}
    writers["contradictions"].extra = {"pairs": dropped.get(CONTRADICTION, 0)}
    return result
