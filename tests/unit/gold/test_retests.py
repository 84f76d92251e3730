"""Retests that are skipped, run out or come too late: nobody is held up by one, and one that can still be done is not lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from goldsmith.gold.cast import undo_vote
from goldsmith.gold.leases import Lease, skip
from goldsmith.gold.retests import nobody_left
from goldsmith.gold.schema import EVENTS
from voting_room import SmallRoom, small_room

THREE = ("ann", "bob", "cat")
DAY = 86_400


@pytest.fixture
def again(tmp_path: Path) -> Iterator[tuple[SmallRoom, str, Lease]]:
    """A pair that has returned to one of those who voted, and one that is new to all."""
    here = small_room(tmp_path / "a.db", gold={"retest_same_share": 1.0})
    here.add(*THREE)
    here.fill("p1")
    for name in THREE:
        here.work(name)
    here.clock.now += 8 * DAY
    here.fill("p2")
    taken = {name: here.take(name) for name in THREE}
    [(name, lease)] = [(name, lease) for name, lease in taken.items() if lease is not None and lease.round == "retest"]
    yield here, name, lease
    here.room.close()


@pytest.fixture
def blind(tmp_path: Path) -> Iterator[tuple[SmallRoom, Lease]]:
    """A pair that a fourth person is to judge again, and nothing else to do."""
    here = small_room(tmp_path / "a.db", gold={"retest_share": 1.0})
    here.add(*THREE, "dan")
    here.fill("p1")
    for name in THREE:
        here.work(name)
    lease = here.take("dan")
    assert lease is not None
    assert lease.round == "retest"
    yield here, lease
    here.room.close()


def test_one_s_own_pair_that_was_skipped_waits_behind_everything_else(again: tuple[SmallRoom, str, Lease]) -> None:
    here, name, lease = again
    skip(here.room, lease.person_id, lease.lease_id, "")
    assert here.work(name).pair_id == "p2"
    back = here.take(name)
    assert back is not None
    assert (back.lease_id, back.shown_first) == (lease.lease_id, lease.shown_first)
    assert not here.vote(name, back).is_late
    assert here.why(name) == "empty"


def test_one_s_own_pair_judged_too_late_does_not_end_the_work(again: tuple[SmallRoom, str, Lease]) -> None:
    here, name, lease = again
    here.clock.now += 31 * 60
    assert here.vote(name, lease).is_late
    assert here.work(name).pair_id == "p2"
    assert here.why(name) == "empty"


def test_a_retest_that_ran_out_comes_back_to_the_only_one_who_can_do_it(blind: tuple[SmallRoom, Lease]) -> None:
    here, lease = blind
    here.clock.now += 31 * 60
    back = here.take("dan")
    assert back is not None
    assert back.lease_id == lease.lease_id
    assert not here.vote("dan", back).is_late


def test_a_skipped_retest_comes_back_when_nothing_else_is_left(blind: tuple[SmallRoom, Lease]) -> None:
    here, lease = blind
    here.fill("p2")
    skip(here.room, lease.person_id, lease.lease_id, "")
    assert here.work("dan").pair_id == "p2"
    assert here.work("dan").lease_id == lease.lease_id
    assert here.why("dan") == "empty"


def test_a_retest_that_somebody_else_has_done_since_does_not_come_back(blind: tuple[SmallRoom, Lease]) -> None:
    here, lease = blind
    skip(here.room, lease.person_id, lease.lease_id, "")
    here.add("eli")
    assert here.work("eli").round == "retest"
    assert here.why("dan") == "empty"


def test_a_retest_that_goes_with_an_undone_vote_leaves_an_event(tmp_path: Path) -> None:
    here = small_room(tmp_path / "a.db", gold={"retest_share": 1.0})
    here.add(*THREE)
    here.fill("p1")
    for name in THREE[:2]:
        here.work(name)
    lease = here.take("cat")
    assert lease is not None
    undo_vote(here.room, here.people["cat"], here.vote("cat", lease).vote_id)
    with here.room.database.read() as connection:
        kinds = connection.execute(
            sa.select(EVENTS.c.kind).where(EVENTS.c.kind.startswith("retest.")).order_by(EVENTS.c.event_id)
        )
        assert kinds.scalars().all() == ["retest.drawn", "retest.forgotten"]
    here.room.close()


def test_retests_that_nobody_is_left_for_are_counted_until_somebody_comes(tmp_path: Path) -> None:
    here = small_room(tmp_path / "a.db", gold={"retest_share": 1.0})
    here.add(*THREE)
    here.fill("p1", "p2")
    for name in THREE:
        here.work(name)
        here.work(name)
    with here.room.database.read() as connection:
        assert nobody_left(connection, here.clock.now) == 2
    here.add("dan")
    with here.room.database.read() as connection:
        assert nobody_left(connection, here.clock.now) == 0
    here.work("dan")
    with here.room.database.read() as connection:
        assert nobody_left(connection, here.clock.now) == 0
    here.room.close()
