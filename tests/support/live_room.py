"""The annotation room as people meet it: the real application on a loopback port, over a small SQLite database."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import uvicorn

from goldsmith.annotate.app import create_app
from goldsmith.annotate.people.invitations import invite
from goldsmith.annotate.people.sessions import open_session
from goldsmith.gold.schema import VOTES
from goldsmith.gold.votes import VoteStore
from goldsmith.types import Vote
from voting_room import SmallRoom, small_room


@dataclass
class LiveRoom:
    """A running room."""

    here: SmallRoom
    url: str
    server: uvicorn.Server

    def fill(self, items: list[dict[str, Any]], batch: str = "seed") -> None:
        VoteStore(self.here.room.database).fill_queue(batch, items, wanted=self.here.room.gold.votes_per_pair)

    def session(self, name: str, role: str = "annotator") -> dict[str, Any]:
        """Make an account where there is none and return the cookie of somebody who has signed in."""
        if name not in self.here.people:
            self.here.add(name, role=role)
        token = open_session(self.here.room, self.here.people[name].person_id, "test")
        return {"name": "goldsmith_session", "value": token, "url": self.url, "httpOnly": True}

    def invitation(self, email: str, role: str) -> str:
        return f"{self.url}/invitation/{invite(self.here.room, 'test', email, role)}"

    def votes(self, pair_id: str | None = None) -> list[Vote]:
        """The votes that count and the late ones, in order of time."""
        query = sa.select(VOTES.c.record).where(VOTES.c.withdrawn_at.is_(None)).order_by(VOTES.c.at)
        with self.here.room.database.read() as connection:
            found = [Vote.model_validate_json(record) for record in connection.execute(query).scalars()]
        return [vote for vote in found if pair_id in (None, vote.pair_id)]


@contextmanager
def live_room(folder: Path, *, gold: dict[str, Any] | None = None, **rules: Any) -> Iterator[LiveRoom]:
    """Serve a room until the block ends; its clock is the world's."""
    here = small_room(folder / "annotation.db", gold=gold, **rules)
    here.clock.now = time.time()
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    server = uvicorn.Server(uvicorn.Config(create_app(here.room), log_level="warning", ws="none", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    until = time.monotonic() + 30
    while not server.started and time.monotonic() < until:
        time.sleep(0.02)
    try:
        yield LiveRoom(here, url, server)
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()
        here.room.close()
