"""Texts as safe HTML, kept in memory: each pair is shown to several people, and rendering costs more than all else of a request."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable

MOST_CHARACTERS = 48_000_000
"""Of HTML kept; Python needs one to four bytes for each."""


class Texts:
    """A cache in front of the renderer; the least recently shown go first.

    Args:
        render: makes safe HTML of a text; pure.
        most: characters of HTML kept.
    """

    def __init__(self, render: Callable[[str], str], most: int = MOST_CHARACTERS) -> None:
        self._render = render
        self._most = most
        self._size = 0
        self._kept: OrderedDict[bytes, str] = OrderedDict()
        self._lock = threading.Lock()

    def html(self, text: str) -> str:
        """Return the HTML of a text."""
        key = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
                return found
        made = self._render(text)
        with self._lock:
            if key not in self._kept:
                self._kept[key] = made
                self._size += len(made)
            while self._size > self._most and len(self._kept) > 1:
                self._size -= len(self._kept.popitem(last=False)[1])
        return made
