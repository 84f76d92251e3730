"""Hostile replies in a real browser: no script runs, nothing is fetched, nothing leaves its box, the page stays usable."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

from live_room import LiveRoom
from screen import prefer, wait_for_task
from voting_room import item

_SPEC = importlib.util.spec_from_file_location(
    "hostile_corpus", Path(__file__).parents[1] / "unit/annotate/rendering/test_hostile.py"
)
assert _SPEC is not None
assert _SPEC.loader is not None
_CORPUS = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_CORPUS)
HOSTILE: list[str] = [text.replace("alert(1)", "window.__ran=1") for text in _CORPUS.HOSTILE]


def test_no_script_runs_and_nothing_is_fetched(room: LiveRoom, person: Callable[..., Any]) -> None:
    context = [{"role": "user", "content": HOSTILE[0] + "\n\n" + HOSTILE[1]}]
    attributes = {
        "task": "<img src=x onerror=window.__ran=1>", "objectivity": "factual", "controversiality": "low", "desired": ["<script>window.__ran=1</script>"],
        "guideline": "<svg onload=window.__ran=1>",
    }  # fmt: skip
    room.fill(
        [
            item("p1")
            | {
                "first": "\n\n".join(HOSTILE),
                "second": "\n\n".join(reversed(HOSTILE)),
                "context": context,
                "attributes": attributes,
            }
        ]
    )
    page = person(room, "ann", "/work")  # the fixture fails on any request to elsewhere, any dialog and any breach of the policy
    wait_for_task(page)
    for key in ("t", "d", "f"):
        page.keyboard.press(key)
        page.wait_for_timeout(150)
    assert page.evaluate("window.__ran") is None
    assert (
        page.locator(".reply :is(script, img, svg, iframe, object, embed, form, input, style, link, meta, base, video)").count()
        == 0
    )
    assert page.locator(".reply a:not([href^=http]):not([href^=mailto])").count() == 0
    page.keyboard.press("1")
    with page.expect_response("**/api/votes"):
        page.keyboard.press("Enter")
    lead = person(room, "lee", "/lead/pairs/p1", role="admin")
    lead.locator(".replies").wait_for()
    assert lead.evaluate("window.__ran") is None


def test_immense_and_deep_replies_leave_the_page_usable(room: LiveRoom, person: Callable[..., Any]) -> None:
    deep = "$" + "{" * 1400 + "x" + "}" * 1400 + "$\n\n" + ">" * 3000 + " a p1"
    room.fill([item("p1") | {"first": deep, "second": "b p1 " + "x" * 200_000}, item("p2")])
    page = person(room, "ann", "/work")
    wait_for_task(page, "b p1")
    assert page.locator(".raw-note").count() == 2
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    prefer(page, "b p1")
    wait_for_task(page, "a p2")


def test_a_reply_cannot_leave_its_box_or_cover_the_buttons(room: LiveRoom, person: Callable[..., Any]) -> None:
    wide = (
        "$\\hspace{-500em} x \\hspace{500em} y$ " + "| a " * 60 + "|\n" + "|---" * 60 + "|\n" + "| 1 " * 60 + "|\n\n" + "W" * 3000
    )
    room.fill([item("p1") | {"first": "a p1\n\n" + wide}])
    page = person(room, "ann", "/work", viewport={"width": 420, "height": 900})
    wait_for_task(page, "a p1")
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    prefer(page, "a p1")
