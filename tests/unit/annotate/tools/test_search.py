"""Web search against a scripted server: what it finds is text, where it leads is checked, and nothing it does holds anybody up."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from annotation_site import make_site
from goldsmith.annotate.tools.search import results_of
from goldsmith.annotate.tools.tool import ToolFailure
from goldsmith.config import load_config
from goldsmith.errors import UserError
from goldsmith.gold.schema import TOOL_USES
from scripted_search import Said, results, search_server

GOOD = {"url": "https://en.wikipedia.org/wiki/Moon", "title": "Moon", "content": "The Moon orbits the Earth."}


def ask(folder: Path, said: Said, question: str = "moon", timeout_s: float = 5.0) -> tuple[Any, Any, list[str]]:
    with search_server(lambda _words: said) as (url, asked):
        site = make_site(folder / "annotation.db", tools={"search": {"url": url, "timeout_s": timeout_s}})
        site.here.fill("p1")
        ann = site.browser("ann")
        found = ann.post(f"/api/leases/{ann.next()['lease_id']}/tools/search", {"question": question}).json()
        with site.here.room.database.read() as connection:
            row = dict(connection.execute(sa.select(TOOL_USES)).mappings().one())
        site.here.room.close()
    return found, row, asked


def test_results_are_shown_and_recorded(tmp_path: Path) -> None:
    found, row, asked = ask(tmp_path, results(GOOD, GOOD | {"content": None}), "the moon & more")
    assert asked == ["/search?q=the+moon+%26+more&format=json"] or asked == ["/search?q=the%20moon%20%26%20more&format=json"]
    first = {"title": "Moon", "url": GOOD["url"], "host": "en.wikipedia.org", "text": "The Moon orbits the Earth."}
    assert found["answer"] == {"results": [first, first | {"text": ""}]}
    assert (row["question"], row["answer"].splitlines()[0], row["failure"]) == ("the moon & more", f"Moon <{GOOD['url']}>", None)


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)", "data:text/html,x", "ftp://host/x", "file:///etc/passwd", "//host/x", "/relative", "https://", "http://user:pw@host/",
        "https://host/\u202e", "https://host/a b", 'https://host/"onclick=', "https://host:99999/", "https://" + "a" * 3000, 7, None, ["https://host/"],
        "https://[half", "https://ho\nst/", "https://a..b/",
    ],
)  # fmt: skip
def test_only_addresses_that_lead_to_the_web_pass(url: Any) -> None:
    assert results_of({"results": [{"url": url, "title": "x"}, GOOD]}, 8) == results_of({"results": [GOOD]}, 8)


def test_a_foreign_name_is_shown_as_what_is_asked_for() -> None:
    [row] = results_of({"results": [{"url": "https://p\u0430ypal.com/", "title": "x"}]}, 8)  # a Cyrillic letter
    assert row["host"] == "xn--pypal-4ve.com"


def test_texts_lose_markup_tricks_and_length() -> None:
    tricks = {"title": "<b>A</b><script>alert(1)</script> &lt;i&gt;\u202eevil", "content": "x " * 5000}
    [row] = results_of({"results": [GOOD | tricks]}, 8)
    assert row["title"] == "A <i>[U+202E]evil"
    assert len(row["text"]) <= 502


def test_more_than_is_shown_and_what_is_no_result() -> None:
    assert len(results_of({"results": [GOOD] * 100}, 8)) == 8
    assert results_of({"results": ["x", None, 3, [], {}]}, 8) == []


@pytest.mark.parametrize("value", [None, [], "x", 3, {}, {"results": None}, {"results": {"a": 1}}])
def test_json_that_is_no_answer(value: Any) -> None:
    with pytest.raises(ToolFailure) as caught:
        results_of(value, 8)
    assert caught.value.kind == "bad-answer"


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (Said(b"<html>blocked</html>"), "bad-answer"),
        (Said(b""), "bad-answer"),
        (Said(b"[" * 200_000), "bad-answer"),
        (Said(b'{"results": [{"url": '), "bad-answer"),
        (Said(b"\xff\xfe\x00"), "bad-answer"),
        (Said(b"no", status=500), "refused"),
        (Said(b"forbidden", status=403), "refused"),
        (Said(b"", status=302, headers={"Location": "http://127.0.0.1:1/"}), "refused"),
        (Said(b"x" * 2**20, repeats=50), "too-large"),
        (Said(b"\x1f\x8b" + b"\x00" * 50, headers={"Content-Encoding": "gzip"}), "bad-answer"),
        (Said(json.dumps({"results": []}).encode(), delay_s=60.0), "timeout"),
        (Said(b" " * 10_000, drip_s=0.05), "timeout"),
        (Said(drips_head=True, drip_s=0.05), "timeout"),
    ],
)
def test_a_server_that_lies_hangs_or_floods_is_a_plain_failure(tmp_path: Path, said: Said, kind: str) -> None:
    found, row, _ = ask(tmp_path, said, timeout_s=1.0 if kind == "timeout" else 20.0)
    assert (found["answer"], found["failure"]["kind"], row["failure"]) == (None, kind, kind)


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    site = make_site(tmp_path / "a.db", tools={"search": {"url": "http://127.0.0.1:9"}})
    site.here.fill("p1")
    ann = site.browser("ann")
    found = ann.post(f"/api/leases/{ann.next()['lease_id']}/tools/search", {"question": "x"}).json()
    assert found["failure"]["kind"] == "unreachable"
    site.here.room.close()


def test_pages_do_not_wait_for_tools(tmp_path: Path) -> None:
    # Every thread of the tools hangs; a page is answered all the same, and so is the next question once they are free.
    free = threading.Event()

    def script(_words: str) -> Said:
        free.wait(60)
        return results(GOOD)

    with search_server(script) as (url, asked):
        site = make_site(tmp_path / "a.db", tools={"search": {"url": url, "timeout_s": 60}, "at_once": 2})
        site.here.fill("p1", "p2")
        ann = site.browser("ann")
        address = f"/api/leases/{ann.next()['lease_id']}/tools/search"
        answers: list[Any] = []
        people = [threading.Thread(target=lambda: answers.append(ann.post(address, {"question": "x"}).json())) for _ in range(3)]
        for one in people:
            one.start()
        assert site.browser("bob").get("/api/standing").status_code == 200
        assert len(asked) <= 2
        free.set()
        for one in people:
            one.join(30)
        assert [answer["failure"] for answer in answers] == [None] * 3
        site.here.room.close()


@pytest.mark.parametrize("url", ["localhost:8888", "ftp://host", "http://user:pw@host", "http://host/?q=1"])
def test_an_address_that_is_none_is_refused_by_the_configuration(url: str) -> None:
    with pytest.raises(UserError, match=r"annotate\.tools\.search\.url"):
        load_config(overrides=[f"annotate.tools.search.url='{url}'"])


def test_an_unknown_key_of_the_tool_box_is_an_error() -> None:
    with pytest.raises(UserError, match="sreach"):
        load_config(overrides=["annotate.tools.sreach.url='http://host'"])
