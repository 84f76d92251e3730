"""Recorded votes: one vote a line, a pair a line with the choices of its annotators, or a pair a line as Goldsmith exports it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goldsmith.errors import DataError
from goldsmith.gold.exchange.item import read_vote
from goldsmith.gold.exchange.jsonl import item_of
from goldsmith.gold.exchange.rows import json_lines
from goldsmith.pool.sources.draft import Reject, messages
from goldsmith.types import Pair, Side, Vote, VoteChoice

ANONYMOUS = "recorded-"
"""Raters of rows that number their votes: the first of one row is not the first of another."""


@dataclass(frozen=True, slots=True)
class RecordedVotes:
    """What a file of votes holds: votes, the pairs it brings along, and how many rows were of no use, by reason."""

    votes: list[Vote]
    pairs: list[Pair]
    num_rows: int
    dropped: dict[str, int]


def read_votes(path: Path) -> RecordedVotes:
    """Return the votes of a file, and the pairs it brings along.

    Three layouts are read: one `Vote` record a line; the canonical pair rows whose `meta.votes` lists the annotators' choices (0 tie, 1 or 2 the
    response) with `meta.chosen_was` naming the response that became `chosen`; and the rows of `goldsmith votes export --format jsonl`.

    Raises:
        DataError: the file is missing, no JSON lines, or a row has none of these layouts; names file:line.
    """
    votes: list[Vote] = []
    pairs: list[Pair] = []
    num_rows = num_unusable = 0
    for place, row in json_lines(path):
        num_rows += 1
        if "vote_id" in row:
            votes.append(read_vote(row, place))
        elif isinstance(row.get("votes"), list):
            item = item_of(row, place)
            votes += item.votes
            pairs += [item.pair] if item.pair and item.votes else []
        elif isinstance(row.get("meta"), dict) and "votes" in row["meta"]:
            pair = _pair_with_votes(row, place)
            if pair is None:
                num_unusable += 1
            else:
                pairs.append(pair)
                votes += _recorded(pair, row, place)
        else:
            raise DataError(
                f"{place}: neither a vote record (vote_id, pair_id, annotator, choice, ...) nor a pair with votes or meta.votes; keys found: {', '.join(sorted(row))}"
            )
    if not votes:
        raise DataError(f"{path}: no votes in it; see docs/votes.md for the layouts that are read")
    dropped = {"empty-or-identical-replies": num_unusable} if num_unusable else {}
    return RecordedVotes(votes, pairs, num_rows, dropped)


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
            annotator=f"{ANONYMOUS}{index}",
            round="first",
            choice=choice,
        )
