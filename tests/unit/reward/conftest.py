from __future__ import annotations

from pathlib import Path

import pytest

from goldsmith.config.reward import RewardConfig
from goldsmith.reward.features import FeatureStore
from goldsmith.reward.tiny import write_tiny_model


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random Llama chat model."""
    return write_tiny_model(tmp_path_factory.mktemp("tiny"), seed=3)


@pytest.fixture(scope="session")
def tiny_rm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random Llama reward model."""
    return write_tiny_model(tmp_path_factory.mktemp("tiny-rm"), seed=4, num_labels=1)


@pytest.fixture
def store(tiny: Path, tmp_path: Path) -> FeatureStore:
    """Features of the tiny model with an empty cache."""
    return FeatureStore(RewardConfig(base=str(tiny), token_budget=200), tmp_path / "features")
