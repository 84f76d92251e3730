"""Limits on guessing passwords: failed sign-ins are counted for each address and each account over a quarter of an hour."""

from __future__ import annotations

import hashlib
import threading
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import sqlalchemy as sa

from goldsmith.gold.room import Room
from goldsmith.gold.schema import SIGN_IN_ATTEMPTS as ATTEMPTS

WINDOW_SECONDS = 900.0
_turns = [threading.Lock() for _ in range(64)]


def seconds_to_wait(room: Room, address: str, account: str) -> int:
    """Return how long one has to wait before the next try; 0: none."""
    now, oldest = room.clock(), []
    with room.database.read() as connection:
        for key in _keys(address, account):
            query = (
                sa.select(ATTEMPTS.c.at)
                .where(ATTEMPTS.c.key == key, ATTEMPTS.c.at > now - WINDOW_SECONDS)
                .order_by(ATTEMPTS.c.at.desc())
            )
            times = connection.execute(query.limit(room.rules.sign_ins_per_quarter)).scalars().all()
            if len(times) >= room.rules.sign_ins_per_quarter:
                oldest.append(times[-1])
    return max((int(at + WINDOW_SECONDS - now) + 1 for at in oldest), default=0)


@contextmanager
def one_at_a_time(address: str, account: str) -> Iterator[None]:
    """Hold other tries of the address or account back until this one is counted: a burst gets no more guesses than tries one by one."""
    with ExitStack() as held:
        # In order, so that two tries never wait for each other.
        for place in sorted({zlib.crc32(key.encode()) % len(_turns) for key in _keys(address, account)}):
            held.enter_context(_turns[place])
        yield


def count_failure(room: Room, address: str, account: str) -> None:
    """Count a failed sign-in, and forget those that no longer matter."""
    now = room.clock()
    with room.database.write() as connection:
        connection.execute(ATTEMPTS.delete().where(ATTEMPTS.c.at < now - WINDOW_SECONDS))
        connection.execute(ATTEMPTS.insert(), [{"key": key, "at": now} for key in _keys(address, account)])


def _keys(address: str, account: str) -> tuple[str, str]:
    # Hashed: people type passwords into the wrong field.
    typed = hashlib.sha256(account.strip().lower().encode("utf-8", "surrogatepass")).hexdigest()
    return f"address:{address}"[:300], f"account:{typed}"
