import pytest

from goldsmith.judge.agreement import classification_report, cohen_kappa, wilson


@pytest.mark.parametrize(
    ("count", "total", "low", "high"),
    [
        # Newcombe 1998, Statistics in Medicine 17, table I, method 3 (score): 81/263, 15/148, 0/20, 1/29.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_as_published(count: int, total: int, low: float, high: float) -> None:
    found = wilson(count, total)
    assert found.value == pytest.approx(count / total)
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


def test_wilson_of_nothing_says_nothing() -> None:
    found = wilson(0, 0)
    assert (found.value, found.low, found.high) == (None, 0.0, 1.0)


def test_kappa_by_hand() -> None:
    # 50 cases: both yes 20, both no 15, yes/no 5, no/yes 10. Observed 0.7, expected 0.5 * 0.6 + 0.5 * 0.4 = 0.5: kappa 0.4.
    one = ["y"] * 25 + ["n"] * 25
    other = ["y"] * 20 + ["n"] * 5 + ["y"] * 10 + ["n"] * 15
    assert cohen_kappa(one, other) == pytest.approx(0.4)
    assert cohen_kappa(one, one) == pytest.approx(1.0)


def test_kappa_without_anything_to_explain() -> None:
    assert cohen_kappa([], []) is None
    assert cohen_kappa(["a", "a"], ["a", "a"]) is None


def test_report_agrees_with_scikit_learn() -> None:
    from sklearn.metrics import accuracy_score, precision_recall_fscore_support

    truth, predicted = list("abcabcaabbcc"), list("abcbacabbbc?")
    found = classification_report(truth, predicted, "abc")
    precision, recall, f1, _ = precision_recall_fscore_support(
        truth, predicted, labels=list("abc"), average="macro", zero_division=0
    )
    assert found.accuracy == pytest.approx(accuracy_score(truth, predicted))
    assert (found.macro_precision, found.macro_recall, found.macro_f1) == pytest.approx((precision, recall, f1))
