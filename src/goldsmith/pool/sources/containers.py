"""What the bytes are wrapped in: gzip, zstd, tar, Parquet, JSON or JSON lines; told by content, not by name."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

import orjson

from goldsmith.errors import DataError
from goldsmith.pool.sources.lines import Problem, lines, parse
from goldsmith.pool.sources.parquet import parquet_rows
from goldsmith.pool.sources.zst import check_whole

Compression = Literal["none", "gzip", "zstd"]
Container = Literal["jsonl", "json", "parquet", "empty"]
Record = tuple[int, dict[str, Any] | Problem]
"""A line's (or row's) number, from 1, and the row or what is wrong with it."""

SUFFIXES = (".jsonl", ".json", ".ndjson", ".parquet")
PACKED = ("", ".gz", ".zst")
ARCHIVES = (".tar", ".tar.gz", ".tgz")
MAX_JSON_MB = 1024
"""A JSON array must be parsed as a whole, so a larger one is refused in favour of JSON lines."""
_HEAD = 1 << 16
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_FOREIGN = {b"PK\x03\x04": "zip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"7z\xbc\xaf": "7z"}
"""First bytes of packings that are refused by name."""
FOREIGN = (".zip", ".bz2", ".xz", ".7z", ".rar")
"""Endings of packings that are not read."""
_BROKEN = (EOFError, gzip.BadGzipFile, zlib.error, tarfile.TarError)


@dataclass(frozen=True, slots=True)
class Document:
    """One readable thing: a file, or a member of an archive. `name` is how its rows are referred to."""

    path: str
    name: str
    compression: Compression = "none"
    member: str | None = None


def is_data_name(name: str) -> bool:
    """Whether a file's name promises pairs: JSON, JSON lines or Parquet, packed or not, or an archive."""
    lowered = name.lower()
    return lowered.endswith(ARCHIVES) or lowered.endswith(tuple(suffix + packed for suffix in SUFFIXES for packed in PACKED))


def documents(path: Path) -> list[Document]:
    """Return the readable things in a file or, sorted by name, in a folder and the folders below it.

    Raises:
        DataError: nothing there, a folder without data files, a broken archive.
    """
    if path.is_dir():
        files = sorted(_files(path))
        if not files:
            raise DataError(
                f"{path}: no data file in this folder; expected {', '.join(SUFFIXES)} (also .gz, .zst) or {', '.join(ARCHIVES)}"
            )
        return [document for entry in files for document in _of_file(entry, f"{path.name}/{entry.relative_to(path).as_posix()}")]
    if not path.is_file():
        if path.exists():
            raise DataError(f"{path}: a pipe or a device, which cannot be read twice; write its data to a file, and add that")
        raise DataError(f"{path}: no such file or folder; check the path, or write hf:org/name for a dataset of the hub")
    return _of_file(path, path.name)


def packed_names(folder: Path) -> list[str]:
    """Return the files of a folder and of those below it that hold data in a packing which is not read, sorted by name."""
    found = _files(folder, lambda name: name.lower().endswith(FOREIGN))
    return sorted(f"{folder.name}/{file.relative_to(folder).as_posix()}" for file in found)


def _files(folder: Path, is_wanted: Callable[[str], bool] = is_data_name) -> Iterator[Path]:
    """Yield the data files of a folder and of those below it, hidden ones left out; a folder that links lead to twice is read once."""
    seen: set[str] = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        files = (Path(place, name) for name in names if is_wanted(name) and not name.startswith("."))
        yield from (file for file in files if file.is_file())


def _of_file(path: Path, name: str) -> list[Document]:
    head = _magic(str(path))
    if kind := next((kind for start, kind in _FOREIGN.items() if head.startswith(start)), None):
        raise DataError(f"{path}: a {kind} file, which is not read; unpack it, and add what is in it")
    # A file name need not be UTF-8; what is stored must be.
    name = name.encode("utf-8", "backslashreplace").decode("utf-8")
    compression = _compression(head)
    if path.name.lower().endswith(ARCHIVES) or head[257:262] == b"ustar":
        return [Document(str(path), f"{name}/{member}", compression, member) for member in _members(path)]
    return [Document(str(path), name, compression)]


def _compression(head: bytes) -> Compression:
    return "gzip" if head.startswith(_GZIP) else ("zstd" if head.startswith(_ZSTD) else "none")


@lru_cache(maxsize=2)
def _archive(path: str) -> tarfile.TarFile:
    """The archive, unpacked once into a nameless temporary file, so that its members can be read in any order."""
    unpacked = tempfile.TemporaryFile()  # noqa: SIM115 (it lives as long as the archive that reads it)
    with gzip.open(path) if _magic(path).startswith(_GZIP) else open(path, "rb") as packed:
        shutil.copyfileobj(packed, unpacked, 1 << 20)
    unpacked.seek(0)
    return tarfile.open(fileobj=unpacked, mode="r:")


def _magic(path: str) -> bytes:
    with open(path, "rb") as stream:
        return stream.read(265)


def _members(path: Path) -> list[str]:
    with readable(path.name):
        # Members are read as streams, never extracted, so a name like ../../x has nowhere to go.
        found = sorted(member.name for member in _archive(str(path)) if member.isfile() and is_data_name(member.name))
    if not found:
        raise DataError(f"{path}: no data file in this archive; expected members ending in {', '.join(SUFFIXES)}")
    return found


@contextmanager
def readable(name: str) -> Iterator[None]:
    """Turn what a broken file does to a decoder into a DataError that names the file."""
    import zstandard

    try:
        yield
    except (*_BROKEN, zstandard.ZstdError) as error:
        raise DataError(f"{name}: broken or cut short ({error}); check the download, then add the file again") from None
    except OSError as error:
        if error.errno is None:  # a decoder's complaint, not the system's
            raise DataError(f"{name}: broken ({_one_line(error)}); check the download, then add the file again") from None
        raise DataError(f"{name}: cannot be read ({error.strerror or error}); check the disk and the permissions") from None


