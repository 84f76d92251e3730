"""What an administrator does without the web pages: invite, add accounts and known answers, look, and write CSV files; each is one call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from goldsmith.annotate.people.invitations import invite
from goldsmith.annotate.people.passwords import SHORTEST, hash_password, is_acceptable
from goldsmith.annotate.summary import EXPORTS, compute
from goldsmith.errors import UserError
from goldsmith.gold import events
from goldsmith.gold.csv_export import csv_lines
from goldsmith.gold.known import add_known, add_settled
from goldsmith.gold.people import add_person, all_people
from goldsmith.gold.room import Room, open_room
from goldsmith.store import Workspace, atomic


def invite_person(workspace: Workspace, email: str, *, role: str = "annotator", tags: Sequence[str] = ()) -> dict[str, str]:
    """Invite somebody and return {"email", "role", "url"}; whoever opens the link sets a name and a password.

    Raises:
        UserError: the address is none or has an account, or the role is unknown.
    """
    rules = workspace.config.annotate
    base = rules.public_url.rstrip("/") or f"http://{rules.host}:{rules.port}"
    with _room(workspace) as room:
        token = invite(room, events.SYSTEM, email, role, tags)
    return {"email": email.strip().lower(), "role": role, "url": f"{base}/invitation/{token}"}


def add_account(
    workspace: Workspace, email: str, name: str, password: str, *, role: str = "annotator", tags: Sequence[str] = ()
) -> dict[str, str]:
    """Make an account with a password and return {"person_id", "email", "role"}.

    Raises:
        UserError: the password is too short, the address is none or has an account, or the role is unknown.
    """
    if not is_acceptable(password):
        raise UserError(f"the password has {len(password)} characters; at least {SHORTEST} are needed")
    password_hash = hash_password(password)
    with _room(workspace) as room, room.database.write() as connection:
        person = add_person(connection, room.clock(), events.SYSTEM, email, name, role, list(tags), password_hash=password_hash)
    return {"person_id": person.person_id, "email": person.email, "role": person.role}


def people_of(workspace: Workspace) -> list[dict[str, Any]]:
    """Return everybody who has an account."""
    with _room(workspace) as room, room.database.read() as connection:
        names = ("person_id", "email", "name", "role", "state", "tags", "qualified")
        return [{name: getattr(person, name) for name in names} for person in all_people(connection)]


def add_known_answers(workspace: Workspace, path: Path, *, use: Literal["qualify", "check"]) -> dict[str, int]:
    """Add pairs whose answer is known and return {"rows", "new"}; see `goldsmith.gold.known`.

    Raises:
        DataError: a row that is no such pair; names file:line.
    """
    with _room(workspace) as room:
        return add_known(room, path, use)


def annotation_status(workspace: Workspace) -> dict[str, Any]:
    """Return the data of the lead's page."""
    with _room(workspace) as room:
        return compute(room)


def export_annotation(workspace: Workspace, folder: Path) -> dict[str, int]:
    """Write every table as CSV into a folder and return how many rows each has."""
    folder.mkdir(parents=True, exist_ok=True)
    counts = {}
    with _room(workspace) as room:
        for name in EXPORTS:
            lines = list(csv_lines(room, name))
            atomic.write_text(folder / f"{name}.csv", "".join(lines))
            counts[name] = max(0, len(lines) - 1)
    return counts


def add_settled_answers(workspace: Workspace, count: int) -> dict[str, int]:
    """Make at most `count` pairs that the room has settled into hidden checks and return {"rows", "new"}; see `goldsmith.gold.known`."""
    with _room(workspace) as room:
        return add_settled(room, count)


@contextmanager
def _room(workspace: Workspace) -> Iterator[Room]:
    room = open_room(workspace)
    try:
        yield room
    finally:
        room.close()
