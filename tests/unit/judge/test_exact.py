"""Exact answers: what marks one, what is equal to what, and where the rule refuses to say."""

from __future__ import annotations

from fractions import Fraction

import pytest

from goldsmith.judge.exact import compare, exact_checks, final_answer, number
from goldsmith.types import Pair


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        (r"First \boxed{3}, no: \boxed{\frac{1}{2}}.", r"\frac{1}{2}"),
        ("Natalia sold 48 + 24.\n#### 72", "72"),
        ("So the answer is 42. I am sure.", "42"),
        ("The final answer is: $x = 5$.", "$x = 5$"),
        ("**Answer:** (B)", "(B)"),
        ("所以答案是 12。", "12"),
        ("The answer is 3.5", "3.5"),
        ("I do not know.", None),
        ("", None),
        ("\\boxed{" * 10_000, None),
        (r"\boxed{7} and then \boxed{", "7"),
    ],
)
def test_the_marked_answer(reply: str, answer: str | None) -> None:
    assert final_answer(reply) == answer


@pytest.mark.parametrize(
    ("answer", "known", "outcome"),
    [
        ("12", "12", "correct"),
        ("12.0", "12", "correct"),
        ("$1,234$", "1234", "correct"),
        (r"\frac{3}{4}", "0.75", "correct"),
        ("-3/4", r"-\dfrac{3}{4}", "correct"),
        (r"1.5 \times 10^{3}", "1500", "correct"),
        ("\u22125", "-5", "correct"),
        ("x = 5", "5", "correct"),
        ("(b)", "B", "correct"),
        ("12 cm", "12", "correct"),
        ("$12", "12", "correct"),
        (r"15\%", "15", "correct"),
        ("13", "12", "incorrect"),
        ("1/3", "1/4", "incorrect"),
        ("A", "B", "incorrect"),
        ("No", "yes", "incorrect"),
        ("0.33", "1/3", "cannot-tell"),  # rounded
        ("3.14", "3.14159", "cannot-tell"),
        ("12 cm", "0.12 m", "cannot-tell"),  # units
        ("12 m", "12 cm", "cannot-tell"),
        ("13 cm", "12", "cannot-tell"),
        ("x^2+1", "1+x^2", "cannot-tell"),
        ("Paris", "the city of Paris", "cannot-tell"),
        ("12 and 13", "12", "cannot-tell"),
        ("1e999999999", "5", "cannot-tell"),
        ("9" * 5000, "5", "cannot-tell"),
        ("1/0", "5", "cannot-tell"),
        ("3 1/2", "3.5", "cannot-tell"),  # a mixed number is no fraction
        ("3 1/2", "31/2", "cannot-tell"),
        ("1 2", "12", "cannot-tell"),
        ("12 345.5", "12345.5", "correct"),  # spaces of thousands
        ("- 3 / 4", "-0.75", "correct"),
    ],
)
def test_what_equals_what(answer: str, known: str, outcome: str) -> None:
    assert compare(answer, known) == outcome


def test_numbers_are_exact() -> None:
    assert number("0.1") == Fraction(1, 10)
    assert number("2.5e-3") == Fraction(1, 400)
    assert number("12a") is None


def test_both_replies_are_checked_where_the_answer_is_known() -> None:
    context = [{"role": "user", "content": "1 + 1?"}]
    right = Pair.from_replies(context, r"It is \boxed{2}.", r"It is \boxed{3}.", meta={"answer": 2})
    unknown = Pair.from_replies(context, "a", "b")
    unusable = Pair.from_replies(context, "a", "c", meta={"answer": ["2"]})
    worked = Pair.from_replies(context, "#### 2", "perhaps 2", meta={"answer": "One and one are\n#### 2"})
    checks = exact_checks([right, right, unknown, unusable, worked], "answer")
    found = {(check.pair_id, check.side): check for check in checks}
    assert len(checks) == 4
    assert found[(right.pair_id, "first")].outcome == "correct"
    wrong = found[(right.pair_id, "second")]
    assert (wrong.model, wrong.outcome, wrong.reason) == (
        "exact-answer",
        "incorrect",
        "Its final answer '3' is not the known answer '2'.",
    )
    assert {found[(worked.pair_id, side)].outcome for side in ("first", "second")} == {"correct", "cannot-tell"}
