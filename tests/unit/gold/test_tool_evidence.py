"""What tools are worth, by hand: counts from a small room, intervals from published examples."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from goldsmith.gold.csv_export import csv_lines
from goldsmith.gold.schema import CHECK_ITEMS
from goldsmith.gold.tool_evidence import newcombe, tool_evidence, wilson
from goldsmith.gold.tool_uses import Use, add_use
from goldsmith.identity import canonical_json
from voting_room import SmallRoom, item, small_room


@pytest.fixture(params=["sqlite", "postgresql"])
def here(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SmallRoom]:
    place: Any = tmp_path / "a.db"
    if request.param == "postgresql":
        place = request.getfixturevalue("postgres").create(f"d{secrets.token_hex(8)}")
    room = small_room(place, check_rate=0.5)
    yield room
    room.room.close()


def test_intervals_are_the_published_ones() -> None:
    # Newcombe 1998, Statistics in Medicine 17: 857-872, table I: 81/263 by Wilson's score is 0.2553 to 0.3662, 0/20 is 0.0000 to 0.1611.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    # Newcombe 1998, 17: 873-890, table II, method 10: 56/70 - 48/80 is 0.0524 to 0.3339; 10/10 - 0/10 is 0.6075 to 1.
    assert newcombe((56, 70), (48, 80)) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)
    assert newcombe((10, 10), (0, 10)) == pytest.approx((1.0, 0.6075, 1.0), abs=5e-5)
    assert newcombe((1, 1), (0, 0)) == (None, None, None)
    assert wilson(0, 0) == (None, None)


def test_accuracy_with_and_without_each_tool_by_task(here: SmallRoom) -> None:
    here.add("ann")
    with here.room.database.write() as connection:
        for at in range(6):
            values = {"use": "check", "label": "first", "rationale": "", "draw": at / 6}
            attributes = canonical_json({"task": "math/proof" if at < 4 else "code"})
            connection.execute(
                CHECK_ITEMS.insert().values(
                    pair_id=f"c{at}", record=canonical_json(item(f"c{at}")), attributes=attributes, **values
                )
            )
    # A check is handed out only among pairs that look like it: with a task beside them.
    pairs = [f"p{at}" for at in range(40)]
    here.fill(*pairs, each={pair_id: {"attributes": {"task": "code"}} for pair_id in pairs})
    # Checks 0 and 1 with a search (one right), 2 with a failed search, 4 with two searches (right); the others without (all but 3 right).
    wrong, searched = {"c1", "c3"}, {"c0": None, "c1": None, "c2": "timeout", "c4": None}
    seen = set()
    for _ in range(40):
        lease = here.take("ann")
        assert lease is not None
        if lease.round == "check":
            seen.add(lease.pair_id)
            for _ in range(2 if lease.pair_id == "c4" else 1):
                if lease.pair_id in searched:
                    add_use(
                        here.room,
                        lease,
                        Use(tool="search", question="q", answer="a", failure=searched[lease.pair_id], seconds=2.0),
                    )
        here.vote(
            "ann", lease, "second" if lease.pair_id in wrong else "first", seconds=30.0 if lease.pair_id in searched else 10.0
        )
    assert seen == {f"c{at}" for at in range(6)}
    with here.room.database.read() as connection:
        every, code, math = tool_evidence(connection)
    assert (every["tool"], every["task"], code["task"], math["task"]) == ("search", "", "code", "math")
    assert (every["votes"], every["uses"], every["failed"], every["flagged"], every["tool_seconds"]) == (3, 5, 1, 0, 2.0)
    assert (every["with"]["right"], every["with"]["checks"], every["without"]["right"], every["without"]["checks"]) == (
        2,
        3,
        2,
        3,
    )
    assert (math["with"]["accuracy"], math["without"]["accuracy"], math["difference"]) == (0.5, 0.5, 0.0)
    assert (code["with"]["accuracy"], code["without"]["checks"], code["uses"]) == (1.0, 1, None)
    assert (every["with"]["median_seconds"], every["without"]["median_seconds"]) == (30.0, 10.0)  # 10, 10 and the failed one's 30
    lines = list(csv_lines(here.room, "tools"))
    assert lines[0].startswith("tool,task,votes,uses,failed,flagged,tool_seconds,difference")
    assert len(lines) == 4
    assert len(list(csv_lines(here.room, "tool_uses"))) == 6


def test_nothing_is_said_of_tools_that_nobody_used(here: SmallRoom) -> None:
    with here.room.database.read() as connection:
        assert tool_evidence(connection) == []
