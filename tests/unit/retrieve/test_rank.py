import numpy as np
import pytest

from goldsmith.retrieve.index import ExactIndex
from goldsmith.retrieve.rank import GoldQuery, retrieve

# Pool on the unit circle: cosines with (1, 0) are 1, 0.8, 0.6, 0; with (0, 1) they are 0, 0.6, 0.8, 1.
IDS = ["p0", "p1", "p2", "p3"]
CONTEXTS = ["c0", "c1", "c2", "c3"]
POOL = np.array([[1, 0], [0.8, 0.6], [0.6, 0.8], [0, 1]], dtype=np.float32)
EAST, NORTH = [1.0, 0.0], [0.0, 1.0]


def ask(queries: list[tuple[str, float, list[float]]], **options: object) -> list[tuple[str, float, list[str]]]:
    gold = [GoldQuery(pair_id=name, p=p) for name, p, _ in queries]
    vectors = np.array([vector for *_, vector in queries], dtype=np.float32).reshape(-1, 2)
    index = ExactIndex(IDS, POOL)
    found = retrieve(gold, vectors, index, IDS, CONTEXTS, **{"k_max": 2, **options})  # type: ignore[arg-type]
    return [(hit.pair_id, pytest.approx(hit.priority), hit.gold_ids) for hit in found]


def test_priority_is_the_sum_of_similarity_times_error() -> None:
    # g1 (p = 0.2) asks for p0 and p1: 0.8 * 1, 0.8 * 0.8. g2 (p = 0.4) asks for p3 and p2: 0.6 * 1, 0.6 * 0.8. No overlap at k = 2.
    assert ask([("g1", 0.2, EAST), ("g2", 0.4, NORTH)]) == [
        ("p0", 0.8, ["g1"]),
        ("p1", 0.64, ["g1"]),
        ("p3", 0.6, ["g2"]),
        ("p2", 0.48, ["g2"]),
    ]
    # At k = 3 both reach p1 and p2: p1 = 0.8 * 0.8 + 0.6 * 0.6 = 1.0, p2 = 0.8 * 0.6 + 0.6 * 0.8 = 0.96.
    assert ask([("g1", 0.2, EAST), ("g2", 0.4, NORTH)], k_max=3)[:2] == [("p1", 1.0, ["g1", "g2"]), ("p2", 0.96, ["g1", "g2"])]


def test_order_of_gold_changes_nothing() -> None:
    queries = [("g1", 0.2, EAST), ("g2", 0.4, NORTH), ("g3", 0.1, EAST)]
    assert ask(queries, k_max=3) == ask(queries[::-1], k_max=3)


def test_equal_priorities_are_ordered_by_id() -> None:
    assert [hit[0] for hit in ask([("g1", 0.2, EAST), ("g2", 0.2, NORTH)])] == ["p0", "p3", "p1", "p2"]


def test_a_pair_is_never_retrieved_for_itself() -> None:
    assert [hit[0] for hit in ask([("p0", 0.2, EAST)])] == ["p1", "p2"]


def test_excluded_contexts_and_pairs_stay_out() -> None:
    found = ask([("g1", 0.2, EAST)], excluded_contexts={"c0"}, excluded_pairs={"p1"})
    assert [hit[0] for hit in found] == ["p2", "p3"]


def test_a_confident_pair_asks_for_nothing() -> None:
    assert ask([("g1", 1.0, EAST)]) == []
    assert ask([]) == []
