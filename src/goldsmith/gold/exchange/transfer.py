"""Votes between a workspace and files of any format: what comes in is checked whole before anything is stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goldsmith.errors import DataError
from goldsmith.gold.exchange.brought import bring, unknown_pairs
from goldsmith.gold.exchange.collect import Which, collect
from goldsmith.gold.exchange.formats import format_named, recognised
from goldsmith.gold.exchange.item import Held, Item, Read, answer_of
from goldsmith.gold.exchange.recorded import ANONYMOUS, read_votes
from goldsmith.gold.room import Room, open_room
from goldsmith.gold.settle import recount
from goldsmith.gold.votes import VoteStore
from goldsmith.store import Workspace
from goldsmith.types import Vote

SHOWN = 20
"""Conflicts that are named one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sorted:
    """Votes of a file against those that are stored.

    Attributes:
        new: to be stored.
        known: that are there already.
        contradictions: of one rater on one pair in one round, saying different things; none of them is stored.
        conflicts: that say something else than the stored vote of the same id or the same rater, pair and round; not stored.
    """

    new: list[Vote]
    known: int
    contradictions: list[dict[str, Any]]
    conflicts: list[dict[str, Any]]


def import_votes(workspace: Workspace, path: Path, format: str = "auto") -> dict[str, Any]:
    """Store a file's votes and return what became of each; importing it again adds nothing.

    Pairs that the workspace does not know come with their texts and are kept, so that the next run makes gold of them.

    Args:
        workspace: the workspace.
        path: the file, or the folder of Argilla or Potato.
        format: its name; `auto`: told by the content.

    Returns:
        `rows`, `votes` = `new` + `known` + `contradicting` + `conflicting`; `pairs_brought`, `not_asked_for` (votes on pairs that are not in the queue:
        they are kept), `contradictions` and `conflicts` (the first 20 of each, named), and what was dropped, by reason.

    Raises:
        DataError: the file cannot be read whole; names line and field, and nothing was stored.
    """
    name = recognised(path) if format == "auto" else format
    found = _recorded(path) if name == "recorded" else format_named(name).read(path)
    if not any(item.votes for item in found.items):
        raise DataError(
            f"{path}: no votes in it ({found.num_rows} rows, read as {name}{_told(found.dropped)}); see docs/exchange.md"
        )
    room = open_room(workspace)
    try:
        return {"format": name, **store(workspace, room, found)}
    finally:
        room.close()


def store(workspace: Workspace, room: Room, found: Read) -> dict[str, Any]:
    """Store what was read and return what became of each vote; see `import_votes`."""
    votes = [vote for item in found.items for vote in item.votes]
    sorted_votes = sort_votes(VoteStore(room.database), votes)
    asked_for = {item["pair_id"] for item in VoteStore(room.database).queue()}
    unknown = unknown_pairs(workspace, {vote.pair_id for vote in sorted_votes.new} - asked_for)
    num_brought = bring(workspace, [item.pair for item in found.items if item.pair and item.pair_id in unknown])
    new = VoteStore(room.database).add(sorted_votes.new, recorded=False)
    recount(room, [vote.pair_id for vote in sorted_votes.new if vote.pair_id in asked_for])
    contradicting = sum(len(one["votes"]) for one in sorted_votes.contradictions)
    conflicts = sorted_votes.conflicts + [
        {"vote_id": name, "what": "changed there; the vote stays as it was"} for name in found.edited
    ]
    result = {
        "rows": found.num_rows,
        "votes": len(votes),
        "new": new,
        "known": sorted_votes.known,
        "contradicting": contradicting,
        "conflicting": len(sorted_votes.conflicts),
        "changed_there": len(found.edited),
        "pairs_brought": num_brought,
        "not_asked_for": sum(vote.pair_id not in asked_for for vote in votes),
        "contradictions": sorted_votes.contradictions[:SHOWN],
        "conflicts": conflicts[:SHOWN],
        "dropped": found.dropped,
    }
    assert result["votes"] == new + sorted_votes.known + contradicting + len(sorted_votes.conflicts), (
        "in = stored + known + refused"
    )
    return result


