"""kill -9 of the server and of PostgreSQL while people vote: every answered vote is stored once, and no pair has more than three."""

from __future__ import annotations

import secrets
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from goldsmith.annotate.people.sessions import find_session, open_session
from goldsmith.curate import init
from goldsmith.gold.people import add_person
from goldsmith.gold.room import Room, open_room
from goldsmith.gold.schema import VOTES
from goldsmith.gold.votes import VoteStore
from goldsmith.store import Workspace
from voting_room import item

PEOPLE, PAIRS, VOTES_EACH = 4, 40, 12


class Server:
    """`goldsmith annotate serve` as a process that can die."""

    def __init__(self, workspace: Workspace) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._command = [
            sys.executable,
            "-m",
            "goldsmith",
            "annotate",
            "serve",
            "-w",
            str(workspace.root),
            "--port",
            str(self.port),
        ]
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def _come_in(room: Room, number: int) -> dict[str, str]:
    with room.database.write() as connection:
        person = add_person(connection, time.time(), "test", f"n{number}@example.org", f"n{number}", "annotator", [])
    token = open_session(room, person.person_id, "test")
    session = find_session(room, token)
    assert session is not None
    return {"X-CSRF-Token": session.csrf, "Cookie": f"goldsmith_session={token}"}


def _until_answered(client: httpx.Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """What a page does: the same request again until there is an answer."""
    while True:
        try:
            answer = client.post(path, json=body)
        except httpx.HTTPError:
            time.sleep(0.1)
            continue
        if answer.status_code == 200:
            found: dict[str, Any] = answer.json()
            return found
        assert answer.status_code in (500, 503), answer.text
        time.sleep(0.1)


def _day(server: Server, headers: dict[str, str], answered: list[str]) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", headers=headers, timeout=60) as client:
        for _ in range(VOTES_EACH):
            task = _until_answered(client, "/api/next", {"queue": "work"})["task"]
            vote = {
                "vote_id": secrets.token_hex(16),
                "lease_id": task["lease_id"],
                "choice": "first",
                "strength": 1,
                "seconds": 3.0,
            }
            _until_answered(client, "/api/votes", vote)
            answered.append(vote["vote_id"])


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_no_answered_vote_is_lost_and_none_counts_twice(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    postgres = request.getfixturevalue("postgres") if kind == "postgresql" else None
    url = postgres.create(f"d{secrets.token_hex(8)}") if postgres else ""
    config = tmp_path / "room.toml"
    config.write_text(f'[annotate]\ndatabase = "{url}"\nqualification_items = 0\n')
    workspace = init(tmp_path / "w", config)
    room = open_room(workspace)
    VoteStore(room.database).fill_queue("seed", [item(f"p{number}") for number in range(PAIRS)])
    crew = [_come_in(room, number) for number in range(PEOPLE)]
    server, answered = Server(workspace), list[str]()
    days = [threading.Thread(target=_day, args=(server, headers, answered)) for headers in crew]
    for day in days:
        day.start()
    for share in (1, 2):
        while len(answered) < share * PEOPLE * VOTES_EACH // 4:
            time.sleep(0.02)
        server.kill()
        if postgres is not None:
            postgres.kill()
            postgres.start()
        server.start()
    for day in days:
        day.join()
    server.kill()
    room.database.close()
    with room.database.read() as connection:
        rows = connection.execute(sa.select(VOTES.c.vote_id, VOTES.c.pair_id).where(VOTES.c.round == "first")).all()
    room.close()
    assert Counter(row.vote_id for row in rows) == Counter(answered)
    assert max(Counter(row.pair_id for row in rows).values()) <= 3
