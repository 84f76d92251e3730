"""Whether a zstd file is whole: the library's stream ends at a cut as if it were the end, and rows would vanish in silence."""

from __future__ import annotations

import os
from typing import BinaryIO

_SKIPPABLE = 0x184D2A50
"""Frames of user data have this number, or one of the fifteen after it, instead of zstd's own (RFC 8878, 3.1.2)."""
_HEADER_BYTES = 18
_RUN_OF_ONE_BYTE = 1


def check_whole(stream: BinaryIO) -> None:
    """Follow the frames and blocks of a seekable stream by their sizes, without unpacking them; leave it at its start.

    Raises:
        EOFError: the file ends within a frame.
        zstandard.ZstdError: something that is no frame stands where one should.
    """
    size, place = stream.seek(0, os.SEEK_END), 0
    while place < size:
        place = _after_frame(stream, place)
    if place != size:
        raise EOFError("the file ends within a compressed block")
    stream.seek(0)


def _after_frame(stream: BinaryIO, place: int) -> int:
    """Return where the frame that begins at `place` ends (RFC 8878, 3.1.1)."""
    import zstandard

    head = _read(stream, place, _HEADER_BYTES)
    if int.from_bytes(head[:4], "little") & 0xFFFFFFF0 == _SKIPPABLE and len(head) >= 8:
        return place + 8 + int.from_bytes(head[4:8], "little")
    place += zstandard.frame_header_size(head)
    is_last = False
    while not is_last:
        block = _read(stream, place, 3)
        if len(block) < 3:
            raise EOFError("the file ends before the last block of a frame")
        told = int.from_bytes(block, "little")
        is_last, kind, num_bytes = bool(told & 1), told >> 1 & 3, told >> 3
        place += 3 + (1 if kind == _RUN_OF_ONE_BYTE else num_bytes)
    return place + (4 if zstandard.get_frame_parameters(head).has_checksum else 0)


def _read(stream: BinaryIO, place: int, num_bytes: int) -> bytes:
    stream.seek(place)
    return stream.read(num_bytes)
