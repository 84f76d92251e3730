"""Uncertainty of bootstrap heads, and probabilities: expected values are worked out by hand or by another formula."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from transformers import AutoModel, AutoTokenizer

from goldsmith.errors import DataError, UserError
from goldsmith.reward import RewardModel
from goldsmith.reward.calibration import Calibration, calibrate, fit_calibration, read_calibration, store_calibration
from goldsmith.types import Pair

CONTEXT = [{"role": "user", "content": "What is 2+2?"}]
TEXTS = ["4", "It is four.", "I do not know."]


@pytest.fixture
def copy(tiny_rm: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_rm, tmp_path / "rm")


def test_bootstrap_heads_give_standard_deviations(copy: Path):
    weight_KD = torch.randn(4, 32, generator=torch.Generator().manual_seed(1))
    center_D = torch.randn(32, generator=torch.Generator().manual_seed(2))
    save_file({"weight": weight_KD, "center": center_D}, copy / "head_ensemble.safetensors")
    scores = RewardModel.load(copy, dtype="float32").score_replies(CONTEXT, TEXTS)
    trunk, tokenizer = AutoModel.from_pretrained(str(copy), dtype=torch.float32).eval(), AutoTokenizer.from_pretrained(str(copy))
    logits = []
    for text in TEXTS:
        ids = tokenizer.apply_chat_template([*CONTEXT, {"role": "assistant", "content": text}], return_dict=False)
        with torch.inference_mode():
            logits.append(weight_KD @ (trunk(torch.tensor([ids])).last_hidden_state[0, -1] - center_D))
    assert scores.deviations == pytest.approx([float(logit.std()) for logit in logits], rel=1e-4)
    assert scores.margin_deviation(0, 2) == pytest.approx(float((logits[0] - logits[2]).std()), rel=1e-4)


def test_without_heads_there_is_no_deviation(tiny_rm: Path):
    scores = RewardModel.load(tiny_rm).score_replies(CONTEXT, TEXTS)
    assert scores.deviations is None
    assert scores.margin_deviation() is None


@pytest.mark.parametrize(
    ("tensors", "told"),
    [
        (
            {"weight": torch.ones(4, 31), "center": torch.ones(32)},
            r"shape \[4, 31\] and `center` \[32\], expected \[at least 2, 32\]",
        ),
        ({"weight": torch.ones(1, 32), "center": torch.ones(32)}, r"shape \[1, 32\]"),
        ({"weight": torch.ones(4, 32), "center": torch.ones(31)}, r"`center` \[31\]"),
        ({"weight": torch.ones(4, 32)}, "cannot be read"),
        ({"other": torch.ones(4, 32)}, "cannot be read"),
        ({"weight": torch.full((4, 32), float("inf")), "center": torch.ones(32)}, "not finite"),
    ],
)
def test_broken_heads_are_refused(copy: Path, tensors, told):
    save_file(tensors, copy / "head_ensemble.safetensors")
    with pytest.raises(UserError, match=told):
        RewardModel.load(copy)


def test_scores_are_plain_numbers_in_order(tiny_rm: Path):
    model = RewardModel.load(tiny_rm)
    scores = model.score_replies(CONTEXT, TEXTS)
    assert scores == model.score([[*CONTEXT, {"role": "assistant", "content": text}] for text in TEXTS])
    assert isinstance(scores, list)
    assert json.loads(json.dumps(scores)) == scores


def test_probabilities_without_calibration_are_the_sigmoid_and_say_so(tiny_rm: Path):
    scores = RewardModel.load(tiny_rm).score_replies(CONTEXT, TEXTS)
    assert not scores.is_calibrated
    assert scores.win_probability(0, 1) == pytest.approx(1 / (1 + math.exp(scores[1] - scores[0])))
    assert scores.win_probability(0, 1) + scores.win_probability(1, 0) == pytest.approx(1.0)


def test_a_stored_temperature_divides_the_difference(copy: Path):
    digest = RewardModel.load(copy).digest
    store_calibration(copy, Calibration(temperature=2.5, num_pairs=40, data="gold"))
    model = RewardModel.load(copy)
    scores = model.score_replies(CONTEXT, TEXTS)
    assert scores.is_calibrated
    assert scores.win_probability(0, 1) == pytest.approx(1 / (1 + math.exp((scores[1] - scores[0]) / 2.5)))
    assert model.digest == digest  # raw rewards are the same
    assert json.loads((copy / "goldsmith.json").read_text())["calibration"]["num_pairs"] == 40


@pytest.mark.parametrize("stored", [{"temperature": 0.0, "num_pairs": 5}, {"temperature": 1.0, "num_pairs": 0}, [1], {"t": 1}])
def test_a_calibration_that_cannot_be_is_refused(copy: Path, stored):
    (copy / "goldsmith.json").write_text(json.dumps({"calibration": stored}))
    with pytest.raises(UserError, match="goldsmith models calibrate MODEL PAIRS"):
        read_calibration(copy)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_the_temperature_is_that_of_the_frequencies(scale):
    # 300 of 400 pairs are won, all with margin +-3: the best p is (300 + 0.5) / 401 by the rule of one pair in N + 2 that may be wrong,
    # and sigmoid(3 / T) = p gives T = 3 / logit(p). The rule mixes p' = (1 - e) p + e (1 - p) with e = 1 / 402.
    margins = [3.0 * scale] * 300 + [-3.0 * scale] * 100
    share = (1 - 1 / 402) * 0.75 + (1 / 402) * 0.25
    found = fit_calibration(margins, "gold")
    assert found.temperature == pytest.approx(3.0 * scale / math.log(share / (1 - share)), rel=1e-4)
    assert found.log_loss == pytest.approx(-(0.75 * math.log(share) + 0.25 * math.log(1 - share)), rel=1e-4)


def test_too_few_or_equal_margins_are_refused():
    with pytest.raises(UserError, match="gold: 9 pairs with a preference; a temperature needs at least 10"):
        fit_calibration([1.0] * 9, "gold")
    with pytest.raises(UserError, match="the margins are all 0"):
        fit_calibration([0.0] * 20, "gold")


def test_ties_do_not_calibrate(tiny_rm: Path):
    model = RewardModel.load(tiny_rm)
    pairs = [Pair.from_replies(CONTEXT, f"reply {index}", f"{index} other", tie=index >= 12) for index in range(20)]
    assert calibrate(model, pairs, "gold").num_pairs == 12


def test_candidates_share_one(tiny_rm: Path):
    # Plackett-Luce, temperature 2: weights 1, e^-1, e^-2.
    weights = [1.0, math.exp(-1), math.exp(-2)]
    found = Calibration(temperature=2.0, num_pairs=10).best_of([5.0, 3.0, 1.0])
    assert found == pytest.approx([weight / sum(weights) for weight in weights])


def test_one_bad_reply_does_not_take_the_others_with_it(tiny_rm: Path):
    from goldsmith.reward import Reply

    model = RewardModel.load(tiny_rm)
    replies = ["4", "", "four", [{"type": "image", "url": "x"}], None]
    rated = model.rate([Reply(CONTEXT, reply, f"reply {index}") for index, reply in enumerate(replies)])
    assert [reward.value for reward in rated][::2][:2] == pytest.approx(
        list(model.score_replies(CONTEXT, ["4", "four"])), abs=1e-6
    )
    assert [reward.failure is None for reward in rated] == [True, False, True, False, False]
    assert "reply 1: the reply is empty" in (rated[1].failure or "")
    with pytest.raises(DataError, match="reply 1: the reply is empty"):
        model.score_replies(CONTEXT, replies)


def test_identical_replies_score_the_same_and_are_computed_once(tiny_rm: Path):
    seen = []
    scores = RewardModel.load(tiny_rm).score_replies(CONTEXT, ["4", "4"], progress=lambda *counts: seen.append(counts[:2]))
    assert scores[0] == scores[1]
    assert scores.win_probability() == 0.5
    assert seen == [(1, 1)]


def test_a_context_longer_than_the_limit_is_cut_and_counted(tiny_rm: Path):
    model = RewardModel.load(tiny_rm, max_length=64)
    long = [{"role": "user", "content": "word " * 50}]
    scores = model.score_replies(long, ["4", "No."])
    # Bytes: 11 + 5 * 50 + 2 for the question's turn as in <|im_start|>user\n...<|im_end|>\n, with one token for each special one.
    whole = len("user\n") + 1 + 250 + 2 + 1 + len("assistant\n") + 2
    assert scores.cut == [whole + 1 - 64, whole + 3 - 64]
    assert model.renderer.truncated == 2


def test_a_caller_who_does_not_look_at_cut_is_told_once_that_something_was(tiny_rm: Path, caplog: pytest.LogCaptureFixture):
    model = RewardModel.load(tiny_rm, max_length=64)
    long = [{"role": "user", "content": "word " * 50}]
    model.score_replies(CONTEXT, ["4"])
    assert not caplog.records
    for _ in range(2):
        model.score_replies(long, ["4", "No."])
    (told,) = [record.getMessage() for record in caplog.records]
    assert "2 of 2 conversations were longer than max_length 64 and lost tokens at the left end" in told


def test_a_maximum_of_nothing_is_refused_and_not_taken_for_the_default(tiny_rm: Path):
    with pytest.raises(UserError, match="max_length 0 leaves nothing"):
        RewardModel.load(tiny_rm, max_length=0)
