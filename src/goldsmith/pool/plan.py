"""How an input is cut into chunks that workers can read on their own, and the digest that names its bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from goldsmith.identity import combined_digest, file_digest
from goldsmith.pool.sources.containers import Document, container_of, documents, records
from goldsmith.pool.sources.hub import HUB_PREFIX, load_hub
from goldsmith.pool.sources.recognise import recognised_format
from goldsmith.store.engine import Chunk

CHUNK_BYTES = 32 << 20
"""A plain file is cut at line ends into pieces of about this size; what is compressed is one piece."""
_BLOCK = 4 << 20


def digest_of(name: str) -> str:
    """Return a digest of the input's bytes: of the file, of each file of a folder, of a hub dataset's version.

    Raises:
        DataError: nothing there.
    """
    if name.startswith(HUB_PREFIX):
        version = getattr(load_hub(name), "_fingerprint", "")
        return hashlib.sha256(f"{name}:{version}".encode()).hexdigest()
    path = Path(name)
    inputs = documents(path)
    if path.is_file():
        return file_digest(path)
    files = sorted({document.path for document in inputs})
    return combined_digest(f"{Path(file).relative_to(path)}:{file_digest(Path(file))}" for file in files)


def plan(name: str, column_map: dict[str, str] | None = None, max_line_mb: int = 64) -> list[Chunk]:
    """Return the chunks of an input, numbered; each has `size` bytes and is read by one worker."""
    if name.startswith(HUB_PREFIX):
        return [{"number": 0, "size": 1, "hub": name}]
    inputs = documents(Path(name))
    alone = len(inputs) == 1
    chunks: list[Chunk] = []
    for group in _groups(inputs):
        spans = _spans(group[0], column_map, max_line_mb) if len(group) == 1 else []
        for span in spans or [{"size": _size(group)}]:
            chunks.append(
                {"number": len(chunks), "documents": [_described(document) for document in group], "alone": alone, **span}
            )
    return chunks


def _described(document: Document) -> dict[str, str | None]:
    return {"path": document.path, "name": document.name, "compression": document.compression, "member": document.member}


def _size(group: list[Document]) -> int:
    return sum(Path(file).stat().st_size for file in {document.path for document in group}) or 1


def _groups(inputs: list[Document]) -> Iterator[list[Document]]:
    """Small files share a chunk, and all members of an archive do: it is unpacked once."""
    group: list[Document] = []
    for document in inputs:
        same_archive = document.member is not None and group and group[-1].path == document.path
        if group and not same_archive and _size([*group, document]) > CHUNK_BYTES:
            yield group
            group = []
        group.append(document)
    if group:
        yield group


def _spans(document: Document, column_map: dict[str, str] | None, max_line_mb: int) -> list[Chunk]:
    """Byte ranges of a large plain file of JSON lines, or row groups of a large Parquet file; else nothing."""
    is_plain = document.compression == "none" and document.member is None
    if not is_plain or Path(document.path).stat().st_size <= CHUNK_BYTES:
        return []
    container = container_of(document)
    if container not in ("jsonl", "parquet"):
        return []
    known, _ = recognised_format(document.name, records(document, container, max_line_mb << 20), column_map or None)
    spans = _line_spans(document) if container == "jsonl" else _group_spans(document)
    return [{"span": span, "size": size, "container": container, "format": known.name} for span, size in spans]


def _line_spans(document: Document) -> Iterator[tuple[tuple[int, int, int], int]]:
    """Cut at the first line end after every CHUNK_BYTES; (start, bytes, number of the first line), bytes."""
    start, position, first_line, num_lines = 0, 0, 1, 0
    with open(document.path, "rb") as stream:
        while block := stream.read(_BLOCK):
            cut = block.find(b"\n") + 1 if position + len(block) - start >= CHUNK_BYTES else 0
            if cut:
                num_lines += 1
                yield (start, position + cut - start, first_line), position + cut - start
                start, first_line = position + cut, first_line + num_lines
                num_lines = 0
            num_lines += block.count(b"\n", cut)
            position += len(block)
    if position > start:
        yield (start, position - start, first_line), position - start


def _group_spans(document: Document) -> Iterator[tuple[tuple[int, int, int], int]]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(document.path) as table:
        first, number, size, rows = 0, 1, 0, 0
        for group in range(table.num_row_groups):
            facts = table.metadata.row_group(group)
            size, rows = size + facts.total_byte_size, rows + facts.num_rows
            if size >= CHUNK_BYTES or group == table.num_row_groups - 1:
                yield (first, group + 1 - first, number), size
                first, number, size, rows = group + 1, number + rows, 0, 0
