"""The plane of the map against figures worked out by hand."""

import numpy as np
import pytest

from goldsmith.evaluate.report.projection import HEIGHT, MARGIN, STEP, project, spread


def test_a_line_and_a_shorter_one_across_become_the_axes() -> None:
    # Variance 2 * 9 along the third axis, 2 * 1 along the first: the whole of it in two components.
    plane = project(np.array([[0, 0, 3], [0, 0, -3], [1, 0, 0], [-1, 0, 0]], dtype=np.float32))
    assert plane.variance == pytest.approx(1.0)
    # The room is 0.96 wide and 0.56 tall, the spread 6 and 2: the width decides, 0.16 a unit, on both axes.
    expected = [[0.98, 0.3], [0.02, 0.3], [0.5, 0.46], [0.5, 0.14]]
    assert plane.points == pytest.approx(np.array(expected))


def test_signs_do_not_depend_on_the_order_of_the_rows() -> None:
    vectors = np.random.default_rng(5).normal(size=(30, 8))
    order = np.random.default_rng(6).permutation(30)
    assert project(vectors[order]).points == pytest.approx(project(vectors).points[order])


def test_share_of_the_variance() -> None:
    # Three orthogonal axes with squared lengths 2*9, 2*4, 2*1: two of them hold 26 of 28.
    vectors = np.vstack([np.diag([3.0, 2.0, 1.0]), -np.diag([3.0, 2.0, 1.0])])
    assert project(vectors).variance == pytest.approx(26 / 28)


@pytest.mark.parametrize("vectors", [np.ones((1, 4)), np.ones((3, 4)), np.zeros((2, 4))])
def test_what_does_not_vary_lies_in_the_middle(vectors: np.ndarray) -> None:
    plane = project(vectors)
    assert plane.variance is None
    assert plane.points.tolist() == [[0.5, HEIGHT / 2]] * len(vectors)


def test_two_points_make_a_line() -> None:
    plane = project(np.array([[0.0, 1.0], [1.0, 0.0]]))
    assert sorted(plane.points[:, 0]) == pytest.approx([MARGIN, 1 - MARGIN])
    assert plane.points[:, 1] == pytest.approx([HEIGHT / 2] * 2)


def test_no_vectors_no_points() -> None:
    assert project(np.zeros((0, 0))).points.shape == (0, 2)


def test_points_of_one_place_are_moved_apart_and_others_are_not() -> None:
    points = np.array([[0.5, 0.3], [0.2, 0.1], [0.5, 0.3], [0.5, 0.3]])
    apart = spread(points)
    assert apart[:2].tolist() == points[:2].tolist()
    # The second of a place stands one step away, the third 1.414 steps.
    away = np.linalg.norm(apart - points, axis=1) / STEP
    assert away == pytest.approx([0, 0, 1, 2**0.5])
    assert np.linalg.norm(apart[2] - apart[3]) > STEP


def test_nothing_is_moved_off_the_map() -> None:
    assert (spread(np.tile([1.0, HEIGHT], (40, 1))) < [1.0, HEIGHT]).all()
    assert (spread(np.tile([0.0, 0.0], (40, 1))) > 0).all()
