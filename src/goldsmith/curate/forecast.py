"""What the language models of a run may cost in all, from the configuration alone; each batch is estimated again before it is asked."""

from __future__ import annotations

from dataclasses import dataclass

from goldsmith.config import GoldsmithConfig
from goldsmith.config.llm import EndpointConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """Calls at most, and tokens and money about, when every budget of pairs is used up and nothing is cached.

    Retries, and one repair of each malformed reply, come on top.
    """

    calls: int
    tokens: int
    cost: float

    @property
    def text(self) -> str:
        """One line for a person."""
        money = f" and {self.cost:,.2f} in money" if self.cost else ""
        return f"the whole run makes {self.calls:,} LLM calls at most, with about {self.tokens:,} tokens{money}; answers in the cache are not asked again, malformed ones once more"


def forecast(config: GoldsmithConfig) -> Forecast:
    """Return what a run's LLM calls come to at most, about."""
    from goldsmith.attributes.label import CLOSED_TOKENS
    from goldsmith.attributes.reply import EMBEDDED_LIMITS, LIMITS
    from goldsmith.judge.judges import EMBEDDED_PROMPT_TOKENS, PROMPT_TOKENS
    from goldsmith.judge.protocol import MAX_REPLY_TOKENS
    from goldsmith.judge.verify import MAX_REPLY_TOKENS as CHECK_TOKENS

    judge, total = config.judge, Forecast(calls=0, tokens=0, cost=0.0)
    # The seed is judged like a round.
    pairs = judge.probe_pairs + (config.rounds.count + 1) * judge.max_pairs_per_round + judge.max_pairs_stage2
    # Both replies of a pair, in the seed's batch for people and in every round's.
    checked = 2 * (config.rounds.count + 1) * config.verify.max_pairs
    for place, endpoint in enumerate(config.llm.endpoints):
        is_embedded = endpoint.kind == "embedded"
        prompt = endpoint.prompt_tokens or (EMBEDDED_PROMPT_TOKENS if is_embedded else PROMPT_TOKENS)
        total = _plus(total, endpoint, pairs * judge.samples, prompt, MAX_REPLY_TOKENS)
        if endpoint.name in config.verify.models or not config.verify.models:
            total = _plus(total, endpoint, checked, prompt, CHECK_TOKENS)
        if place == 0:
            limits = EMBEDDED_LIMITS if is_embedded else LIMITS
            reply = limits.reply_tokens + CLOSED_TOKENS
            total = _plus(total, endpoint, config.attributes.llm_pairs, 2 * limits.pair_tokens, reply)
    return total


def _plus(total: Forecast, endpoint: EndpointConfig, calls: int, prompt_tokens: int, reply_tokens: int) -> Forecast:
    cost = (
        calls * (prompt_tokens * endpoint.price_prompt_per_million + reply_tokens * endpoint.price_completion_per_million) / 1e6
    )
    return Forecast(
        calls=total.calls + calls, tokens=total.tokens + calls * (prompt_tokens + reply_tokens), cost=total.cost + cost
    )
