"""What more labels and calls are expected to bring: on curves and stacks whose answer is known."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest

from goldsmith.cli.main import run
from goldsmith.config import GoldsmithConfig
from goldsmith.curate.budget import price_of_a_pair, worth_of_judges
from goldsmith.curate.evidence import FIRST, SECOND
from goldsmith.curate.learning_curve import Curve, gain_between, gain_of_more, learning_curve
from goldsmith.curate.stack import Gold
from goldsmith.curate.surface import Surface


def _curve(accuracies: list[float], num: int = 400) -> Curve:
    """A curve whose accuracy at 50, 100, 200, 400 is exactly as given, each pair its own prompt."""
    right = np.stack([np.arange(num) < round(value * num) for value in accuracies]).astype(float)
    return Curve(sizes=np.array([50.0, 100.0, 200.0, 400.0]), right=right, contexts=[str(at) for at in range(num)], num_pairs=num)


def test_a_rise_of_five_points_a_doubling_promises_five_for_a_doubling() -> None:
    gain = gain_of_more(_curve([0.60, 0.65, 0.70, 0.75]), 400, 400, seed=0)
    assert gain.value == pytest.approx(0.05)
    # A quarter more: 0.05 log(1.25) / log 2.
    assert gain_of_more(_curve([0.60, 0.65, 0.70, 0.75]), 100, 400, seed=0).value == pytest.approx(0.05 * math.log2(1.25))
    assert gain.low is not None
    assert gain.high is not None
    assert 0 < gain.low < 0.05 < gain.high
    assert gain.verdict == "helps"


def test_a_flat_curve_cannot_tell_and_a_far_one_neither() -> None:
    flat = np.random.default_rng(0).random((4, 400))
    gain = gain_of_more(dataclasses.replace(_curve([0.6] * 4), right=flat), 100, 400, seed=0)
    assert (gain.verdict, gain.reason) == ("cannot tell", "the interval holds zero")
    far = gain_of_more(_curve([0.6, 0.65, 0.7, 0.75]), 900, 400, seed=0)
    assert far.value is None
    assert "says nothing so far out" in str(far.reason)
    assert gain_between(-0.15, -0.2, -0.1).verdict == "does not pay"


def test_too_little_gold_says_how_much_there_is() -> None:
    assert learning_curve(np.zeros((39, 2)), np.zeros((39, 2)), [True] * 39, [str(n) for n in range(39)], [1.0], 0) is None
    assert "39 decided gold pairs" in str(gain_of_more(None, 100, 39, seed=0).reason)


def test_accuracy_rises_with_gold_where_there_is_something_to_learn_and_not_where_there_is_nothing() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=(300, 20)), rng.normal(size=(300, 20))
    # Twenty directions matter a little each: a head needs many pairs.
    wins = (first - second) @ np.ones(20) + rng.normal(size=300) > 0
    contexts = [str(at // 2) for at in range(300)]
    curve = learning_curve(first, second, wins, contexts, [0.01, 0.1, 1.0], seed=0)
    assert curve is not None
    assert curve.accuracy[-1] > curve.accuracy[0] + 0.03
    # Shares of four fifths of 300.
    np.testing.assert_allclose(curve.sizes, [60, 84, 120, 168, 240], atol=3)
    assert gain_of_more(curve, 100, 300, seed=0).verdict == "helps"
    coin = learning_curve(first, second, rng.random(300) > 0.5, contexts, [0.01, 0.1, 1.0], seed=0)
    assert coin is not None
    assert gain_of_more(coin, 100, 300, seed=0).verdict != "helps"


def _gold(count: int, accuracy: float) -> Gold:
    rng = np.random.default_rng(2)
    truth = rng.choice([FIRST, SECOND], count).astype(np.int8)
    signs = np.where(truth == FIRST, 1.0, -1.0)
    right = rng.random(count) < accuracy
    return Gold(
        truth=truth, contexts=[str(at) for at in range(count)], label=np.where(rng.random(count) < 0.6, truth, 1 - truth).astype(np.int8),
        best=0.3 * signs + rng.normal(size=count), gold=0.3 * signs + rng.normal(size=count),
        judged_p=np.where((truth == FIRST) == right, 1.0, 0.0), differs=Surface(length=rng.normal(size=count), format=rng.normal(size=count)),
    )  # fmt: skip


def test_a_good_judge_is_worth_its_calls_and_a_silent_one_cannot_be_told() -> None:
    good = worth_of_judges(_gold(300, 0.9), seed=0)
    assert good.verdict == "helps"
    assert good.value is not None
    assert good.value > 0.1
    assert worth_of_judges(_gold(300, 0.5), seed=0).verdict != "helps"
    silent = dataclasses.replace(_gold(300, 0.9), judged_p=np.full(300, np.nan))
    assert "0 gold pairs have a verdict" in str(worth_of_judges(silent, seed=0).reason)


def test_the_price_of_a_pair_counts_every_model_and_sample() -> None:
    from goldsmith.judge.protocol import MAX_REPLY_TOKENS

    endpoint = {
        "base_url": "http://127.0.0.1:9/v1",
        "prompt_tokens": 1000,
        "price_prompt_per_million": 2.0,
        "price_completion_per_million": 0.0,
    }
    config = GoldsmithConfig.model_validate(
        {"llm": {"endpoints": [{"name": "a", **endpoint}, {"name": "b", **endpoint}]}, "judge": {"samples": 4}}
    )
    # 4 samples x 2 models x 1000 tokens x 2 / million.
    assert MAX_REPLY_TOKENS > 0
    assert price_of_a_pair(config) == pytest.approx(0.016)


def test_before_stage_2_there_is_nothing_to_plan_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init", str(tmp_path / "w")]) == 0
    assert run(["plan", "-w", str(tmp_path / "w")]) == 1
    assert "no table 'gold' yet" in capsys.readouterr().err
