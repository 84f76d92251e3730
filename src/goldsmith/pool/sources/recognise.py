"""The one door for pairs: which format a file has, and its pairs or the reasons why a row is none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from goldsmith.errors import DataError
from goldsmith.pool.sources.containers import Container, Document, Record, container_of, documents, records
from goldsmith.pool.sources.draft import Draft, Format, Reject, Row
from goldsmith.pool.sources.formats import describe_formats, format_of
from goldsmith.pool.sources.further import with_further
from goldsmith.pool.sources.hub import HUB_PREFIX, hub_rows
from goldsmith.pool.sources.lines import Problem
from goldsmith.pool.sources.mapped import mapped
from goldsmith.pool.sources.rows import pair_of
from goldsmith.types import Pair

LOOK_AT = 50
"""Rows that are looked at before a format is called unknown."""


@dataclass(frozen=True, slots=True)
class Recognised:
    """What a file was taken for: the format's id, the container, and a sentence for people."""

    format: str
    container: str
    detail: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that is no pair: where it stands, a stable kebab-case reason, and what was found."""

    file: str
    line: int
    reason: str
    detail: str


def recognise(path: str | Path, column_map: Mapping[str, str] | None = None, max_line_mb: int = 64) -> Recognised:
    """Return the format of a file, folder or hub dataset.

    Args:
        path: a file, a folder, or `hf:org/name[:split]`.
        column_map: our field to the file's column, for formats that are not known.
        max_line_mb: a longer line tells nothing.

    Raises:
        DataError: nothing there, empty, broken, or no known format; the message lists keys and formats.
    """
    if str(path).startswith(HUB_PREFIX):
        known, _ = recognised_format(str(path), hub_rows(str(path)), column_map)
        return Recognised(known.name, "hub", f"{known.name} ({known.columns}) from the hub")
    found: dict[str, None] = {}
    containers: dict[str, None] = {}
    inputs = documents(Path(path))
    for document in inputs:
        container = container_of(document)
        try:
            known, _ = recognised_format(document.name, records(document, container, max_line_mb << 20), column_map)
        except DataError:
            if len(inputs) == 1:
                raise
            continue
        found[known.name] = None
        containers[_packed(document, container)] = None
    if not found:
        raise DataError(f"{path}: none of its {len(inputs)} data files holds pairs of a known format.\n{_remedy()}")
    names = " and ".join(found)
    many = f" in {len(inputs)} files" if len(inputs) > 1 else ""
    return Recognised("+".join(found), "+".join(containers), f"{names}, {'+'.join(containers)}{many}")


def _packed(document: Document, container: Container) -> str:
    archive = ".tar" if document.member else ""
    packing = {"none": "", "gzip": ".gz", "zstd": ".zst"}[document.compression]
    return f"{container}{archive}{packing}"


def recognised_format(
    name: str, rows: Iterator[Record], column_map: Mapping[str, str] | None = None
) -> tuple[Format, Iterator[Record]]:
    """Return the format of a stream of records, and the whole stream again.

    Raises:
        DataError: the stream is empty, holds no readable row, or rows of no known format.
    """
    known = mapped(column_map) if column_map else None
    looked_at: list[Record] = []
    for record in islice(rows, LOOK_AT):
        looked_at.append(record)
        if isinstance(record[1], Problem):
            continue
        fits = known if known is not None and known.matches(record[1]) else (None if known is not None else format_of(record[1]))
        if fits is not None:
            return fits, chain(looked_at, rows)
    raise DataError(_unknown(name, looked_at, known))


def _unknown(name: str, looked_at: list[Record], known: Format | None) -> str:
    if not looked_at:
        return f"{name}: the file is empty; there is nothing to add"
    readable = [row for _, row in looked_at if not isinstance(row, Problem)]
    if not readable:
        line, problem = looked_at[0]
        assert isinstance(problem, Problem)
        return f"{name}:{line}: {problem[0]}: {problem[1]}; no row of the file can be read, and pairs are JSON objects, one a line, or Parquet"
    keys = ", ".join(map(str, list(readable[0])[:20]))
    if known is not None:
        return f"{name}: the mapped columns ({known.columns}) are not there; the rows have the keys: {keys}"
    return f"{name}: unknown format; the rows have the keys: {keys}\n{_remedy()}"


def _remedy() -> str:
    return f"Known formats:\n{describe_formats()}\nFor anything else name the columns: --map prompt=COLUMN,chosen=COLUMN,rejected=COLUMN"


def read_pairs(path: str | Path, column_map: Mapping[str, str] | None = None, max_line_mb: int = 64) -> Iterator[Pair | Rejected]:
    """Yield each pair of a file, folder or hub dataset, and each row that is none with the reason.

    Args:
        path: a file, a folder, or `hf:org/name[:split]`.
        column_map: our field to the file's column.
        max_line_mb: a longer line is rejected, and never held in memory.

    Raises:
        DataError: as `recognise`; or a file that breaks off.
    """
    for draft, name, line in read_drafts(path, column_map, max_line_mb):
        yield _outcome(draft, name, line)


def read_whole_rows(path: str | Path, max_line_mb: int = 64) -> Iterator[tuple[Pair | Rejected, Row]]:
    """Yield what `read_pairs` does, each with its row's further columns (`further.py`); none of a rejected row.

    Raises:
        DataError: as `read_pairs`.
    """
    for draft, name, line in read_drafts(path, None, max_line_mb, further=True):
        found = _outcome(draft, name, line)
        yield found, {} if isinstance(draft, Rejected) or isinstance(found, Rejected) else draft.further


def _outcome(draft: Draft | Rejected, name: str, line: int) -> Pair | Rejected:
    if isinstance(draft, Rejected):
        return draft
    try:
        return pair_of(draft, dataset_name(name), reference(name, line, draft.part))
    except Reject as reject:
        return Rejected(name, line, reject.reason, reject.detail)


def read_drafts(
    path: str | Path, column_map: Mapping[str, str] | None = None, max_line_mb: int = 64, *, further: bool = False
) -> Iterator[tuple[Draft | Rejected, str, int]]:
    """Yield each draft (or rejected row), the name of its file and its line; as `read_pairs`, before the structural check.

    With `further`, drafts hold the columns of their row beside the pair.
    """
    if str(path).startswith(HUB_PREFIX):
        name = str(path)
        known, rows = recognised_format(name, hub_rows(name), column_map)
        yield from drafts(with_further(known) if further else known, rows, name)
        return
    inputs = documents(Path(path))
    num_known, refused = 0, None
    for document in inputs:
        stream = records(document, container_of(document), max_line_mb << 20)
        try:
            known, rows = recognised_format(document.name, stream, column_map)
        except DataError as error:
            if len(inputs) == 1:
                raise
            refused = error
            yield Rejected(document.name, 0, "unknown-format", str(error).split("\n")[0]), document.name, 0
            continue
        num_known += 1
        yield from drafts(with_further(known) if further else known, rows, document.name)
    if not num_known and refused is not None:
        raise DataError(f"{path}: none of its {len(inputs)} data files holds pairs; the last: {refused}")


def drafts(known: Format, rows: Iterator[Record], name: str) -> Iterator[tuple[Draft | Rejected, str, int]]:
    """Yield the drafts of records in one format; a row gives at least one outcome, so that nothing is lost silently."""
    for line, row in rows:
        if isinstance(row, Problem):
            yield Rejected(name, line, *row), name, line
            continue
        try:
            for draft in read_row(known, row):
                yield draft, name, line
        except Reject as reject:
            yield Rejected(name, line, reject.reason, reject.detail), name, line


def read_row(known: Format, row: Row) -> list[Draft]:
    """Return a row's drafts.

    Raises:
        Reject: the row does not have the format's fields, or a field holds what cannot be a pair.
    """
    if not known.matches(row):
        if any(row.get(key, 0) in (None, "", []) for key in ("chosen", "rejected")):
            raise Reject("empty-reply", "chosen or rejected is empty")
        has = ", ".join(f"{key} ({type(value).__name__})" for key, value in list(row.items())[:20])
        raise Reject("unknown-fields", f"not {known.name} ({known.columns}); the row has {has}")
    try:
        return known.read(row)
    except RecursionError:  # already quoting such a value is too much
        raise Reject("nested-too-deeply", "lists or objects within each other, hundreds deep") from None


def dataset_name(name: str) -> str:
    """Return the source of rows that name none: the file's name without what it is packed in."""
    base = name.rsplit("/", 1)[-1]
    return base.split(".", 1)[0] or base


def reference(name: str, line: int, part: str) -> str:
    """Return where a pair came from: `pool.jsonl:812`, with `#0-2` when a row holds several."""
    return f"{name}:{line}#{part}" if part else f"{name}:{line}"
