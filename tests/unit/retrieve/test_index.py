from pathlib import Path

import numpy as np
import pytest

from goldsmith.retrieve.index import ExactIndex, LanceIndex, build_index, measured_recall


def unit_vectors(rows: int, width: int, seed: int, clusters: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((rows, width))
    if clusters:
        vectors = 2.0 * rng.standard_normal((clusters, width))[rng.integers(clusters, size=rows)] + vectors
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def ids(rows: int) -> list[str]:
    return [f"{row:06d}" for row in range(rows)]


def test_exact_finds_the_nearest_by_hand() -> None:
    # Cosines of (1, 0) with the rows: 1, 0.6, 0, -1.
    vectors = np.array([[1, 0], [0.6, 0.8], [0, 1], [-1, 0]], dtype=np.float32)
    hits = ExactIndex(["p", "q", "r", "s"], vectors).search(np.array([[1, 0]], dtype=np.float32), 2)[0]
    assert [hit.pair_id for hit in hits] == ["p", "q"]
    assert [hit.similarity for hit in hits] == pytest.approx([1.0, 0.6])
    assert [hit.row for hit in hits] == [0, 1]


def test_ties_at_the_edge_are_decided_by_id() -> None:
    vectors = np.ones((4, 1), dtype=np.float32)
    hits = ExactIndex(["d", "b", "a", "c"], vectors).search(np.ones((1, 1), dtype=np.float32), 2)[0]
    assert [hit.pair_id for hit in hits] == ["a", "b"]


def test_exact_equals_a_full_sort() -> None:
    vectors, queries = unit_vectors(500, 16, seed=1), unit_vectors(20, 16, seed=2)
    order = np.argsort(-(queries @ vectors.T), axis=1)[:, :7]
    found = ExactIndex(ids(500), vectors).search(queries, 7)
    assert [[hit.row for hit in hits] for hits in found] == order.tolist()


def test_rows_that_are_not_allowed_are_never_returned() -> None:
    vectors, queries = unit_vectors(300, 8, seed=3), unit_vectors(5, 8, seed=4)
    allowed = np.arange(300) % 3 == 0
    for index in (ExactIndex(ids(300), vectors), LanceIndex(ids(300), vectors)):
        for hits in index.search(queries, 10, allowed):
            assert len(hits) == 10
            assert all(hit.row % 3 == 0 for hit in hits)


@pytest.mark.parametrize("k", [0, 3, 50])
def test_few_rows_and_few_wanted(k: int) -> None:
    vectors = unit_vectors(10, 4, seed=5)
    for index in (ExactIndex(ids(10), vectors), LanceIndex(ids(10), vectors)):
        assert len(index.search(vectors[:1], k)[0]) == min(k, 10)
        assert index.search(vectors[:0], k) == []


def test_nothing_indexed_gives_nothing() -> None:
    assert ExactIndex([], np.zeros((0, 4), dtype=np.float32)).search(unit_vectors(2, 4, seed=0), 3) == [[], []]


def test_lance_recall_on_clustered_vectors(tmp_path: Path) -> None:
    vectors, queries = unit_vectors(8000, 32, seed=6, clusters=40), unit_vectors(8000, 32, seed=6, clusters=40)[::80]
    exact, lance = ExactIndex(ids(8000), vectors), LanceIndex(ids(8000), vectors, tmp_path)
    assert measured_recall(lance, exact, queries, 8) >= 0.95
    similarity = lance.search(queries[:1], 1)[0][0].similarity
    assert similarity == pytest.approx(1.0, abs=1e-5)


def test_recall_counts_what_is_missing() -> None:
    vectors = np.eye(4, dtype=np.float32)
    whole, half = ExactIndex(["a", "b", "c", "d"], vectors), ExactIndex(["a", "b"], vectors[:2])
    # Of the 4 nearest, half knows 2.
    assert measured_recall(half, whole, vectors[:1], 4) == 0.5
    assert measured_recall(half, whole, vectors[:0], 4) == 1.0


def test_size_chooses_the_index(tmp_path: Path) -> None:
    vectors = unit_vectors(30, 4, seed=7)
    assert isinstance(build_index(ids(30), vectors, exact_below=31), ExactIndex)
    assert isinstance(build_index(ids(30), vectors, exact_below=30, folder=tmp_path), LanceIndex)


def test_ids_and_vectors_must_match() -> None:
    with pytest.raises(ValueError, match="one row per id"):
        ExactIndex(["a"], unit_vectors(2, 4, seed=0))
