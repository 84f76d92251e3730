"""Running code from the screen, in a real browser and a real sandbox: one key, tests of the prompt, output that stays text."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from live_room import LiveRoom, live_room
from sandboxed import require_sandbox
from screen import axe, prefer, wait_for_task
from voting_room import item

FIRST = "Here it is:\n\n```python\ndef add(a, b):\n    return a + b\n```\n\nIt adds."
SECOND = "So:\n\n```python\ndef add(a, b):\n    return a - b\n```\n"
PAIR = {
    "pair_id": "add",
    "context": [{"role": "user", "content": "Write `add`. It must pass:\n\nassert add(2, 2) == 4\nassert add(1, 2) == 3"}],
    "first": FIRST,
    "second": SECOND,
}
HOSTILE = "print('<img src=x onerror=\"document.title=1\"><script>document.title = 2</script>\\x1b[2J')"


expect.set_options(timeout=60_000)


@pytest.fixture
def code_room(tmp_path: Path) -> Iterator[LiveRoom]:
    require_sandbox()
    if shutil.which("node") is None and os.environ.get("CI") == "true":
        pytest.fail("Node.js is not installed (apt-get install nodejs)")
    with live_room(tmp_path, tools={"code": {"on": True}}) as room:
        room.fill([PAIR, item("p1")])
        yield room


def _code(page: Any) -> Any:
    return page.locator("#tool-code textarea.code").first


def _tests(page: Any) -> Any:
    return page.locator("#tool-code details textarea")


def _run(page: Any) -> Any:
    number = page.locator(".ran").count()
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator(".ran")).to_have_count(number + 1)
    return page.locator(".ran").first


def test_one_key_takes_a_reply_s_code_and_its_prompt_s_tests(code_room: LiveRoom, person: Callable[..., Any]) -> None:
    page = person(code_room, "ann", "/work")
    wait_for_task(page, "It adds")
    page.locator(".reply pre", has_text="a - b").focus()
    page.keyboard.press("p")
    expect(_code(page)).to_have_value("def add(a, b):\n    return a - b")
    assert _tests(page).input_value() == "assert add(2, 2) == 4\nassert add(1, 2) == 3"

    wrong = _run(page)
    assert "exit code 1 · tests failed" in wrong.inner_text()
    assert "AssertionError" in wrong.inner_text()
    assert axe(page) == []

    _code(page).fill("def add(a, b):\n    return b + a")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".ran")).to_have_count(2)
    assert "exit code 0 · tests passed" in page.locator(".ran").first.inner_text()

    page.locator("#title").focus()
    prefer(page, "It adds")
    wait_for_task(page, "a p1")
    expect(page.locator(".ran")).to_have_count(0)
    vote = code_room.votes("add")[0]
    assert [use.tool for use in vote.tools] == ["code", "code"]


def test_output_is_text(code_room: LiveRoom, person: Callable[..., Any]) -> None:
    page = person(code_room, "ann", "/work")
    wait_for_task(page, "It adds")
    page.keyboard.press("p")
    expect(_code(page)).not_to_have_value("")
    title = page.title()
    _code(page).fill(HOSTILE)
    _tests(page).fill("")

    shown = _run(page)

    assert "<script>document.title = 2</script>␛[2J" in shown.locator("pre").first.inner_text()
    assert page.locator(".ran img, .ran script").count() == 0
    assert page.title() == title


def test_the_panel_is_usable_in_chinese_in_the_dark_and_on_a_phone(code_room: LiveRoom, person: Callable[..., Any]) -> None:
    phone = {"color_scheme": "dark", "viewport": {"width": 420, "height": 900}, "locale": "zh-CN"}
    page = person(code_room, "ann", "/work", **phone)
    wait_for_task(page, "It adds")
    page.keyboard.press("p")
    expect(_code(page)).not_to_have_value("")
    page.keyboard.press("Control+Enter")
    page.locator(".ran").wait_for(timeout=60_000)
    assert axe(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_javascript_runs_too(code_room: LiveRoom, person: Callable[..., Any]) -> None:
    if shutil.which("node") is None:
        pytest.skip("Node.js is not installed")
    page = person(code_room, "ann", "/work")
    wait_for_task(page, "It adds")
    page.keyboard.press("p")
    expect(_code(page)).not_to_have_value("")
    _code(page).fill("console.log([1, 2].map((x) => 2 * x));")
    _tests(page).fill("")
    page.get_by_label("Language").select_option("javascript")

    assert "[ 2, 4 ]" in _run(page).inner_text()
