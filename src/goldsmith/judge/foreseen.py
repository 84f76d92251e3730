"""What asking models will use at most, said before anything is sent; sums over parts of a large file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

from goldsmith.llm import LlmGroup, Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """An upper bound, about: repairs and retries come on top.

    Attributes:
        cached: questions that are answered already.
        calls: questions that are not.
        prompt_tokens: of those.
        completion_tokens: of those, every reply as long as it may be.
        cost: by the configured prices.
    """

    cached: int = 0
    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0

    def plus(self, other: Foreseen) -> Foreseen:
        """Return the sum of two."""
        return Foreseen(**{item.name: getattr(self, item.name) + getattr(other, item.name) for item in fields(self)})

    @property
    def text(self) -> str:
        """One line for a person."""
        cost = f", {self.cost:,.2f} in money" if self.cost else ""
        return (
            f"at most {self.calls:,} calls, about {self.prompt_tokens:,} prompt and {self.completion_tokens:,} reply tokens{cost}; "
            f"{self.cached:,} answers are there already"
        )


def foresee(llm: LlmGroup, parts: Iterable[list[Request]]) -> Foreseen:
    """Return what questions will use, one part of them in memory at a time; equal questions in two parts count twice."""
    total = Foreseen()
    for requests in parts:
        found = llm.estimate(requests)
        most = found.most
        total = total.plus(
            Foreseen(
                cached=found.cached,
                calls=most.calls,
                prompt_tokens=most.prompt_tokens,
                completion_tokens=most.completion_tokens,
                cost=most.cost,
            )
        )
    return total
