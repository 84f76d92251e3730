"""The check at every save must notice a lost head, also where scores alone would not show it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from goldsmith.errors import GoldsmithError
from goldsmith.reward import Reply, RewardModel
from goldsmith.reward.roundtrip import check_head, check_round_trip, with_fixed_probes
from goldsmith.train.export import save_reward_model

CONTEXT = [{"role": "user", "content": "Say red."}]
PROBES = with_fixed_probes([Reply(CONTEXT, "red", "probe")])
FACTS = {"base": "b", "method": "head", "num_pairs": 1, "seed": 0, "data_digest": "d"}


@pytest.fixture
def model(tiny_rm: Path) -> RewardModel:
    return RewardModel.load(tiny_rm, dtype="float32")


def _with_head(folder: Path, out: Path, weight: torch.Tensor) -> Path:
    shutil.copytree(folder, out)
    save_file({**load_file(out / "model.safetensors"), "score.weight": weight}, out / "model.safetensors", {"format": "pt"})
    return out


def test_a_saved_model_scores_the_same(model: RewardModel, tmp_path: Path):
    before = list(model.score_replies(PROBES))
    save_reward_model(model.classifier, model.renderer, tmp_path / "out", FACTS, PROBES[:1])
    assert RewardModel.load(tmp_path / "out", dtype="float32").score_replies(PROBES) == pytest.approx(before, abs=1e-6)


def test_a_head_of_zeros_is_not_saved(model: RewardModel, tmp_path: Path):
    # All scores are 0 before and after, so a check of scores alone would pass with the head lost.
    with torch.no_grad():
        model.classifier.score.weight.zero_()
    with pytest.raises(GoldsmithError, match="the head is all zeros"):
        save_reward_model(model.classifier, model.renderer, tmp_path / "out", FACTS, PROBES)
    assert not (tmp_path / "out").exists()


def test_texts_that_score_alike_prove_nothing(model: RewardModel, tiny_rm: Path, tmp_path: Path):
    same = [PROBES[0], PROBES[0]]
    with pytest.raises(GoldsmithError, match="would not notice a lost head"):
        check_round_trip(tiny_rm, same, model.score_replies(same))


def test_a_lost_small_head_is_noticed_although_every_score_is_within_the_tolerance(
    model: RewardModel, tiny_rm: Path, tmp_path: Path
):
    small = model.classifier.score.weight.detach() * 1e-6
    with torch.no_grad():
        model.classifier.score.weight.copy_(small)
    before = list(model.score_replies(PROBES))
    assert max(map(abs, before)) < 1e-4  # the tolerance for scores up to 1
    lost = _with_head(tiny_rm, tmp_path / "lost", -small)
    with pytest.raises(GoldsmithError, match="the head in the saved model is another one"):
        check_head(lost, model.classifier)


def test_scores_that_differ_by_little_are_compared_closely(model: RewardModel, tiny_rm: Path, tmp_path: Path):
    small = model.classifier.score.weight.detach() * 1e-3
    with torch.no_grad():
        model.classifier.score.weight.copy_(small)
    before = list(model.score_replies(PROBES))
    check_round_trip(_with_head(tiny_rm, tmp_path / "same", small), PROBES, before)
    with pytest.raises(GoldsmithError, match="the saved model gives"):
        check_round_trip(_with_head(tiny_rm, tmp_path / "other", small * 1.05), PROBES, before)


def test_a_missing_head_is_noticed(model: RewardModel, tiny_rm: Path, tmp_path: Path):
    folder = shutil.copytree(tiny_rm, tmp_path / "rm")
    tensors = {name: value for name, value in load_file(folder / "model.safetensors").items() if name != "score.weight"}
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(GoldsmithError, match="the head is missing from the saved model"):
        check_head(folder, model.classifier)
