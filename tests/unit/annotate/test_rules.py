"""The room's rules as people meet them, over HTTP: tags, skipping, checks that look like pairs, and the flag for those who follow the models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from annotation_site import Site, make_site
from goldsmith.gold.known import add_settled
from goldsmith.gold.schema import PAIR_STATES

FAST, SLOW = 0.2, 30.0
"""Seconds for eight words: 2,400 and 16 words a minute."""


def _said(first_is_right: bool) -> dict[str, Any]:
    right, wrong = ([{"model": "m", "outcome": outcome, "reason": "sums"}] for outcome in ("correct", "incorrect"))
    return {"first": right if first_is_right else wrong, "second": wrong if first_is_right else right}


def _give_role(site: Site, name: str, role: str) -> None:
    """As an administrator does; it ends the person's sessions."""
    answer = site.browser("ada", "admin").form(f"/lead/people/{site.here.people[name].person_id}", role=role)
    assert answer.status_code == 303


def test_pairs_of_a_field_go_to_those_who_know_it(tmp_path: Path) -> None:
    site = make_site(tmp_path / "a.db", expertise={"math": "math"})
    site.here.fill("p1", "p2", each={"p1": {"attributes": {"task": "math/proof"}}, "p2": {"attributes": {"task": "chat/advice"}}})
    assert site.browser("ann", tags=["math"]).next()["pair_id"] == "p1"
    assert site.browser("bob").next()["pair_id"] == "p2"
    site.here.room.close()


def test_a_skipped_pair_comes_back_with_its_draft_when_nothing_else_is_left(site: Site) -> None:
    site.here.fill("p1", "p2")
    ann = site.browser("ann")
    one = ann.next()
    draft = {"choice": "tie", "strength": 0, "confidence": 1, "rationale": "not sure", "reason": None, "seconds": 9.0}
    ann.put(f"/api/leases/{one['lease_id']}/draft", draft)
    assert ann.post(f"/api/leases/{one['lease_id']}/skip", {"reason": "hard"}).status_code == 200
    other = ann.next()
    assert (one["pair_id"], other["pair_id"]) == ("p1", "p2")
    ann.vote(other)
    back = ann.next()
    assert (back["pair_id"], back["draft"], [reply["side"] for reply in back["replies"]]) == (
        "p1",
        draft,
        [reply["side"] for reply in one["replies"]],
    )


def test_who_follows_the_models_without_reading_is_flagged(tmp_path: Path) -> None:
    site = make_site(tmp_path / "a.db")
    names = [f"p{number}" for number in range(24)]
    # The models are wrong about every other pair; two people read, and the third follows them at once.
    site.here.fill(*names, each={name: {"checks": _said(number % 2 == 0)} for number, name in enumerate(names)})
    for name in ("ann", "bob", "cat"):
        browser = site.browser(name)
        while (task := browser.next()) is not None:
            number = int(task["pair_id"][1:])
            follows = "first" if number % 2 == 0 else "second"
            truth = "first" if number % 4 < 2 else "second"
            browser.vote(task, follows if name == "cat" else truth, seconds=FAST if name == "cat" else SLOW)
    rows = {row["name"]: row for row in site.browser("lea", "lead").get("/api/lead/summary").json()["annotators"]}
    kinds = {name: {flag["kind"] for flag in row["flags"]} for name, row in rows.items()}
    assert kinds["ann"] == kinds["bob"] == set()
    assert {"reliance", "speed"} <= kinds["cat"]
    assert rows["cat"]["hint_agreement"] == 1.0
    site.here.room.close()


