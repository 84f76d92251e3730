"""What the screen is given of a leased pair: safe HTML in the order of the screen, and nothing that is still hidden."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from goldsmith.annotate.texts import Texts
from goldsmith.gold.assign import Standing, standing_of
from goldsmith.gold.leases import Lease, Material, material_of
from goldsmith.gold.people import Person
from goldsmith.gold.room import Room
from goldsmith.gold.tool_uses import uses_of_votes
from goldsmith.gold.votes import votes_in
from goldsmith.identity import unit_interval
from goldsmith.retrieve.text import plain_text
from goldsmith.types import Vote

STAGES = {"qualify": "qualification", "expert": "expert"}
"""Everything else is `work`: nobody can tell a retest or a hidden check from a first-round pair."""
ATTRIBUTES = ("task", "objectivity", "controversiality", "desired", "guideline")


def task_json(room: Room, person: Person, lease: Lease, texts: Texts) -> dict[str, Any]:
    """Return TASK of design/annotation.md."""
    with room.database.read() as connection:
        material = material_of(connection, lease)
        standing = standing_json(standing_of(room, connection, person))
        votes = _anonymous(room, connection, lease) if lease.round == "expert" else None
    record = material.record
    sides = {side: plain_text(record[side]) for side in lease.shown_order}
    context = [(turn["role"], plain_text(turn["content"])) for turn in record["context"]]
    return {
        "lease_id": lease.lease_id,
        "pair_id": lease.pair_id,
        "stage": STAGES.get(lease.round, "work"),
        "expires_at": iso(lease.expires_at),
        "context": [{"role": role, "html": texts.html(text)} for role, text in context],
        "replies": [{"side": side, "html": texts.html(text)} for side, text in sides.items()],
        "attributes": {name: material.attributes.get(name) for name in ATTRIBUTES} if material.attributes else None,
        "has_hints": has_hints(room, material),
        "hints": hints_json(room, lease, material),
        "draft": lease.draft,
        "first_choice": {name: lease.first_choice[name] for name in ("choice", "strength")} if lease.first_choice else None,
        "votes": votes,
        "num_words": sum(len(text.split()) for text in [*sides.values(), *(text for _, text in context)]),
        "standing": standing,
    }


def raw_json(lease: Lease, material: Material) -> dict[str, Any]:
    """Return the texts as they are, in the order of the screen."""
    record = material.record
    return {
        "context": [{"role": turn["role"], "text": plain_text(turn["content"])} for turn in record["context"]],
        "replies": [{"side": side, "text": plain_text(record[side])} for side in lease.shown_order],
    }


def has_hints(room: Room, material: Material) -> bool:
    """Return whether models have checked this pair's replies and people may see it."""
    return room.rules.show_hints and bool(material.checks)


def hints_json(room: Room, lease: Lease, material: Material) -> dict[str, Any] | None:
    """Return HINTS; None as long as the first choice is not recorded, or when there are none."""
    if lease.first_choice is None or not has_hints(room, material):
        return None
    checks = material.checks or {}
    return {side: checks.get(side, []) for side in ("first", "second")}


def standing_json(standing: Standing) -> dict[str, Any]:
    """Return STANDING of design/annotation.md."""
    qualification = None
    if standing.needed:
        qualification = {"done": standing.done, "needed": standing.needed, "right": standing.right, "passed": standing.qualified}
    return {"today": standing.today, "total": standing.total, "daily_limit": standing.daily_limit, "qualification": qualification}


def iso(at: float) -> str:
    """Return a time as the API writes it."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _anonymous(room: Room, connection: sa.Connection, lease: Lease) -> list[dict[str, Any]]:
    """The first-round votes, numbered in an order drawn for this pair: the same person is not always number 1."""
    votes = [vote for vote in votes_in(connection, [lease.pair_id]).get(lease.pair_id, []) if vote.round == "first"]
    drawn = sorted(votes, key=lambda vote: unit_interval(f"anonymous:{vote.vote_id}", room.seed))
    uses = uses_of_votes(connection, [vote.vote_id for vote in drawn])
    return [{"label": str(number), **_shown(vote), "uses": uses.get(vote.vote_id, [])} for number, vote in enumerate(drawn, 1)]


def _shown(vote: Vote) -> dict[str, Any]:
    return {name: getattr(vote, name) for name in ("choice", "strength", "confidence", "rationale", "reason")}
