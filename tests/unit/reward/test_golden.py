from __future__ import annotations

from pathlib import Path

import pytest
import torch

from goldsmith.errors import UserError
from goldsmith.reward.golden import golden_scores, read_golden, standard_conversations, write_golden
from goldsmith.reward.model import RewardModel
from goldsmith.reward.tiny import write_tiny_model


def test_golden_scores_are_those_of_transformers_own_class(tiny_rm: Path, tmp_path: Path) -> None:
    model = RewardModel.load(tiny_rm, dtype="float32")
    rows = read_golden(write_golden(tmp_path, golden_scores(model)))
    tokenizer = model.renderer.tokenizer
    for row in rows:
        with torch.inference_mode():
            expected = float(model.classifier(input_ids=torch.tensor([row.ids])).logits[0, 0])
        assert row.score == pytest.approx(expected, abs=1e-4)
        assert row.ids == tokenizer.encode(row.text, add_special_tokens=False)
        assert row.ids == tokenizer.apply_chat_template(row.messages, tokenize=True, return_dict=False)


def test_what_the_model_would_have_to_cut_is_left_out(tmp_path: Path) -> None:
    model = RewardModel.load(write_tiny_model(tmp_path / "short", seed=1, num_labels=1, max_positions=128), dtype="float32")
    rows = golden_scores(model)
    assert 0 < len(rows) < len(standard_conversations())
    assert max(len(row.ids) for row in rows) <= 128
    with pytest.raises(UserError, match="longer than 128 tokens"):
        golden_scores(model, [[{"role": "user", "content": "x" * 200}, {"role": "assistant", "content": "4"}]])


def test_they_are_float32(tiny_rm: Path) -> None:
    with pytest.raises(UserError, match="load it with dtype float32"):
        golden_scores(RewardModel.load(tiny_rm, dtype="bfloat16"))
