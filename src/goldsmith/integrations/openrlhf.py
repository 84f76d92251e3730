"""A reward file for OpenRLHF: `--reward.remote_url /path/to/goldsmith/integrations/openrlhf.py`.

The server's own `/get_reward` needs no file: `--reward.remote_url http://127.0.0.1:8600/get_reward`. This file adds a deadline within which
it waits as the server asks, and an API key. OpenRLHF logs what it raises, and has no reward for that sample. It is set by environment
variables: GOLDSMITH_URL, GOLDSMITH_API_KEY, GOLDSMITH_DEADLINE_S.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Sequence
from typing import Any

from goldsmith.client import Client
from goldsmith.client.answers import AT_ONCE
from goldsmith.errors import ParseError
from goldsmith.wire.openrlhf import REWARD, RewardReply, RewardRequest

DEFAULT_URL = "http://127.0.0.1:8600"


def reward_func(queries: Sequence[str], prompts: Sequence[str], labels: Sequence[Any], **options: Any) -> dict[str, Any]:
    """Return the rewards of rendered prompts with their replies, in the form OpenRLHF reads.

    Args:
        queries: prompts with replies, decoded with special tokens kept.
        prompts: not needed for the reward.
        labels: not needed for the reward.
        options: passed by later versions, not needed.

    Returns:
        `rewards` (float32 [N], raw), `scores` (float32 [N], their sigmoid, for dynamic filtering), `extra_logs`.

    Raises:
        RewardRefused: one cannot be scored.
        RewardUnavailable: no answer within the deadline, which holds for all queries together.
    """
    import torch

    ends = time.monotonic() + _client().deadline_s
    found = [_ask(list(queries[begin : begin + AT_ONCE]), ends) for begin in range(0, len(queries), AT_ONCE)]
    rewards = torch.tensor([value for part in found for value in part.rewards], dtype=torch.float32)
    return {
        "rewards": rewards,
        "scores": torch.tensor([value for part in found for value in part.scores], dtype=torch.float32),
        "extra_logs": {"goldsmith_reward": rewards},
    }


def _ask(queries: list[str], ends: float) -> RewardReply:
    found = _client().post(f"/openrlhf{REWARD}", RewardRequest(query=queries).body, RewardReply, left_s=ends - time.monotonic())
    if not len(found.rewards) == len(found.scores) == len(queries):
        raise ParseError(f"{len(queries)} queries were sent, and {len(found.rewards)} rewards came back; none is used")
    return found


@functools.lru_cache(maxsize=1)
def _client() -> Client:
    url, deadline_s = os.environ.get("GOLDSMITH_URL", DEFAULT_URL), os.environ.get("GOLDSMITH_DEADLINE_S", "180")
    return Client(url, deadline_s=float(deadline_s))
