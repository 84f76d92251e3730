"""How long a program takes to start in the sandbox, and what twenty at once do to the pages of the annotation room.

    python benchmarks/sandbox.py --check

Start-up: from the call of `run_code` to its result, of a program that prints one word. Pages: p95 of the time to get the next pair over HTTP from one room,
alone and while twenty people run programs that compute for as long as they may, in alternating rounds. Ends with 1 when a bound is missed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

import httpx

from goldsmith.config.sandbox import SandboxConfig
from goldsmith.sandbox import check_sandbox, run_code
from live_room import LiveRoom, live_room
from voting_room import item

MOST_START_MS = 150.0
MOST_RATIO = 2.0
RUNNERS = 20
BUSY = "import time\nwhile time.process_time() < {seconds}: sum(range(1000))\nprint('done')"


def start_ms(language: str, program: str, runs: int) -> tuple[list[float], list[float]]:
    """Milliseconds of each run, in the sandbox and without one, in turn, after one that warms up."""
    source = {"python": "print('x')", "javascript": "console.log('x')"}[language]
    bare = [program, *{"python": ["-I", "-c"], "javascript": ["-e"]}[language], source]
    run_code(language, source)
    found, without = [], []
    for _ in range(runs):
        began_s = time.perf_counter()
        subprocess.run(bare, check=True, capture_output=True)
        without.append(1000 * (time.perf_counter() - began_s))
        began_s = time.perf_counter()
        result = run_code(language, source)
        found.append(1000 * (time.perf_counter() - began_s))
        assert result.stdout.text == "x\n", result
    return found, without


class _Person:
    """Somebody signed in to the room over HTTP."""

    def __init__(self, room: LiveRoom, name: str) -> None:
        self._client = httpx.Client(base_url=room.url, timeout=180)
        self._client.cookies.set("goldsmith_session", room.session(name)["value"])
        page = self._client.get("/work").text
        self._csrf = page.split('data-csrf="', 1)[1].split('"', 1)[0]

    def post(self, path: str, body: dict[str, object]) -> dict[str, object]:
        reply = self._client.post(path, json=body, headers={"X-CSRF-Token": self._csrf})
        reply.raise_for_status()
        return dict(json.loads(reply.content))


def pages(room: LiveRoom, rounds: int, shown: int, seconds: float) -> tuple[list[float], list[float], int]:
    """Milliseconds to show a pair, alone and with twenty runs under way, and how many of these were answered."""
    reader = _Person(room, "reader")
    runners = [_Person(room, f"runner{number}") for number in range(RUNNERS)]
    leases = [runner.post("/api/next", {"queue": "work"})["task"]["lease_id"] for runner in runners]  # type: ignore[index]
    alone, beside, answered = [], [], 0
    for _ in range(rounds):
        alone += _shown_ms(reader, shown)
        body = {"language": "python", "code": BUSY.format(seconds=seconds), "tests": ""}
        with ThreadPoolExecutor(RUNNERS) as pool:
            runs = [
                pool.submit(runner.post, f"/api/leases/{lease}/tools/code", body)
                for runner, lease in zip(runners, leases, strict=True)
            ]
            time.sleep(0.3)
            while not all(run.done() for run in runs):
                beside += _shown_ms(reader, 5)
        answered += sum(bool(run.result()["answer"]) for run in runs)
    return alone, beside, answered


def _shown_ms(person: _Person, times: int) -> list[float]:
    found = []
    for _ in range(times):
        began_s = time.perf_counter()
        person.post("/api/next", {"queue": "work"})
        found.append(1000 * (time.perf_counter() - began_s))
        time.sleep(0.01)
    return found


def _p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="A small sample, under five minutes.")
    parser.add_argument("--full", action="store_true", help="More of the same.")
    full = parser.parse_args().full
    report = check_sandbox()
    if not report.works:
        print(f"there is no sandbox here: {report.why_not}", file=sys.stderr)
        return 1
    runs, rounds, shown, seconds = (200, 8, 100, 1.0) if full else (40, 3, 60, 0.3)
    failed = False
    print("what                                  median      p95    bound")
    for language in [name for name in ("python", "javascript") if report.languages[name].endswith(")")]:
        found, without = start_ms(language, report.languages[language].split(" (")[0], runs)
        failed |= language == "python" and statistics.median(found) > MOST_START_MS
        print(
            f"{'start of ' + language + ', ms':34}  {statistics.median(found):8.1f} {_p95(found):8.1f}  {MOST_START_MS:.0f} (median)"
        )
        print(f"{'  the same without a sandbox':34}  {statistics.median(without):8.1f} {_p95(without):8.1f}")
    with (
        tempfile.TemporaryDirectory() as folder,
        live_room(Path(folder), tools={"code": {"on": True, "sandbox": SandboxConfig(wait_s=170).model_dump()}}) as room,
    ):
        room.fill([item(f"p{number}") for number in range(30)])
        alone, beside, answered = pages(room, rounds, shown, seconds)
    ratio = _p95(beside) / _p95(alone)
    failed |= ratio > MOST_RATIO
    print(f"{'a pair is shown, ms, alone':34}  {statistics.median(alone):8.1f} {_p95(alone):8.1f}")
    print(
        f"{'a pair is shown, ms, 20 runs beside':34} {statistics.median(beside):8.1f} {_p95(beside):8.1f}  {ratio:.2f} of alone, at most {MOST_RATIO:g} (p95)"
    )
    print(f"{answered} of {RUNNERS * rounds} runs answered")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
