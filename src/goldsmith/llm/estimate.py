"""What questions will use, before the first of them is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from goldsmith.config.llm import EndpointConfig
from goldsmith.llm.budget import Budget, likely_of, most_of
from goldsmith.llm.request import Request
from goldsmith.llm.spent import Spent


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a batch will use; retries come on top.

    Attributes:
        cached: requests that are answered already.
        likely: calls, tokens and money, about.
        most: an upper bound, which the budget is held to.
        calls: by model.
        fits: how many of the calls, one after the other, what is left of the budget holds for sure.
        limit: what the budget says to the call after those; empty when all fit.
    """

    cached: int
    likely: Spent
    most: Spent
    calls: dict[str, int]
    fits: int
    limit: str = ""

    @property
    def text(self) -> str:
        """One line for a person."""
        models = ", ".join(f"{count:,} to {name}" for name, count in self.calls.items()) or "none"
        known = f" ({self.cached:,} answered already)" if self.cached else ""
        money = f" and {self.likely.cost:,.2f} in money" if self.most.cost else ""
        most = f" (at most {self.most.tokens:,}" + (f" and {self.most.cost:,.2f})" if self.most.cost else ")")
        short = f"; the budget is sure to hold {self.fits:,} of them: {self.limit}" if self.limit else ""
        return f"LLM calls: {models}{known}; about {self.likely.tokens:,} tokens{money}{most}{short}"


def estimate_of(requests: Sequence[Request], endpoints: Mapping[str, EndpointConfig], budget: Budget, cached: int) -> Estimate:
    """Return the estimate of distinct requests that have no answer yet.

    Args:
        requests: in the order in which they will be asked.
        endpoints: by name.
        budget: what is left.
        cached: for `Estimate.cached`.
    """
    likely, most, fits, limit = Spent(), Spent(), 0, ""
    for request in requests:
        config = endpoints[request.endpoint]
        likely, most = likely.plus(likely_of(request, config)), most.plus(most_of(request, config))
        if not limit:
            limit = budget.refusal(most) or ""
            fits += not limit
    calls = Counter(request.endpoint for request in requests)
    return Estimate(cached=cached, likely=likely, most=most, calls=dict(calls), fits=fits, limit=limit)
