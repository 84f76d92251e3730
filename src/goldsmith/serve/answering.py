"""From a plan to its outcome: rendered, admitted, queued, computed; or refused with the reason."""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from goldsmith.config.serve import ServeConfig
from goldsmith.errors import DataError
from goldsmith.reward.render import Rendered
from goldsmith.reward.rewards import Reward
from goldsmith.serve.items import Outcome, Plan
from goldsmith.serve.keys import Caller
from goldsmith.serve.metrics import Metrics
from goldsmith.serve.models import Models
from goldsmith.serve.pool import ModelPool
from goldsmith.serve.problem import Refusal
from goldsmith.serve.share import Ids

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CHARACTERS = 5
"""Characters of a token, about: what a request weighs before it is rendered."""


@dataclass(frozen=True, slots=True)
class Answerer:
    """Answers plans with the served models."""

    models: Models
    config: ServeConfig
    metrics: Metrics

    async def answer(self, plan: Plan, caller: Caller, request_id: str) -> Outcome:
        """Return the rewards of a plan's items.

        Raises:
            Refusal: too many items, no such model, an item that cannot be scored, too much work, or too late.
        """
        if len(plan.items) > self.config.max_items:
            raise Refusal(
                400,
                "too-many",
                f"{len(plan.items)} conversations in one request, above the {self.config.max_items} allowed; send fewer",
            )
        pool = self.models.get(plan.model)
        with pool.using():
            pool.batcher.admit(sum(item.size for item in plan.items) // CHARACTERS, len(plan.items))
            try:
                async with asyncio.timeout(self.config.request_timeout_s):
                    return await self._answer(pool, plan, caller, request_id)
            except TimeoutError:
                raise Refusal(
                    503,
                    "too-late",
                    f"not answered within {self.config.request_timeout_s:g} s; try again later",
                    retry_after_s=5.0,
                ) from None

    async def _answer(self, pool: ModelPool, plan: Plan, caller: Caller, request_id: str) -> Outcome:
        rendered = await pool.rendering.render(plan, truncate=self.config.truncate)
        if not plan.report_failures:
            _refuse_failures(rendered)
        sound = [item for item in rendered if isinstance(item, Rendered)]
        if not sound:
            _refuse_failures(rendered)
        tokens = sum(len(item.ids) for item in sound)
        pool.batcher.admit(tokens, len(sound))
        # After it, so that what the server refuses for its own reasons costs the key nothing.
        caller.charge(tokens=tokens)
        logits = iter(await _computed(pool, [item.ids for item in sound]))
        rewards = [
            _reward(index, item, next(logits)) if isinstance(item, Rendered) else Reward(value=None, failure=str(item))
            for index, item in enumerate(rendered)
        ]
        if not plan.report_failures:
            _refuse_numbers(rewards)
        self._count(pool.name, sound, tokens)
        return Outcome(
            request_id=request_id,
            model=pool.name,
            digest=pool.digest,
            rewards=rewards,
            tokens=[len(item.ids) if isinstance(item, Rendered) else 0 for item in rendered],
            activation=plan.activation,
            calibration=pool.calibration,
            created=int(time.time()),
        )

    def _count(self, model: str, sound: list[Rendered], tokens: int) -> None:
        self.metrics.items.labels(model).inc(len(sound))
        self.metrics.tokens.labels(model).inc(tokens)
        self.metrics.truncated.labels(model).inc(sum(1 for item in sound if item.cut))


async def _computed(pool: ModelPool, sequences: list[Ids]) -> list[NDArray[np.float32]]:
    """Wait for every conversation; when one fails or the request is cancelled, none is waited for any more."""
    answers = pool.batcher.submit(sequences)
    try:
        return [await answer for answer in answers]
    finally:
        for answer in answers:
            if not answer.cancel() and not answer.cancelled():
                answer.exception()


def _reward(index: int, item: Rendered, logits: NDArray[np.float32]) -> Reward:
    value = float(logits[0])
    if not math.isfinite(value):
        return Reward(value=None, failure=f"item {index}: the model gives {value}, which is no score", cut=item.cut)
    return Reward(value=value, by_head=logits[1:] if len(logits) > 1 else None, cut=item.cut)


def _refuse_failures(rendered: list[Rendered | DataError]) -> None:
    failures = [str(item) for item in rendered if isinstance(item, DataError)]
    if failures:
        raise Refusal(
            400,
            "not-scorable",
            f"{len(failures)} of {len(rendered)} conversations cannot be scored: {failures[0]}",
            details=failures[1:],
        )


def _refuse_numbers(rewards: list[Reward]) -> None:
    failures = [reward.failure for reward in rewards if reward.failure is not None]
    if failures:
        raise Refusal(500, "no-number", failures[0], details=failures[1:])
