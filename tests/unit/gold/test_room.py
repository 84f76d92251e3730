"""Assignment, votes, undo, disputes and retests of the annotation room, on its database alone."""

from __future__ import annotations

import json
import secrets
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from goldsmith.errors import StoreError
from goldsmith.gold.assign import next_lease
from goldsmith.gold.cast import cast_vote, undo_vote
from goldsmith.gold.known import add_known, add_settled
from goldsmith.gold.leases import Conflict, Gone, Lease, NotYours, find_lease, material_of, record_first_choice, save_draft, skip
from goldsmith.gold.retests import draw_more
from goldsmith.gold.schema import CHECK_ITEMS, EVENTS, PAIR_STATES, RETESTS, VOTES
from goldsmith.gold.votes import VoteStore
from goldsmith.types import Vote
from voting_room import SmallRoom, ballot, small_room


@pytest.fixture(params=["sqlite", "postgresql"])
def here(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    if request.param == "sqlite":
        room = small_room(tmp_path / "a.db")
    else:
        room = small_room(request.getfixturevalue("postgres").create(f"d{secrets.token_hex(8)}"))
    yield room
    room.room.close()


def _state(here: SmallRoom, pair_id: str) -> dict[str, Any]:
    with here.room.database.read() as connection:
        return dict(connection.execute(sa.select(PAIR_STATES).where(PAIR_STATES.c.pair_id == pair_id)).mappings().one())


def _votes(here: SmallRoom) -> list[Vote]:
    with here.room.database.read() as connection:
        return [
            Vote.model_validate_json(row) for row in connection.execute(sa.select(VOTES.c.record).order_by(VOTES.c.at)).scalars()
        ]


def test_three_people_make_a_pair_gold_and_a_fourth_gets_another(here: SmallRoom) -> None:
    here.add("ann", "bob", "cat", "dan")
    here.fill("p1", "p2")
    assert [here.work(name).pair_id for name in ("ann", "bob", "cat", "dan")] == ["p1", "p1", "p1", "p2"]
    assert (_state(here, "p1")["state"], _state(here, "p1")["how"]) == ("gold", "unanimous")
    assert here.take("ann").pair_id == "p2"  # type: ignore[union-attr]


def test_nobody_gets_a_pair_twice_and_the_queue_runs_dry(here: SmallRoom) -> None:
    here.add("ann")
    here.fill("p1", "p2")
    assert [here.work("ann").pair_id for _ in range(2)] == ["p1", "p2"]
    assert here.why("ann") == "empty"


def test_asking_again_gives_the_same_pair(here: SmallRoom) -> None:
    here.add("ann")
    here.fill("p1", "p2")
    assert here.take("ann") == here.take("ann")


def test_leased_seats_are_not_handed_out_twice(here: SmallRoom) -> None:
    here.add("ann", "bob", "cat", "dan")
    here.fill("p1", "p2")
    assert [here.take(name).pair_id for name in ("ann", "bob", "cat", "dan")] == ["p1", "p1", "p1", "p2"]  # type: ignore[union-attr]


def test_a_vote_after_the_lease_is_kept_as_late_and_the_seat_goes_to_somebody_else(here: SmallRoom) -> None:
    here.add("ann", "bob", "cat", "dan")
    here.fill("p1")
    late = here.take("ann")
    assert late is not None
    here.clock.now += 31 * 60
    for name in ("bob", "cat", "dan"):
        assert here.work(name).pair_id == "p1"
    receipt = here.vote("ann", late, "second")
    assert receipt.is_late
    assert receipt.undo_until is None
    assert sorted(vote.round for vote in _votes(here)) == ["first", "first", "first", "late"]
    assert _state(here, "p1")["num_votes"] == 3


def test_a_lease_that_ran_out_is_late_although_nobody_has_noticed_yet(here: SmallRoom) -> None:
    here.add("ann")
    here.fill("p1")
    lease = here.take("ann")
    assert lease is not None
    here.clock.now += 31 * 60
    assert here.vote("ann", lease).is_late
    assert (_state(here, "p1")["free"], _state(here, "p1")["num_votes"]) == (3, 0)


def test_a_draft_gives_the_lease_its_time_again(here: SmallRoom) -> None:
    here.add("ann")
    here.fill("p1")
    lease = here.take("ann")
    assert lease is not None
    here.clock.now += 20 * 60
    save_draft(here.room, lease.person_id, lease.lease_id, {"choice": "first"})
    here.clock.now += 20 * 60
    assert not here.vote("ann", lease).is_late


def test_a_draft_of_a_lost_lease_is_kept_and_comes_back_with_the_pair(here: SmallRoom) -> None:
    here.add("ann")
    here.fill("p1")
    lease = here.take("ann")
    assert lease is not None
    here.clock.now += 31 * 60
    with pytest.raises(Gone):
        save_draft(here.room, lease.person_id, lease.lease_id, {"rationale": "half a sentence"})
    again = here.take("ann")
    assert again is not None
    assert (again.pair_id, again.draft) == ("p1", {"rationale": "half a sentence"})


def test_the_same_vote_twice_counts_once_and_another_one_is_refused(here: SmallRoom) -> None:
    here.add("ann", "bob")
    here.fill("p1", "p2")
    lease = here.take("ann")
    assert lease is not None
    sent = ballot(lease)
    first, second = cast_vote(here.room, here.people["ann"], sent), cast_vote(here.room, here.people["ann"], sent)
    assert (first.duplicate, second.duplicate, first.undo_until) == (False, True, second.undo_until)
    with pytest.raises(Conflict, match="already"):
        here.vote("ann", lease)
    with pytest.raises(Conflict, match="taken"):
        cast_vote(here.room, here.people["bob"], sent)
    assert len(_votes(here)) == 1


def test_a_vote_sent_by_many_threads_at_once_counts_once(here: SmallRoom) -> None:
    here.add("ann")
    here.fill("p1")
    lease = here.take("ann")
    assert lease is not None
    sent = ballot(lease)
    with ThreadPoolExecutor(8) as pool:
        receipts = list(pool.map(lambda _: cast_vote(here.room, here.people["ann"], sent), range(16)))
    assert Counter(receipt.duplicate for receipt in receipts) == {True: 15, False: 1}
    assert _state(here, "p1")["num_votes"] == 1


def test_many_people_at_once_never_fill_a_pair_beyond_three(here: SmallRoom) -> None:
    names = [f"n{number}" for number in range(12)]
    here.add(*names)
    here.fill(*(f"p{number}" for number in range(8)))

    def day(name: str) -> None:
        while (lease := here.take(name)) is not None:
            here.vote(name, lease)

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(day, names))
    votes = _votes(here)
    assert Counter(vote.pair_id for vote in votes) == {f"p{number}": 3 for number in range(8)}
    assert len({(vote.pair_id, vote.annotator) for vote in votes}) == 24


