"""What all tools have in common: who may ask about which pair, what is written down, and that it reaches the vote and the expert."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import APIRouter, Request

from annotation_site import Site, make_site
from goldsmith.annotate.tools import catalogue
from goldsmith.annotate.tools.tool import Answer, Desk, Tool, ToolFailure
from goldsmith.annotate.tools.use import LeaseId, use
from goldsmith.gold.schema import EVENTS, TOOL_USES
from goldsmith.gold.tool_uses import uses_of_votes

ECHO = Tool(name="echo", key="Z", router=APIRouter(), settings=lambda rules: {} if rules.search.url else None)


@ECHO.router.post("/api/leases/{lease_id}/tools/echo")
async def echo(request: Request, lease_id: LeaseId, word: str) -> Any:
    def work(desk: Desk) -> Answer:
        if word == "fail":
            raise ToolFailure("timeout", "as asked", flag="slow")
        if word == "break":
            raise RuntimeError("a mistake of the tool")
        return Answer(shown={"first": desk.material.record[desk.lease.shown_first]}, told=f"{word}!")

    return await use(request, ECHO, lease_id, word, work)


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Site]:
    monkeypatch.setattr("goldsmith.annotate.app.TOOLS", (*catalogue.TOOLS, ECHO))

    def made(url: str = "http://127.0.0.1:9", **tools: Any) -> Site:
        site = make_site(tmp_path / "annotation.db", tools={"search": {"url": url}, **tools})
        site.here.fill("p1", "p2")
        return site

    return made


def _uses(site: Site) -> list[dict[str, Any]]:
    with site.here.room.database.read() as connection:
        return [dict(row) for row in connection.execute(sa.select(TOOL_USES).order_by(TOOL_USES.c.at)).mappings()]


def test_a_use_is_written_down_and_joined_to_the_vote(make: Callable[..., Site]) -> None:
    site = make()
    ann = site.browser("ann")
    task = ann.next()
    address = f"/api/leases/{task['lease_id']}/tools/echo"
    found = ann.post(f"{address}?word=hello").json()
    assert (found["answer"], found["failure"]) == ({"first": task["replies"][0]["html"][3:-4]}, None)
    site.here.clock.now += 5
    assert ann.post(f"{address}?word=fail").json()["failure"] == {"kind": "timeout", "detail": "as asked"}
    assert [(row["question"], row["answer"], row["failure"], row["flag"], row["vote_id"]) for row in _uses(site)] == [
        ("hello", "hello!", None, None, None),
        ("fail", "", "timeout", "slow", None),
    ]
    vote_id = ann.vote(task).json()["vote_id"]
    assert {row["vote_id"] for row in _uses(site)} == {vote_id}
    vote = next(iter(site.here.room.database.engine.connect().exec_driver_sql("SELECT record FROM votes").scalars()))
    assert '"tools":[{"tool":"echo","input":"hello","at":"2027-01-15T08:00:00.000Z"},{"tool":"echo","input":"fail"' in vote
    with site.here.room.database.read() as connection:
        assert [one["question"] for one in uses_of_votes(connection, [vote_id])[vote_id]] == ["hello", "fail"]
        kinds = connection.execute(sa.select(EVENTS.c.kind).where(EVENTS.c.subject == "p1")).scalars().all()
    assert kinds.count("tool.used") == 2


def test_an_answer_that_comes_after_the_vote_is_no_evidence_for_it(make: Callable[..., Site]) -> None:
    site = make()
    ann = site.browser("ann")
    task = ann.next()
    held = site.here.take("ann")
    assert held is not None
    ann.vote(task)
    from goldsmith.gold.tool_uses import Use, add_use

    add_use(site.here.room, held, Use(tool="echo", question="late", answer="too late"))
    assert [row["vote_id"] for row in _uses(site)] == [None]


def test_a_vote_taken_back_and_given_again_keeps_its_uses(make: Callable[..., Site]) -> None:
    site = make()
    ann = site.browser("ann")
    task = ann.next()
    ann.post(f"/api/leases/{task['lease_id']}/tools/echo?word=once")
    first = ann.vote(task).json()["vote_id"]
    ann.post(f"/api/votes/{first}/undo")
    second = ann.vote(task, "second").json()["vote_id"]
    assert [row["vote_id"] for row in _uses(site)] == [second]


def test_nobody_asks_about_a_pair_that_they_do_not_hold(make: Callable[..., Site]) -> None:
    site = make()
    ann, bob = site.browser("ann"), site.browser("bob")
    task = ann.next()
    address = f"/api/leases/{task['lease_id']}/tools/echo?word=hello"
    assert bob.post(address).status_code == 404
    assert site.visitor().post(address).status_code == 401
    assert ann.client.post(address).json()["error"]["code"] == "csrf"
    ann.vote(task)
    assert ann.post(address).status_code == 410
    assert _uses(site) == []


def test_a_tool_that_is_off_has_no_address_and_no_button(make: Callable[..., Site]) -> None:
    site = make(url="")
    ann = site.browser("ann")
    task = ann.next()
    answer = ann.post(f"/api/leases/{task['lease_id']}/tools/echo?word=hello")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not-found")
    assert ann.get("/work").json()["settings"]["tools"] == []
    assert [tool["name"] for tool in make().browser("ann2").get("/work").json()["settings"]["tools"]] == ["search"]


def test_a_tool_that_breaks_is_a_recorded_failure(make: Callable[..., Site]) -> None:
    site = make()
    ann = site.browser("ann")
    task = ann.next()
    found = ann.post(f"/api/leases/{task['lease_id']}/tools/echo?word=break").json()
    assert found["failure"]["kind"] == "bug"
    assert "mistake" not in str(found)
    assert [row["failure"] for row in _uses(site)] == ["bug"]


def test_questions_about_one_pair_are_counted(make: Callable[..., Site]) -> None:
    site = make(uses_per_pair=2)
    ann = site.browser("ann")
    task = ann.next()
    address = f"/api/leases/{task['lease_id']}/tools/echo?word=again"
    assert [ann.post(address).status_code for _ in range(3)] == [200, 200, 429]


def test_what_no_database_can_hold_is_stored_all_the_same(make: Callable[..., Site]) -> None:
    from goldsmith.gold.tool_uses import Use, add_use

    site = make()
    site.browser("ann").next()
    held = site.here.take("ann")
    assert held is not None
    add_use(site.here.room, held, Use(tool="echo", question="a\x00b\ud800", answer="c" * 5000))
    assert [(row["question"], len(row["answer"])) for row in _uses(site)] == [("a\ufffdb?", 2000)]


def test_every_tool_has_a_key_of_its_own_and_sentences_in_both_languages() -> None:
    from goldsmith.annotate.environment import messages

    taken = set("QWERSUCFTDJKX")
    keys = [tool.key for tool in catalogue.TOOLS]
    assert len(set(keys)) == len(keys)
    assert not set(keys) & taken
    for tool in catalogue.TOOLS:
        for lang in ("en", "zh"):
            assert {f"tool.{tool.name}", f"js.tool.{tool.name}"} <= messages(lang).keys()
