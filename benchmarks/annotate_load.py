"""A team at work: votes through HTTP only, real replies with tables, code and LaTeX, thinking times that are exponential with mean 8 s.

Each row is one database and one length of the queue; times are of whole requests, in the client. `--check` takes short samples of 10,000 queued pairs, `--full`
also a million on PostgreSQL. `--kill N` kills the server and (there) the database N times in turn under load, and then compares what was answered with what
is stored.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import itertools
import json
import os
import random
import secrets
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

import aiohttp
import psutil
import sqlalchemy as sa

from goldsmith.annotate.people.sessions import find_session, open_session
from goldsmith.curate import init
from goldsmith.gold.people import add_person
from goldsmith.gold.room import open_room
from goldsmith.gold.schema import VOTES
from goldsmith.gold.votes import VoteStore
from goldsmith.store import Workspace
from local_postgres import LocalPostgres

THINK_SECONDS = 8.0
TEXTS = ("pool_alpacaeval.jsonl.gz", "gsm8k_pairs.jsonl.gz", "humans_pandalm.jsonl.gz")
AT_ONCE = 20_000


@dataclass
class Site:
    """The server's process, and how its people come in."""

    workspace: Workspace
    port: int
    people: list[tuple[str, str]]
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [
            sys.executable,
            "-m",
            "goldsmith",
            "annotate",
            "serve",
            "-w",
            str(self.workspace.root),
            "--port",
            str(self.port),
        ]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@dataclass
class Measured:
    """Seconds of each kind of request, answered votes, and failures."""

    shown: list[float] = field(default_factory=list)
    saved: list[float] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)
    most_memory: int = 0


def real_pairs() -> list[dict[str, Any]]:
    folder = Path(os.environ.get("GOLDSMITH_DATA", "-"))
    if not folder.is_dir():
        sys.exit("GOLDSMITH_DATA does not name the folder of evaluation data")
    rows = []
    for name in TEXTS:
        with gzip.open(folder / name, "rt", encoding="utf-8") as stream:
            rows += [json.loads(line) for line in itertools.islice(stream, 2000)]
    return [
        {"context": row["prompt"], "first": row["chosen"], "second": row["rejected"]}
        for row in rows
        if isinstance(row.get("chosen"), str) and isinstance(row.get("rejected"), str)
    ]


def prepare(folder: Path, database: str, num_pairs: int, num_people: int) -> Site:
    port = _free_port()
    config = folder / "room.toml"
    config.write_text(
        f'[annotate]\ndatabase = "{database}"\nport = {port}\nqualification_items = 0\n[gold]\nretest_share = 0.05\n'
    )
    workspace = init(folder / "workspace", config)
    room, texts = open_room(workspace), real_pairs()
    store = VoteStore(room.database)
    for start in range(0, num_pairs, AT_ONCE):
        items = [
            {"pair_id": f"{place:032x}", **texts[place % len(texts)]} for place in range(start, min(num_pairs, start + AT_ONCE))
        ]
        store.fill_queue(f"batch-{start // AT_ONCE}", items)
    people = []
    for number in range(num_people):
        with room.database.write() as connection:
            person = add_person(connection, time.time(), "benchmark", f"n{number}@example.org", f"n{number}", "annotator", [])
        token = open_session(room, person.person_id, "benchmark")
        session = find_session(room, token)
        assert session is not None
        people.append((token, session.csrf))
    if not room.database.is_sqlite:
        with room.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("ANALYZE")
    room.close()
    return Site(workspace, port, people)


async def annotator(site: Site, person: tuple[str, str], until: float, begin: float, found: Measured, think: float) -> None:
    """One person's day: ask for a pair, think, vote; what is not answered is sent again under the same name."""
    token, csrf = person
    headers = {"X-CSRF-Token": csrf, "Cookie": f"goldsmith_session={token}"}
    draw = random.Random(token)
    await asyncio.sleep(draw.random() * think)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{site.port}", headers=headers) as client:
        while time.monotonic() < until:
            answer = await _post(client, "/api/next", {"queue": "work"}, found, found.shown, begin)
            task = answer.get("task") if answer else None
            if not task:
                await asyncio.sleep(0.5)
                continue
            seconds = draw.expovariate(1 / think)
            await asyncio.sleep(seconds)
            vote = {
                "vote_id": secrets.token_hex(16),
                "lease_id": task["lease_id"],
                "choice": draw.choice(["first", "second", "tie"]),
                "strength": 1,
                "seconds": seconds,
            }
            while True:
                answer = await _post(client, "/api/votes", vote, found, found.saved, begin)
                if answer is not None:
                    break
                await asyncio.sleep(0.5)
            if answer:
                found.answered.append(vote["vote_id"])


async def _post(
    client: aiohttp.ClientSession, path: str, body: dict[str, Any], found: Measured, times: list[float], begin: float
) -> dict[str, Any] | None:
    """The answer; empty when it was refused for good; None when it is to be sent again."""
    started = time.monotonic()
    try:
        async with client.post(path, json=body, timeout=aiohttp.ClientTimeout(30)) as response:
            answer = await response.read()
            if response.status != 200:
                found.failures[f"{path} {response.status}"] += 1
                return None if response.status in (429, 500, 503) else {}
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        found.failures[f"{path} {type(error).__name__}"] += 1
        return None
    if started > begin:
        times.append(time.monotonic() - started)
    parsed: dict[str, Any] = json.loads(answer)
    return parsed


