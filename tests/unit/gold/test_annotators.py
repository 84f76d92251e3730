"""Figures and flags of annotators, by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from goldsmith.gold.annotators import _Seen, annotators, flags, implied_choice
from goldsmith.gold.batches import batch_detail, gate_of
from goldsmith.gold.progress import alpha_over_time, cost, coverage, disputes, progress, throughput
from voting_room import small_room


def _check(outcome: str) -> dict[str, str]:
    return {"model": "m", "outcome": outcome, "reason": ""}


@pytest.mark.parametrize(
    ("first", "second", "side"),
    [
        (["correct"], ["incorrect"], "first"),
        (["correct", "incorrect"], ["correct"], "second"),
        (["correct"], ["correct"], None),
        (["correct"], ["cannot-tell"], None),
    ],
)
def test_what_models_favour(first: list[str], second: list[str], side: str | None) -> None:
    assert implied_choice({"first": list(map(_check, first)), "second": list(map(_check, second))}) == side


def _kinds(seen: _Seen, right: int = 0, asked: int = 0) -> list[str]:
    return [flag["kind"] for flag in flags(seen, right, asked)]


def test_reliance_needs_both_agreement_with_the_models_and_an_inhuman_speed() -> None:
    # With the models on 48 of 50 pairs, with colleagues on 60 of 100: z = 0.36 / sqrt(0.72 * 0.28 * 0.03) = 4.6.
    follows: dict[str, Any] = {"with_hint": 48, "hinted": 50, "same_hinted": 60, "compared_hinted": 100}
    assert _kinds(_Seen(**follows, speeds=[2000.0] * 50)) == ["reliance", "speed"]
    assert _kinds(_Seen(**follows, speeds=[250.0] * 50)) == []
    assert _kinds(_Seen(**{**follows, "same_hinted": 95}, speeds=[2000.0] * 50)) == ["speed"]
    assert _kinds(_Seen(**{**follows, "with_hint": 9, "hinted": 10}, speeds=[2000.0] * 50)) == ["speed"]


def test_checks_and_sides() -> None:
    # 4 of 10: Wilson's upper end is (0.4 + 0.192 + 1.96 * sqrt(0.024 + 0.0096)) / 1.384 = 0.687, below 0.7. 5 of 10: 0.763.
    assert _kinds(_Seen(), 4, 10) == ["checks"]
    assert _kinds(_Seen(), 5, 10) == []
    # 40 of 50 on top: 15 above half, and 4 standard errors are 4 * sqrt(50) / 2 = 14.1. 39 of 50 are 14 above.
    assert _kinds(_Seen(on_top=40, sided=50)) == ["one-sided"]
    assert _kinds(_Seen(on_top=39, sided=50)) == []


def test_the_leads_figures_of_a_small_day(tmp_path: Path) -> None:
    here = small_room(tmp_path / "a.db", gold={"retest_share": 0.05})
    here.add("ann", "bob", "cat", hourly_cost=18.0)
    here.add("eve", role="expert")
    here.fill(
        "p1", "p2", each={"p1": {"attributes": {"task": "math/proof", "objectivity": "factual", "controversiality": "low"}}}
    )
    for name, choices in {"ann": ("first", "tie"), "bob": ("first", "second"), "cat": ("second", "first")}.items():
        for choice in choices:
            here.work(name, choice)
    here.work("eve", "first", "expert", rationale="it adds up")
    with here.room.database.read() as connection:
        found = progress(here.room, connection)
        assert (found["pairs"], found["gold"], found["votes_given"], found["votes_needed"]) == (2, 2, 6, 6)
        # Six votes of 20 s at 18 an hour are 0.6, over two gold pairs; the expert costs nothing. Hours are everybody's.
        assert cost(here.room, connection) == pytest.approx(
            {"currency": "EUR", "total": 0.6, "hours": 140 / 3600, "per_gold": 0.3}
        )
        assert throughput(here.room, connection)[-1]["votes"] == 7
        assert disputes(here.room, connection) == {"open": 0, "decided": 1, "discarded": 0, "oldest_hours": None}
        assert [(row["task"], row["gold"]) for row in coverage(connection)] == [("", 1), ("math/proof", 1)]
        rows = {row["name"]: row for row in annotators(here.room, connection)}
        # p1: ann and bob said first, cat second; p2: all differ. ann: with bob on p1, of four comparisons.
        assert (rows["ann"]["votes"], rows["ann"]["agreement"], rows["cat"]["agreement"]) == (2, 0.25, 0.0)
        gate = gate_of(here.room, connection, "seed")
        # Coincidences over first, second, tie: p1 gives f-f 1, f-s 1 and s-f 1; p2 gives 1/2 for each of six. n = 6; f 3, s 2, t 1.
        # Observed agreement 1 of 6; expected (3*2 + 2*1 + 1*0) / 30 = 8/30. alpha = 1 - (5/6) / (22/30) = -0.136.
        assert gate["alpha_first"]["alpha"] == pytest.approx(1 - (5 / 6) / (22 / 30))
        detail = batch_detail(here.room, connection, "seed")
    assert detail is not None
    assert [(row["pair_id"], row["why"]) for row in detail["look_at_pairs"]] == [("p2", "no-majority"), ("p1", "outvoted")]
    # On p1 the strengths are 1, 1 and -1: two of six ordered pairs agree. There are no others: expected 2 of 6 by the votes as well, so alpha is 0.
    strength = {row["task"]: row["alpha_strength"]["alpha"] for row in detail["by_task"]}
    assert strength["math/proof"] == pytest.approx(0.0)
    # Without cat p1 is agreed on (f f) and p2 is not (t s): f 2, t 1, s 1; observed 2 of 4, expected 2 / 12; alpha = 1 - 0.5 / (10/12) = 0.4.
    assert detail["look_at_people"][0]["name"] == "cat"
    assert detail["look_at_people"][0]["alpha_without"] == pytest.approx(0.4)
    here.room.close()


def test_alpha_over_time_counts_disputes_that_wait(tmp_path: Path) -> None:
    here = small_room(tmp_path / "a.db")
    here.add("ann", "bob", "cat")
    here.fill("p1", "p2", "p3")
    for name, choices in (("ann", "ffs"), ("bob", "fss"), ("cat", "fts")):
        for choice in choices:
            here.work(name, {"f": "first", "s": "second", "t": "tie"}[choice])
    with here.room.database.read() as connection:
        [day] = alpha_over_time(here.room, connection)
    here.room.close()
    # p1 all first, p2 three ways (a dispute), p3 all second. Nine votes: 4 first, 4 second, 1 tie; 72 ordered pairs of votes, of which
    # 4*3 + 4*3 = 24 agree by chance. Observed: 6 of 18 disagree, 1/3; expected 48/72 = 2/3; alpha = 1/2.
    assert day["num_pairs"] == 3
    assert day["alpha"] == pytest.approx(0.5)
