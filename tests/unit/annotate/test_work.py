"""From sign-in to gold over HTTP: who may see and do what, and what stays hidden."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from annotation_site import Site, make_site
from goldsmith.gold.schema import PAIR_STATES

CHECKS = {
    "first": [{"model": "m", "outcome": "correct", "reason": "adds up"}],
    "second": [{"model": "m", "outcome": "incorrect", "reason": "does not"}],
}


def _state(site: Site, pair_id: str) -> str:
    with site.here.room.database.read() as connection:
        return str(connection.execute(sa.select(PAIR_STATES.c.state).where(PAIR_STATES.c.pair_id == pair_id)).scalar())


def test_votes_dispute_expert_and_gate_end_to_end(site: Site) -> None:
    site.here.fill("p1", "p2")
    people = {name: site.browser(name) for name in ("ann", "bob", "cat")}
    for name, choice in (("ann", "first"), ("bob", "second"), ("cat", "tie")):
        task = people[name].next()
        assert task["pair_id"] == "p1"
        assert people[name].vote(task, choice, rationale=f"said {name}").json()["state"] == "counted"
        people[name].vote(people[name].next(), "first")
    assert (_state(site, "p1"), _state(site, "p2")) == ("disputed", "gold")
    expert = site.browser("eve", "expert")
    task = expert.next("expert")
    assert task["stage"] == "expert"
    assert sorted(vote["choice"] for vote in task["votes"]) == ["first", "second", "tie"]
    assert not {"annotator", "name"} & {key for vote in task["votes"] for key in vote}
    assert expert.vote(task, "second").status_code == 409
    assert expert.vote(task, "second", rationale="the sum is wrong").status_code == 200
    assert _state(site, "p1") == "gold"
    lead = site.browser("lea", "lead")
    shown = lead.get("/lead").json()
    assert (shown["progress"]["gold"], shown["progress"]["votes_given"], shown["disputes"]["decided"]) == (2, 6, 1)
    assert lead.get("/api/lead/summary").json()["coverage"] == shown["coverage"]
    gate = lead.get("/lead/batches/seed").json()
    assert gate["look_at_pairs"][0]["pair_id"] == "p1"
    assert gate["look_at_pairs"][0]["why"] == "no-majority"
    assert all(0 <= person[name] <= 1 for person in gate["look_at_people"] for name in ("competence_ds", "competence_mace"))
    assert set(gate["by_task"][0]) == {"task", "pairs", "outcome", "alpha_first", "alpha_strength", "alpha_retest"}


def test_the_order_on_the_screen_is_the_recorded_one_and_texts_are_rendered(site: Site) -> None:
    site.here.fill("p1")
    ann = site.browser("ann")
    task = ann.next()
    sides = [reply["side"] for reply in task["replies"]]
    assert sorted(sides) == ["first", "second"]
    assert {reply["side"]: reply["html"] for reply in task["replies"]} == {"first": "<p>a p1</p>", "second": "<p>b p1</p>"}
    assert ann.get(f"/api/leases/{task['lease_id']}/raw").json()["replies"][0]["side"] == sides[0]
    ann.vote(task)
    lead = site.browser("lea", "lead")
    assert lead.get("/lead/pairs/p1").json()["votes"][0]["shown_order"] == sides


def test_an_annotator_reads_no_pair_that_is_not_theirs_and_no_page_of_the_lead(site: Site) -> None:
    site.here.fill("p1")
    ann, bob = site.browser("ann"), site.browser("bob")
    task = ann.next()
    lease = task["lease_id"]
    for path in (f"/api/leases/{lease}", f"/api/leases/{lease}/raw", f"/api/leases/{lease}/difference"):
        assert bob.get(path).status_code == 404
        assert ann.get(path).status_code == 200
    assert bob.vote(task).status_code == 404
    assert bob.put(f"/api/leases/{lease}/draft", {"choice": "first"}).status_code == 404
    assert bob.post(f"/api/leases/{lease}/skip").status_code == 404
    site.here.clock.now += 31 * 60  # nobody else has asked for a pair, so that nobody has noticed
    for path in (f"/api/leases/{lease}", f"/api/leases/{lease}/raw", f"/api/leases/{lease}/difference"):
        assert ann.get(path).status_code == 410
    assert ann.post(f"/api/leases/{lease}/choice", {"choice": "first", "strength": 1}).status_code == 410
    assert ann.next()["lease_id"] == lease
    vote_id = ann.vote(task).json()["vote_id"]
    assert bob.post(f"/api/votes/{vote_id}/undo").status_code == 404
    assert ann.get(f"/api/leases/{lease}").status_code == 410
    for path in (
        "/expert",
        "/lead",
        "/lead/pairs/p1",
        "/lead/people",
        "/lead/batches/seed",
        "/lead/events",
        "/lead/export/votes.csv",
        "/api/lead/summary",
    ):
        assert ann.get(path).status_code == 403, path
    assert ann.post("/api/next", {"queue": "expert"}).status_code == 403


def test_who_sees_votes_of_others_takes_no_part_in_the_blind_rounds(site: Site) -> None:
    site.here.fill("p1")
    for role in ("lead", "admin"):
        browser = site.browser(role, role)
        assert browser.post("/api/next", {"queue": "work"}).status_code == 403
        assert browser.get("/work").status_code == 403


def test_hints_stay_hidden_until_the_first_choice_and_a_change_is_recorded(site: Site) -> None:
    site.here.fill("p1", each={"p1": {"checks": CHECKS}})
    ann = site.browser("ann")
    task = ann.next()
    assert (task["has_hints"], task["hints"]) == (True, None)
    assert "adds up" not in json.dumps(ann.next())
    answer = ann.post(f"/api/leases/{task['lease_id']}/choice", {"choice": "second", "strength": 1})
    assert answer.json()["hints"] == CHECKS
    assert ann.next()["hints"] == CHECKS
    ann.vote(task, "first")
    [vote] = site.browser("lea", "lead").get("/lead/pairs/p1").json()["votes"]
    assert vote["changed_after_hint"] is True


def test_a_retest_and_a_check_look_like_any_pair(tmp_path: Path) -> None:
    site = make_site(tmp_path / "a.db", gold={"retest_share": 1.0})
    site.here.fill("p1")
    first = {name: site.browser(name).next() for name in ("ann", "bob", "cat")}
    for name, task in first.items():
        site.browser(name).vote(task, rationale="seen by nobody")
    again = site.browser("dan").next()
    assert (again["pair_id"], again["stage"]) == ("p1", "work")
    assert set(again) == set(first["ann"])
    assert "seen by nobody" not in json.dumps(again)
    assert (again["votes"], again["draft"], again["first_choice"]) == (None, None, None)
    site.here.room.close()


def test_drafts_are_kept_and_undo_gives_the_vote_back(site: Site) -> None:
    site.here.fill("p1")
    ann = site.browser("ann")
    task = ann.next()
    draft = {"choice": "second", "strength": 2, "confidence": 3, "rationale": "half", "reason": None, "seconds": 12.5}
    assert set(ann.put(f"/api/leases/{task['lease_id']}/draft", draft).json()) == {"saved_at", "expires_at"}
    assert site.browser("ann").next()["draft"] == draft
    vote = ann.vote(task, "second", rationale="whole").json()
    assert ann.get("/history").json()["votes"][0]["can_undo"] is True
    back = ann.post(f"/api/votes/{vote['vote_id']}/undo").json()["task"]
    assert (back["lease_id"], back["draft"]["rationale"]) == (task["lease_id"], "whole")
    assert ann.get("/history").json()["votes"][0]["state"] == "withdrawn"


def test_the_history_tells_a_choice_by_its_place_on_one_s_own_screen(site: Site) -> None:
    site.here.fill(*(f"p{n}" for n in range(8)))
    ann, chosen = site.browser("ann"), []
    for n in range(8):
        task = ann.next()
        side = task["replies"][n % 2]["side"] if n < 6 else "tie"
        ann.vote(task, side)
        chosen.insert(0, (side, n % 2 + 1 if n < 6 else None))
        site.here.clock.now += 1
    votes = ann.get("/history").json()["votes"]
    assert [(vote["choice"], vote["place"]) for vote in votes] == chosen
    assert {("first", 2), ("second", 1)} & set(chosen)  # the sides' own names would mislead


def test_a_double_submit_counts_once_and_a_late_vote_says_so(site: Site) -> None:
    site.here.fill("p1")
    ann = site.browser("ann")
    task = ann.next()
    body = {"vote_id": "v" * 20, "lease_id": task["lease_id"], "choice": "first", "strength": 1}
    assert [ann.post("/api/votes", body).json()["duplicate"] for _ in range(2)] == [False, True]
    assert ann.post("/api/votes", {**body, "vote_id": "w" * 20}).json()["error"]["code"] == "conflict"
    bob = site.browser("bob")
    late = bob.next()
    site.here.clock.now += 31 * 60
    assert bob.put(f"/api/leases/{late['lease_id']}/draft", {"choice": "first"}).status_code == 410
    assert bob.vote(late).json()["state"] == "late"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"choice": "left"}, "choice"),
        ({"choice": "discard"}, "a discard needs"),
        ({"strength": 0}, "strength"),
        ({"vote_id": "short"}, "vote_id"),
        ({"more": 1}, "more"),
        ({"rationale": "\x00" * 5, "choice": "discard", "reason": "because"}, "one of unreadable"),
    ],
)
def test_bad_votes_are_refused_by_name(site: Site, change: dict[str, Any], told: str) -> None:
    site.here.fill("p1")
    ann = site.browser("ann")
    answer = ann.vote(ann.next(), **change)
    assert answer.status_code == 422
    assert told in answer.json()["error"]["message"]


def test_nothing_is_written_without_the_sessions_value_or_from_another_site(site: Site) -> None:
    site.here.fill("p1")
    ann = site.browser("ann")
    task = ann.next()
    body = {"vote_id": "v" * 20, "lease_id": task["lease_id"], "choice": "first", "strength": 1}
    assert ann.client.post("/api/votes", json=body).json()["error"]["code"] == "csrf"
    assert ann.client.post("/api/votes", json=body, headers={"X-CSRF-Token": "guess"}).status_code == 403
    other_site = {"X-CSRF-Token": ann.csrf, "Sec-Fetch-Site": "cross-site"}
    assert ann.client.post("/api/votes", json=body, headers=other_site).status_code == 403
    assert ann.client.post("/sign-out", data={"csrf": "guess"}).status_code == 403
    assert site.visitor().post("/api/next", json={}).status_code == 401
    assert ann.vote(task).status_code == 200


def test_every_answer_carries_the_policy_and_large_bodies_are_refused(site: Site) -> None:
    ann = site.browser("ann")
    for answer in (
        ann.get("/work"),
        ann.get("/nowhere"),
        site.visitor().get("/api/health"),
        site.visitor().get("/static/none.css"),
    ):
        policy = answer.headers["content-security-policy"]
        assert "script-src 'self'" in policy
        assert "img-src 'self'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert ann.vote({"lease_id": "0" * 32}, rationale="x" * 2_000_000).status_code == 413


def test_a_database_that_is_down_is_said_so_and_nothing_is_lost(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.here.fill("p1")
    ann = site.browser("ann")
    task = ann.next()
    place = Path(str(site.here.room.database.url.database))
    site.here.room.database.close()
    hidden = place.with_suffix(".away")
    place.rename(hidden)
    place.mkdir()
    page, call = ann.get("/work"), ann.vote(task)
    assert (page.status_code, page.json()["template"], page.headers["retry-after"]) == (503, "unavailable.html", "5")
    assert (call.status_code, call.json()["error"]["code"]) == (503, "unavailable")
    place.rmdir()
    hidden.rename(place)
    assert ann.vote(task).status_code == 200


def test_why_there_is_no_pair(tmp_path: Path) -> None:
    site = make_site(tmp_path / "a.db", daily_limit=1)
    site.here.fill("p1")
    ann = site.browser("ann")
    ann.vote(ann.next())
    answer = ann.post("/api/next", {"queue": "work"}).json()
    assert (answer["task"], answer["why"], answer["standing"]["today"]) == (None, "daily-limit", 1)
    site.here.room.close()
