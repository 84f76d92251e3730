"""A reward function for verl: `custom_reward_function.path=.../goldsmith/integrations/verl.py`, `custom_reward_function.name=compute_score`.

verl's own router calls need no function: point its reward router at the server. This one is for a reward function that asks the server
itself. It is set by environment variables: GOLDSMITH_URL, GOLDSMITH_API_KEY, GOLDSMITH_DEADLINE_S.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping, Sequence
from typing import Any

from goldsmith.client import AsyncClient, Client
from goldsmith.errors import DataError

DEFAULT_URL = "http://127.0.0.1:8600"
PROMPTS = ("messages", "prompt", "raw_prompt")
"""Where a data row's `extra_info` may hold its prompt: messages, or the text of one user turn."""


def compute_score(
    data_source: str, solution_str: str, ground_truth: Any, extra_info: Mapping[str, Any] | None = None, **options: Any
) -> float:
    """Return the raw reward of a solution to the prompt in `extra_info`.

    Args:
        data_source: not needed for the reward.
        solution_str: the reply, special tokens taken off.
        ground_truth: not needed for the reward.
        extra_info: of the data row; its prompt is in one of `PROMPTS`.
        options: passed by later versions (`reward_router_address`, `reward_model_tokenizer`), not needed.

    Raises:
        DataError: `extra_info` holds no prompt.
        RewardRefused: it cannot be scored.
        RewardUnavailable: no answer within the deadline.
    """
    return _client().score([_conversation(solution_str, extra_info)])[0]


async def compute_score_async(
    data_source: str, solution_str: str, ground_truth: Any, extra_info: Mapping[str, Any] | None = None, **options: Any
) -> float:
    """Return the raw reward of a solution, for verl's reward loop, which awaits it; see `compute_score`."""
    async with AsyncClient(_url(), deadline_s=_deadline_s()) as client:
        return (await client.score([_conversation(solution_str, extra_info)]))[0]


def _conversation(solution: str, extra_info: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    given: Any = next((extra_info[name] for name in PROMPTS if extra_info and extra_info.get(name) is not None), None)
    if isinstance(given, str):
        before = [{"role": "user", "content": given}]
    elif isinstance(given, Sequence) or hasattr(given, "tolist"):
        # Rows from Parquet hold arrays of messages.
        before = [dict(turn) for turn in (given.tolist() if hasattr(given, "tolist") else given)]
    else:
        raise DataError(f"extra_info holds no prompt; put it into one of {', '.join(PROMPTS)} when the data set is made")
    return [*before, {"role": "assistant", "content": solution}]


@functools.lru_cache(maxsize=1)
def _client() -> Client:
    return Client(_url(), deadline_s=_deadline_s())


def _url() -> str:
    return os.environ.get("GOLDSMITH_URL", DEFAULT_URL)


def _deadline_s() -> float:
    return float(os.environ.get("GOLDSMITH_DEADLINE_S", "180"))
