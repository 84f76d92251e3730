"""The queue of one model: conversations wait here until a worker takes them, as many as fit into a batch.

An idle worker waits a few milliseconds for company; a busy one finds the queue filled. The oldest conversation is in every batch; then
those that still fit, so that replies to its context, which cost only what they do not share, come along. What waits is bounded by the
time it would take at the measured speed, and what does not fit is refused at once.
"""

from __future__ import annotations

import asyncio
import bisect
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from goldsmith.config.serve import ServeConfig
from goldsmith.serve.problem import Refusal
from goldsmith.serve.share import Ids, common_length

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LOOK_AT = 1024
"""Waiting conversations that are considered for one batch."""
MOST_SEQUENCES = 256
"""Conversations of one batch."""
SLOWEST, FASTEST_RETRY_S, SLOWEST_RETRY_S = 1.0, 1.0, 30.0
SMOOTHING = 0.2
"""Weight of the last batch in the measured speed."""


@dataclass(slots=True, eq=False)
class Waiting:
    """One conversation that waits for its logits."""

    ids: Ids
    answer: asyncio.Future[NDArray[np.float32]]
    since: float


class Batcher:
    """Hands waiting conversations to workers in batches.

    Attributes:
        waiting_tokens: tokens in the queue.
        tokens_per_s: measured over recent batches; 0 before the first.
    """

    def __init__(self, config: ServeConfig, token_budget: int, *, shares: bool = True) -> None:
        """Make an empty queue.

        Args:
            config: its limits.
            token_budget: tokens of one batch.
            shares: the engine computes a beginning that conversations have in common once.
        """
        self._config, self._budget, self._shares = config, token_budget, shares
        self._queue: deque[Waiting] = deque()
        self._arrived = asyncio.Event()
        self._closed = False
        self.waiting_tokens = 0
        self.tokens_per_s = 0.0

    def __len__(self) -> int:
        """Conversations in the queue."""
        return len(self._queue)

    @property
    def is_done(self) -> bool:
        """It was closed, and nothing waits any more."""
        return self._closed and not self._queue

    def admit(self, tokens: int, items: int) -> None:
        """Refuse work that would wait too long.

        Args:
            tokens: of the request, or about.
            items: conversations of the request.

        Raises:
            Refusal: 503, with the time after which there will be room.
        """
        config, wanted = self._config, self.waiting_tokens + tokens
        if not self._queue or (len(self._queue) + items <= config.min_queue_items and wanted <= config.max_queue_tokens):
            return
        allowed = config.max_queue_tokens
        if self.tokens_per_s:
            allowed = min(allowed, int(self.tokens_per_s * config.max_queue_s))
        if wanted > allowed:
            wait_s = (wanted - allowed) / max(self.tokens_per_s, SLOWEST)
            raise Refusal(
                503,
                "overloaded",
                f"{self.waiting_tokens} tokens are waiting already; try again later",
                retry_after_s=min(max(wait_s, FASTEST_RETRY_S), SLOWEST_RETRY_S),
            )

    def submit(self, sequences: Sequence[Ids]) -> list[asyncio.Future[NDArray[np.float32]]]:
        """Add conversations to the queue and return where their logits will be; cancelling one takes it out again."""
        loop, now = asyncio.get_running_loop(), time.monotonic()
        added = [Waiting(ids, loop.create_future(), now) for ids in sequences]
        self._queue.extend(added)
        self.waiting_tokens += sum(len(item.ids) for item in added)
        self._arrived.set()
        return [item.answer for item in added]

    async def take(self) -> list[Waiting]:
        """Wait for work and return a batch; empty when the queue was closed and is done."""
        while True:
            self._forget_cancelled()
            if not self._queue:
                if self._closed:
                    return []
                self._arrived.clear()
                await self._arrived.wait()
                continue
            left_s = self._queue[0].since + self._config.batch_wait_ms / 1000 - time.monotonic()
            if left_s <= 0 or self.waiting_tokens >= self._budget or self._closed:
                return self._choose()
            await asyncio.sleep(left_s)

    def measured(self, tokens: int, seconds: float) -> None:
        """Learn from a batch how fast the workers together are."""
        speed = tokens / max(seconds, 1e-6)
        self.tokens_per_s = speed if not self.tokens_per_s else (1 - SMOOTHING) * self.tokens_per_s + SMOOTHING * speed

    def fail_all(self, error: Exception) -> None:
        """Answer everything that waits with an error."""
        while self._queue:
            item = self._queue.popleft()
            if not item.answer.done():
                item.answer.set_exception(error)
        self.waiting_tokens = 0

    def close(self) -> None:
        """Let workers finish what waits, and then stop."""
        self._closed = True
        self._arrived.set()

    def _forget_cancelled(self) -> None:
        if any(item.answer.done() for item in self._queue):
            self._queue = deque(item for item in self._queue if not item.answer.done())
            self.waiting_tokens = sum(len(item.ids) for item in self._queue)

    def _choose(self) -> list[Waiting]:
        """Take the oldest, and then what fits, out of the queue."""
        chosen: list[Waiting] = []
        passed: list[Waiting] = []
        beside: list[Ids] = []
        used = 0
        for _ in range(min(len(self._queue), LOOK_AT)):
            if len(chosen) >= MOST_SEQUENCES or used >= self._budget:
                break
            item = self._queue.popleft()
            cost, place = _cost(item.ids, beside) if self._shares else (len(item.ids), 0)
            if chosen and used + cost > self._budget:
                passed.append(item)
                continue
            beside.insert(place, item.ids)
            chosen.append(item)
            used += cost
        self._queue.extendleft(reversed(passed))
        self.waiting_tokens -= sum(len(item.ids) for item in chosen)
        return chosen


def _cost(ids: Ids, beside: Sequence[Ids]) -> tuple[int, int]:
    """Return what a sequence adds to a batch, and its place among the sorted others."""
    place = bisect.bisect_left(beside, ids)
    near = beside[max(0, place - 1) : place + 1]
    return len(ids) - max((common_length(ids, other) for other in near), default=0), place
