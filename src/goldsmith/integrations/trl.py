"""A reward function for TRL's GRPOTrainer and RLOOTrainer.

from goldsmith.integrations.trl import reward_function
trainer = GRPOTrainer(model=..., reward_funcs=reward_function("http://127.0.0.1:8600"), ...)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from goldsmith.client import Client
from goldsmith.errors import DataError

Completion = str | Sequence[Mapping[str, Any]]
RewardFunction = Callable[..., list[float | None]]


def reward_function(
    url: str,
    *,
    api_key: str | None = None,
    model: str | None = None,
    deadline_s: float = 180.0,
    truncate: bool = False,
    unscorable: float | None = None,
    name: str = "goldsmith_reward",
) -> RewardFunction:
    """Return a function that TRL calls with prompts and completions.

    Args:
        url: of the server.
        api_key: none: the environment variable GOLDSMITH_API_KEY, where it is set.
        model: name of the served model; none: its first.
        deadline_s: of a call, all its tries included; then it raises, and training stops rather than learn from nothing.
        truncate: have conversations cut that are too long.
        unscorable: the reward of a completion that cannot be scored, an empty one for instance, chosen by you; none: raise.
        name: under which TRL logs the reward.
    """
    client = Client(url, api_key=api_key, model=model, deadline_s=deadline_s, truncate=truncate)

    def reward(prompts: Sequence[Completion], completions: Sequence[Completion], **columns: Any) -> list[float | None]:
        conversations = [conversation(prompt, completion) for prompt, completion in zip(prompts, completions, strict=True)]
        if unscorable is None:
            return list(client.score(conversations))
        return [found.score if found.score is not None else unscorable for found in client.rate(conversations)]

    reward.__name__ = name
    return reward


def conversation(prompt: Completion, completion: Completion) -> list[dict[str, Any]]:
    """Return the messages of a prompt and its completion, each a text or a list of messages.

    Raises:
        DataError: the completion is a list of messages that does not end in an assistant turn.
    """
    before = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else [dict(turn) for turn in prompt]
    if isinstance(completion, str):
        return [*before, {"role": "assistant", "content": completion}]
    after = [dict(turn) for turn in completion]
    if not after or after[-1].get("role") != "assistant":
        raise DataError("a completion does not end in an assistant turn; its last message is what gets scored")
    return [*before, *after]
