"""What a person does on the voting screen, by keyboard."""

from __future__ import annotations

from typing import Any

PREFERS = {0: ("1", "2"), 1: ("5", "4")}
"""Keys for `much better` and `better` by the place of a reply on the screen."""


def wait_for_task(page: Any, text: str = "") -> None:
    page.locator("#answer").wait_for(state="visible")
    if text:
        page.locator("#replies", has_text=text).wait_for()
    page.wait_for_function("() => !document.getElementById('submit').disabled")


def key_for(page: Any, reply: str, *, much: bool = False) -> str:
    """The key that prefers the reply in which `reply` stands, wherever it stands on this person's screen."""
    texts = page.locator(".reply .formatted").all_inner_texts()
    place = next(at for at, text in enumerate(texts) if reply in text)
    return PREFERS[place][0 if much else 1]


def shown_task(page: Any) -> str:
    return str(page.locator("#turns").inner_text())


def prefer(page: Any, reply: str, *, much: bool = False) -> None:
    """Prefer a reply and go on to what comes next."""
    wait_for_task(page, reply)
    page.keyboard.press(key_for(page, reply, much=much))
    with page.expect_response("**/api/votes") as answer:
        page.keyboard.press("Enter")
    assert answer.value.ok


def axe(page: Any) -> list[str]:
    """Violations of WCAG 2.2 at levels A and AA that axe finds."""
    from axe_playwright_python.sync_playwright import Axe

    rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
    found = Axe().run(page, options=rules).response["violations"]
    return [f"{one['id']}: {node['html'][:160]} {node.get('failureSummary', '')[:200]}" for one in found for node in one["nodes"]]
