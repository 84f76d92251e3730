"""Takes the pictures of docs/annotating.md from the running application, with texts written for the purpose.

    python docs/annotation/take_screenshots.py

Needs Chromium at /usr/bin/chromium and, for the Chinese pages, a font with Chinese characters.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "tests" / "support"))

from PIL import Image  # noqa: E402
from playwright.sync_api import Browser, Page, sync_playwright  # noqa: E402

from goldsmith.annotate.documents import DocumentIndex  # noqa: E402
from goldsmith.gold.schema import CHECK_ITEMS  # noqa: E402
from goldsmith.gold.tool_uses import Use, add_use  # noqa: E402
from goldsmith.identity import canonical_json  # noqa: E402
from goldsmith.llm.mock import Reply, ScriptedServer  # noqa: E402
from live_room import LiveRoom, live_room  # noqa: E402
from screen import key_for, wait_for_task  # noqa: E402
from scripted_search import results, search_server  # noqa: E402

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESKTOP, PHONE = {"width": 1440, "height": 900}, {"width": 420, "height": 900}
PROOF = r"""The sum of the first $n$ odd numbers is $n^2$. **Proof by induction.**

1. For $n = 1$ the sum is $1 = 1^2$.
2. Suppose $\sum_{k=1}^{n} (2k-1) = n^2$ for some $n$. Then

\[
\sum_{k=1}^{n+1} (2k-1) = n^2 + (2n+1) = (n+1)^2 .
\]

So the claim holds for every $n \ge 1$. $\blacksquare$

| $n$ | sum | $n^2$ |
|---:|:---|---:|
| 3 | 1 + 3 + 5 | 9 |
| 4 | 1 + 3 + 5 + 7 | 16 |
"""
PROGRAM = """You can check it with a short program:

```python
def odd_sum(n: int) -> int:
    # add the first n odd numbers
    return sum(2 * k - 1 for k in range(1, n + 1))

assert all(odd_sum(n) == n**2 for n in range(1000))
```