def sort_votes(stored: VoteStore, votes: Sequence[Vote]) -> Sorted:
    """Return which votes are new, known, contradict each other, or conflict with a stored one."""
    there = [vote for given in stored.votes_of(list({vote.pair_id for vote in votes})).values() for vote in given]
    by_id = {vote.vote_id: vote for vote in there} | stored.votes_named([vote.vote_id for vote in votes])
    by_rater = {_rater(vote): vote for vote in there if not _is_anonymous(vote)}
    fresh: dict[Any, list[Vote]] = {}
    known, conflicts = 0, list[dict[str, Any]]()
    for vote in votes:
        old = by_id.get(vote.vote_id) or by_rater.get(_rater(vote))
        if old is None:
            key = ("id", vote.vote_id) if _is_anonymous(vote) else _rater(vote)
            fresh.setdefault(key, []).append(vote)
        elif old.pair_id == vote.pair_id and answer_of(old) == answer_of(vote):
            known += 1
        else:
            conflicts.append(_conflict(old, vote))
    new, contradictions = list[Vote](), list[dict[str, Any]]()
    for given in fresh.values():
        if len({answer_of(vote) for vote in given}) > 1:
            contradictions.append(_contradiction(given))
        else:
            new.append(given[0])
            known += len(given) - 1
    twice = [name for name, times in Counter(vote.vote_id for vote in new).items() if times > 1]
    for name in twice:
        same = [vote for vote in new if vote.vote_id == name]
        new = [vote for vote in new if vote.vote_id != name]
        contradictions.append(_contradiction(same))
    return Sorted(new=new, known=known, contradictions=contradictions, conflicts=conflicts)


def export_votes(
    workspace: Workspace, path: Path, format: str, *, which: Which = "all", suggestions: bool = True
) -> dict[str, Any]:
    """Write pairs, votes and suggestions in a format and return how much there was and what the other side shows, carries or cannot hold.

    Args:
        workspace: the workspace.
        path: the file to write, or the folder (Argilla, Potato).
        format: its name.
        which: `all`: asked about or voted on; `open`: waiting for first votes; `voted`: with a vote.
        suggestions: whether what judges and reward models say goes along.
    """
    chosen = format_named(format)
    room = open_room(workspace)
    try:
        items, without_texts = collect(workspace, room, which, suggestions=suggestions)
    finally:
        room.close()
    held = chosen.write(items, path, workspace.seed)
    return {"format": format, **_counts(items), **_account(held), "votes_without_texts": without_texts}


def _counts(items: Iterable[Item]) -> dict[str, int]:
    found: Counter[str] = Counter(pairs=0, votes=0, suggestions=0)
    for item in items:
        found.update(pairs=1, votes=len(item.votes), suggestions=len(item.suggestions))
    return dict(found)


def _account(held: Held) -> dict[str, dict[str, int]]:
    return {"carried": dict(sorted(held.carried.items())), "not_held": dict(sorted(held.not_held.items()))}


def _recorded(path: Path) -> Read:
    """The items of recorded votes, in whichever layout; what comes without texts stays without."""
    found = read_votes(path)
    pairs = {pair.pair_id: pair for pair in found.pairs}
    votes: dict[str, list[Vote]] = {}
    for vote in found.votes:
        votes.setdefault(vote.pair_id, []).append(vote)
    items = [Item(pair_id=name, pair=pairs.get(name), votes=tuple(given)) for name, given in votes.items()]
    return Read(items=items, num_rows=found.num_rows, dropped=found.dropped)


def _rater(vote: Vote) -> tuple[str, str, str]:
    return vote.pair_id, vote.annotator, vote.round


def _is_anonymous(vote: Vote) -> bool:
    return vote.annotator.startswith(ANONYMOUS)


def _conflict(old: Vote, vote: Vote) -> dict[str, Any]:
    about = {"pair_id": vote.pair_id, "annotator": vote.annotator, "round": vote.round}
    return {
        "vote_id": vote.vote_id,
        **about,
        "stored": old.choice,
        "found": vote.choice,
        "what": "says something else than the stored vote",
    }


def _contradiction(votes: Sequence[Vote]) -> dict[str, Any]:
    about = {"pair_id": votes[0].pair_id, "annotator": votes[0].annotator, "round": votes[0].round}
    return {**about, "votes": [vote.vote_id for vote in votes], "choices": [vote.choice for vote in votes]}


def _told(dropped: dict[str, int]) -> str:
    return "".join(f", {count} {reason}" for reason, count in dropped.items())
