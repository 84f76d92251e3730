"""A team at work: votes through HTTP only, real replies with tables, code and LaTeX, thinking times that are exponential with mean 8 s.

Each row is one database and one length of the queue; times are of whole requests, in the client, which shares the machine. `--check` takes short samples of
10,000 queued pairs, `--full` long ones and also a million on PostgreSQL, in turn with the 10,000, five times each. `--kill N` kills the server and PostgreSQL N times in turn under load, and then
compares what was answered with what is stored.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

import sqlalchemy as sa

from annotate_parts.crew import Measured, annotator
from annotate_parts.site import Site, prepare
from goldsmith.gold.room import open_room
from goldsmith.gold.schema import VOTES
from local_postgres import LocalPostgres
from speed.table import Figure, show

THINK_SECONDS = 8.0
THINK_SECONDS_KILLED = 0.5
CHECK_SECONDS, FULL_SECONDS = 45.0, 600.0
WARM_UP_SECONDS = 20.0
BETWEEN_KILLS = 6.0
REPETITIONS = 5
SHOWN_MS, SAVED_MS, MEMORY_MIB, RATIO = 250, 500, 600, 1.5
"""What has to be reached: the 95th percentiles, the server's memory, and how much longer a million pairs may take than ten thousand."""
HEADER = (
    "| database | annotators | pairs queued | offered/s | votes/s | next pair p50 / p95 | vote p50 / p95 | server's CPU per vote | server | failures |\n"
    "|---|---|---|---|---|---|---|---|---|---|"
)


async def work(site: Site, seconds: float, warm_up: float) -> Measured:
    """A room at its usual pace, measured after it has warmed up."""
    found = Measured()
    crew = [asyncio.create_task(annotator(site, person, found, THINK_SECONDS)) for person in site.people]
    await asyncio.sleep(warm_up)
    found.counts, began = True, site.cpu_seconds()
    for _ in range(round(seconds)):
        await asyncio.sleep(1.0)
        found.most_memory = max(found.most_memory, site.memory())
    found.cpu_seconds = site.cpu_seconds() - began
    found.over.set()
    await asyncio.gather(*crew)
    return found


async def work_while_killed(site: Site, kills: int, postgres: LocalPostgres | None) -> Measured:
    """A hurried room whose server (and PostgreSQL, in turn) dies again and again, and comes back each time."""
    found = Measured(counts=True)
    crew = [asyncio.create_task(annotator(site, person, found, THINK_SECONDS_KILLED)) for person in site.people]
    for number in range(kills):
        await asyncio.sleep(BETWEEN_KILLS)
        if postgres is not None and number % 2:
            await asyncio.to_thread(postgres.kill)
            await asyncio.to_thread(postgres.start)
        else:
            await asyncio.to_thread(site.kill)
            site.start()
        await site.until_up()
    await asyncio.sleep(BETWEEN_KILLS)
    found.over.set()
    await asyncio.gather(*crew)
    return found


def compare(site: Site, found: Measured) -> str:
    """What was answered against what is stored."""
    room = open_room(site.workspace)
    first = (VOTES.c.round == "first", VOTES.c.withdrawn_at.is_(None))
    with room.database.read() as connection:
        stored = Counter(connection.execute(sa.select(VOTES.c.vote_id)).scalars())
        votes = connection.execute(sa.select(VOTES.c.pair_id, VOTES.c.annotator).where(*first)).all()
    room.close()
    lost = [name for name in found.answered if stored[name] != 1]
    assert not lost, f"{len(lost)} answered votes are not stored exactly once"
    twice = [place for place, count in Counter((row.pair_id, row.annotator) for row in votes).items() if count > 1]
    assert not twice, f"{len(twice)} pairs have two votes of one person"
    most = max(Counter(row.pair_id for row in votes).values(), default=0)
    assert most <= 3, f"a pair has {most} first-round votes"
    return f"{len(found.answered)} votes answered, every one stored once ({len(stored)} stored); no pair has more than {most} first-round votes"