The assertion passes for the first thousand values, so the statement is true for all of them.
"""
CHECKS = {
    "first": [{"model": "judge-8b", "outcome": "correct", "reason": "Each step of the induction is sound."}],
    "second": [{"model": "judge-8b", "outcome": "incorrect", "reason": "A thousand examples prove nothing about every n."}],
}


def _pair(name: str, request: str, first: str, second: str, task: str, guideline: str, **more: Any) -> dict[str, Any]:
    attributes = {
        "task": task,
        "objectivity": "factual",
        "controversiality": "low",
        "desired": ["accuracy", "completeness", "clarity"],
        "guideline": guideline,
    }
    return {
        "pair_id": name,
        "context": [{"role": "user", "content": request}],
        "first": first,
        "second": second,
        "attributes": attributes,
        **more,
    }


PROVE = _pair(
    "prove", "Prove that the sum of the first $n$ odd numbers is a perfect square.", PROOF, PROGRAM, "math/proof",
    "A proof for every n is asked for. Examples or a test run are no proof, however many they are.", checks=CHECKS,
)  # fmt: skip


def _others() -> list[dict[str, Any]]:
    tasks = ("math/algebra", "coding/generation", "writing/story", "qa/fact", "math/geometry")
    return [
        _pair(
            f"pair{at}",
            f"Question {at} of the demonstration?",
            f"First answer to {at}.",
            f"Second answer to {at}.",
            tasks[at % 5],
            "Both are short.",
        )
        for at in range(36)
    ]


def _work(room: LiveRoom) -> None:
    """Three people vote on everything but what the pictures need; a few do not agree."""
    for at in range(37):
        for name in ("Ann", "Bo", "Cleo"):
            lease = room.here.take(name)
            if lease is None:
                continue
            place = int(lease.pair_id.removeprefix("pair")) if lease.pair_id.startswith("pair") else 0
            choice = "second" if place % 2 or (name == "Cleo" and place in (8, 16)) else "first"
            choice = "tie" if name == "Bo" and lease.pair_id == "prove" else choice
            said = (
                {"Ann": "Only this one is a proof.", "Bo": "Both convince me.", "Cleo": "It can be run."}[name]
                if lease.pair_id == "prove"
                else ""
            )
            choice = "second" if name == "Cleo" and lease.pair_id == "prove" else choice
            room.here.vote(
                name,
                lease,
                choice,
                strength=2 if name == "Ann" and choice == "first" else (0 if choice == "tie" else 1),
                rationale=said,
                seconds=20.0 + (7 * at) % 40,
            )
            room.here.clock.now += 600 + 900 * (at % 5)


def _open(browser: Browser, room: LiveRoom, name: str, path: str, role: str, size: dict[str, int], lang: str) -> Page:
    context = browser.new_context(viewport=size, locale="zh-CN" if lang == "zh" else "en-GB", timezone_id="UTC")
    if name:
        context.add_cookies([room.session(name, role)])  # type: ignore[list-item]
    context.set_default_timeout(180_000)
    page = context.new_page()
    page.set_default_navigation_timeout(120_000)
    page.goto(room.url + path)
    return page


def _voting(browser: Browser, folder: Path) -> None:
    with live_room(folder) as room:
        room.fill([PROVE])
        for lang in ("en", "zh"):
            for name, size in (("desktop", DESKTOP), ("phone", PHONE)):
                page = _open(browser, room, "Ann", "/work", "annotator", size, lang)
                wait_for_task(page, "Proof by induction")
                page.wait_for_timeout(400)
                page.screenshot(path=HERE / f"work-{name}-{lang}.png")
                if (name, lang) == ("desktop", "en"):
                    page.keyboard.press(key_for(page, "Proof by induction", much=True))
                    page.get_by_text("Each step").wait_for()
                    page.screenshot(path=HERE / "work-hints-en.png")
                    page.keyboard.press("?")
                    page.screenshot(path=HERE / "keys-en.png")
                page.context.close()
        page = _open(browser, room, "", "/sign-in", "", DESKTOP, "en")
        page.screenshot(path=HERE / "sign-in-en.png")


def _overview(browser: Browser, folder: Path) -> None:
    with live_room(folder, gold={"retest_share": 0.3}) as room:
        room.here.clock.now -= 9 * 86_400
        room.here.add("Ann", "Bo", "Cleo", hourly_cost=20.0)
        room.fill([PROVE, *_others()])
        _work(room)
        room.here.clock.now += 86_400
        for lang in ("en", "zh"):
            for name, size in (("desktop", DESKTOP), ("phone", PHONE)):
                for what, path, role in (
                    ("lead", "/lead", "lead"),
                    ("batch", "/lead/batches/seed", "lead"),
                    ("people", "/lead/people", "lead"),
                    ("expert", "/expert", "expert"),
                ):
                    if (lang == "zh" and (what, name) not in (("lead", "desktop"), ("expert", "phone"))) or (
                        lang == "en" and name == "phone" and what == "people"
                    ):
                        continue
                    page = _open(browser, room, {"lead": "Lee", "expert": "Eve"}[role], path, role, size, lang)
                    wait_for_task(page) if what == "expert" else page.locator("h1").wait_for()
                    page.wait_for_load_state("networkidle")
                    page.screenshot(path=HERE / f"{what}-{name}-{lang}.png", full_page=what != "expert")
                    page.context.close()


ADD = """`mean` divides by the number of values:

```python
def mean(values):
    return sum(values) / len(values)
```
"""
ADD_SAFELY = """An empty list has no mean, so it is refused:

```python
def mean(values):
    if not values:
        raise ValueError("no values")
    return sum(values) / len(values) - 1
```
"""


def _code(browser: Browser, folder: Path) -> None:
    request = "Write a function `mean`. It has to pass:\n\nassert mean([1, 2, 3]) == 2\nassert mean([5]) == 5"
    pair = _pair("mean", request, ADD, ADD_SAFELY, "coding/generation", "The tests decide; then what happens to an empty list.")
    with live_room(folder, tools={"code": {"on": True}}) as room:
        room.fill([pair])
        page = _open(browser, room, "Ann", "/work", "annotator", DESKTOP, "en")
        wait_for_task(page, "divides by")
        page.locator(".reply pre", has_text="no values").focus()
        page.keyboard.press("p")
        page.locator("#tool-code option", has_text="def mean").first.wait_for(state="attached")
        page.get_by_role("button", name="Run", exact=True).click()
        page.locator(".ran").wait_for(timeout=60_000)
        page.wait_for_timeout(400)
        page.screenshot(path=HERE / "code-en.png")


FOUND = [
    {
        "url": "https://encyclopedia.example/square-numbers",
        "title": "Square numbers",
        "content": "The n-th square is the sum of the first n odd numbers: each odd number is a border around the square before it.",
    },
    {
        "url": "https://school.example/induction/odd-sums",
        "title": "Induction, worked: sums of odd numbers",
        "content": "Base case, hypothesis and step for 1 + 3 + 5 + ... + (2n - 1), with the usual mistakes.",
    },
]
SAID = r"""The step is sound. From $n^2$ to $(n+1)^2$ the sum grows by the next odd number:

$$n^2 + (2n+1) = (n+1)^2$$

