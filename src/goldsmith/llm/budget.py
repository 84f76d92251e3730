"""The hard stop: a call is reserved at the most it can use before it is sent, and refused when that could exceed the budget."""

from __future__ import annotations

import asyncio

from goldsmith.config.llm import EndpointConfig, LlmConfig
from goldsmith.llm.request import Request
from goldsmith.llm.spent import Spent


class Budget:
    """What may still be spent. Reservations are upper bounds; `settle` replaces one by what was really used."""

    def __init__(self, config: LlmConfig, spent: Spent) -> None:
        """Start from what the ledger says was spent already, in flight and unknown calls at their bounds."""
        self.config = config
        self.spent = spent
        self._reserved = 0
        self._settled = asyncio.Condition()

    def refusal(self, more: Spent) -> str | None:
        """Return why a call must not be made, or None when the budget holds it."""
        after = self.spent.plus(more)
        limits = (
            ("max_calls", self.config.max_calls, after.calls),
            ("max_tokens", self.config.max_tokens, after.tokens),
            ("max_cost", self.config.max_cost, after.cost),
        )
        for name, limit, value in limits:
            if limit is not None and value > limit:
                return f"llm.{name} = {limit:g} could be exceeded by the next call ({value:g}); raise it to go on"
        return None

    async def reserve(self, most: Spent) -> str | None:
        """Book a call, or return why not; calls in flight may use less than was booked for them, so those are waited for."""
        async with self._settled:
            while (refusal := self.refusal(most)) is not None:
                if self._reserved == 0:
                    return refusal
                await self._settled.wait()
            self._reserved += 1
            self.spent = self.spent.plus(most)
        return None

    async def settle(self, most: Spent, used: Spent) -> None:
        """Replace a reservation by what the call used."""
        self.spent = self.spent.plus(most, -1).plus(used)
        self._reserved -= 1
        async with self._settled:
            self._settled.notify_all()


def most_of(request: Request, endpoint: EndpointConfig) -> Spent:
    """Return what one call may use at most: a token for every byte of the prompt, and the whole reply allowance."""
    return price(endpoint, request.most_prompt_tokens, request.max_tokens)


def likely_of(request: Request, endpoint: EndpointConfig) -> Spent:
    """Return what one call uses, about: the prompt's estimate, and the whole reply allowance."""
    return price(endpoint, request.prompt_tokens_estimate, request.max_tokens)


def price(endpoint: EndpointConfig, prompt_tokens: int, completion_tokens: int) -> Spent:
    """Return one call of these many tokens, with its cost."""
    cost = prompt_tokens * endpoint.price_prompt_per_million + completion_tokens * endpoint.price_completion_per_million
    return Spent(calls=1, prompt_tokens=prompt_tokens, completion_tokens=completion_tokens, cost=cost / 1e6)
