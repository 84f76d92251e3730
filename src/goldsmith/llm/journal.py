"""Writes to the ledger in groups: what waits while one transaction is written goes into the next, and nobody goes on before theirs is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from goldsmith.llm.ledger import Ledger

T = TypeVar("T")


class Journal:
    """The ledger as an event loop uses it: a slow disk delays calls, never the loop."""

    def __init__(self, ledger: Ledger) -> None:
        """Keep the ledger; a thread is started by the first write."""
        self._ledger = ledger
        self._entries: list[Callable[[], Any]] = []
        self._group: asyncio.Task[list[Any]] | None = None
        self._turn = asyncio.Lock()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="goldsmith-ledger")

    async def write(self, entry: Callable[[], T]) -> T:
        """Return what `entry`, a call of a ledger's method, returns, once it is committed.

        Who is cancelled while waiting has written all the same.

        Raises:
            StoreError: the file cannot be written; nothing of the group was.
        """
        if self._group is None:
            self._group = asyncio.create_task(self._write_group())
        group, place = self._group, len(self._entries)
        self._entries.append(entry)
        result: T = (await asyncio.shield(group))[place]
        return result

    async def close(self) -> None:
        """Wait for what is being written, and end the thread."""
        if self._group is not None:
            await asyncio.wait([self._group])
        async with self._turn:
            self._thread.shutdown()

    async def _write_group(self) -> list[Any]:
        async with self._turn:
            entries, self._entries, self._group = self._entries, [], None
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._commit, entries)

    def _commit(self, entries: list[Callable[[], Any]]) -> list[Any]:
        with self._ledger.transaction():
            return [entry() for entry in entries]