The hypothesis is used once, for $n$, and the base case $1 = 1^2$ holds."""
PASSAGES = {
    "guideline-proofs.md": (
        "How we judge proofs",
        "A proof by induction needs its base case, its hypothesis and its step. Examples or a test run support a claim; they do not prove it for every n.",
    ),
    "glossary.md": (
        "Glossary",
        "Induction: the claim for n gives the claim for n + 1. A reply that only computes odd numbers gives evidence, no proof.",
    ),
}


def _tools(browser: Browser, folder: Path) -> None:
    with DocumentIndex(folder / "documents.db", make=True) as index:
        for name, (title, text) in PASSAGES.items():
            index.put(f"/handbook/{name}", title, name, [text], 0.0)
    with (
        search_server(lambda _words: results(*FOUND)) as (url, _),
        ScriptedServer(lambda _body, _number: Reply(text=SAID)) as server,
    ):
        specialist = {"name": "math-70b", "about": "mathematics", "base_url": server.base_url}
        tools = {"search": {"url": url}, "documents": {"on": True}, "specialists": {"endpoints": [specialist]}}
        with live_room(folder, tools=tools) as room:
            room.fill([PROVE])
            for lang, size, form in (("en", DESKTOP, "en"), ("zh", DESKTOP, "zh"), ("en", PHONE, "phone-en")):
                page = _open(browser, room, "Ann", "/work", "annotator", size, lang)
                wait_for_task(page, "Proof by induction")
                _ask(
                    page,
                    "a",
                    "#tool-specialists textarea",
                    "Is the induction step right?",
                    ".machine",
                    f"tools-specialist-{form}.png",
                )
                if form == "en":
                    _ask(page, "g", "#tool-search input", "sum of odd numbers", ".found a", "tools-search-en.png")
                    _ask(
                        page, "l", "#tool-documents input", "proof by induction", "#tool-documents mark", "tools-documents-en.png"
                    )
                page.context.close()


def _ask(page: Page, key: str, field: str, words: str, found: str, name: str) -> None:
    page.keyboard.press(key)
    page.locator(field).fill(words)
    page.keyboard.press("Control+Enter" if "textarea" in field else "Enter")
    page.locator(found).first.wait_for()
    page.keyboard.press("Escape")
    page.wait_for_timeout(300)
    page.screenshot(path=HERE / name)


def _worth(browser: Browser, folder: Path) -> None:
    """The lead's table, over checks that three people answered, every other one with a tool."""
    with live_room(folder, check_rate=0.5, tools={"search": {"url": "http://127.0.0.1:9"}}) as room:
        room.here.add("Ann", "Bo", "Cleo")
        with room.here.room.database.write() as connection:
            for at in range(24):
                pair = _pair(
                    f"check{at}", f"Question {at}?", f"Right {at}.", f"Wrong {at}.", ("math/algebra", "qa/fact")[at % 2], ""
                )
                known = {
                    "use": "check",
                    "label": "first",
                    "rationale": "",
                    "draw": at / 24,
                    "attributes": canonical_json(pair["attributes"]),
                }
                connection.execute(CHECK_ITEMS.insert().values(pair_id=pair["pair_id"], record=canonical_json(pair), **known))
        room.fill(_others())
        for at in range(50):
            for name in ("Ann", "Bo", "Cleo"):
                lease = room.here.take(name)
                if lease is None:
                    continue
                with_tool = at % 2 == 0
                for tool in ("search", "specialists")[: 1 + (at % 4 == 0)] if with_tool else ():
                    add_use(room.here.room, lease, Use(tool=tool, question="q", answer="a", seconds=1.4))
                is_wrong = lease.round == "check" and at % (9 if with_tool else 4) == 1
                room.here.vote(name, lease, "second" if is_wrong else "first", seconds=64.0 if with_tool else 41.0)
        page = _open(browser, room, "Lee", "/lead", "lead", DESKTOP, "en")
        page.locator("section[aria-labelledby=tools]").screenshot(path=HERE / "tools-worth-en.png")
        page.context.close()


def main() -> None:
    """Take every picture, or those of the steps that are named."""
    steps = [
        step
        for step in (_voting, _overview, _tools, _worth, _code)
        if not sys.argv[1:] or step.__name__.removeprefix("_") in sys.argv[1:]
    ]
    began = time.time()
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        for step in steps:
            (Path(folder) / step.__name__).mkdir()
            step(browser, Path(folder) / step.__name__)
        browser.close()
    for path in [path for path in HERE.glob("*.png") if path.stat().st_mtime >= began]:
        Image.open(path).convert("RGB").quantize(256, kmeans=2).save(path, optimize=True)


if __name__ == "__main__":
    main()