def test_another_persons_lease_and_vote_look_as_if_there_were_none(here: SmallRoom) -> None:
    here.add("ann", "bob")
    here.fill("p1")
    lease = here.take("ann")
    assert lease is not None
    with here.room.database.read() as connection, pytest.raises(NotYours):
        find_lease(connection, here.people["bob"].person_id, lease.lease_id)
    with pytest.raises(NotYours):
        here.vote("bob", lease)
    vote = here.vote("ann", lease)
    with pytest.raises(NotYours):
        undo_vote(here.room, here.people["bob"], vote.vote_id)


def test_undo_brings_the_pair_back_with_the_vote_as_its_draft(here: SmallRoom) -> None:
    here.add("ann", "bob")
    here.fill("p1", "p2")
    lease = here.take("ann")
    assert lease is not None
    receipt = here.vote("ann", lease, "second", rationale="because")
    held = here.take("ann")
    again = undo_vote(here.room, here.people["ann"], receipt.vote_id)
    assert held is not None
    assert (again.lease_id, again.draft["choice"], again.draft["rationale"]) == (lease.lease_id, "second", "because")  # type: ignore[index]
    assert here.take("ann") == again
    here.vote("ann", again, "first")
    assert here.take("ann").pair_id == held.pair_id  # type: ignore[union-attr]
    assert _state(here, "p1")["num_votes"] == 1