@contextmanager
def opened(document: Document) -> Iterator[BinaryIO]:
    """Give the document's bytes, unpacked, as a stream."""
    with readable(document.name):
        if document.member is not None:
            member = cast(BinaryIO, _archive(document.path).extractfile(document.member))
            head = member.read(len(_ZSTD))
            member.seek(0)
            with _unpacked(member, _compression(head)) as stream:
                yield stream
        else:
            with open(document.path, "rb") as raw, _unpacked(raw, document.compression) as stream:
                yield stream


@contextmanager
def _unpacked(raw: BinaryIO, compression: Compression) -> Iterator[BinaryIO]:
    if compression == "gzip":
        with gzip.GzipFile(fileobj=raw) as stream:
            yield cast(BinaryIO, stream)
    elif compression == "zstd":
        import zstandard

        check_whole(raw)
        with zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True) as reader:
            yield cast(BinaryIO, io.BufferedReader(reader, 1 << 20))
    else:
        yield raw


def container_of(document: Document) -> Container:
    """Return how the document's rows are laid out, by its first bytes."""
    with opened(document) as stream:
        head = stream.read(_HEAD)
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not start:
        return "empty"
    if head[:4] == b"PAR1":
        return "parquet"
    if start[:1] == b"[":
        return "json"
    first_line, newline, _ = start.partition(b"\n")
    # A lone brace, or a first line that is no whole object, begins a JSON file that is spread over lines.
    spread = start[:1] == b"{" and bool(newline) and isinstance(parse(first_line), Problem)
    single = start[:1] == b"{" and not newline and document.name.lower().endswith((".json", ".json.gz", ".json.zst"))
    return "json" if (spread and _is_json_text(first_line)) or single else "jsonl"


def _is_json_text(first_line: bytes) -> bool:
    """Whether the line could open an object that goes on in the next line, rather than being a spoilt line of its own."""
    text = first_line.rstrip()
    return text in (b"{", b"{}") or text.endswith((b"{", b"[", b","))


def records(
    document: Document, container: Container, max_line_bytes: int, span: tuple[int, int, int] | None = None
) -> Iterator[Record]:
    """Yield the rows of a document, numbered from 1.

    Args:
        document: what to read.
        container: how its rows are laid out.
        max_line_bytes: a longer line is a Problem `line-too-long`.
        span: for JSON lines, (first byte, number of bytes, number of the first line); for Parquet, (first row group, how many,
            number of the first row).
    """
    if container == "jsonl":
        yield from _json_lines(document, max_line_bytes, span)
    elif container == "parquet":
        yield from _parquet(document, span)
    elif container == "json":
        yield from enumerate(_json(document), start=1)


def _json_lines(document: Document, max_line_bytes: int, span: tuple[int, int, int] | None) -> Iterator[Record]:
    with opened(document) as stream:
        start, num_bytes, first_line = span or (0, None, 1)
        if start:
            stream.seek(start)
        for number, line in lines(stream, max_line_bytes, first_line, num_bytes):
            if line is None:
                yield (
                    number,
                    Problem(("line-too-long", f"longer than {max_line_bytes >> 20} MB; raise pool.max_line_mb to read it")),
                )
            elif line and not line.isspace():
                yield number, parse(line)


def _json(document: Document) -> Iterator[dict[str, Any] | Problem]:
    with opened(document) as stream:
        data = stream.read((MAX_JSON_MB << 20) + 1)
    if len(data) > MAX_JSON_MB << 20:
        raise DataError(
            f"{document.name}: a JSON array of more than {MAX_JSON_MB} MB; write one object a line instead: jq -c '.[]' FILE > FILE.jsonl"
        )
    value = _whole(document, data)
    for row in value:
        yield row if isinstance(row, dict) else Problem(("not-an-object", f"a JSON {type(row).__name__}, not an object"))


def _whole(document: Document, data: bytes) -> list[Any]:
    import json

    try:
        value = orjson.loads(data.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError:
        try:
            value = json.loads(data.decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise DataError(
                f"{document.name}:{line}: byte {data[error.start]:#04x} is not UTF-8; convert the file with iconv"
            ) from None
        except RecursionError:
            raise DataError(f"{document.name}: nested too deeply to be pairs") from None
        except json.JSONDecodeError as error:
            raise DataError(
                f"{document.name}:{error.lineno}: not JSON ({error.msg}); mend the file, or write one object a line"
            ) from None
    return _rows_of(value)


def _rows_of(value: Any) -> list[Any]:
    """The rows of a JSON file: an array, an object of arrays (one for each group), or a single row."""
    if isinstance(value, list):
        return value
    groups = list(value.values()) if isinstance(value, dict) else []
    if groups and all(isinstance(group, list) and group and isinstance(group[0], dict) for group in groups):
        from goldsmith.pool.sources.formats import format_of

        if format_of(value) is None:
            return [row for group in groups for row in group]
    return [value]


def _parquet(document: Document, span: tuple[int, int, int] | None) -> Iterator[Record]:
    import pyarrow as pa

    try:
        with opened(document) as stream:
            # Parquet is read from its end: what cannot seek is read whole.
            source = stream if document.compression == "none" and document.member is None else io.BytesIO(stream.read())
            yield from parquet_rows(source, span)
    except pa.ArrowException as error:
        raise DataError(
            f"{document.name}: not a Parquet file that can be read ({_one_line(error)}); check the download, or write it again"
        ) from None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
