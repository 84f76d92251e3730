"""Rows of a JSON file with the line each begins at, whether it is a list or JSON lines, packed or not; and fields by their path."""

from __future__ import annotations

import codecs
import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from goldsmith.errors import DataError
from goldsmith.pool.sources.draft import Reject, messages

T = TypeVar("T")
KINDS = {str: "text", list: "a list", dict: "an object", int: "a number", float: "a number"}
MISSING = object()


def json_lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each row of a file of JSON lines, packed or not, with its place (`file:line`).

    Raises:
        DataError: the file is missing, broken, or holds something else.
    """
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as stream:
            for number, line in enumerate(stream, 1):
                data = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
                if data.strip():
                    yield f"{path.name}:{number}", _row(_decoded(data, path, number), path, number)
    except OSError as error:
        raise _unreadable(path, error) from None
    except (EOFError, zlib.error) as error:
        raise DataError(f"{path}: broken gzip: {error}; fetch or pack the file again") from None


def json_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each object of a JSON list, or of JSON lines, with its place (`file:line`, where it begins).

    Raises:
        DataError: the file is missing, broken, or holds something else.
    """
    if not _is_list(path):
        yield from json_lines(path)
        return
    text, decoder = read_text(path), json.JSONDecoder()
    at, line, counted = _skip(text, text.index("[") + 1), 1, 0
    while at < len(text) and text[at] != "]":
        line, counted = line + text.count("\n", counted, at), at
        try:
            row, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            raise _no_json(path, error, line) from None
        yield f"{path.name}:{line}", _object(row, f"{path}:{line}")
        at = _skip(text, end)
        if at < len(text) and text[at] == ",":
            at = _skip(text, at + 1)
        elif at >= len(text) or text[at] != "]":
            line += text.count("\n", counted, at)
            raise DataError(f"{path}:{line}: not JSON: the list ends in the middle, or a comma is missing; export the file again")


def read_text(path: Path) -> str:
    """Return a file's text, unpacked.

    Raises:
        DataError: it is missing, broken, or not UTF-8.
    """
    try:
        data = path.read_bytes()
        data = gzip.decompress(data) if path.suffix == ".gz" else data
    except OSError as error:
        raise _unreadable(path, error) from None
    except (EOFError, zlib.error) as error:
        raise DataError(f"{path}: broken gzip: {error}; fetch or pack the file again") from None
    return _decoded(data.removeprefix(codecs.BOM_UTF8), path, 1)


def read_object(path: Path) -> dict[str, Any]:
    """Return the one object that a JSON file holds.

    Raises:
        DataError: it holds something else.
    """
    try:
        return _object(json.loads(read_text(path)), f"{path}:1")
    except (ValueError, RecursionError) as error:
        raise _no_json(path, error, 1) from None


def part(row: Any, name: str, kind: type[T], place: str, default: Any = MISSING) -> T:
    """Return a field by its path (`data.answer1`).

    Args:
        row: the object.
        name: names of keys, joined by dots.
        kind: what the value must be.
        place: of the row, for the message.
        default: the value of a field that is not there or null; none: it must be there.

    Raises:
        DataError: names place and field.
    """
    value = row
    for key in name.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    if value is None and default is not MISSING:
        return default  # type: ignore[no-any-return]
    if value is None:
        raise DataError(f"{place}: field '{name}' is missing")
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise DataError(f"{place}: field '{name}' is {type(value).__name__} ({str(value)[:60]!r}); expected {_kind_name(kind)}")
    return value


def context_of(value: Any, name: str, place: str) -> list[dict[str, Any]]:
    """Return the messages of a field.

    Raises:
        DataError: they are no messages; names place and field.
    """
    try:
        return messages(value)
    except Reject as reject:
        raise DataError(f"{place}: field '{name}': {reject}") from None


def line_of(text: str, needle: str) -> int:
    """Return the line on which a text first stands in another; 1 where it does not."""
    at = text.find(needle)
    return 1 if at < 0 else text.count("\n", 0, at) + 1


def _is_list(path: Path) -> bool:
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as stream:
            return stream.read(256).removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"["
    except OSError as error:
        raise _unreadable(path, error) from None
    except (EOFError, zlib.error) as error:
        raise DataError(f"{path}: broken gzip: {error}; fetch or pack the file again") from None


def _kind_name(kind: Any) -> str:
    kinds = kind if isinstance(kind, tuple) else (kind,)
    return " or ".join(KINDS.get(one, one.__name__) for one in kinds)


def _decoded(data: bytes, path: Path, line: int) -> str:
    """Text that begins on a line of a file."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line += data.count(b"\n", 0, error.start)
        raise DataError(
            f"{path}:{line}: not UTF-8 (byte {data[error.start]:#04x}: {error.reason}); convert the file first"
        ) from None


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def _row(line: str, path: Path, number: int) -> dict[str, Any]:
    try:
        return _object(json.loads(line), f"{path}:{number}")
    except (ValueError, RecursionError) as error:
        raise _no_json(path, error, number) from None


def _object(row: Any, place: str) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise DataError(f"{place}: expected an object, found {type(row).__name__}")
    return row


def _no_json(path: Path, error: Exception, line: int) -> DataError:
    if isinstance(error, json.JSONDecodeError):
        # A line of JSON lines counts from one; inside a whole text the error knows its own line.
        return DataError(f"{path}:{max(line, error.lineno)}: not JSON: {error.msg}")
    return DataError(f"{path}:{line}: not JSON: {'nested too deeply' if isinstance(error, RecursionError) else str(error)[:100]}")


def _unreadable(path: Path, error: OSError) -> DataError:
    if isinstance(error, gzip.BadGzipFile):
        return DataError(f"{path}: broken gzip: {error}; fetch or pack the file again")
    if isinstance(error, FileNotFoundError):
        return DataError(f"{path}: no such file of votes")
    return DataError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions")
