"""Reward functions called as TRL, OpenRLHF and verl call them, against a running application."""

from __future__ import annotations

import asyncio
import importlib.util
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
import torch
from starlette.testclient import TestClient

import goldsmith.client
import goldsmith.integrations
import goldsmith.serve.pool
from goldsmith.client import RewardRefused
from goldsmith.config.serve import ServeConfig
from goldsmith.errors import DataError
from goldsmith.integrations import verl
from goldsmith.integrations.trl import reward_function
from goldsmith.models import base_model_path
from goldsmith.reward.model import RewardModel
from goldsmith.reward.tiny import write_tiny_model
from goldsmith.serve.app import Application
from goldsmith.serve.keys import Keys
from goldsmith.serve.metrics import Metrics
from goldsmith.serve.models import Models
from goldsmith.serve.tracing import Tracing
from local_replica import LocalReplica
from serving import ANSWERED, QUESTION

URL = "http://reward.test"


@pytest.fixture(scope="module")
def model(tiny_rm: Path) -> RewardModel:
    return RewardModel.load(tiny_rm, dtype="float32")


@pytest.fixture(scope="module")
def server(tiny_rm: Path) -> Iterator[TestClient]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(goldsmith.serve.pool, "Replica", LocalReplica)
        config, metrics = ServeConfig(dtype="float32", batch_wait_ms=0.0), Metrics()
        models = Models({"tiny": tiny_rm}, config, metrics)
        with TestClient(Application(models, config, metrics, Keys(None), Tracing()).build()) as client:
            yield client


