"""OpenRLHF's and verl's own clients, asking a running server. Runs where both are installed; no extra can say how:

pip install --no-deps openrlhf verl tensordict pyvers codetiming hydra-core omegaconf antlr4-python3-runtime==4.9.3 torchdata pylatexenc cachetools
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import goldsmith.integrations
from goldsmith.reward.model import RewardModel
from serving import ANSWERED, QUESTION, serving

agent = pytest.importorskip("openrlhf.utils.agent", exc_type=ImportError)
reward_loop = pytest.importorskip("verl.experimental.reward_loop.reward_loop", exc_type=ImportError)

REPLY = ANSWERED[-1]["content"]


@pytest.fixture(scope="module")
def model(tiny_rm: Path) -> RewardModel:
    return RewardModel.load(tiny_rm, dtype="float32")


@pytest.fixture(scope="module")
def address(tiny_rm: Path) -> Iterator[str]:
    with serving(str(tiny_rm)) as (address, _):
        yield address


class _Policy:
    """Stands in for vLLM's engine: its reply is always the same, ended as a policy ends it."""

    def __init__(self, tokenizer: Any, reply: str) -> None:
        self._ids = tokenizer.encode(f"{reply}{tokenizer.eos_token}", add_special_tokens=False)

    async def generate(self, prompt: list[int], params: Any, **options: Any) -> Any:
        output = SimpleNamespace(token_ids=self._ids, finish_reason="stop", logprobs=None, text="")
        return SimpleNamespace(outputs=[output])


def _openrlhf(remote: str, model: RewardModel, reply: str) -> dict[str, Any]:
    tokenizer = model.renderer.tokenizer
    prompt = tokenizer.apply_chat_template(QUESTION, tokenize=False, add_generation_prompt=True)
    executor = agent.SingleTurnAgentExecutor(remote)
    params = SimpleNamespace(max_tokens=16, logprobs=None)
    found: dict[str, Any] = asyncio.run(executor.execute(prompt, "", params, 512, tokenizer, _Policy(tokenizer, reply)))
    return found


def test_openrlhf_gets_its_rewards_from_the_url(address: str, model: RewardModel) -> None:
    found = _openrlhf(f"{address}/get_reward", model, REPLY)
    assert found["reward"] == pytest.approx(list(model.score([ANSWERED])), abs=1e-4)
    assert 0.0 < found["scores"][0] < 1.0


def test_openrlhf_gets_its_rewards_from_the_file(address: str, model: RewardModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOLDSMITH_URL", address)
    path = Path(goldsmith.integrations.__path__[0]) / "openrlhf.py"
    found = _openrlhf(str(path), model, REPLY)
    assert found["reward"].tolist() == pytest.approx(list(model.score([ANSWERED])), abs=1e-4)
    # What raises there is logged by OpenRLHF, and no number stands where the reward would.
    assert _openrlhf(str(path), model, "")["reward"] is None


@pytest.mark.parametrize("engine", ["vllm", "sglang"])
def test_verl_gets_its_rewards_through_its_router_calls(address: str, tiny_rm: Path, model: RewardModel, engine: str) -> None:
    from verl import DataProto

    tokenizer = model.renderer.tokenizer
    ids = tokenizer.encode(f"{REPLY}{tokenizer.eos_token}", add_special_tokens=False)
    padded = [*ids, *[tokenizer.pad_token_id] * 3]
    data = DataProto.from_dict(
        tensors={"responses": torch.tensor([padded]), "attention_mask": torch.tensor([[1] * 5 + [1] * len(ids) + [0] * 3])},
        non_tensors={"raw_prompt": np.array([QUESTION], dtype=object)},
    )
    worker = object.__new__(reward_loop.RewardLoopWorker)
    served = SimpleNamespace(rollout=SimpleNamespace(name=engine), model_path=str(tiny_rm))
    worker.config = SimpleNamespace(reward=SimpleNamespace(reward_model=served))
    worker.reward_router_address = address.removeprefix("http://")
    worker.input_tokenizer = worker.reward_model_tokenizer = tokenizer
    found = asyncio.run(worker.compute_score_disrm(data))
    assert found["reward_score"] == pytest.approx(model.score([ANSWERED])[0], abs=1e-4)
