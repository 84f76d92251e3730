"""The test of new annotators and hidden checks: nobody gets stuck in the one, and the others respect what people know."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from goldsmith.errors import DataError
from goldsmith.gold.known import add_known
from goldsmith.gold.leases import skip
from goldsmith.gold.people import find_person, person_of
from voting_room import SmallRoom, small_room


def _known(here: SmallRoom, folder: Path, use: Any, count: int, **attributes: str) -> None:
    rows = [
        {"prompt": [{"role": "user", "content": f"{use} {n}"}], "chosen": "right", "rejected": "wrong", **attributes}
        for n in range(count)
    ]
    (folder / "known.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    add_known(here.room, folder / "known.jsonl", use)


def _again(here: SmallRoom, name: str) -> None:
    """Look a person up anew, as each request does."""
    with here.room.database.read() as connection:
        row = find_person(connection, email=f"{name}@example.org")
    assert row is not None
    here.people[name] = person_of(row)


def test_a_skipped_item_of_the_test_comes_at_its_end(tmp_path: Path) -> None:
    here = small_room(tmp_path / "a.db", qualification_items=2, qualification_accuracy=1.0)
    here.add("ann")
    here.fill("p1")
    _known(here, tmp_path, "qualify", 2)
    put_aside = here.take("ann")
    assert put_aside is not None
    skip(here.room, put_aside.person_id, put_aside.lease_id, "")
    assert here.work("ann", "first").pair_id != put_aside.pair_id
    assert here.work("ann", "first").pair_id == put_aside.pair_id
    _again(here, "ann")
    assert here.people["ann"].qualified is True
    assert here.take("ann").round == "first"  # type: ignore[union-attr]
    here.room.close()


def test_an_item_of_the_test_is_never_late(tmp_path: Path) -> None:
    here = small_room(tmp_path / "a.db", qualification_items=2, qualification_accuracy=1.0)
    here.add("ann")
    here.fill("p1")
    _known(here, tmp_path, "qualify", 2)
    for _ in range(2):
        lease = here.take("ann")
        assert lease is not None
        here.clock.now += 31 * 60
        receipt = here.vote("ann", lease, "first")
        assert (receipt.is_late, receipt.feedback is not None) == (False, True)
    _again(here, "ann")
    assert here.take("ann").round == "first"  # type: ignore[union-attr]
    here.room.close()


def test_a_vote_on_the_test_that_comes_after_its_end_changes_nothing(tmp_path: Path) -> None:
    here = small_room(tmp_path / "a.db", qualification_items=1, qualification_accuracy=1.0)
    here.add("ann")
    _known(here, tmp_path, "qualify", 2)
    left = here.take("ann")
    assert left is not None
    skip(here.room, left.person_id, left.lease_id, "")
    here.work("ann", "first")
    _again(here, "ann")
    here.vote("ann", left, "second")
    _again(here, "ann")
    assert here.people["ann"].qualified is True
    here.room.close()


def test_a_hidden_check_of_a_field_goes_to_those_who_know_it(tmp_path: Path) -> None:
    here = small_room(tmp_path / "a.db", check_rate=0.5, expertise={"math": "math"})
    here.add("ann")
    here.add("mia", tags=["math"])
    names = [f"p{n}" for n in range(60)]
    here.fill(*names, each={name: {"attributes": {"task": "writing"}} for name in names})
    _known(here, tmp_path, "check", 30, task="math/proof")
    rounds = {name: Counter(here.work(name).round for _ in range(40)) for name in ("ann", "mia")}
    assert rounds["ann"] == {"first": 40}
    # Half of her pairs; of 40 draws at 0.5 fewer than 5 are checks about once in ten million days.
    assert rounds["mia"]["check"] >= 5
    here.room.close()


def test_a_known_pair_with_an_attribute_that_is_none_is_refused_by_its_place(tmp_path: Path) -> None:
    here = small_room(tmp_path / "a.db")
    with pytest.raises(
        DataError, match=r"known\.jsonl:1: objectivity = 'certain'; one of factual, opinion, open-ended is expected"
    ):
        _known(here, tmp_path, "check", 1, objectivity="certain")
    here.room.close()