@pytest.fixture(autouse=True)
def wired(server: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every httpx2 client of the product reaches the application."""

    def forward(request: httpx2.Request) -> httpx2.Response:
        answer = server.request(request.method, request.url.path, content=request.content, headers=dict(request.headers))
        return httpx2.Response(answer.status_code, content=answer.content, headers=dict(answer.headers))

    kinds = {"Client": httpx2.Client, "AsyncClient": httpx2.AsyncClient}
    for name, kind in kinds.items():
        monkeypatch.setattr(
            httpx2, name, lambda kind=kind, **options: kind(**{**options, "transport": httpx2.MockTransport(forward)})
        )
    monkeypatch.setenv("GOLDSMITH_URL", URL)
    verl._client.cache_clear()


def _near(value: Any) -> Any:
    return pytest.approx(value, abs=1e-4)


def test_trl_with_conversations_and_with_plain_texts(model: RewardModel) -> None:
    reward = reward_function(URL)
    assert reward.__name__ == "goldsmith_reward"
    expected = list(model.score_replies(QUESTION, ["4", "5"]))
    columns = {"completion_ids": [[1], [2]], "trainer_state": None, "log_extra": None, "log_metric": None, "solution": ["4", "4"]}
    conversational = reward(
        prompts=[QUESTION] * 2, completions=[[{"role": "assistant", "content": text}] for text in "45"], **columns
    )
    assert conversational == _near(expected)
    assert reward(prompts=[QUESTION[0]["content"]] * 2, completions=["4", "5"], **columns) == _near(expected)


def test_trl_gets_no_number_for_a_completion_that_cannot_be_scored(model: RewardModel) -> None:
    with pytest.raises(RewardRefused, match="the reply is empty"):
        reward_function(URL)(prompts=[QUESTION], completions=[""])
    chosen = reward_function(URL, unscorable=-5.0)
    assert chosen(prompts=[QUESTION] * 2, completions=["", "4"]) == _near([-5.0, model.score([ANSWERED])[0]])
    with pytest.raises(DataError, match="does not end in an assistant turn"):
        reward_function(URL)(prompts=[QUESTION], completions=[[{"role": "tool", "content": "x"}]])


def test_trl_trains_a_policy_for_two_steps(tmp_path: Path, model: RewardModel) -> None:
    """GRPO with TRL itself: a tiny policy, and the rewards it logs are the server's."""
    trl = pytest.importorskip("trl")
    from datasets import Dataset

    policy = write_tiny_model(tmp_path / "policy", seed=1)
    given: list[list[float]] = []
    ours = reward_function(URL, unscorable=0.0)

    def reward(**arguments: Any) -> Any:
        given.append(ours(**arguments))
        return given[-1]

    settings = trl.GRPOConfig(
        output_dir=str(tmp_path / "out"),
        per_device_train_batch_size=2,
        num_generations=2,
        max_completion_length=8,
        max_steps=2,
        logging_steps=1,
        report_to=[],
        save_strategy="no",
        use_cpu=True,
        bf16=False,
    )
    data = Dataset.from_list([{"prompt": QUESTION}] * 4)
    trainer = trl.GRPOTrainer(model=str(policy), reward_funcs=reward, args=settings, train_dataset=data)
    trainer.train()
    logged = [entry["reward"] for entry in trainer.state.log_history if "reward" in entry]
    assert len(given) == len(logged) == 2
    assert logged == _near([sum(scores) / len(scores) for scores in given])


def _documented(name: str, section: str) -> str:
    """The first Python example after a word of a page."""
    page = (Path(__file__).parents[3] / "docs" / name).read_text(encoding="utf-8")
    return page.split(section, 1)[1].split("```python\n", 1)[1].split("```", 1)[0]


def test_the_documented_example_trains_the_embedded_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the page has it, but for the place of the policy and shorter completions."""
    policy = base_model_path("embedded")
    asked: list[int] = []
    rate = goldsmith.client.Client.rate

    def counted(self: goldsmith.client.Client, conversations: Any, **options: Any) -> Any:
        found = rate(self, conversations, **options)
        asked.extend(1 for one in found if one.score is not None)
        return found

    monkeypatch.setattr(goldsmith.client.Client, "rate", counted)
    monkeypatch.chdir(tmp_path)
    source = _documented("dialects.md", "**TRL**")
    for written, here in (
        ("HuggingFaceTB/SmolLM2-135M-Instruct", str(policy)),
        ("max_completion_length=64", "max_completion_length=6, use_cpu=True, bf16=False, report_to=[], save_strategy='no'"),
    ):
        assert written in source
        source = source.replace(written, here)
    names: dict[str, Any] = {}
    exec(compile(source, "docs/dialects.md", "exec"), names)
    assert names["trainer"].state.global_step == 2
    # Four completions a step, of which an empty one has the reward that was chosen for it.
    assert asked
    assert len(asked) <= 8


def _openrlhf() -> Any:
    """Load the file by its path, as OpenRLHF does."""
    path = Path(goldsmith.integrations.__path__[0]) / "openrlhf.py"
    spec = importlib.util.spec_from_file_location("reward_func", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_openrlhf_reads_rewards_of_its_file(model: RewardModel) -> None:
    query = str(model.renderer.tokenizer.apply_chat_template(ANSWERED, tokenize=False)).removesuffix("\n")
    found = _openrlhf().reward_func([query, query], ["p", "p"], ["l", "l"], extra=None)
    expected = model.score([ANSWERED])[0]
    assert found["rewards"].dtype == torch.float32
    assert found["rewards"].tolist() == _near([expected] * 2)
    assert found["scores"].tolist() == _near([1 / (1 + math.exp(-expected))] * 2)
    with pytest.raises(RewardRefused):
        _openrlhf().reward_func(["no template"], ["p"], ["l"])


def test_openrlhf_reads_rewards_of_the_url(server: TestClient, model: RewardModel) -> None:
    """Its client posts one query a call and takes the fields `rewards`, `scores` and `extra_logs` of the reply."""
    query = str(model.renderer.tokenizer.apply_chat_template(ANSWERED, tokenize=False)).removesuffix("\n")
    found = server.post("/get_reward", json={"query": [query], "prompts": ["p"], "labels": ["l"]}).json()
    assert found.get("rewards") == _near(list(model.score([ANSWERED])))
    assert 0.0 < found.get("scores")[0] < 1.0
    assert found.get("extra_logs") == {}


@pytest.mark.parametrize("name", ["messages", "prompt", "raw_prompt"])
def test_verl_finds_the_prompt_in_the_row(model: RewardModel, name: str) -> None:
    expected = model.score([ANSWERED])[0]
    for prompt in (QUESTION, QUESTION[0]["content"], np.array(QUESTION, dtype=object)):
        found = verl.compute_score("math", "4", "4", {"index": 1, name: prompt}, reward_router_address=None)
        assert found == _near(expected)
    assert asyncio.run(verl.compute_score_async("math", "4", "4", {name: QUESTION})) == _near(expected)


def test_verl_is_told_when_there_is_no_prompt() -> None:
    for extra in (None, {}, {"index": 1}):
        with pytest.raises(DataError, match="extra_info holds no prompt"):
            verl.compute_score("math", "4", "4", extra)
