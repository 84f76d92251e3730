"""Competence of annotators: against sums by hand, a known simulation, and figures of the crowd-kit package."""

from __future__ import annotations

import pytest

from goldsmith.gold.competence import dawid_skene, mace

ACCURACIES = [0.95, 0.9, 0.8, 0.6, 0.34]


def _votes(num_pairs: int = 400) -> tuple[list[tuple[str, str, str]], str]:
    """Votes of five people on pairs of known truth, from a congruential generator, so that any program can make the same."""
    state, votes, truths = 12345, [], ""

    def draw() -> float:
        nonlocal state
        state = (1103515245 * state + 12345) % 2**31
        return state / 2**31

    for pair in range(num_pairs):
        position = draw()
        truth = 0 if position < 0.45 else 1 if position < 0.85 else 2
        truths += "fst"[truth]
        for person, accuracy in enumerate(ACCURACIES):
            said = truth if draw() < accuracy else int(draw() * 3)
            votes.append((f"p{pair:03}", f"w{person}", "fst"[said]))
    return votes, truths


def test_nobody_has_voted() -> None:
    assert dawid_skene([]).by_person == {}
    assert mace([]).by_person == {}


def test_people_are_ordered_by_how_right_they_are() -> None:
    votes, truths = _votes()
    for model in (dawid_skene, mace):
        found = model(votes)
        assert sorted(found.by_person, key=lambda name: -found.by_person[name]) == ["w0", "w1", "w2", "w3", "w4"]
        guessed = "".join("fst"[row.argmax()] for row in found.posteriors)
        # Categories are in the order of the alphabet: f, s, t.
        assert sum(one == other for one, other in zip(guessed, truths, strict=True)) / len(truths) > 0.93


def test_dawid_skene_finds_the_accuracy_and_mace_the_share_of_knowing() -> None:
    votes, _ = _votes()
    # Said = truth with accuracy a, else one of three at random: right with a + (1 - a) / 3, knowing with a.
    for name, accuracy in zip(["w0", "w1", "w2", "w3", "w4"], ACCURACIES, strict=True):
        assert dawid_skene(votes).by_person[name] == pytest.approx(accuracy + (1 - accuracy) / 3, abs=0.06)
        assert mace(votes).by_person[name] == pytest.approx(accuracy, abs=0.08)


def test_one_who_always_says_the_same_knows_nothing_for_mace() -> None:
    votes = [(f"p{n}", who, "fs"[n % 2]) for n in range(60) for who in ("a", "b", "c")] + [
        (f"p{n}", "always", "f") for n in range(60)
    ]
    found = mace(votes).by_person
    assert found["always"] < 0.1 < 0.9 < found["a"]


def test_figures_are_those_of_crowd_kit() -> None:
    # crowd-kit 1.4.2 on the same votes: DawidSkene(n_iter=200, tol=1e-9), its errors_ weighted with the mean posterior; and 1 - spamming of
    # MACE(method="em", n_restarts=3, n_iter=100, smoothing=0.01). Its labels are ours for all 400 pairs in both.
    votes, _ = _votes()
    by_package = {
        dawid_skene: [0.9700701, 0.9329805, 0.9174793, 0.6893262, 0.5257057],
        mace: [0.9580826, 0.9003418, 0.8727790, 0.5378145, 0.2796198],
    }
    for model, expected in by_package.items():
        assert list(model(votes).by_person.values()) == pytest.approx(expected, abs=2e-3)
