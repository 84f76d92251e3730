"""A checkpoint is read the same by transformers 5, and no longer silently wrong by version 4."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import pytest
from transformers import AutoConfig, AutoTokenizer, LlamaConfig

from goldsmith.reward.portable import make_portable
from goldsmith.reward.tiny import write_tiny_model


def saved(folder: Path, **settings: Any) -> dict[str, Any]:
    LlamaConfig(**settings).save_pretrained(folder)
    make_portable(folder)
    found: dict[str, Any] = json.loads((folder / "config.json").read_text())
    return found


def test_the_rotary_base_stands_where_version_4_looks_for_it(tmp_path: Path) -> None:
    """It would take 10,000 instead, and every score would be another."""
    found = saved(tmp_path, rope_parameters={"rope_type": "default", "rope_theta": 100_000.0})
    assert found["rope_theta"] == 100_000.0
    assert "rope_scaling" not in found
    assert AutoConfig.from_pretrained(tmp_path).rope_parameters == {"rope_type": "default", "rope_theta": 100_000.0}


def test_scaled_positions_too(tmp_path: Path) -> None:
    scaled = {"rope_type": "linear", "factor": 4.0, "rope_theta": 500_000.0}
    found = saved(tmp_path, rope_parameters=scaled)
    assert found["rope_scaling"] == {"rope_type": "linear", "factor": 4.0}
    assert AutoConfig.from_pretrained(tmp_path).rope_parameters == scaled


def test_settings_by_kind_of_layer_stay_as_they_are(tmp_path: Path) -> None:
    before = {"rope_parameters": {"full_attention": {"rope_type": "default", "rope_theta": 1e6}}, "model_type": "gemma3_text"}
    (tmp_path / "config.json").write_text(json.dumps(before))
    make_portable(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text()) == before


@pytest.mark.parametrize("family", ["llama", "qwen3"])
def test_the_tokenizer_gives_the_same_ids(tmp_path: Path, family: Literal["llama", "qwen3"]) -> None:
    folder = write_tiny_model(tmp_path / "tiny", seed=0, family=family)
    turns = [{"role": "user", "content": "Two and two?"}, {"role": "assistant", "content": "Four."}]
    before = AutoTokenizer.from_pretrained(folder)
    expected = before.apply_chat_template(turns, tokenize=True, return_dict=True)["input_ids"]
    make_portable(folder)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    assert settings["tokenizer_class"] == "PreTrainedTokenizerFast"
    after = AutoTokenizer.from_pretrained(folder)
    encoded = after.apply_chat_template(turns, tokenize=True, return_dict=True)
    assert encoded["input_ids"] == expected
    assert set(encoded) == {"input_ids", "attention_mask"}
    assert after.pad_token_id == before.pad_token_id
