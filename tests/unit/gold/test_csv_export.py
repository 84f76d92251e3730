"""The room's tables as CSV: what a spreadsheet makes of them, and the lead's figures in full."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest

from goldsmith.annotate.summary import EXPORTS
from goldsmith.gold.csv_export import TABLES, csv_lines
from voting_room import SmallRoom, small_room


@pytest.fixture
def here(tmp_path: Path) -> Iterator[SmallRoom]:
    made = small_room(tmp_path / "a.db")
    made.add("ann", "bob", "cat", hourly_cost=18.0)
    made.fill("p1", "p2")
    yield made
    made.room.close()


def _rows(here: SmallRoom, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader("".join(csv_lines(here.room, name)).splitlines(keepends=True)))


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "\r=", "\n=", "＝", "＋", "－", "＠"])
def test_a_spreadsheet_runs_no_formula_of_an_annotator(here: SmallRoom, start: str) -> None:
    written = start + 'HYPERLINK("http://evil.example";"a, b")'
    here.work("ann", rationale=written)
    [row] = _rows(here, "votes")
    assert row["rationale"].replace("\r", "\n") == f"'{written}".replace("\r", "\n")


def test_every_table_is_exported_and_says_its_columns(here: SmallRoom) -> None:
    for name in ("ann", "bob", "cat"):
        here.work(name)
    assert set(TABLES) == set(EXPORTS)
    first_columns = {
        name: (next(csv_lines(here.room, name), "").split(",")[0]) for name in EXPORTS if not name.startswith("tool")
    }
    assert first_columns == {
        "votes": "vote_id",
        "gold": "pair_id",
        "annotators": "person_id",
        "batches": "batch",
        "coverage": "task",
        "throughput": "day",
        "alpha": "day",
        "progress": "pairs",
        "events": "event_id",
    }


def test_progress_disputes_and_cost_are_one_row(here: SmallRoom) -> None:
    for name, choice in (("ann", "first"), ("bob", "second"), ("cat", "tie")):
        here.work(name, choice)
        here.work(name)
    [row] = _rows(here, "progress")
    assert (row["pairs"], row["gold"], row["disputed"], row["votes_given"], row["disputes_open"]) == ("2", "1", "1", "6", "1")
    # Six votes of 20 s at 18 an hour, over one gold pair.
    assert (row["cost_currency"], float(row["cost_per_gold"])) == ("EUR", pytest.approx(0.6))


def test_agreement_over_time_is_a_row_a_day(here: SmallRoom) -> None:
    for name, choice in (("ann", "first"), ("bob", "first"), ("cat", "second")):
        here.work(name, choice)
    [row] = _rows(here, "alpha")
    # Votes f f s: 4 of 6 ordered pairs differ, and as many are expected to: alpha is 0.
    assert (row["num_pairs"], float(row["alpha"])) == ("1", pytest.approx(0.0))
