"""Lines of a byte stream with their numbers, in bounded memory whatever the file holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

import orjson

BLOCK = 1 << 20


def lines(
    stream: BinaryIO, max_bytes: int, first_line: int = 1, num_bytes: int | None = None
) -> Iterator[tuple[int, bytes | None]]:
    """Yield each line's number and bytes (without the line end), or None for a line longer than `max_bytes`.

    Args:
        stream: an open binary stream, at the start of a line.
        max_bytes: no more than this much of a line, plus one block, is ever held.
        first_line: the number of the line the stream stands at.
        num_bytes: stop after this many bytes; none: at the end.
    """
    number, held, held_bytes, too_long = first_line, list[bytes](), 0, False
    while block := stream.read(BLOCK if num_bytes is None else min(BLOCK, num_bytes)):
        if num_bytes is not None:
            num_bytes -= len(block)
        pieces = block.split(b"\n")
        for piece in pieces[:-1]:
            held.append(piece)
            fits = not too_long and held_bytes + len(piece) <= max_bytes
            yield number, (b"".join(held) if fits else None)
            number, held, held_bytes, too_long = number + 1, [], 0, False
        held_bytes += len(pieces[-1])
        too_long = too_long or held_bytes > max_bytes
        if too_long:
            held.clear()
        elif pieces[-1]:
            held.append(pieces[-1])
    if held or too_long:
        yield number, (None if too_long else b"".join(held))


class Problem(tuple[str, str]):
    """Why a line is no row: a stable reason and the detail that was found."""

    __slots__ = ()


def parse(line: bytes) -> dict[str, Any] | Problem:
    """Return the JSON object of a line, or what is wrong with it."""
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        row = _parse_slowly(line, str(error))
    if isinstance(row, (dict, Problem)):
        return row
    return Problem(("not-an-object", f"a JSON {type(row).__name__}, not an object"))


def _parse_slowly(line: bytes, message: str) -> Any:
    """What orjson refuses may be NaN, a huge number or a lone surrogate, which Python's own parser takes."""
    import json

    try:
        return json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        return Problem(("wrong-utf8", f"byte {line[error.start]:#04x} at position {error.start} of the line is not UTF-8"))
    except RecursionError:
        return Problem(("not-json", "nested too deeply"))
    except ValueError:
        return Problem(("not-json", f"{message}: {line[:80].decode('utf-8', 'replace')!r}"))
