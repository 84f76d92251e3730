from collections import Counter
from pathlib import Path
from typing import Any

import krippendorff
import numpy as np
import pytest

from goldsmith.gold.agreement import Agreement, alpha_first, alpha_of, alpha_retest, gate_outcome, together
from goldsmith.gold.exchange import read_votes
from goldsmith.types import Vote


def _votes(*pairs: str) -> list[list[Vote]]:
    names = {"f": "first", "s": "second"}
    return [
        [Vote(vote_id=f"{at}-{n}", pair_id=str(at), annotator=str(n), round="first", choice=names[c]) for n, c in enumerate(pair)]  # type: ignore[arg-type]
        for at, pair in enumerate(pairs)
    ]


def test_alpha_by_hand() -> None:
    # Two raters, four pairs: ff ff ss fs. Coincidences: f-f 4, s-s 2, f-s 1 + 1. Totals: f 5, s 3, n 8.
    # Observed disagreement 2/8; expected 2 * 5 * 3 / (8 * 7) = 30/56. alpha = 1 - (1/4) / (30/56) = 1 - 14/30.
    assert alpha_first(_votes("ff", "ff", "ss", "fs"), seed=0).alpha == pytest.approx(1 - 14 / 30)


def test_alpha_is_undefined_without_variation() -> None:
    found = alpha_first(_votes("ff", "ff"), seed=0)
    assert (found.alpha, found.low) == (None, None)
    assert gate_outcome(found, 0.85) == "undecided"


@pytest.mark.parametrize(
    ("low", "high", "outcome"), [(0.86, 0.9, "pass"), (0.7, 0.84, "fail"), (0.84, 0.87, "undecided"), (0.85, 0.9, "undecided")]
)
def test_the_gate_reads_the_interval(low: float, high: float, outcome: str) -> None:
    assert gate_outcome(Agreement(alpha=0.8, low=low, high=high, num_pairs=90), 0.85) == outcome


def test_pandalm_agrees_with_the_published_figure(data_dir: Path) -> None:
    # contracts: alpha 0.864, interval 0.843 to 0.886, over all 999 rows; here rows with empty or identical replies are out.
    found = read_votes(data_dir / "humans_pandalm.jsonl.gz")
    by_row: dict[str, list[Vote]] = {}
    for vote in found.votes:
        by_row.setdefault(vote.vote_id.rsplit(":", 1)[0], []).append(vote)
    agreement = alpha_first(list(by_row.values()), seed=0)
    assert agreement.alpha == pytest.approx(0.864, abs=0.01)
    assert found.num_rows == 999
    assert len(by_row) + sum(found.dropped.values()) == 999


@pytest.mark.parametrize("level", ["nominal", "ordinal"])
def test_alpha_is_that_of_the_krippendorff_package(level: Any) -> None:
    generator = np.random.default_rng(5)
    # 60 pairs, up to four votes in five categories, some pairs with one vote or none.
    counts = np.array([np.bincount(generator.integers(0, 5, generator.integers(0, 5)), minlength=5) for _ in range(60)])
    expected = krippendorff.alpha(value_counts=counts, value_domain=[-2, -1, 0, 1, 2], level_of_measurement=level)
    found = alpha_of(Counter(tuple(map(int, row)) for row in counts), level, seed=0)
    assert found.alpha == pytest.approx(expected, abs=1e-12)
    assert found.num_pairs == int((counts.sum(axis=1) >= 2).sum())
    assert found.low is not None
    assert found.high is not None
    assert found.low < expected < found.high


def test_a_retest_that_always_differs_is_worse_than_chance() -> None:
    # Two pairs, first then second and the other way round: observed disagreement 1, expected 2 * 2 * 2 / (4 * 3) = 2/3; alpha = -1/2.
    assert alpha_retest([("first", "second"), ("second", "first")], seed=0).alpha == pytest.approx(-0.5)


def test_one_check_that_fails_fails_all_and_all_must_pass() -> None:
    assert [
        together(found) for found in (["pass", "pass"], ["pass", "fail"], ["undecided", "fail"], ["pass", "undecided"], [])
    ] == [
        "pass",
        "fail",
        "fail",
        "undecided",
        "undecided",
    ]


@pytest.mark.parametrize(("num_pairs", "outcome"), [(9, "undecided"), (10, "pass")])
def test_a_handful_of_pairs_decides_nothing_however_well_people_agree(num_pairs: int, outcome: str) -> None:
    assert gate_outcome(Agreement(alpha=1.0, low=1.0, high=1.0, num_pairs=num_pairs), 0.85) == outcome
