"""A program's output: bounded in memory, counted to the last byte, and inert as text."""

from __future__ import annotations

import re

from goldsmith.sandbox.result import Stream

CONTROL_PICTURES = 0x2400
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff"
    "\ufff9-\ufffb\U000e0000-\U000e007f]"
)


class Capture:
    """One stream as it comes in: the beginning is kept, the rest counted.

    Args:
        most: bytes kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept = bytearray()
        self.num_bytes = 0

    def add(self, data: bytes) -> None:
        """Take what was read."""
        self._kept += data[: max(0, self._most - len(self._kept))]
        self.num_bytes += len(data)

    def stream(self) -> Stream:
        """Return what was kept, as inert text."""
        is_cut = self.num_bytes > len(self._kept)
        kept = bytes(self._kept)
        # A cut in the middle of a character is not a wrong character of the program's.
        decoded = kept.decode("utf-8", "ignore" if is_cut and _ends_within_character(kept) else "replace")
        return Stream(text=visible(decoded), num_bytes=self.num_bytes, is_cut=is_cut)


def visible(text: str) -> str:
    """Return text in which characters that steer a terminal, or hide or reorder text, are shown by a picture or their number."""
    return _UNSEEN.sub(_shown, text.replace("\r\n", "\n"))


def _shown(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(CONTROL_PICTURES + code)
    return "\u2421" if code == 0x7F else f"[U+{code:04X}]"


def _ends_within_character(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data"
    return False