def test_a_hidden_check_cannot_be_told_from_a_pair(tmp_path: Path) -> None:
    site = make_site(tmp_path / "a.db", check_rate=0.5)
    attributes = {
        "task": "math/sums",
        "objectivity": "factual",
        "controversiality": "low",
        "desired": ["accuracy"],
        "guideline": "must add up",
    }
    each = {f"p{number}": {"attributes": attributes, "checks": _said(True)} for number in range(50)}
    site.here.fill(*list(each)[:12], batch="old", each=each)
    for name in ("ann", "bob", "cat"):
        browser = site.browser(name)
        while (task := browser.next()) is not None:
            browser.vote(task, "first" if int(task["pair_id"][1:]) % 2 else "second")
    assert add_settled(site.here.room, 12)["new"] == 12
    site.here.fill(*list(each)[12:], batch="new", each=each)
    dan = site.browser("dan")
    tasks, answers = [], []
    for _ in range(30):
        task = dan.next()
        tasks.append(task)
        dan.post(f"/api/leases/{task['lease_id']}/choice", {"choice": "first", "strength": 1})
        answers.append(dan.vote(task).json())
    checks = {task["pair_id"] for task in tasks if int(task["pair_id"][1:]) < 12}
    assert checks
    assert {tuple(sorted(task)) for task in tasks} == {tuple(sorted(tasks[0]))}
    assert {(task["stage"], task["has_hints"], str(task["attributes"])) for task in tasks} == {
        ("work", True, str(tasks[0]["attributes"]))
    }
    assert {(answer["state"], answer["feedback"], answer["undo_until"] is None) for answer in answers} == {
        ("counted", None, False)
    }
    shown = dan.get("/history").json()["votes"]
    assert {(vote["state"], vote["task"], vote["can_undo"]) for vote in shown} == {("counted", "math/sums", True)}
    site.here.room.close()


def test_who_becomes_a_lead_holds_no_blind_vote_any_more(site: Site) -> None:
    site.here.fill("p1")
    task = site.browser("ann").next()
    _give_role(site, "ann", "lead")
    ann = site.browser("ann")
    assert ann.get(f"/api/leases/{task['lease_id']}").status_code == 410
    assert ann.vote(task).json()["state"] == "late"
    with site.here.room.database.read() as connection:
        seats = connection.execute(sa.select(PAIR_STATES.c.num_votes, PAIR_STATES.c.free)).one()
    assert tuple(seats) == (0, 3)


def test_who_is_no_expert_any_more_sees_no_votes_of_others_and_decides_nothing(site: Site) -> None:
    site.here.fill("p1")
    for name, choice in (("bob", "first"), ("cat", "second"), ("dan", "tie")):
        browser = site.browser(name)
        browser.vote(browser.next(), choice)
    task = site.browser("eve", "expert").next("expert")
    _give_role(site, "eve", "annotator")
    eve = site.browser("eve")
    assert eve.get(f"/api/leases/{task['lease_id']}").status_code == 410
    assert eve.vote(task, rationale="held on to it").json()["state"] == "late"
    assert site.browser("fay", "expert").next("expert")["pair_id"] == "p1"


def test_a_vote_from_before_a_new_role_cannot_be_given_anew(site: Site) -> None:
    site.here.fill("p1")
    ann = site.browser("ann")
    vote_id = ann.vote(ann.next()).json()["vote_id"]
    _give_role(site, "ann", "lead")
    assert site.browser("ann").post(f"/api/votes/{vote_id}/undo").json()["error"]["code"] == "conflict"


def test_the_history_does_not_tell_what_one_said_of_a_pair_that_is_judged_again(tmp_path: Path) -> None:
    site = make_site(tmp_path / "a.db", gold={"retest_same_share": 1.0, "retest_same_days": 1.0})
    site.here.fill("p1", "p2")
    browsers = {name: site.browser(name) for name in ("ann", "bob", "cat")}
    for browser in browsers.values():
        browser.vote(browser.next(), rationale="of the first time")
    site.here.clock.now += 2 * 86_400
    asked = {name: site.browser(name).next() for name in browsers}
    [again] = [name for name, task in asked.items() if task["pair_id"] == "p1"]
    person, others = site.browser(again), [name for name in asked if name != again]
    assert person.get("/history").json()["votes"] == []
    assert [vote["pair_id"] for vote in site.browser(others[0]).get("/history").json()["votes"]] == ["p1"]
    person.vote(asked[again], rationale="of the second time")
    said = [vote["rationale"] for vote in person.get("/history").json()["votes"]]
    assert said == ["of the second time", "of the first time"]
    site.here.room.close()
