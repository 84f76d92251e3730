"""Running code from the annotation screen: which code, whose pair, what is shown and what is written down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from annotation_site import Site, make_site
from goldsmith.annotate.tools import code as tool
from goldsmith.gold.schema import TOOL_USES
from goldsmith.gold.votes import VoteStore
from goldsmith.sandbox import CodeResult, SandboxReport
from goldsmith.sandbox.check import SandboxOff
from goldsmith.sandbox.result import Stream
from goldsmith.sandbox.turns import SandboxBusy

FIRST = "Add them:\n\n```python\ndef add(a, b):\n    return a + b\n```\n"
SECOND = "In JavaScript:\n\n```js\nconst add = (a, b) => a - b;\n```\n\nor\n\n```ruby\na + b\n```\n"
HERE = SandboxReport(
    works=True, why_not=None, uid=65534, is_dropped=True, has_group=False, languages={"python": "/usr/bin/python3 (3.11)", "javascript": "no program"}, protections={}
)  # fmt: skip


def _result(**changes: Any) -> CodeResult:
    fields: dict[str, Any] = {
        "language": "python", "ended": "exit", "exit_code": 0, "signal": None, "stdout": Stream(text="<b>3</b>\n", num_bytes=9, is_cut=False),
        "stderr": Stream(text="", num_bytes=0, is_cut=False), "seconds": 0.12, "cpu_seconds": 0.1, "peak_bytes": 9 << 20, "tests": "passed",
    }  # fmt: skip
    return CodeResult(**{**fields, **changes})


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setattr(tool, "known_report", lambda _config: HERE)
    made = make_site(tmp_path / "annotation.db", tools={"code": {"on": True}})
    item = {
        "pair_id": "p1",
        "context": [{"role": "user", "content": "Add two numbers.\nassert add(1, 2) == 3"}],
        "first": FIRST,
        "second": SECOND,
    }
    VoteStore(made.here.room.database).fill_queue("seed", [item], wanted=3)
    return made


def _task(site: Site) -> tuple[Any, str]:
    ann = site.browser("ann")
    return ann, f"/api/leases/{ann.next()['lease_id']}/tools/code"


def test_the_blocks_of_both_replies_are_offered_with_the_tests_of_the_prompt(site: Site) -> None:
    ann, address = _task(site)

    answer = ann.post(f"{address}/blocks").json()["answer"]

    found = {(block["language"], block["code"]) for block in answer["blocks"]}
    assert found == {
        ("python", "def add(a, b):\n    return a + b"),
        ("javascript", "const add = (a, b) => a - b;"),
        ("ruby", "a + b"),
    }
    assert answer["tests"] == {"language": "python", "code": "assert add(1, 2) == 3"}
    with site.here.room.database.read() as connection:
        assert connection.execute(sa.select(TOOL_USES)).all() == []


def test_a_run_is_shown_and_written_down_with_whose_code_it_was(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[Any] = []
    monkeypatch.setattr(tool, "run_code", lambda *told, config: ran.append((*told, config)) or _result())
    ann, address = _task(site)

    body = {"language": "python", "code": "def add(a, b):\n    return a + b", "tests": "assert add(1, 2) == 3"}
    answer = ann.post(address, body).json()["answer"]
    ann.post(address, {"language": "python", "code": "print(3)", "tests": " "})

    assert [row[:3] for row in ran] == [("python", body["code"], body["tests"]), ("python", "print(3)", None)]
    assert (answer["ended"], answer["exit_code"], answer["tests"], answer["megabytes"]) == ("exit", 0, "passed", 9.0)
    assert answer["stdout"] == {"text": "<b>3</b>\n", "num_bytes": 9, "is_cut": False}
    with site.here.room.database.read() as connection:
        uses = connection.execute(sa.select(TOOL_USES).order_by(TOOL_USES.c.at)).mappings().all()
    assert sorted(row["answer"].split(":")[0] for row in uses) == ["code changed or own", "code of first"]
    assert all("tests passed" in row["answer"] for row in uses)


@pytest.mark.parametrize(
    ("error", "kind"), [(SandboxBusy("2 programs run already"), "busy"), (SandboxOff("bubblewrap is not installed"), "sandbox")]
)
def test_what_cannot_be_run_is_a_failure_with_its_reason(
    site: Site, monkeypatch: pytest.MonkeyPatch, error: Exception, kind: str
) -> None:
    def refuse(*_told: Any, **_more: Any) -> CodeResult:
        raise error

    monkeypatch.setattr(tool, "run_code", refuse)
    ann, address = _task(site)

    assert ann.post(address, {"language": "python", "code": "1"}).json()["failure"] == {"kind": kind, "detail": str(error)}


def test_somebody_elses_pair_is_out_of_reach(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool, "run_code", lambda *_told, **_more: pytest.fail("it ran"))
    _, address = _task(site)
    bo = site.browser("bo")

    assert bo.post(address, {"language": "python", "code": "1"}).status_code in (403, 404)
    assert bo.post(f"{address}/blocks").status_code in (403, 404)
    assert site.visitor().post(address, json={"language": "python", "code": "1"}).status_code in (401, 403)


@pytest.mark.parametrize(
    "body", [{"language": "sh", "code": "ls"}, {"language": "python", "code": ""}, {"language": "python", "code": "x" * 60_001}]
)
def test_wrong_requests_are_refused(site: Site, body: dict[str, str]) -> None:
    ann, address = _task(site)

    assert ann.post(address, body).status_code == 422


def test_the_tool_is_off_until_it_is_configured_and_where_there_is_no_sandbox(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = HERE.model_copy(update={"works": False, "why_not": "bubblewrap is not installed"})
    monkeypatch.setattr(tool, "known_report", lambda _config: without)
    for number, tools in enumerate([{}, {"code": {"on": True}}]):
        site = make_site(tmp_path / f"{number}.db", tools=tools)
        site.here.fill("p1")
        ann, address = _task(site)
        assert ann.post(address, {"language": "python", "code": "1"}).status_code == 404


def test_only_languages_that_run_here_are_offered(site: Site) -> None:
    assert tool._settings(site.here.room.rules.tools) == {"languages": ["python"], "seconds": 20.0, "megabytes": 512}
