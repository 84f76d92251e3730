from __future__ import annotations

import pytest

from goldsmith.progress import ConsoleProgress, Rate, in_words


def test_what_an_earlier_attempt_did_counts_neither_for_the_rate_nor_the_time_left():
    rate = Rate()
    rate.note(9_000, 10_000, "rows", 100.0)  # the attempt begins with 9,000 rows done
    assert rate.left_s(100.0) is None
    rate.note(9_100, 10_000, "rows", 120.0)
    assert rate.per_second(120.0) == pytest.approx(5.0)  # 100 rows in 20 s
    assert rate.left_s(120.0) == pytest.approx(180.0)  # 900 rows at 5/s


def test_a_stage_counts_from_its_beginning():
    rate = Rate(100.0)
    rate.note(10, 40, "pairs", 105.0)
    assert rate.per_second(105.0) == pytest.approx(2.0)
    assert rate.left_s(105.0) == pytest.approx(15.0)


def test_other_work_begins_anew():
    rate = Rate(0.0)
    rate.note(50, 100, "units", 10.0)
    rate.note(1, 20, "steps", 30.0)
    rate.note(3, 20, "steps", 34.0)
    assert rate.per_second(34.0) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("seconds", "told"), [(None, "?"), (12.4, "12 s"), (200, "3 min 20 s"), (3900, "1 h 05 min"), (59.6, "1 min 00 s")]
)
def test_times_have_units(seconds, told):
    assert in_words(seconds) == told


def test_a_line_has_units_and_the_rate_of_this_attempt(monkeypatch, capsys):
    now = [1000.0]
    monkeypatch.setattr("goldsmith.progress.time.monotonic", lambda: now[0])
    progress = ConsoleProgress()
    progress.update(9_000, 10_000, "rows")
    now[0] += 20.0
    progress.update(9_100, 10_000, "rows")
    assert capsys.readouterr().err.splitlines()[-1] == "    9,100/10,000 rows, 5.0 rows/s, 3 min 00 s left"
