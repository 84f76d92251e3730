from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

import goldsmith.serve.pool
from goldsmith.config.serve import ServeConfig
from goldsmith.reward.model import RewardModel
from goldsmith.reward.tiny import write_tiny_model
from goldsmith.serve.app import Application
from goldsmith.serve.keys import Keys
from goldsmith.serve.metrics import Metrics
from goldsmith.serve.models import Models
from goldsmith.serve.tracing import Tracing
from local_replica import LocalReplica
from serving import ANSWERED


@pytest.fixture(scope="session")
def other_rm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another model than `tiny_rm`, with other weights."""
    return write_tiny_model(tmp_path_factory.mktemp("served") / "other", seed=5, num_labels=1)


@pytest.fixture(scope="session")
def model(tiny_rm: Path) -> RewardModel:
    """The same model, asked directly: what every served score is compared with."""
    return RewardModel.load(tiny_rm, dtype="float32")


@pytest.fixture(scope="session")
def text(model: RewardModel) -> str:
    """`ANSWERED`, rendered by the chat template."""
    return str(model.renderer.tokenizer.apply_chat_template(ANSWERED, tokenize=False))


@pytest.fixture(scope="session")
def golden(model: RewardModel) -> float:
    """The score of `ANSWERED`."""
    return model.score([ANSWERED])[0]


Start = Callable[..., TestClient]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """A function that starts a server in this process and returns its client."""
    monkeypatch.setattr(goldsmith.serve.pool, "Replica", LocalReplica)
    monkeypatch.setattr(LocalReplica, "batches", [])
    with ExitStack() as stack:

        def begin(models: dict[str, Path], tracing: Tracing | None = None, **settings: Any) -> TestClient:
            config = ServeConfig(**{"dtype": "float32", "batch_wait_ms": 0.0, **settings})
            metrics = Metrics()
            parts = (Models(models, config, metrics), config, metrics, Keys(config.keys_file), tracing or Tracing())
            return stack.enter_context(TestClient(Application(*parts).build(), raise_server_exceptions=False))

        yield begin


@pytest.fixture(scope="module")
def server(tiny_rm: Path) -> Iterator[TestClient]:
    """A server of the tiny model, shared by a module's tests."""
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        patch.setattr(goldsmith.serve.pool, "Replica", LocalReplica)
        config, metrics = ServeConfig(dtype="float32", batch_wait_ms=0.0), Metrics()
        models = Models({"tiny": tiny_rm}, config, metrics)
        application = Application(models, config, metrics, Keys(None), Tracing())
        yield stack.enter_context(TestClient(application.build(), raise_server_exceptions=False))
