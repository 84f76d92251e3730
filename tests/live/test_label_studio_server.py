"""A real Label Studio server. Runs where GOLDSMITH_LABEL_STUDIO_URL and LABEL_STUDIO_TOKEN name one (docs/exchange.md tells how to start it)."""

import json
import os
import uuid
from pathlib import Path
from typing import Any

import pytest

from exchange_items import item, vote
from goldsmith.config import GoldsmithConfig
from goldsmith.errors import ProviderError
from goldsmith.gold.exchange import label_studio
from goldsmith.gold.exchange.item import Item, Suggestion
from goldsmith.gold.exchange.server import Server
from goldsmith.gold.exchange.sync import sync_votes
from goldsmith.gold.room import open_votes
from goldsmith.store import Workspace

URL = os.environ.get("GOLDSMITH_LABEL_STUDIO_URL", "")
pytestmark = pytest.mark.skipif(
    not URL or not os.environ.get("LABEL_STUDIO_TOKEN"),
    reason="GOLDSMITH_LABEL_STUDIO_URL and LABEL_STUDIO_TOKEN name no Label Studio server",
)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    title = f"goldsmith test {uuid.uuid4().hex[:8]}"
    made = Workspace(tmp_path, GoldsmithConfig.model_validate({"annotate": {"label_studio": {"title": title}}}))
    store = open_votes(made)
    texts = [
        one.pair
        for one in (item(f"question {number}", f"reply {number}  \n", f"<b>other</b> {number}") for number in range(3))
        if one.pair
    ]
    store.fill_queue("seed", [{"pair_id": p.pair_id, "context": p.messages, "first": p.first, "second": p.second} for p in texts])
    store.close()
    return made


def _annotate(server: Server, task: dict[str, Any], *results: dict[str, Any]) -> dict[str, Any]:
    body = {"result": list(results), "lead_time": 4.5, "was_cancelled": False}
    made = server._call("POST", f"/api/tasks/{task['id']}/annotations/", json=body)
    assert isinstance(made, dict)
    return made


def _selected(side: str) -> dict[str, Any]:
    return {"id": "r1", "from_name": "comparison", "to_name": "answer1", "type": "pairwise", "value": {"selected": side}}


def _verdict(what: str) -> dict[str, Any]:
    return {"id": "r2", "from_name": "verdict", "to_name": "prompt", "type": "choices", "value": {"choices": [what]}}


def test_pairs_go_there_and_votes_come_back_once(workspace: Workspace) -> None:
    first = sync_votes(workspace, URL)
    assert (first["created"], first["pushed"]) == (True, 3)
    with Server(URL, "LABEL_STUDIO_TOKEN") as server:
        tasks = server.tasks(first["project"])
        left = _annotate(server, tasks[0], _selected("left"))
        _annotate(server, tasks[1], _verdict("tie"))
        _annotate(server, tasks[2], _selected("right"), _verdict("tie"))
        found = sync_votes(workspace, URL)
        assert (found["pushed"], found["there"], found["votes"], found["new"]) == (0, 3, 2, 2)
        assert "contradicts itself" in found["unreadable_tasks"][0]
        store = open_votes(workspace)
        (given,) = store.votes_of([tasks[0]["data"]["pair_id"]])[tasks[0]["data"]["pair_id"]]
        store.close()
        assert (given.choice, given.seconds) == (tasks[0]["data"]["shown_order"][0], 4.5)
        again = sync_votes(workspace, URL)
        assert (again["new"], again["known"]) == (0, 2)
        server._call("PATCH", f"/api/annotations/{left['id']}/", json={"result": [_selected("right")]})
        changed = sync_votes(workspace, URL)
        assert (changed["new"], changed["conflicting"]) == (0, 1)


def test_a_personal_access_token_is_taken_too(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    with Server(URL, "LABEL_STUDIO_TOKEN") as server:
        try:
            made = server._call("POST", "/api/token/")
        except ProviderError:
            pytest.skip("the account has a personal access token already, and the server shows one only once")
    token = made.get("token") or made.get("refresh")
    assert token.count(".") == 2
    monkeypatch.setenv("LABEL_STUDIO_TOKEN", token)
    assert sync_votes(workspace, URL)["pushed"] == 3


def test_the_server_reads_our_export_and_we_read_its_export(tmp_path: Path) -> None:
    bare = item("Which?", "blue  \n", "<b>red</b>")
    said = (Suggestion(model="judges", choice="second", p_first=0.2), Suggestion(model="best-rm", choice="first", margin=1.5))
    votes = (
        vote(bare.pair_id, 1, tools=[{"tool": "search", "input": "q", "at": "now"}]),
        vote(bare.pair_id, 2, choice="tie", strength=0, rationale="two\nlines", round="retest"),
        vote(bare.pair_id, 3, choice="discard", strength=0, reason="a reason of our own", seconds=12.25),
    )
    known = [Item(pair_id=bare.pair_id, pair=bare.pair, votes=votes, suggestions=said), item("你好", "=1+1", "'x'")]
    path = tmp_path / "tasks.json"
    label_studio.write(known, path, 0)
    with Server(URL, "LABEL_STUDIO_TOKEN") as server:
        interface = label_studio.config_path(path).read_text()
        number = server._call(
            "POST", "/api/projects/", json={"title": f"file {uuid.uuid4().hex[:8]}", "label_config": interface}
        )["id"]
        server.push(number, json.loads(path.read_text()))
        exported = server.tasks(number)
        predictions = {
            p["model_version"]: p["score"] for p in server._call("GET", "/api/predictions/", params={"project": number})
        }
        assert list(server.models_heard(number).values()) == [{"judges", "best-rm"}]
    (tmp_path / "back.json").write_text(json.dumps(exported))
    found = label_studio.read(tmp_path / "back.json")
    assert (found.edited, found.dropped) == ([], {})
    back = {one.pair_id: one for one in found.items}
    for one in known:
        assert back[one.pair_id].pair == one.pair
        assert sorted(map(str, back[one.pair_id].votes)) == sorted(map(str, one.votes))
    # 1 / (1 + exp(-1.5)) = 0.8175744762
    assert predictions == {"judges": 0.8, "best-rm": pytest.approx(0.8175744762)}
