"""Coefficients and intervals against scipy; honest silence about too few models; the file of a downstream measure."""

from math import atanh, sqrt, tanh
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from goldsmith.errors import DataError
from goldsmith.evaluate.correlation import both, correlation, matrix, mid_ranks, read_downstream

ONE, OTHER = [0.61, 0.72, 0.58, 0.80, 0.66, 0.72], [0.50, 0.69, 0.55, 0.71, 0.70, 0.60]


def test_pearson_and_its_interval_are_scipys() -> None:
    found, theirs = correlation(ONE, OTHER, "pearson"), stats.pearsonr(ONE, OTHER)
    interval = theirs.confidence_interval(0.95)
    assert found.value == pytest.approx(theirs.statistic)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.num_models == 6


def test_spearman_is_scipys_with_the_interval_of_bonett_and_wright() -> None:
    found, rho = correlation(ONE, OTHER, "spearman"), stats.spearmanr(ONE, OTHER).statistic
    half = 1.959963984540054 * sqrt((1 + rho**2 / 2) / 3)
    assert found.value == pytest.approx(rho)
    assert (found.low, found.high) == pytest.approx((tanh(atanh(rho) - half), tanh(atanh(rho) + half)))


@given(st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=1, max_size=8))
def test_ranks_are_scipys(values: list[float]) -> None:
    assert mid_ranks(values).tolist() == stats.rankdata(values).tolist()


@pytest.mark.parametrize(("count", "value", "interval"), [(2, False, False), (3, True, False), (4, True, True)])
def test_too_few_models_are_said_to_be_too_few(count: int, value: bool, interval: bool) -> None:
    found = correlation(ONE[:count], OTHER[:count], "pearson")
    assert (found.value is not None, found.low is not None) == (value, interval)
    assert interval or f"{count}" in (found.reason or "")


def test_equal_figures_have_no_correlation() -> None:
    found = correlation([0.5] * 5, ONE[:5], "spearman")
    assert (found.value, found.reason) == (None, "all models have the same figure")


def test_a_straight_line_is_one_and_its_interval_too() -> None:
    found = correlation([1, 2, 3, 4], [2, 4, 6, 8], "pearson")
    # Fisher's interval has no width at 1, and four models stand in one order once in 24 times by chance.
    assert (found.value, found.low, found.high) == (pytest.approx(1.0), None, None)
    assert "no interval" in str(found.reason)
    assert correlation([1, 2, 3, 4], [8, 6, 4, 2], "pearson").value == pytest.approx(-1.0)


def test_only_models_with_both_figures_count() -> None:
    found = both({"a": 1, "b": 2, "c": 3, "x": 0}, {"c": 1, "a": 3, "b": 2, "y": 5})
    assert found["pearson"].num_models == 3
    assert found["pearson"].value == pytest.approx(-1.0)
    assert list(matrix({"one": {"a": 1}, "two": {"a": 1}, "three": {}})) == [("one", "two"), ("one", "three"), ("two", "three")]


def test_columns_of_other_length_are_refused() -> None:
    with pytest.raises(ValueError, match="2 and 3 models"):
        correlation([1, 2], [1, 2, 3], "pearson")


@pytest.mark.parametrize("head", ["", "model,win_rate\n", "\ufeffmodel,value\n"])
def test_downstream_file(tmp_path: Path, head: str) -> None:
    path = tmp_path / "use.csv"
    path.write_text(head + 'acme/one,0.61\n\n "two, the second",7e-1\n'.replace(' "', '"'), encoding="utf-8")
    assert read_downstream(path) == {"acme/one": 0.61, "two, the second": 0.7}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("one,0.5\ntwo,high\n", ":2: 'two,high' is not"),
        ("one,0.5\ntwo,nan\n", ":2: 'two,nan' is not"),
        ("one,0.5,1\n", ":1: 'one,0.5,1' is not"),
        ("one,0.5\none,0.6\n", ":2: model 'one' occurs twice"),
        ("model,value\n", "no `model,value` line"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "use.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"use\.csv") as failure:
        read_downstream(path)
    assert told in str(failure.value)


def test_a_binary_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "use.csv"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="cannot be read as UTF-8"):
        read_downstream(path)