def test_undo_ends_with_time_and_with_what_others_build_on_it(here: SmallRoom) -> None:
    here.add("ann", "bob", "cat")
    here.add("eve", role="expert")
    here.fill("p1", "p2")
    early = here.take("ann")
    assert early is not None
    receipt = here.vote("ann", early)
    here.work("bob", "second")
    here.work("cat", "tie")
    assert here.take("eve", "expert") is not None
    with pytest.raises(Conflict, match="built"):
        undo_vote(here.room, here.people["ann"], receipt.vote_id)
    other = here.take("ann")
    assert other is not None
    late = here.vote("ann", other)
    here.clock.now += 11 * 60
    with pytest.raises(Conflict, match="no longer"):
        undo_vote(here.room, here.people["ann"], late.vote_id)


def test_undo_of_the_vote_that_made_a_pair_gold_takes_gold_back(here: SmallRoom) -> None:
    here.add("ann", "bob", "cat")
    here.fill("p1")
    for name in ("ann", "bob"):
        here.work(name)
    lease = here.take("cat")
    assert lease is not None
    receipt = here.vote("cat", lease)
    assert _state(here, "p1")["state"] == "gold"
    undo_vote(here.room, here.people["cat"], receipt.vote_id)
    assert (_state(here, "p1")["state"], _state(here, "p1")["num_votes"], _state(here, "p1")["free"]) == ("open", 2, 0)


def test_a_dispute_goes_to_one_expert_who_did_not_vote_and_who_must_say_why(here: SmallRoom) -> None:
    here.add("ann", "bob")
    here.add("eve", "fay", "gus", role="expert")
    here.fill("p1")
    for name, choice in (("ann", "first"), ("bob", "second"), ("eve", "tie")):
        here.work(name, choice)
    assert _state(here, "p1")["state"] == "disputed"
    assert here.why("eve", "expert") == "empty"
    lease = here.take("fay", "expert")
    assert lease is not None
    assert here.why("gus", "expert") == "empty"
    with pytest.raises(Conflict, match="rationale"):
        here.vote("fay", lease, "second")
    here.vote("fay", lease, "second", rationale="the first is wrong")
    assert (_state(here, "p1")["state"], _state(here, "p1")["label"], _state(here, "p1")["how"]) == ("gold", "second", "expert")


def test_a_skipped_pair_comes_back_only_when_nothing_else_is_left(here: SmallRoom) -> None:
    here.add("ann")
    here.fill("p1", "p2")
    lease = here.take("ann")
    assert lease is not None
    skip(here.room, lease.person_id, lease.lease_id, "later")
    assert [here.work("ann").pair_id for _ in range(2)] == ["p2", "p1"]


def test_a_daily_limit_ends_the_day_at_midnight(tmp_path: Path) -> None:
    here = small_room(tmp_path / "a.db", daily_limit=2)
    here.add("ann")
    here.fill("p1", "p2", "p3")
    for _ in range(2):
        here.work("ann")
    assert here.why("ann") == "daily-limit"
    here.clock.now += 86_400
    assert here.take("ann") is not None
    here.room.close()


def test_math_goes_to_those_tagged_math(tmp_path: Path) -> None:
    here = small_room(tmp_path / "a.db", expertise={"math": "math"})
    here.add("ann", tags=["Math"])
    here.add("bob")
    here.fill("p1", "p2", each={"p1": {"attributes": {"task": "math/proof"}}, "p2": {"attributes": {"task": "chat/advice"}}})
    assert here.take("bob").pair_id == "p2"  # type: ignore[union-attr]
    assert here.take("ann").pair_id == "p1"  # type: ignore[union-attr]
    here.room.close()


def _add_known(here: SmallRoom, use: str, *labels: str) -> None:
    rows = [
        {
            "pair_id": f"{use}{n}",
            "record": '{"context":[],"first":"a","second":"b"}',
            "label": label,
            "rationale": "known",
            "use": use,
            "draw": n / len(labels),
        }
        for n, label in enumerate(labels)
    ]
    with here.room.database.write() as connection:
        connection.execute(CHECK_ITEMS.insert(), rows)


