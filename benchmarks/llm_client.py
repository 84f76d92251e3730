"""The client of language models against a stub server in a process of its own: how near to the ideal rate, at what processor time.

    python benchmarks/llm_client.py --check     about 4 minutes; exit 1 and a last line naming the figure when a goal is missed
    python benchmarks/llm_client.py --full      more calls, three passes, medians; about half an hour

Goals: 64 calls of 1 s at once run at 95 % of the ideal rate or better, the slow start included; calls of 50 ms at 500 a second or
better. Everything is on: budget, cache and ledger, each answer committed before it is used; a second pass over the same questions
must not reach the server at all. Processor time is the client's, all threads, per call. The stub answers at once after its delay,
and refuses with 429 what comes above its own limit, where it has one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goldsmith.config.llm import EndpointConfig, LlmConfig
from goldsmith.llm import Completion, LlmGroup, Request

AT_ONCE = 64
MIN_SHARE, MIN_RATE = 0.95, 500.0
PROMPT_WORDS = 250
"""About 1.5 KB: the size of a small judge's prompt."""
QUIET_LOAD, PATIENCE_S = 0.7, 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One row: how long the server takes, how many calls it lets in at once (0: all), and how many are made."""

    name: str
    delay_s: float
    limit: int
    calls: int
    ideal: float
    """Calls a second that no client could exceed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What came out."""

    rate: float
    cpu_ms: float
    refused: int
    cached_rate: float


def cases(full: bool) -> list[Case]:
    times = 3 if full else 1
    return [
        Case(name="1 s, all let in", delay_s=1.0, limit=0, calls=6400 * times, ideal=AT_ONCE / 1.0),
        Case(name="50 ms, all let in", delay_s=0.05, limit=0, calls=12_000 * times, ideal=AT_ONCE / 0.05),
        Case(name="50 ms, 16 let in", delay_s=0.05, limit=16, calls=6000 * times, ideal=16 / 0.05),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="one pass (the default)")
    parser.add_argument("--full", action="store_true", help="three longer passes, medians")
    parser.add_argument("--serve", nargs=2, metavar=("DELAY_S", "LIMIT"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        asyncio.run(serve(float(arguments.serve[0]), int(arguments.serve[1])))
        return 0
    wait_for_quiet()
    print(
        f"{'server':<20} {'calls':>6} {'seconds':>8} {'calls/s':>8} {'of ideal':>8} {'CPU ms/call':>11} {'refused':>7} {'cached/s':>9} {'load':>5}"
    )
    missed = []
    for case in cases(arguments.full):
        passes = [measure(case) for _ in range(3 if arguments.full else 1)]
        found = sorted(passes, key=lambda item: item.rate)[len(passes) // 2]
        cpu_ms, cached = (statistics.median(getattr(item, name) for item in passes) for name in ("cpu_ms", "cached_rate"))
        print(
            f"{case.name:<20} {case.calls:>6} {case.calls / found.rate:>8.1f} {found.rate:>8.1f} {found.rate / case.ideal:>8.1%} "
            f"{cpu_ms:>11.2f} {found.refused:>7} {cached:>9,.0f} {os.getloadavg()[0]:>5.1f}",
            flush=True,
        )
        missed += goals(case, found)
    if missed:
        print(f"MISSED: {'; '.join(missed)}")
        return 1
    print(f"goals met: {MIN_SHARE:.0%} of the ideal rate at {AT_ONCE} calls of 1 s, {MIN_RATE:.0f} calls/s at 50 ms")
    return 0


def goals(case: Case, found: Measured) -> list[str]:
    if case.limit:
        return []
    share = found.rate / case.ideal
    if case.delay_s == 1.0:
        return [f"{share:.1%} of the ideal rate at 1 s, {MIN_SHARE:.0%} is the goal"] if share < MIN_SHARE else []
    return [f"{found.rate:.0f} calls/s at 50 ms, {MIN_RATE:.0f} is the goal"] if found.rate < MIN_RATE else []


def wait_for_quiet() -> None:
    """Wait a little for other jobs to end; the load is printed either way."""
    until = time.monotonic() + PATIENCE_S
    while os.getloadavg()[0] > QUIET_LOAD * (os.cpu_count() or 1) and time.monotonic() < until:
        time.sleep(2.0)
    print(f"load before: {os.getloadavg()[0]:.2f} on {os.cpu_count()} cores")


def measure(case: Case) -> Measured:
    """Ask every question twice, and check the ledger and the server's own count against each other."""
    server = subprocess.Popen(
        [sys.executable, __file__, "--serve", str(case.delay_s), str(case.limit)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        base_url = f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
        with tempfile.TemporaryDirectory(prefix="goldsmith-client-") as folder:
            path = Path(folder) / "llm.sqlite"
            rate, cpu_ms = ask_all(base_url, path, case.calls)
            cached_rate, _ = ask_all(base_url, path, case.calls)
            server.stdin.close()
            answered, refused = json.loads(server.stdout.readline())
            check_books(path, case.calls, answered, refused)
        return Measured(rate=rate, cpu_ms=cpu_ms, refused=refused, cached_rate=cached_rate)
    finally:
        server.kill()
        server.wait()


def ask_all(base_url: str, path: Path, calls: int) -> tuple[float, float]:
    """Return calls a second and milliseconds of processor time per call."""
    endpoint = EndpointConfig(name="stub", base_url=base_url, price_prompt_per_million=1.0)
    config = LlmConfig(endpoints=[endpoint], concurrency=AT_ONCE, max_retries=30, max_cost=1e6, max_tokens=10**12)
    filler = " ".join(["word"] * PROMPT_WORDS)
    requests = [
        Request(
            endpoint="stub",
            messages=(("user", f"{number}: {filler}"),),
            max_tokens=16,
            schema={"type": "object"},
            purpose="bench",
        )
        for number in range(calls)
    ]
    with LlmGroup(config, path, seed=0, base_delay_s=0.05) as group:
        begun, cpu = time.perf_counter(), time.process_time()
        outcomes = group.complete_many(requests, lambda done, total: None)
        seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
    assert all(isinstance(outcome, Completion) for outcome in outcomes), "every question has an answer"
    return calls / seconds, 1000 * cpu / calls


def check_books(path: Path, calls: int, answered: int, refused: int) -> None:
    with sqlite3.connect(path) as connection:
        states = dict(connection.execute("SELECT state, count(*) FROM calls GROUP BY state").fetchall())
        stored = connection.execute("SELECT count(*) FROM responses").fetchone()[0]
    found = (states.get("done", 0), states.get("rejected", 0), stored)
    assert found == (answered, refused, calls) == (calls, refused, calls), (
        f"the books say {found}, the server {answered}, {refused}"
    )


async def serve(delay_s: float, limit: int) -> None:
    """Answer until standard input is closed, then print how many calls were answered and refused."""
    loop = asyncio.get_running_loop()
    counts = {"answered": 0, "refused": 0, "at once": 0}
    usage = {"prompt_tokens": 260, "completion_tokens": 6, "total_tokens": 266}
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": '{"choice": "1"}'}}
    body = {"id": "stub", "object": "chat.completion", "created": 0, "model": "stub", "choices": [choice], "usage": usage}
    good, full = http("200 OK", body), http("429 Too Many Requests", {"error": {"message": "full"}})

    class Connection(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            self.transport, self.buffer = transport, b""

        def data_received(self, data: bytes) -> None:
            self.buffer += data
            head, blank, rest = self.buffer.partition(b"\r\n\r\n")
            if not blank:
                return
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
            if len(rest) < length:
                return
            self.buffer = b""
            if limit and counts["at once"] >= limit:
                counts["refused"] += 1
                self.transport.write(full)
                return
            counts["at once"] += 1
            loop.call_later(delay_s, self.answer)

        def answer(self) -> None:
            counts["at once"] -= 1
            counts["answered"] += 1
            self.transport.write(good)

    server = await loop.create_server(Connection, "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    print(json.dumps([counts["answered"], counts["refused"]]), flush=True)


def http(status: str, body: dict[str, Any]) -> bytes:
    content = json.dumps(body).encode()
    return f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content


if __name__ == "__main__":
    sys.exit(main())
