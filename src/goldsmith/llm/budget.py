"""The hard stop: a call is reserved before it is sent, and refused when it could exceed the budget."""

from __future__ import annotations

from goldsmith.config.llm import EndpointConfig, LlmConfig
from goldsmith.llm.ledger import Spent
from goldsmith.llm.request import Request


class Budget:
    """What may still be spent. Reservations are estimates; `settle` replaces one by what was really used."""

    def __init__(self, config: LlmConfig, spent: Spent) -> None:
        """Start from what the ledger says was spent already, in flight and unknown calls at their estimates."""
        self.config = config
        self.spent = spent

    def refusal(self, estimate: Spent) -> str | None:
        """Return why a call must not be made, or None when the budget holds it."""
        after = self.spent.plus(estimate)
        limits = (
            ("max_calls", self.config.max_calls, after.calls),
            ("max_tokens", self.config.max_tokens, after.tokens),
            ("max_cost", self.config.max_cost, after.cost),
        )
        for name, limit, value in limits:
            if limit is not None and value > limit:
                return f"llm.{name} = {limit:g} would be exceeded by the next call ({value:g}); raise it to go on"
        return None

    def reserve(self, estimate: Spent) -> str | None:
        """Book a call, or return why not."""
        refusal = self.refusal(estimate)
        if refusal is None:
            self.spent = self.spent.plus(estimate)
        return refusal

    def settle(self, estimate: Spent, used: Spent) -> None:
        """Replace a reservation by what the call used."""
        self.spent = self.spent.plus(estimate, -1).plus(used)


def estimate_call(request: Request, endpoint: EndpointConfig) -> Spent:
    """Return what one call may use at most, about: the prompt's estimate and the whole reply allowance."""
    return price(endpoint, request.prompt_tokens_estimate, request.max_tokens)


def price(endpoint: EndpointConfig, prompt_tokens: int, completion_tokens: int) -> Spent:
    """Return one call of these many tokens, with its cost."""
    cost = prompt_tokens * endpoint.price_prompt_per_million + completion_tokens * endpoint.price_completion_per_million
    return Spent(calls=1, prompt_tokens=prompt_tokens, completion_tokens=completion_tokens, cost=cost / 1e6)
