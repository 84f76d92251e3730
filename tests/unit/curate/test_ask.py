"""The rivals of error-driven retrieval: who is asked about first, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from goldsmith.curate.ask import ask

IDS, CONTEXTS = ["a", "b", "c", "d"], ["1", "1", "2", "3"]


def _names(*args: object, **more: object) -> list[str]:
    return [item.pair_id for item in ask(*args, **more)]  # type: ignore[arg-type]


def test_uncertainty_asks_about_even_odds_first_and_each_prompt_once_before_any_twice() -> None:
    margins = np.array([0.1, 0.2, -3.0, 0.5])
    # By |margin|: a, b, d, c; b shares its prompt with a, so it waits for the others.
    assert _names("uncertainty", IDS, CONTEXTS, 4, 0, margins=margins) == ["a", "d", "c", "b"]
    found = ask("uncertainty", IDS, CONTEXTS, 1, 0, margins=np.array([0.0, 9.0, 9.0, 9.0]))
    assert (found[0].pair_id, found[0].priority, found[0].gold_ids) == ("a", 1.0, [])


def test_disagreement_asks_where_the_committee_differs_not_where_it_is_even() -> None:
    # c: both heads at even odds, no disagreement; d: one head each way.
    margins = np.array([[1.0, 1.0, 0.0, 4.0], [1.2, 1.0, 0.0, -4.0]])
    assert _names("disagreement", IDS, CONTEXTS, 2, 0, margins=margins) == ["d", "a"]


def test_what_is_closed_or_known_is_never_asked_about() -> None:
    margins = np.zeros(4)
    found = _names("uncertainty", IDS, CONTEXTS, 9, 0, margins=margins, excluded_contexts={"1"}, excluded_pairs={"d"})
    assert found == ["c"]


def test_chance_depends_on_the_seed_alone() -> None:
    ids = [f"p{number}" for number in range(50)]
    one, again, other = (_names("random", ids, ids, 10, seed) for seed in (1, 1, 2))
    assert one == again != other


def test_a_model_mode_without_margins_is_a_bug() -> None:
    with pytest.raises(ValueError, match="needs margins"):
        ask("uncertainty", IDS, CONTEXTS, 1, 0)
