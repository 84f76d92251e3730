from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest

from goldsmith.config.serve import ServeConfig
from goldsmith.serve.batcher import Batcher
from goldsmith.serve.problem import Refusal
from goldsmith.serve.share import Ids

BUDGET = 100


def _run(work: Callable[[Batcher], Awaitable[Any]], **settings: Any) -> Any:
    async def begin() -> Any:
        return await work(Batcher(ServeConfig(**{"batch_wait_ms": 0.0, **settings}), BUDGET))

    return asyncio.run(begin())


def _ids(start: int, length: int) -> Ids:
    return tuple(range(start, start + length))


def test_a_batch_has_the_oldest_and_what_fits() -> None:
    async def work(batcher: Batcher) -> None:
        # 60 and 50 do not fit together, 60 and 40 do; the 50 is the oldest of the next batch.
        batcher.submit([_ids(0, 60), _ids(100, 50), _ids(200, 40)])
        assert [len(item.ids) for item in await batcher.take()] == [60, 40]
        assert batcher.waiting_tokens == 50
        assert [len(item.ids) for item in await batcher.take()] == [50]

    _run(work)


def test_replies_to_one_prompt_cost_the_prompt_once() -> None:
    async def work(batcher: Batcher) -> None:
        prompt = _ids(0, 80)
        batcher.submit([(*prompt, 500 + index) for index in range(30)])
        # 81 tokens for the first, one for each other: 81 + 19 = 100.
        assert len(await batcher.take()) == 20
        assert len(await batcher.take()) == 10

    _run(work)


def test_a_conversation_above_the_budget_is_a_batch_alone() -> None:
    async def work(batcher: Batcher) -> None:
        batcher.submit([_ids(0, 300), _ids(400, 5)])
        assert [len(item.ids) for item in await batcher.take()] == [300]

    _run(work)


def test_an_idle_worker_waits_for_company() -> None:
    async def work(batcher: Batcher) -> None:
        batcher.submit([_ids(0, 10)])
        taking = asyncio.create_task(batcher.take())
        await asyncio.sleep(0)
        assert not taking.done()
        batcher.submit([_ids(100, 10)])
        assert len(await taking) == 2

    _run(work, batch_wait_ms=200.0)


def test_who_went_away_is_not_computed() -> None:
    async def work(batcher: Batcher) -> None:
        gone, stays = batcher.submit([_ids(0, 10), _ids(100, 20)])
        gone.cancel()
        assert [item.answer for item in await batcher.take()] == [stays]
        assert batcher.waiting_tokens == 0

    _run(work)


def test_work_that_would_wait_too_long_is_refused_with_the_time_to_wait() -> None:
    async def work(batcher: Batcher) -> None:
        batcher.measured(100, 1.0)
        batcher.submit([_ids(0, 150)])
        batcher.admit(50, 1)
        # 150 and 450 tokens at 100 a second, of which 200 may wait: room in (600 - 200) / 100 = 4 s.
        with pytest.raises(Refusal) as refusal:
            batcher.admit(450, 1)
        assert (refusal.value.status, refusal.value.retry_after_s) == (503, 4.0)

    _run(work, max_queue_s=2.0, min_queue_items=1)


def test_a_few_conversations_may_wait_however_slow_the_machine() -> None:
    async def work(batcher: Batcher) -> None:
        batcher.measured(1, 1.0)
        batcher.submit([_ids(index * 100, 50) for index in range(3)])
        batcher.admit(50, 1)
        with pytest.raises(Refusal):
            batcher.admit(50, 2)

    _run(work, min_queue_items=4)


def test_the_first_request_is_taken_whatever_its_size() -> None:
    async def work(batcher: Batcher) -> None:
        batcher.measured(1, 1.0)
        batcher.admit(10_000, 5)
        # The same request behind something that waits already would wait too long.
        batcher.submit([_ids(index * 100, 50) for index in range(3)])
        with pytest.raises(Refusal):
            batcher.admit(10_000, 5)

    _run(work, min_queue_items=1, max_queue_tokens=10)


def test_a_closed_queue_gives_what_it_has_and_then_nothing() -> None:
    async def work(batcher: Batcher) -> None:
        (answer,) = batcher.submit([_ids(0, 10)])
        batcher.close()
        (item,) = await batcher.take()
        item.answer.set_result(np.zeros(1, np.float32))
        assert await batcher.take() == []
        assert (await answer)[0] == 0.0

    _run(work, batch_wait_ms=500.0)


def test_the_speed_follows_recent_batches() -> None:
    async def work(batcher: Batcher) -> None:
        batcher.measured(100, 1.0)
        assert batcher.tokens_per_s == 100.0
        batcher.measured(400, 2.0)
        # 0.8 x 100 + 0.2 x 200
        assert batcher.tokens_per_s == pytest.approx(120.0)

    _run(work)
