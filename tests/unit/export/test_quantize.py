"""Integers and scales, by hand sums."""

from __future__ import annotations

import numpy as np
import pytest

from goldsmith.errors import UserError
from goldsmith.export.quantize import kept_float, quantize


def test_a_row_is_divided_by_its_own_largest_magnitude() -> None:
    small = quantize(np.array([[1.27, -0.635, 0.0], [0.0, 0.254, 0.004]], np.float32), bits=8)
    # Row 0: scale 1.27 / 127 = 0.01, so 127, -63.5 (to even: -64), 0. Row 1: scale 0.254 / 127 = 0.002, so 0, 127, 2.
    assert small.values[:, 0].tolist() == [[127, -64, 0], [0, 127, 2]]
    assert small.scale.ravel() == pytest.approx([0.01, 0.002])
    assert small.floats() == pytest.approx(np.array([[1.27, -0.64, 0.0], [0.0, 0.254, 0.004]]))


def test_an_outlier_spoils_its_own_block_alone() -> None:
    # Blocks of 2: scales 7 / 7 = 1 and 0.07 / 7 = 0.01; with one scale a row both small weights would be 0.
    weight = np.array([[7.0, 1.0, 0.07, -0.03]], np.float32)
    assert quantize(weight, bits=4, block=2).values.tolist() == [[[7, 1], [7, -3]]]
    assert quantize(weight, bits=4).values[0, 0].tolist() == [7, 1, 0, 0]


def test_the_last_block_is_filled_with_zeros_which_do_not_come_back() -> None:
    small = quantize(np.array([[3.0, 2.0, 1.0]], np.float32), bits=8, block=2)
    assert small.values.shape == (1, 2, 2)
    assert small.values[0, 1, 1] == 0
    assert small.floats().shape == (1, 3)


def test_a_row_of_zeros_stays_zero() -> None:
    assert quantize(np.zeros((2, 3), np.float32), bits=8).floats().tolist() == [[0.0] * 3] * 2


def test_patterns_name_what_stays_float_and_one_without_a_match_is_refused() -> None:
    names = ["model.layers.0.mlp.down_proj", "model.layers.0.mlp.up_proj", "model.layers.1.mlp.down_proj"]
    assert kept_float(names, ["*.down_proj"]) == {names[0], names[2]}
    assert kept_float(names, []) == set()
    with pytest.raises(UserError, match=r"'\*\.downproj' matches no linear map"):
        kept_float(names, ["*.up_proj", "*.downproj"])
