"""Every page in both languages and widths: axe finds no violation of WCAG at levels A and AA."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from live_room import LiveRoom
from screen import axe, prefer, wait_for_task
from voting_room import item

REPLY = "# Title\n\nSome `code`, $x^2$ and [a link](https://a.example).\n\n```python\ndef f(x):  # comment\n    return 'text' + 1\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n- a p1"
ATTRIBUTES = {
    "task": "math/proof", "objectivity": "factual", "controversiality": "low", "desired": ["accuracy", "clarity"], "guideline": "A proof is asked for.",
}  # fmt: skip
CHECKS = {
    "first": [{"model": "judge", "outcome": "correct", "reason": "Fine."}],
    "second": [{"model": "judge", "outcome": "incorrect", "reason": "Wrong."}],
}


def test_the_pages_of_visitors_and_annotators(room: LiveRoom, person: Callable[..., Any]) -> None:
    room.fill([item("p1") | {"first": REPLY, "attributes": ATTRIBUTES, "checks": CHECKS}, item("p2")])
    found: dict[str, list[str]] = {}
    visitor = person(room, path="/sign-in")
    found["sign-in"] = axe(visitor)
    visitor.fill("#email", "x@example.org")
    visitor.fill("#password", "wrong wrong wrong")
    visitor.keyboard.press("Enter")
    visitor.locator("#error").wait_for()
    found["sign-in refused"] = axe(visitor)
    visitor.goto(room.invitation("new@example.org", "annotator"))
    found["invitation"] = axe(visitor)
    page = person(room, "ann", "/work")
    wait_for_task(page, "a p1")
    page.keyboard.press("1")
    page.get_by_text("Fine.").wait_for()
    found["work"] = axe(page)
    page.keyboard.press("?")
    found["keys"] = axe(page)
    page.keyboard.press("Escape")
    page.keyboard.press("d")
    page.locator(".difference").first.wait_for()
    found["difference"] = axe(page)
    page.keyboard.press("x")
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    found["discard"] = axe(page)
    page.keyboard.press("Escape")
    page.keyboard.press("f")
    prefer(page, "a p1")
    prefer(page, "a p2")
    page.locator("#nothing").wait_for(state="visible")
    found["nothing to do"] = axe(page)
    for path in ("/history", "/me", "/lead", "/no-such-page"):
        page.goto(room.url + path)
        found[path] = axe(page)
    assert {name: some for name, some in found.items() if some} == {}


def test_the_pages_of_experts_and_leads(room: LiveRoom, person: Callable[..., Any]) -> None:
    room.here.add("ann", "bob", "cat")
    room.fill([item("p1") | {"first": REPLY, "attributes": ATTRIBUTES}, item("p2")])
    for name, choice in (("ann", "first"), ("bob", "second"), ("cat", "discard")):
        room.here.work(name, choice)
        room.here.work(name, "first")
    found: dict[str, list[str]] = {}
    expert = person(room, "eve", "/expert", role="expert")
    wait_for_task(expert, "a p1")
    found["expert"] = axe(expert)
    lead = person(room, "lee", "/lead", role="admin", color_scheme="dark")
    for path in ("/lead", "/lead/batches/seed", "/lead/pairs/p1", "/lead/people", "/lead/events"):
        lead.goto(room.url + path)
        lead.locator("h1").wait_for()
        found[path] = axe(lead)
    lead.goto(f"{room.url}/lead/people")
    lead.locator("summary").first.click()
    found["one person"] = axe(lead)
    broken = lead.evaluate(
        "Array.from(document.images).filter(image => image.complete && !image.naturalWidth).map(image => image.src)"
    )
    assert broken == []
    assert {name: some for name, some in found.items() if some} == {}


def test_the_same_in_chinese_in_the_dark_and_on_a_phone(room: LiveRoom, person: Callable[..., Any]) -> None:
    phone = {"color_scheme": "dark", "viewport": {"width": 420, "height": 900}, "locale": "zh-CN"}
    room.here.add("ann", "bob", "cat")
    room.fill([item("p1") | {"first": REPLY, "attributes": ATTRIBUTES, "checks": CHECKS}, item("p2")])
    for name, choice in (("ann", "first"), ("bob", "second"), ("cat", "discard")):
        room.here.work(name, choice)
        room.here.work(name, "first")
    places = [
        ("ann", "annotator", "/history"),
        ("ann", "annotator", "/me"),
        ("dan", "annotator", "/work"),
        ("eve", "expert", "/expert"),
    ]
    places += [("lee", "admin", f"/lead{page}") for page in ("", "/batches/seed", "/pairs/p1", "/people", "/events")]
    found = {}
    for name, role, path in places:
        page = person(room, name, path, role=role, **phone)
        page.locator("h1").wait_for()
        found[path] = axe(page)
        assert page.evaluate("document.documentElement.lang") == "zh-CN"
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), path
    assert {name: some for name, some in found.items() if some} == {}
