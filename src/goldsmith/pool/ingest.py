"""Adding sources to a workspace: recognise, read, check, and keep every pair and every reason why a row is none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from goldsmith.errors import DataError
from goldsmith.identity import canonical_json, combined_digest
from goldsmith.pool.parts import RAW_PREFIX, REJECTS_PREFIX, REJECTS_SCHEMA, PartWriter, RawWriter, ensure_part
from goldsmith.pool.plan import digest_of, plan
from goldsmith.pool.sources.containers import Document, container_of, records
from goldsmith.pool.sources.draft import Reject
from goldsmith.pool.sources.formats import format_named
from goldsmith.pool.sources.hub import hub_rows
from goldsmith.pool.sources.mapped import mapped
from goldsmith.pool.sources.recognise import (
    Recognised,
    Rejected,
    dataset_name,
    drafts,
    recognise,
    recognised_format,
    reference,
)
from goldsmith.pool.sources.rows import store_row
from goldsmith.progress import Progress
from goldsmith.store import Counts, Workspace
from goldsmith.store.engine import Chunk, map_chunks

_REJECTS_AT_ONCE = 4096


class InputResult(BaseModel):
    """What became of one input: `total` = `kept` + the sum of `rejected`, in pairs (or rows that are none)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: str
    format: str
    container: str
    detail: str
    digest: str
    total: int
    kept: int
    rejected: dict[str, int]
    already_added: bool = False
    earlier_version: str | None = None
    """The table of what was added before under the same name, from other bytes or by another map; its pairs stay in the pool."""