async def work(
    site: Site, seconds: float, warm_up: float, think: float, kills: int = 0, postgres: LocalPostgres | None = None
) -> Measured:
    found, now = Measured(), time.monotonic()
    begin, until = now + warm_up, now + warm_up + seconds
    crew = [asyncio.create_task(annotator(site, person, until, begin, found, think)) for person in site.people]
    killer = asyncio.create_task(_kill(site, postgres, kills, seconds)) if kills else None
    while time.monotonic() < until:
        await asyncio.sleep(1.0)
        if site.process is not None and psutil.pid_exists(site.process.pid):
            try:
                found.most_memory = max(found.most_memory, psutil.Process(site.process.pid).memory_info().rss)
            except psutil.NoSuchProcess:
                continue
    if killer is not None:
        await killer
    await asyncio.gather(*crew)
    return found


async def _kill(site: Site, postgres: LocalPostgres | None, kills: int, seconds: float) -> None:
    for number in range(kills):
        await asyncio.sleep(seconds / (kills + 1))
        if postgres is not None and number % 2:
            await asyncio.to_thread(postgres.kill)
            await asyncio.to_thread(postgres.start)
        else:
            await asyncio.to_thread(site.kill)
            site.start()


async def wait_until_up(site: Site) -> None:
    async with aiohttp.ClientSession() as client:
        for _ in range(3000):
            try:
                async with client.get(f"http://127.0.0.1:{site.port}/api/health") as response:
                    if response.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.2)
    sys.exit("the server did not come up")


def compare(site: Site, found: Measured) -> str:
    """What was answered against what is stored."""
    room = open_room(site.workspace)
    with room.database.read() as connection:
        stored = Counter(connection.execute(sa.select(VOTES.c.vote_id)).scalars())
        per_pair = connection.execute(
            sa.select(sa.func.count()).where(VOTES.c.round == "first", VOTES.c.withdrawn_at.is_(None)).group_by(VOTES.c.pair_id)
        ).scalars()
        most = max(per_pair, default=0)
    room.close()
    lost = [name for name in found.answered if stored[name] != 1]
    assert not lost, f"{len(lost)} answered votes are not stored exactly once"
    assert most <= 3, f"a pair has {most} first-round votes"
    return f"{len(found.answered)} votes answered, every one stored once ({len(stored)} stored); no pair has more than {most} first-round votes"


def row(name: str, num_people: int, num_pairs: int, seconds: float, found: Measured) -> str:
    offered = num_people / THINK_SECONDS
    achieved = len(found.saved) / seconds
    shown, saved = (_quantiles(times) for times in (found.shown, found.saved))
    memory = found.most_memory / 2**20
    return f"| {name} | {num_people} | {num_pairs:,} | {offered:.1f} | {achieved:.1f} | {shown} | {saved} | {memory:.0f} MiB | {dict(found.failures) or 'none'} |"


def _quantiles(times: list[float]) -> str:
    if len(times) < 20:
        return "too few"
    parts = statistics.quantiles(times, n=100)
    return f"{1000 * parts[49]:.0f} / {1000 * parts[94]:.0f} ms"


def _free_port() -> int:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def measure(
    name: str,
    database: str,
    num_people: int,
    num_pairs: int,
    seconds: float,
    kills: int = 0,
    postgres: LocalPostgres | None = None,
) -> None:
    with tempfile.TemporaryDirectory(prefix="goldsmith-load-") as folder:
        site = prepare(Path(folder), database, num_pairs, num_people)
        site.start()
        try:
            asyncio.run(wait_until_up(site))
            think = 0.5 if kills else THINK_SECONDS
            found = asyncio.run(work(site, seconds, 0.0 if kills else 20.0, think, kills, postgres))
        finally:
            site.kill()
        if kills:
            print(f"{name}, {kills} kills: {compare(site, found)}", flush=True)
        else:
            compare(site, found)
            print(row(name, num_people, num_pairs, seconds, found), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--kill", type=int, default=0, metavar="N")
    parser.add_argument("--seconds", type=float)
    chosen = parser.parse_args()
    seconds = chosen.seconds or (600.0 if chosen.full else 60.0)
    postgres = LocalPostgres()
    try:
        if chosen.kill:
            measure("PostgreSQL", postgres.url, 20, 2000, chosen.seconds or 8.0 * chosen.kill, chosen.kill, postgres)
            measure("SQLite", "", 10, 2000, chosen.seconds or 8.0 * chosen.kill, chosen.kill)
            return
        print(
            "| database | annotators | pairs queued | offered/s | votes/s | next pair p50 / p95 | vote p50 / p95 | server | failures |"
        )
        print("|---|---|---|---|---|---|---|---|---|")
        measure("SQLite", "", 30, 10_000, seconds)
        measure("PostgreSQL", postgres.create("small"), 200, 10_000, seconds)
        if chosen.full:
            measure("PostgreSQL", postgres.create("large"), 200, 1_000_000, seconds)
    finally:
        postgres.close()


if __name__ == "__main__":
    main()
