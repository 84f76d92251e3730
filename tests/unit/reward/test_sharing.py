"""Models on which packing is not known to be exact fall back, say so, and score what their own class scores."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from goldsmith.config.reward import RewardConfig
from goldsmith.errors import UserError
from goldsmith.reward import RewardModel
from goldsmith.reward.backbone import load_backbone
from goldsmith.reward.sharing import say_once

CONTEXT = [{"role": "user", "content": "A question that is longer than every window in here, by far?"}]
TEXTS = ["4", "It is four, " * 6, "I do not know.", "5"]

SLIDING = {
    "Mistral": {"sliding_window": 16, "num_key_value_heads": 2},
    "Qwen2": {"use_sliding_window": True, "sliding_window": 16, "max_window_layers": 1, "num_key_value_heads": 2},
    "Qwen3": {"use_sliding_window": True, "sliding_window": 16, "max_window_layers": 1, "num_key_value_heads": 2, "head_dim": 8},
}
UNKNOWN = {
    "GPT2": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 512},
    "GPTNeoX": {},
    "Gemma2": {"num_key_value_heads": 2, "head_dim": 8, "sliding_window": 16},
}
PLAIN = {
    "Mistral": {"sliding_window": None, "num_key_value_heads": 2},
    "Qwen2": {"use_sliding_window": False, "num_key_value_heads": 2},
    "SmolLM3": {"num_key_value_heads": 2},
}


def _own_class(folder: Path) -> list[float]:
    model = AutoModelForSequenceClassification.from_pretrained(str(folder), dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(str(folder))
    with torch.inference_mode():
        return [
            float(
                model(
                    torch.tensor(
                        [tokenizer.apply_chat_template([*CONTEXT, {"role": "assistant", "content": text}], return_dict=False)]
                    )
                ).logits[0, 0]
            )
            for text in TEXTS
        ]


def _check(model: RewardModel, folder: Path) -> None:
    expected = _own_class(folder)
    assert max(expected) - min(expected) > 1e-3
    scores = model.score_replies(CONTEXT, TEXTS)
    alone = [model.score_replies(CONTEXT, [text])[0] for text in TEXTS]
    for own, together, single in zip(expected, scores, alone, strict=True):
        assert abs(together - own) <= 1e-5 * max(1.0, abs(own))
        assert abs(single - own) <= 1e-5 * max(1.0, abs(own))


@pytest.mark.parametrize("family", SLIDING)
def test_sliding_windows_fall_back_and_stay_exact(tmp_path: Path, write_family, family):
    folder = write_family(tmp_path / "rm", family, **SLIDING[family])
    model = RewardModel.load(folder, dtype="float32", token_budget=300)
    assert "has layers that attend to the last 16 tokens only" in model.batching
    _check(model, folder)
    assert not load_backbone(RewardConfig(base=str(folder))).packs


@pytest.mark.parametrize("family", UNKNOWN)
def test_unknown_architectures_fall_back_and_stay_exact(tmp_path: Path, write_family, family):
    folder = write_family(tmp_path / "rm", family, **UNKNOWN[family])
    model = RewardModel.load(folder, dtype="float32", token_budget=300)
    assert model.batching.startswith("length-sorted padded batches of whole conversations: ")
    _check(model, folder)


@pytest.mark.parametrize("family", PLAIN)
def test_full_attention_is_packed_and_stays_exact(tmp_path: Path, write_family, family):
    folder = write_family(tmp_path / "rm", family, **PLAIN[family])
    model = RewardModel.load(folder, dtype="float32", token_budget=300)
    assert model.batching == "packed rows, shared prefixes"
    _check(model, folder)


def test_the_fallback_is_said_once(tmp_path: Path, write_family, caplog):
    say_once.cache_clear()
    folder = write_family(tmp_path / "rm", "GPTNeoX")
    with caplog.at_level(logging.WARNING, logger="goldsmith"):
        RewardModel.load(folder)
        RewardModel.load(folder)
    told = [record.getMessage() for record in caplog.records if "share no prefixes" in record.getMessage()]
    assert len(told) == 1
    assert "'gpt_neox' is not among the architectures" in told[0]


def test_frequencies_that_depend_on_the_neighbours_are_refused(tmp_path: Path, write_family):
    rope = {
        "rope_type": "longrope",
        "rope_theta": 10000.0,
        "short_factor": [1.0] * 4,
        "long_factor": [4.0] * 4,
        "original_max_position_embeddings": 256,
    }
    folder = write_family(tmp_path / "rm", "Llama", num_key_value_heads=2, rope_parameters=rope)
    with pytest.raises(UserError, match=r"longest conversation has more than 256 tokens.*--max-length 256"):
        RewardModel.load(folder)
    with pytest.raises(UserError, match="--max-length 256"):
        load_backbone(RewardConfig(base=str(folder)))
    _check(RewardModel.load(folder, dtype="float32", max_length=256), folder)