class AddResult(BaseModel):
    """What became of all inputs of one call."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    inputs: list[InputResult]

    @property
    def kept(self) -> int:
        """Pairs that are in the workspace now and were not before."""
        return sum(result.kept for result in self.inputs if not result.already_added)


def add(
    workspace: Workspace,
    inputs: Sequence[str],
    column_map: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> AddResult:
    """Add files, folders or hub datasets to the workspace's raw pairs; one atomic commit for each input.

    Args:
        workspace: where to; the same bytes (under the same map) are added once, whatever the file is called.
        inputs: paths, or `hf:org/name[:split]`.
        column_map: our field to the file's column, for formats that are not known.
        progress: shows the bytes done of the current input.

    Raises:
        DataError: an input is absent, empty, broken, or of no known format. Inputs before it stay added.
        StoreError: another process uses the workspace.
    """
    with workspace.locked():
        return AddResult(inputs=[_add_one(workspace, str(name), dict(column_map or {}), progress) for name in inputs])


def _add_one(workspace: Workspace, name: str, column_map: dict[str, str], progress: Progress | None) -> InputResult:
    digest = combined_digest([digest_of(name), canonical_json(column_map)])
    table = workspace.table(f"{RAW_PREFIX}{digest[:16]}")
    if table.exists:
        known = InputResult.model_validate(table.manifest.extra["result"])
        return known.model_copy(update={"input": _clean(name), "already_added": True})
    max_line_mb = workspace.config.pool.max_line_mb
    found = recognise(name, column_map or None, max_line_mb)
    with ExitStack() as stack:
        # The raw table commits last: once it is there, so are its rejects.
        raw = stack.enter_context(workspace.writer(table.name, step="pool-add", fingerprint=digest))
        rejects = stack.enter_context(workspace.writer(f"{REJECTS_PREFIX}{digest[:16]}", step="pool-add", fingerprint=digest))
        chunks = plan(name, column_map, max_line_mb)
        total = sum(chunk["size"] for chunk in chunks)
        shared = {
            "column_map": column_map,
            "max_line_mb": max_line_mb,
            "raw": str(raw.directory),
            "rejects": str(rejects.directory),
        }
        done, kept, rejected = 0, 0, Counter[str]()
        for result in map_chunks(ingest_chunk, [{**chunk, **shared} for chunk in chunks], workspace.config.engine):
            kept += result["kept"]
            rejected.update(result["rejected"])
            done += result["size"]
            if progress is not None:
                progress.update(done, total, "bytes")
        added = _finish(name, digest, found, raw, rejects, kept, rejected)
    return added.model_copy(update={"earlier_version": _earlier(workspace, table.name, added.input)})


def _earlier(workspace: Workspace, newest: str, name: str) -> str | None:
    """The last table but the newest that was added under a name; None when there is none."""
    raw = [table for table in workspace.tables() if table.name.startswith(RAW_PREFIX) and table.name != newest]
    same = [table.manifest for table in raw if table.manifest.extra["result"]["input"] == name]
    return max(same, key=lambda manifest: manifest.created).table if same else None


def _finish(name: str, digest: str, found: Recognised, raw: Any, rejects: Any, kept: int, rejected: Counter[str]) -> InputResult:
    if not kept:
        worst = ", ".join(f"{reason} ({count})" for reason, count in rejected.most_common(3))
        raise DataError(f"{name}: recognised as {found.detail}, but not one row is a pair: {worst}; nothing was added")
    result = InputResult(
        input=_clean(name),
        format=found.format,
        container=found.container,
        detail=found.detail,
        digest=digest,
        total=kept + sum(rejected.values()),
        kept=kept,
        rejected=dict(sorted(rejected.items())),
    )
    raw.counts = Counts(total=result.total, kept=kept, failed=result.rejected)
    raw.extra = {"result": result.model_dump()}
    rejects.extra = {"input": _clean(name)}
    ensure_part(rejects, REJECTS_SCHEMA)
    return result


def ingest_chunk(chunk: Chunk) -> Chunk:
    """Read one chunk of an input, write its part of the raw table and of the rejects, and return the counts."""
    number = f"{chunk['number']:05d}"
    writer = RawWriter(Path(chunk["raw"]) / f"part-{number}.parquet")
    rejected: list[Rejected] = []
    reasons = Counter[str]()
    with PartWriter(Path(chunk["rejects"]) / f"part-{number}.parquet", REJECTS_SCHEMA) as reject_part:
        for outcome in _outcomes(chunk):
            if isinstance(outcome, Rejected):
                reasons[outcome.reason] += 1
                rejected.append(outcome)
                if len(rejected) == _REJECTS_AT_ONCE:
                    _write_rejects(reject_part, rejected)
            else:
                writer.add(outcome)
        _write_rejects(reject_part, rejected)
    writer.close()
    return {"kept": writer.num_rows, "rejected": dict(reasons), "size": chunk["size"]}


def _outcomes(chunk: Chunk) -> Any:
    for draft, name, line in _drafts(chunk):
        if isinstance(draft, Rejected):
            yield draft
            continue
        try:
            yield store_row(draft, dataset_name(name), reference(name, line, draft.part))
        except Reject as reject:
            yield Rejected(name, line, reject.reason, reject.detail)


def _drafts(chunk: Chunk) -> Any:
    column_map, max_bytes = chunk["column_map"], chunk["max_line_mb"] << 20
    if chunk.get("hub"):
        known, rows = recognised_format(chunk["hub"], hub_rows(chunk["hub"]), column_map or None)
        yield from drafts(known, rows, chunk["hub"])
        return
    for described in chunk["documents"]:
        document = Document(**described)
        if chunk.get("span"):
            known = mapped(column_map) if column_map else format_named(chunk["format"])
            rows = records(document, chunk["container"], max_bytes, tuple(chunk["span"]))
        else:
            try:
                known, rows = recognised_format(
                    document.name, records(document, container_of(document), max_bytes), column_map or None
                )
            except DataError as error:
                if chunk["alone"]:
                    raise
                reason = "empty-file" if "is empty" in str(error) else "unknown-format"
                yield Rejected(document.name, 0, reason, str(error).split("\n")[0][:300]), document.name, 0
                continue
        yield from drafts(known, rows, document.name)


def _write_rejects(part: PartWriter, rejected: list[Rejected]) -> None:
    rows = [{"file": item.file, "reason": item.reason, "detail": _clean(item.detail), "line": item.line} for item in rejected]
    part.write(pa.RecordBatch.from_pylist(rows, schema=REJECTS_SCHEMA))
    rejected.clear()


def _clean(detail: str) -> str:
    """A text, or a file's name, as UTF-8 can hold it."""
    return detail.encode("utf-8", "backslashreplace").decode("utf-8")
