"""What calls use: counts of calls and tokens, and money."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What calls used: counted where a response says it, estimated while in flight or unknown."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0

    @property
    def tokens(self) -> int:
        """Prompt and completion tokens."""
        return self.prompt_tokens + self.completion_tokens

    def plus(self, other: Spent, sign: int = 1) -> Spent:
        """Return the sum (or, with `sign` -1, the difference)."""
        return Spent(
            calls=self.calls + sign * other.calls,
            prompt_tokens=self.prompt_tokens + sign * other.prompt_tokens,
            completion_tokens=self.completion_tokens + sign * other.completion_tokens,
            cost=self.cost + sign * other.cost,
        )
