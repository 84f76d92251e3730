"""The paper's rows: seven numbers each whose mean is the printed average."""

import pytest

from goldsmith.benchdata.catalogue import CORE
from goldsmith.evaluate.published import published, published_source


def test_rows_are_the_seven_and_their_mean_is_the_printed_one() -> None:
    assert len(published()) == 3
    for row in published():
        assert tuple(row.scores) == CORE
        assert sum(row.scores.values()) / 7 == pytest.approx(row.average, abs=0.00051)  # printed to one decimal of a percent
    assert "2507.01352" in published_source()


def test_the_best_row() -> None:
    best = published()[-1]
    assert best.name == "Skywork-Reward-V2-Llama-3.1-8B-40M"
    assert (best.scores["rm-bench"], best.average) == pytest.approx((0.96, 0.886))