@dataclass
class Row:
    """One database with one length of queue, and what its repetitions found."""

    name: str
    num_pairs: int
    site: Site
    found: list[Measured] = field(default_factory=list)

    def measure(self, seconds: float) -> None:
        """One repetition: the server comes up, warms up, is measured and goes; what it stored is compared with what it answered."""
        self.site.start()
        try:
            asyncio.run(self.site.until_up())
            self.found.append(asyncio.run(work(self.site, seconds, min(WARM_UP_SECONDS, seconds / 2))))
            compare(self.site, self.found[-1])
        finally:
            self.site.kill()

    def shown(self, percent: int) -> float:
        """Milliseconds within which so many of 100 pairs were shown, the median of the repetitions."""
        return statistics.median(_quantile(found.shown, percent) for found in self.found)

    def saved(self, percent: int) -> float:
        """The same of votes."""
        return statistics.median(_quantile(found.saved, percent) for found in self.found)

    def show(self, seconds: float) -> None:
        votes, num_people = sum(len(found.saved) for found in self.found), len(self.site.people)
        rates = f"{num_people / THINK_SECONDS:.1f} | {votes / seconds / len(self.found):.1f}"
        times = " | ".join(f"{of(50):.0f} / {of(95):.0f} ms" for of in (self.shown, self.saved))
        cpu = f"{1000 * sum(found.cpu_seconds for found in self.found) / max(1, votes):.1f} ms"
        failures = sum((found.failures for found in self.found), Counter())
        taken = f"{cpu} | {self.most_memory / 2**20:.0f} MiB | {dict(failures) or 'none'}"
        print(f"| {self.name} | {num_people} | {self.num_pairs:,} | {rates} | {times} | {taken} |", flush=True)

    @property
    def most_memory(self) -> int:
        return max(found.most_memory for found in self.found)

    def figures(self) -> list[Figure]:
        where = f"{self.name}, {self.num_pairs:,} pairs queued"
        return [
            Figure(f"{where}: next pair, p95", self.shown(95), SHOWN_MS, "ms", at_most=True),
            Figure(f"{where}: vote, p95", self.saved(95), SAVED_MS, "ms", at_most=True),
            Figure(f"{where}: server's memory", self.most_memory / 2**20, MEMORY_MIB, "MiB", at_most=True),
        ]


def measure(rows: list[Row], seconds: float, repetitions: int) -> list[Figure]:
    """Measure rows in turn, `seconds` each in all, so that a machine which slows down slows them alike; print them and return their figures."""
    for _ in range(repetitions):
        for row in rows:
            row.measure(seconds / repetitions)
    for row in rows:
        row.show(seconds / repetitions)
    return [figure for row in rows for figure in row.figures()]


def against(large: Row, small: Row) -> list[Figure]:
    """How much longer the longer queue takes: the median over the repetitions of each against the one before it."""
    figures = []
    for what, times in (("next pair", "shown"), ("vote", "saved")):
        both = [[_quantile(getattr(found, times), 95) for found in row.found] for row in (large, small)]
        ratio = statistics.median(one / other for one, other in zip(*both, strict=True))
        figures.append(Figure(f"a million against 10,000: {what}, p95", ratio, RATIO, "times", at_most=True))
    return figures


def kill(name: str, database: str, num_people: int, kills: int, postgres: LocalPostgres | None) -> None:
    with tempfile.TemporaryDirectory(prefix="goldsmith-load-") as folder:
        site = prepare(Path(folder), database, 2000, num_people)
        site.start()
        try:
            asyncio.run(site.until_up())
            found = asyncio.run(work_while_killed(site, kills, postgres))
        finally:
            site.kill()
        failed = sum(found.failures.values())
        print(f"{name}, {kills} kills, {failed} requests failed and were sent again: {compare(site, found)}", flush=True)


def _quantile(times: list[float], percent: int) -> float:
    """Milliseconds."""
    assert len(times) >= 20, f"{len(times)} requests are too few: measure for longer"
    return 1000 * statistics.quantiles(times, n=100)[percent - 1]


def measure_all(postgres: LocalPostgres, folders: ExitStack, chosen: argparse.Namespace, seconds: float) -> list[Figure]:
    """SQLite, PostgreSQL and, in full, a million pairs on it in turn with ten thousand."""

    def row(name: str, database: str, num_people: int, num_pairs: int) -> Row:
        folder = folders.enter_context(tempfile.TemporaryDirectory(prefix="goldsmith-load-"))
        return Row(name, num_pairs, prepare(Path(folder), database, num_pairs, chosen.people or num_people))

    figures = measure([row("SQLite", "", 30, 10_000)], seconds, 1)
    small = row("PostgreSQL", postgres.create("small"), 200, 10_000)
    if not chosen.full:
        return figures + measure([small], seconds, 1)
    large = row("PostgreSQL", postgres.create("large"), 200, 1_000_000)
    return figures + measure([small, large], seconds, REPETITIONS) + against(large, small)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help=f"{CHECK_SECONDS:.0f} s each (the default)")
    parser.add_argument("--full", action="store_true", help=f"{FULL_SECONDS:.0f} s each, and a million pairs")
    parser.add_argument("--kill", type=int, default=0, metavar="N", help="kill server and database N times instead")
    parser.add_argument("--seconds", type=float, help="of each row")
    parser.add_argument("--people", type=int, help="annotators of each row; 200 on PostgreSQL and 30 on SQLite unless given")
    chosen = parser.parse_args()
    seconds = chosen.seconds or (FULL_SECONDS if chosen.full else CHECK_SECONDS)
    postgres = LocalPostgres()
    try:
        if chosen.kill:
            kill("PostgreSQL", postgres.url, chosen.people or 20, chosen.kill, postgres)
            kill("SQLite", "", chosen.people or 10, chosen.kill, None)
            return 0
        with ExitStack() as folders:
            print(HEADER)
            return show(measure_all(postgres, folders, chosen, seconds))
    finally:
        postgres.close()


if __name__ == "__main__":
    raise SystemExit(main())