@pytest.mark.parametrize(("second_answer", "passed"), [("second", True), ("tie", False)])
def test_qualification_by_known_answers(tmp_path: Path, second_answer: str, passed: bool) -> None:
    here = small_room(tmp_path / "a.db", qualification_items=2, qualification_accuracy=1.0)
    here.add("ann")
    here.fill("p1")
    _add_known(here, "qualify", "first", "second")
    one = here.take("ann")
    assert one is not None
    assert one.round == "qualify"
    assert here.vote("ann", one, "first").feedback == {"right": True, "choice": "first", "rationale": "known"}
    here.work("ann", second_answer)
    with here.room.database.read() as connection:
        from goldsmith.gold.people import find_person, person_of

        row = find_person(connection, email="ann@example.org")
        assert row is not None
        here.people["ann"] = person_of(row)
    if passed:
        assert here.take("ann").round == "first"  # type: ignore[union-attr]
    else:
        assert here.why("ann") == "failed-qualification"
    here.room.close()


def test_hidden_checks_come_at_their_rate(tmp_path: Path) -> None:
    here = small_room(tmp_path / "a.db", check_rate=0.2)
    here.add("ann")
    here.fill(*(f"p{n}" for n in range(400)))
    _add_known(here, "check", *["first"] * 200)
    rounds = Counter(here.work("ann").round for _ in range(300))
    # 300 draws at 0.2: 60 expected, standard deviation 6.9; four of them are 28.
    assert abs(rounds["check"] - 60) < 28
    here.room.close()


