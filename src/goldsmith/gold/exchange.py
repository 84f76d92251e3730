"""Votes in and out of files: recorded votes, and the queue for whoever votes outside the annotation room."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from goldsmith.errors import DataError
from goldsmith.gold.votes import VoteStore
from goldsmith.pool.sources.draft import Reject, messages
from goldsmith.store import Workspace, atomic
from goldsmith.types import Pair, Side, Vote, VoteChoice

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class RecordedVotes:
    """What a file of votes holds: votes, the pairs it brings along, and how many rows were of no use, by reason."""

    votes: list[Vote]
    pairs: list[Pair]
    num_rows: int
    dropped: dict[str, int]


def read_votes(path: Path) -> RecordedVotes:
    """Return the votes of a file, and the pairs it brings along.

    Two layouts are read: one `Vote` record a line, and the canonical pair rows whose `meta.votes` lists the
    annotators' choices (0 tie, 1 or 2 the response) with `meta.chosen_was` naming the response that became `chosen`.

    Raises:
        DataError: the file is missing, no JSON lines, or a row has neither layout; names file:line.
    """
    votes: list[Vote] = []
    pairs: list[Pair] = []
    num_rows = num_unusable = 0
    for place, row in json_lines(path):
        num_rows += 1
        if "vote_id" in row:
            votes.append(_vote(row, place))
        elif isinstance(row.get("meta"), dict) and "votes" in row["meta"]:
            pair = _pair_with_votes(row, place)
            if pair is None:
                num_unusable += 1
            else:
                pairs.append(pair)
                votes += _recorded(pair, row, place)
        else:
            raise DataError(
                f"{place}: neither a vote record (vote_id, pair_id, annotator, choice, ...) nor a pair with meta.votes; keys found: {', '.join(sorted(row))}"
            )
    if not votes:
        raise DataError(f"{path}: no votes in it; see docs/votes.md for the two layouts that are read")
    dropped = {"empty-or-identical-replies": num_unusable} if num_unusable else {}
    return RecordedVotes(votes, pairs, num_rows, dropped)


def import_votes(workspace: Workspace, path: Path) -> dict[str, int]:
    """Store a file's votes in the workspace and return {"rows", "votes", "new", "not_asked_for"} and the drops by reason; importing it again adds nothing.

    `not_asked_for` counts votes on pairs that are not in the queue: they are kept, and nothing depends on them unless the pair comes up.
    """
    from goldsmith.gold.room import open_room
    from goldsmith.gold.settle import recount

    found = read_votes(path)
    room = open_room(workspace)
    try:
        store = VoteStore(room.database)
        asked_for = {item["pair_id"] for item in store.queue()}
        new = store.add(found.votes, recorded=False)
        recount(room, [vote.pair_id for vote in found.votes if vote.pair_id in asked_for] if new else [])
        return {
            "rows": found.num_rows,
            "votes": len(found.votes),
            "new": new,
            "not_asked_for": sum(vote.pair_id not in asked_for for vote in found.votes),
            **found.dropped,
        }
    finally:
        room.close()


def export_queue(workspace: Workspace, path: Path) -> dict[str, int]:
    """Write the queue's unfinished pairs to a JSONL file, most urgent first, and return {"pairs"}.

    Each line holds the pair, its attributes, the round that is asked for (`first` or `expert`) and how many votes it has.
    """
    from goldsmith.gold.gate import open_items
    from goldsmith.gold.room import open_votes

    store = open_votes(workspace)
    try:
        items = open_items(store, workspace.config.gold)
    finally:
        store.close()
    atomic.write_text(path, "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items))
    return {"pairs": len(items)}


def json_lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each row of a file of JSON lines, packed or not, with its place (`file:line`).

    Raises:
        DataError: the file is missing, broken, or holds something else.
    """
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as stream:
            yield from _rows(stream, path)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file of votes") from None
    except (gzip.BadGzipFile, EOFError) as error:
        raise DataError(f"{path}: broken gzip: {error}; fetch or pack the file again") from None
    except zlib.error as error:
        raise DataError(f"{path}: broken gzip: {error}; fetch or pack the file again") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 (byte {error.start}: {error.reason}); convert the file first") from None


def _rows(stream: Iterable[str], path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, line in enumerate(stream, 1):
        if line.strip():
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise DataError(f"{path}:{number}: not JSON: {error.msg}") from None
            if not isinstance(row, dict):
                raise DataError(f"{path}:{number}: expected an object, found {type(row).__name__}")
            yield f"{path.name}:{number}", row


def _vote(row: dict[str, Any], place: str) -> Vote:
    try:
        return Vote.model_validate(row)
    except ValidationError as error:
        first = error.errors()[0]
        raise DataError(f"{place}: vote {row.get('vote_id')!r}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def _pair_with_votes(row: dict[str, Any], place: str) -> Pair | None:
    """The row's pair; None when its replies cannot be told apart or one is empty, so that no vote on it can mean anything."""
    chosen, rejected = row.get("chosen"), row.get("rejected")
    if not (isinstance(chosen, str) and isinstance(rejected, str) and isinstance(row.get("prompt"), list)):
        raise DataError(f"{place}: a pair with meta.votes needs prompt (messages), chosen and rejected (strings)")
    if not chosen.strip() or not rejected.strip() or chosen == rejected:
        return None
    if not isinstance(row["meta"]["votes"], list):
        raise DataError(f"{place}: meta.votes is {type(row['meta']['votes']).__name__}, not a list of choices")
    try:
        context = messages(row["prompt"])
    except Reject as reject:
        raise DataError(f"{place}: prompt: {reject}") from None
    return Pair.from_replies(
        context,
        chosen,
        rejected,
        tie=bool(row["meta"].get("is_tie")),
        label_origin="human",
        source=str(row.get("source", "")),
        source_ref=place,
    )


def _recorded(pair: Pair, row: dict[str, Any], place: str) -> Iterator[Vote]:
    meta = row["meta"]
    chosen_number = {"response_1": 1, "response_2": 2}.get(meta.get("chosen_was"))
    if chosen_number is None:
        raise DataError(f"{place}: meta.chosen_was = {meta.get('chosen_was')!r}; expected response_1 or response_2")
    chosen_side: Side = "first" if row["chosen"] == pair.first else "second"
    other_side: Side = "second" if chosen_side == "first" else "first"
    for index, value in enumerate(meta["votes"], 1):
        choice: VoteChoice = "tie" if value == 0 else (chosen_side if value == chosen_number else other_side)
        yield Vote(
            vote_id=f"recorded:{pair.pair_id}:{row.get('id', place)}:{index}",
            pair_id=pair.pair_id,
            annotator=f"recorded-{index}",
            round="first",
            choice=choice,
        )
