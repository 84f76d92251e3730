"""A reward file for OpenRLHF: `--reward.remote_url /path/to/goldsmith/integrations/openrlhf.py`.

The server's own `/get_reward` needs no file: `--reward.remote_url http://127.0.0.1:8600/get_reward`. This file adds a deadline, an API key,
and an exception where OpenRLHF's client would go on with no reward at all. It is set by environment variables: GOLDSMITH_URL,
GOLDSMITH_API_KEY, GOLDSMITH_DEADLINE_S.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Sequence
from typing import Any

import httpx2

from goldsmith.client import AT_ONCE, KEY_VARIABLE, RETRIED, RewardRefused, RewardUnavailable
from goldsmith.wire.openrlhf import RewardReply

DEFAULT_URL = "http://127.0.0.1:8600"
WAIT_S = 1.0


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
        RewardUnavailable: no answer within the deadline.
    """
    import torch

    deadline_s = float(os.environ.get("GOLDSMITH_DEADLINE_S", "180"))
    ends = time.monotonic() + deadline_s
    found = [_ask(list(queries[begin : begin + AT_ONCE]), ends, deadline_s) for begin in range(0, len(queries), AT_ONCE)]
    rewards = torch.tensor([value for part in found for value in part.rewards], dtype=torch.float32)
    return {
        "rewards": rewards,
        "scores": torch.tensor([value for part in found for value in part.scores], dtype=torch.float32),
        "extra_logs": {"goldsmith_reward": rewards},
    }


def _ask(queries: list[str], ends: float, deadline_s: float) -> RewardReply:
    url = os.environ.get("GOLDSMITH_URL", DEFAULT_URL).rstrip("/") + "/openrlhf/get_reward"
    key = os.environ.get(KEY_VARIABLE)
    headers = {"authorization": f"Bearer {key}"} if key else {}
    last = "no try"
    with httpx2.Client(headers=headers, trust_env=False) as http:
        while (left_s := ends - time.monotonic()) > 0:
            try:
                response = http.post(url, json={"query": queries}, timeout=left_s)
            except httpx2.HTTPError as error:
                last, asked = type(error).__name__, ""
            else:
                if response.status_code == 200:
                    return _read(response, len(queries))
                last, asked = f"HTTP {response.status_code}", response.headers.get("retry-after", "")
                if response.status_code not in RETRIED:
                    raise RewardRefused(f"{url}: {last}: {response.text[:300]}", response.status_code, "refused")
            time.sleep(max(0.0, min(float(asked) if asked.isdigit() else WAIT_S, ends - time.monotonic())))
    raise RewardUnavailable(f"{url}: no reward within {deadline_s:g} s; the last try: {last}")


def _read(response: httpx2.Response, wanted: int) -> RewardReply:
    found = RewardReply.model_validate_json(response.content)
    if len(found.rewards) != wanted or not all(map(math.isfinite, found.rewards)):
        raise RewardUnavailable(
            f"{response.url}: {wanted} queries were sent, and {len(found.rewards)} rewards came back; none is used"
        )
    return found
