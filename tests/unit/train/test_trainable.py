"""Base models of other families than Llama: trained to the end, or refused before anything is computed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import transformers

from goldsmith.config.reward import RewardConfig
from goldsmith.config.train import LoraConfig, TrainConfig
from goldsmith.errors import UserError
from goldsmith.reward import RewardModel
from goldsmith.reward.tiny import write_tiny_model
from goldsmith.train import train_reward_model

FULL = TrainConfig(method="full", batch_size=4, learning_rate=1e-3)
LORA = TrainConfig(method="lora", batch_size=4, lora=LoraConfig(rank=2, alpha=4))
LAST = LORA.model_copy(update={"lora": LoraConfig(rank=2, alpha=4, last_layers=1)})
SETTINGS = {
    "GPT2LMHeadModel": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 256},
    "GPTNeoXForCausalLM": {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4},
    "Phi3ForCausalLM": {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4},
    "BertForMaskedLM": {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4},
    "T5ForConditionalGeneration": {"d_model": 32, "d_ff": 64, "num_layers": 2, "num_heads": 4, "d_kv": 8},
}


@pytest.fixture
def base(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A tiny random language model of the class that the test names."""
    folder = write_tiny_model(tmp_path / "base", seed=3)
    (folder / "model.safetensors").unlink()
    kind = getattr(transformers, request.param)
    special = {"vocab_size": 259, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "initializer_range": 0.2}
    torch.manual_seed(3)
    kind(kind.config_class(**SETTINGS[request.param], **special)).save_pretrained(folder)
    return folder


def _train(pairs, base, out, config):
    reading = RewardConfig(base=str(base), feature_cache=out.with_name("features"), token_budget=256, max_length=256)
    return train_reward_model(pairs, base, out, config, reading, seed=0)


@pytest.mark.parametrize(
    ("base", "config"),
    [("GPT2LMHeadModel", FULL), ("GPTNeoXForCausalLM", FULL), ("Phi3ForCausalLM", LAST)],
    indirect=["base"],
    ids=["gpt2-full", "gpt-neox-full", "phi3-lora"],
)
def test_other_families_are_trained_to_the_end(pairs, base, tmp_path, config):
    result = _train(pairs, base, tmp_path / "rm", config)
    assert result.metrics["steps"] == 3
    scores = RewardModel.load(result.path).score_pairs(pairs)
    assert len({score for pair in scores for score in pair}) > len(pairs)


@pytest.mark.parametrize(
    ("base", "config", "told"),
    [
        (
            "GPT2LMHeadModel",
            LORA,
            r"layers of GPT2ForSequenceClassification are not built like Llama's, as train\.method = lora needs",
        ),
        ("GPT2LMHeadModel", FULL.model_copy(update={"gradient_checkpointing": True}), r"as train\.gradient_checkpointing needs"),
        (
            "GPTNeoXForCausalLM",
            LORA,
            r"none of the linear maps that get adapters \(q_proj.*set train\.method to head, or to full",
        ),
        ("GPTNeoXForCausalLM", LAST, "not built like Llama's"),
        ("BertForMaskedLM", FULL, "no linear head `score` of one output on a decoder"),
        ("T5ForConditionalGeneration", TrainConfig(method="head"), "no linear head `score` of one output on a decoder"),
    ],
    indirect=["base"],
    ids=["gpt2-lora", "gpt2-recompute", "gpt-neox-lora", "gpt-neox-last-layers", "bert", "t5"],
)
def test_what_cannot_be_trained_so_is_refused_before_anything_is_computed(pairs, base, tmp_path, config, told):
    with pytest.raises(UserError, match=told):
        _train(pairs, base, tmp_path / "rm", config)
    assert not (tmp_path / "features").exists()
