"""Takes the pictures of docs/annotating.md from the running application, with texts written for the purpose.

    python docs/annotation/take_screenshots.py

Needs Chromium at /usr/bin/chromium and, for the Chinese pages, a font with Chinese characters.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "tests" / "support"))

from PIL import Image  # noqa: E402
from playwright.sync_api import Browser, Page, sync_playwright  # noqa: E402

from live_room import LiveRoom, live_room  # noqa: E402
from screen import key_for, wait_for_task  # noqa: E402

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
    page = context.new_page()
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


def main() -> None:
    """Take every picture."""
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        for step in (_voting, _overview):
            (Path(folder) / step.__name__).mkdir()
            step(browser, Path(folder) / step.__name__)
        browser.close()
    for path in HERE.glob("*.png"):
        Image.open(path).convert("RGB").quantize(256, kmeans=2).save(path, optimize=True)


if __name__ == "__main__":
    main()
