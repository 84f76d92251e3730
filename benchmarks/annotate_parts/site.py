"""A room to be loaded: real texts in its queue, people who have signed in, and the server as a process that can be killed."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import psutil

from goldsmith.annotate.people.sessions import find_session, open_session
from goldsmith.curate import init
from goldsmith.gold.people import add_person
from goldsmith.gold.room import open_room
from goldsmith.gold.votes import VoteStore
from goldsmith.store import Workspace

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
        place = ["-w", str(self.workspace.root), "--port", str(self.port)]
        command = [sys.executable, "-m", "goldsmith", "annotate", "serve", *place]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def memory(self) -> int:
        """Bytes of the server that are in memory; 0 while it is down."""
        try:
            return int(psutil.Process(self.process.pid).memory_info().rss) if self.process is not None else 0
        except psutil.NoSuchProcess:
            return 0

    def cpu_seconds(self) -> float:
        """Processor time of the server so far; 0 while it is down."""
        try:
            times = psutil.Process(self.process.pid).cpu_times() if self.process is not None else None
        except psutil.NoSuchProcess:
            return 0.0
        return float(times.user + times.system) if times is not None else 0.0

    async def until_up(self) -> None:
        async with aiohttp.ClientSession() as client:
            for _ in range(3000):
                try:
                    async with client.get(f"http://127.0.0.1:{self.port}/api/health") as response:
                        if response.status == 200:
                            return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.2)
        sys.exit("the server did not come up")


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


def real_pairs() -> list[dict[str, Any]]:
    """Replies of models to real requests, with tables, code and LaTeX among them."""
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


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
