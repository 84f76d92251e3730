from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

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
    return FeatureStore(RewardConfig(base=str(tiny), token_budget=200, dtype="float32"), tmp_path / "features")


@pytest.fixture
def write_family() -> Callable[..., Path]:
    """A function that writes a tiny random reward model of another family."""
    return _write_family


@pytest.fixture
def edit() -> Callable[..., None]:
    """A function that replaces values of a JSON file."""
    return _edit


@pytest.fixture
def adds_bos() -> Callable[[Path, Path], Path]:
    """A function that copies a model with a tokenizer that puts BOS before every text."""
    return _adds_bos


@pytest.fixture
def ends_in_end_token() -> Callable[[Path, Path], Path]:
    """A function that copies a model with a template that ends in the end-of-turn token."""
    return _ends_in_end_token


HIDDEN = 32


def _write_family(folder: Path, family: str, *, seed: int = 0, kind: str = "ForSequenceClassification", **settings: Any) -> Path:
    """Write `<family>ForSequenceClassification` with random weights, one label unless `num_labels` says otherwise."""
    write_tiny_model(folder, seed=seed)
    (folder / "model.safetensors").unlink()
    common = {
        "vocab_size": 259,
        "hidden_size": HIDDEN,
        "intermediate_size": 64,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "max_position_embeddings": 512,
        "initializer_range": 0.2,
        "num_labels": 1,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
    }
    torch.manual_seed(seed)
    config = getattr(transformers, f"{family}Config")(**{**common, **settings})
    getattr(transformers, family + kind)(config).save_pretrained(folder)
    return folder


def _edit(path: Path, **values: Any) -> None:
    """Replace values of a JSON file."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def _adds_bos(source: Path, folder: Path) -> Path:
    """Copy a model, with a tokenizer that puts BOS before every text, as those of the Llama family do."""
    shutil.copytree(source, folder)
    raw = json.loads((folder / "tokenizer.json").read_text())
    raw["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "<|im_start|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
        "special_tokens": {"<|im_start|>": {"id": "<|im_start|>", "ids": [1], "tokens": ["<|im_start|>"]}},
    }
    (folder / "tokenizer.json").write_text(json.dumps(raw))
    return folder


def _ends_in_end_token(source: Path, folder: Path) -> Path:
    """Copy a model, with a template that ends in the end-of-turn token and no newline after it."""
    shutil.copytree(source, folder)
    template = (folder / "chat_template.jinja").read_text()
    changed = template.replace("'<|im_end|>\n' }}{% endfor %}", "'<|im_end|>' }}{% endfor %}")
    assert changed != template
    (folder / "chat_template.jinja").write_text(changed)
    return folder