def test_a_hidden_check_only_stands_where_a_pair_has_the_same_beside_it(tmp_path: Path) -> None:
    full = {
        "task": "math/proof",
        "objectivity": "factual",
        "controversiality": "low",
        "desired": ["accuracy"],
        "guideline": "must add up",
    }
    said = {"model": "m", "outcome": "correct", "reason": "adds up"}
    here = small_room(tmp_path / "a.db", check_rate=0.5)
    here.add("ann")
    here.fill(
        *(f"p{n}" for n in range(100)), each={f"p{n}": {"attributes": full, "checks": {"first": [said]}} for n in range(100)}
    )
    rows = [
        {
            "prompt": [{"role": "user", "content": f"q{n}"}],
            "chosen": "right",
            "rejected": "wrong",
            **({**full, "checks": {"chosen": [said]}} if n % 2 else {"task": "math/proof"}),
        }
        for n in range(40)
    ]
    (tmp_path / "known.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    assert add_known(here.room, tmp_path / "known.jsonl", "check") == {"rows": 40, "new": 40}
    with here.room.database.read() as connection:
        looks = set()
        checks = 0
        for _ in range(100):
            lease = here.work("ann")
            looks.add(material_of(connection, lease).look)
            checks += lease.round == "check"
    # 20 of the 40 look like the queue; they alone are handed out, and all of them are, as half of a hundred pairs would be checks.
    assert checks == 20
    assert looks == {(("controversiality", "desired", "guideline", "objectivity", "task"), True)}
    here.room.close()


def test_settled_pairs_become_hidden_checks_of_those_who_have_not_seen_them(tmp_path: Path) -> None:
    here = small_room(tmp_path / "a.db")
    here.add("ann", "bob", "cat", "dan")
    names = [f"p{n}" for n in range(40)]
    here.fill(*names, batch="passed")
    for name in ("ann", "bob", "cat"):
        for _ in names:
            lease = here.take(name)
            assert lease is not None
            here.vote(name, lease, "first" if int(lease.pair_id[1:]) % 2 else "second")
    here.fill(*(f"n{n}" for n in range(25)), batch="open")
    assert add_settled(here.room, 10) == {"rows": 10, "new": 10}
    assert add_settled(here.room, 100) == {"rows": 30, "new": 30}
    checking = replace(here.room, rules=here.room.rules.model_copy(update={"check_rate": 0.5}))
    # Of three who have seen all forty none gets one; the fourth is drawn one on some day.
    for name in ("ann", "bob", "cat"):
        assert next_lease(checking, here.people[name], "work").round == "first"  # type: ignore[union-attr]
    found = []
    for _ in range(20):
        here.clock.now += 86_400
        lease = next_lease(checking, here.people["dan"], "work")
        assert isinstance(lease, Lease)
        found.append(lease.round)
        skip(checking, lease.person_id, lease.lease_id, "")
    assert "check" in found
    here.room.close()


def test_retests_go_to_others_in_an_order_drawn_anew_and_to_the_same_person_later(tmp_path: Path) -> None:
    here = small_room(tmp_path / "a.db", gold={"retest_share": 1.0, "retest_same_share": 1.0, "retest_same_days": 7.0})
    here.add("ann", "bob", "cat", "dan")
    here.fill("p1")
    shown = {name: here.work(name).shown_first for name in ("ann", "bob", "cat")}
    again = here.take("dan")
    assert again is not None
    assert (again.pair_id, again.round) == ("p1", "retest")
    here.vote("dan", again)
    assert [here.why(name) for name in shown] == ["empty"] * 3
    here.clock.now += 7 * 86_400 + 1
    back = {name: here.take(name) for name in shown}
    [(name, lease)] = [(name, lease) for name, lease in back.items() if lease is not None]
    assert (lease.round, lease.shown_first != shown[name]) == ("retest", True)
    assert _state(here, "p1")["num_votes"] == 3
    here.room.close()


def test_an_undecided_gate_draws_more_up_to_a_maximum(tmp_path: Path) -> None:
    here = small_room(tmp_path / "a.db", gold={"retest_max_share": 0.5})
    here.add("ann", "bob", "cat")
    here.fill(*(f"p{n}" for n in range(10)))
    for name in ("ann", "bob", "cat"):
        for _ in range(10):
            here.work(name)
    assert [draw_more(here.room, "seed", 3), draw_more(here.room, "seed", 3), draw_more(here.room, "seed", 3)] == [3, 2, 0]
    with here.room.database.read() as connection:
        assert len(set(connection.execute(sa.select(RETESTS.c.pair_id)).scalars())) == 5
    here.room.close()


def test_a_change_after_the_hint_is_recorded_and_only_then(here: SmallRoom) -> None:
    here.add("ann")
    here.fill("p1", "p2", "p3")
    for hinted, choice, changed in ((True, "second", True), (True, "first", False), (False, "second", False)):
        lease = here.take("ann")
        assert lease is not None
        record_first_choice(here.room, lease.person_id, lease.lease_id, {"choice": "first", "strength": 1, "hinted": hinted})
        record_first_choice(here.room, lease.person_id, lease.lease_id, {"choice": choice, "strength": 1, "hinted": hinted})
        here.vote("ann", lease, choice)
        assert _votes(here)[-1].changed_after_hint is changed
        here.clock.now += 1


def test_every_write_is_an_event_and_events_cannot_be_changed(here: SmallRoom) -> None:
    here.add("ann")
    here.fill("p1")
    here.fill("p1")
    here.work("ann")
    from_file = Vote.model_validate({**_votes(here)[0].model_dump(), "vote_id": "of-a-file", "annotator": "bob"})
    assert [VoteStore(here.room.database).add([from_file], recorded=True) for _ in range(2)] == [1, 0]
    with here.room.database.read() as connection:
        assert connection.execute(sa.select(EVENTS.c.kind).order_by(EVENTS.c.event_id)).scalars().all() == [
            "person.added",
            "queue.filled",
            "lease.given",
            "vote.cast",
            "votes.added",
        ]
    for statement in (EVENTS.update().values(actor="nobody"), EVENTS.delete()):
        with pytest.raises((sa.exc.DBAPIError, StoreError), match="only added"), here.room.database.write() as connection:
            connection.execute(statement)


def test_two_tabs_that_ask_at_once_get_one_pair(here: SmallRoom) -> None:
    here.add("ann")
    here.fill(*(f"p{n}" for n in range(9)))
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: next_lease(here.room, here.people["ann"], "work"), range(8)))
    assert len({lease.lease_id for lease in found if isinstance(lease, Lease)}) == 1
