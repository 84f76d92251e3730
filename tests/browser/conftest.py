"""A real Chromium for the tests of what people see; without it they skip, and fail where CI says it must be there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from live_room import LiveRoom, live_room

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A browser for a file's tests, and no longer: Playwright's event loop runs as long, and no other test may start one beside it."""
    if not CHROMIUM.exists():
        reason = f"{CHROMIUM} is not there; install Debian's package chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def room(tmp_path: Path) -> Iterator[LiveRoom]:
    with live_room(tmp_path) as found:
        yield found


@pytest.fixture
def person(chromium: Any) -> Iterator[Callable[..., Any]]:
    """Opens a browser of its own for somebody; their pages may fetch from the room alone, and have no script error."""
    contexts: list[Any] = []
    trouble: list[str] = []

    def enter(room: LiveRoom, name: str | None = None, path: str = "/", role: str = "annotator", **options: Any) -> Any:
        context = chromium.new_context(**{"viewport": {"width": 1440, "height": 900}, **options})
        contexts.append(context)
        if name is not None:
            context.add_cookies([room.session(name, role)])
        context.set_default_timeout(15_000)
        context.on(
            "request", lambda request: None if request.url.startswith(room.url) else trouble.append(f"fetched {request.url}")
        )
        context.on("weberror", lambda error: trouble.append(f"script error: {error.error}"))
        context.on("console", lambda message: trouble.append(message.text) if "Content Security Policy" in message.text else None)
        context.on("dialog", lambda dialog: (trouble.append("a dialog opened"), dialog.dismiss()))
        page = context.new_page()
        page.goto(room.url + path)
        return page

    yield enter
    for context in contexts:
        context.close()
    assert trouble == []
