"""Gold in a run: a batch goes to people, their votes are adjudicated, and what passes the gate becomes gold."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa

from goldsmith.curate.context import Context
from goldsmith.curate.grow import asked_ids, batch_name, grow
from goldsmith.errors import UserError, WaitingForHumans
from goldsmith.gold.adjudicate import Outcome
from goldsmith.gold.agreement import Agreement, gate_outcome
from goldsmith.gold.batches import came_through_room, gold_count, retest_agreement, retest_counts, uncounted
from goldsmith.gold.gate import BatchResult, agreement_of, judge_batch
from goldsmith.gold.retests import draw_more
from goldsmith.gold.room import Room, open_room, open_votes
from goldsmith.gold.settle import recount
from goldsmith.gold.split import split_of
from goldsmith.gold.votes import VoteStore
from goldsmith.store import PAIR_COLUMNS, Counts, pair_schema
from goldsmith.types import Vote, VoteChoice

GOLD_SCHEMA = pair_schema(
    ("split", pa.string()), ("how", pa.string()), ("batch", pa.string()), ("round", pa.int64()), ("num_votes", pa.int64())
)
DROPPED_SCHEMA = pa.schema([("pair_id", pa.string()), ("batch", pa.string()), ("reason", pa.string())])


def collect_gold(context: Context, fingerprint: str, round_number: int) -> dict[str, Any]:
    """Bring one round's batch into gold; round 0 is the seed's, together with what recorded votes brought along.

    Raises:
        WaitingForHumans: votes or experts are missing, and no recorded votes stand for them.
    """
    batches = [asked_batch(context, round_number)]
    if round_number == 0:
        batches.insert(0, ("recorded", context.workspace.table("recorded_pairs").rows(PAIR_COLUMNS)))
    gold, dropped, facts = [], [], []
    for name, rows in batches:
        if rows:
            result = _voted(context, name, rows, round_number)
            gold += _gold_rows(result, rows, round_number)
            dropped += _dropped_rows(result)
            facts.append({**result.facts, **_tally(result)})
    gold = _unseen(context, gold, round_number)
    _write(context, fingerprint, round_number, gold, dropped)
    if round_number == 0:
        _check_enough(context, gold)
    return {"batches": facts, "gold": len(gold), "dropped": dict(Counter(row["reason"] for row in dropped))}


def gold_up_to(context: Context, round_number: int) -> list[dict[str, Any]]:
    """Return the gold rows of rounds 0 to `round_number`."""
    tables = [context.workspace.table(f"gold_{number}") for number in range(round_number + 1)]
    return [row for table in tables for row in table.rows()]


def merge_gold(context: Context, fingerprint: str) -> dict[str, Any]:
    """Write the table `gold` of all rounds, and the facts the report shows."""
    rows = gold_up_to(context, context.config.rounds.count)
    with context.workspace.writer("gold", step="gold", fingerprint=fingerprint) as out:
        out.write_rows(sorted(rows, key=lambda row: str(row["pair_id"])), GOLD_SCHEMA)
    dropped = [
        row
        for number in range(context.config.rounds.count + 1)
        for row in context.workspace.table(f"gold_dropped_{number}").rows()
    ]
    with context.workspace.writer("gold_dropped", step="gold", fingerprint=fingerprint) as out:
        out.write_rows(dropped, DROPPED_SCHEMA)
    from goldsmith.curate.cross_check import cross_check_facts

    return {
        "cross_check": cross_check_facts(context),
        "by_split": dict(Counter(row["split"] for row in rows)),
        "by_how": dict(Counter(row["how"] for row in rows)),
    } | _all_batches(context)


def vote_fingerprint(context: Context, round_number: int) -> Any:
    """What a batch depends on besides tables: the votes that decide on its pairs."""
    _, rows = asked_batch(context, round_number)
    ids = [row["pair_id"] for row in rows]
    if round_number == 0:
        ids += [row["pair_id"] for row in context.workspace.table("recorded_pairs").rows(["pair_id"])]
    store = open_votes(context.workspace)
    try:
        votes = store.votes_of(ids)
    finally:
        store.close()
    return sorted(vote.vote_id for given in votes.values() for vote in given if _decides(vote, given))


def _decides(vote: Vote, given: list[Vote]) -> bool:
    """Whether a batch depends on a vote: late votes, and those that somebody gives again after days, change nothing."""
    own = {other.annotator for other in given if other.round == "first"}
    return vote.round in ("first", "expert") or (vote.round == "retest" and vote.annotator not in own)


def asked_batch(context: Context, round_number: int) -> tuple[str, list[dict[str, Any]]]:
    """Name and pairs of what people are asked in a round, most urgent first."""
    wanted = asked_ids(context, round_number)
    rows = pairs_by_id(context, wanted)
    return batch_name(round_number), [rows[pair_id] for pair_id in wanted]


def pairs_by_id(context: Context, pair_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return pool rows by id, reading the pool once, batch by batch."""
    wanted = set(pair_ids)
    found = {}
    if wanted:
        for batch in context.workspace.table("pool").batches(PAIR_COLUMNS):
            found.update({row["pair_id"]: row for row in batch.to_pylist() if row["pair_id"] in wanted})
    return found


def _voted(context: Context, name: str, rows: list[dict[str, Any]], round_number: int) -> BatchResult:
    config = context.config.gold
    pair_ids = [row["pair_id"] for row in rows]
    recorded = bool(config.recorded_votes) or name == "recorded"
    room = open_room(context.workspace)
    try:
        store, rules = VoteStore(room.database), room.rules
        items = _queue_items(context, rows, round_number) if name != "recorded" else []
        store.fill_queue(name, items, wanted=config.votes_per_pair, quotas=rules.quotas, expertise=rules.expertise)
        votes = store.votes_of(pair_ids)
        if recorded:
            return judge_batch(name, votes, pair_ids, config, recorded=True, seed=context.seed)
        recount(room, uncounted(room, name))
        result = judge_batch(name, votes, pair_ids, config, recorded=False, seed=context.seed)
        _wait_if_open(room, context.workspace.root, result)
        retest = _retested(room, name)
        if retest is not None:
            result = judge_batch(name, votes, pair_ids, config, recorded=False, seed=context.seed, retest=retest)
        _grow_if_undecided(context, room, store, result, round_number)
        _wait_if_not_admitted(context, room, result)
    finally:
        room.close()
    return result


def _wait_if_open(room: Room, root: Path, result: BatchResult) -> None:
    states = Counter(outcome.state for outcome in result.outcomes.values())
    if states["waiting"] or states["disputed"]:
        raise WaitingForHumans(
            f"batch '{result.batch}': {states['waiting']} pairs need votes and {states['disputed']} an expert; the queue is in {_place(room, root)}; "
            "show it to people with `goldsmith annotate serve`, or write it to a file with `goldsmith votes export -o queue.jsonl` and bring votes back with "
            "`goldsmith votes import FILE`; then `goldsmith run`"
        )


def _grow_if_undecided(context: Context, room: Room, store: VoteStore, result: BatchResult, round_number: int) -> None:
    """Ask people about more pairs when the first round's agreement is what the gate cannot decide about.

    Raises:
        WaitingForHumans: more pairs are in the queue now.
    """
    config, facts = context.config.gold, result.facts
    if result.admitted or gate_outcome(agreement_of(facts), config.min_alpha) != "undecided":
        return
    more = grow(context, room, round_number)
    if more:
        pairs = pairs_by_id(context, more)
        items = _queue_items(context, [pairs[name] for name in more], round_number)
        rules = room.rules
        store.fill_queue(result.batch, items, wanted=config.votes_per_pair, quotas=rules.quotas, expertise=rules.expertise)
        raise WaitingForHumans(
            f"batch '{result.batch}': alpha {_interval(facts)} against {config.min_alpha} decides nothing yet; {len(more)} more pairs are in the queue "
            f"(at most {config.undecided_max_growth:g} times the budget). `goldsmith annotate serve` shows them; then `goldsmith run`"
        )


def _retested(room: Room, batch: str) -> Agreement | None:
    """Alpha of the batch's retests; None when its votes did not come through the room, or nothing is to be retested.

    Raises:
        WaitingForHumans: retests are not done yet, among them those that are drawn now.
    """
    with room.database.read() as connection:
        if not room.gold.retest_share or not came_through_room(connection, batch):
            return None
        counts = retest_counts(room, connection, batch)
        found = retest_agreement(room, connection, batch)
        num_gold = gold_count(connection, batch)
    wanted = math.ceil(room.gold.retest_share * num_gold)
    is_short = counts["done"] == counts["drawn"] and gate_outcome(found, room.gold.min_alpha) == "undecided"
    drawn = draw_more(room, batch, wanted if is_short else wanted - counts["drawn"])
    if not counts["drawn"] and not drawn:
        return None
    still_open = counts["drawn"] + drawn - counts["done"]
    if still_open:
        raise WaitingForHumans(
            f"batch '{batch}': {still_open} verified pairs are being judged again, blind ({counts['done']} are done, at most {counts['max']}); "
            "other annotators get them with `goldsmith annotate serve`; then `goldsmith run`"
        )
    return found


def _wait_if_not_admitted(context: Context, room: Room, result: BatchResult) -> None:
    if not result.admitted:
        facts, retest = result.facts, result.facts.get("alpha_retest")
        again = f", of retests {_interval(retest)}" if retest else ""
        raise WaitingForHumans(
            f"batch '{result.batch}': the gate says {facts['outcome']}: alpha {_interval(facts)}{again} against {context.config.gold.min_alpha}; it stays out of gold. "
            f"Look at the disputed pairs and at the guideline ({_place(room, context.workspace.root)}; `goldsmith annotate serve`, page of the batch), "
            "have the batch voted on again by other people, or set gold.enforce_gate = false"
        )


def _place(room: Room, root: Path) -> str:
    return str(root / "annotation.db") if room.database.is_sqlite else f"the database '{room.database.url.database}'"


def _interval(facts: dict[str, Any]) -> str:
    return f"{_number(facts['alpha'])} ({_number(facts['low'])} to {_number(facts['high'])})"


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"


def _queue_items(context: Context, rows: list[dict[str, Any]], round_number: int) -> list[dict[str, Any]]:
    """What an annotator needs: the conversation, both replies, the attributes, and what models said of each reply; no label, no source."""
    wanted = {row["pair_id"] for row in rows}
    attributes, checks = _attributes(context, wanted), _checks(context, wanted, round_number)
    return [
        {
            "pair_id": row["pair_id"],
            "context": json.loads(row["context"]),
            "first": row["first"],
            "second": row["second"],
            "attributes": attributes.get(row["pair_id"]),
            "checks": checks.get(row["pair_id"]),
            **_tests(row),
        }
        for row in rows
    ]


def _tests(row: dict[str, Any]) -> dict[str, Any]:
    """Tests that came with a pair; nothing else of its `meta` is shown, which may tell the label."""
    from goldsmith.judge.programs import given_tests

    found = given_tests(json.loads(row["meta"]) if row.get("meta") else {})
    return {} if found is None else {"tests": {"language": found.language, "code": found.code}}


def _attributes(context: Context, wanted: set[str]) -> dict[str, dict[str, Any]]:
    """Attributes of pairs as people are shown them."""
    table = context.workspace.table("attributes")
    if not table.exists:
        return {}
    names = ("task", "objectivity", "controversiality", "desired", "guideline")
    found = {row["pair_id"]: {name: row.get(name) for name in names} for row in table.rows() if row["pair_id"] in wanted}
    for row in found.values():
        if isinstance(row["desired"], str):
            row["desired"] = json.loads(row["desired"])
    return found


def _checks(context: Context, wanted: set[str], round_number: int) -> dict[str, dict[str, list[dict[str, str]]]]:
    """What models said of each reply, by side; failed checks say nothing."""
    table = context.workspace.table(f"reply_checks_{round_number}")
    found: dict[str, dict[str, list[dict[str, str]]]] = {}
    for row in table.rows() if table.exists else ():
        if row["pair_id"] in wanted and row["outcome"]:
            said = {"model": row["model"], "outcome": row["outcome"], "reason": row["reason"] or ""}
            found.setdefault(row["pair_id"], {}).setdefault(row["side"], []).append(said)
    return found


def _gold_rows(result: BatchResult, rows: list[dict[str, Any]], round_number: int) -> list[dict[str, Any]]:
    if not result.admitted:
        return []
    made = []
    for row in rows:
        outcome = result.outcomes[row["pair_id"]]
        if outcome.state == "gold":
            more = {"split": split_of(row["context_id"]), "how": outcome.how, "batch": result.batch, "round": round_number}
            made.append({**row, "label": outcome.label, "label_origin": "human", "num_votes": outcome.num_votes, **more})
    return made


def _dropped_rows(result: BatchResult) -> list[dict[str, Any]]:
    rows = []
    for pair_id, outcome in result.outcomes.items():
        reason = _drop_reason(outcome, result.admitted)
        if reason:
            rows.append({"pair_id": pair_id, "batch": result.batch, "reason": reason})
    return rows


def _drop_reason(outcome: Outcome, admitted: bool) -> str | None:
    if outcome.state == "gold":
        return None if admitted else "gate"
    return {"discarded": "discarded", "disputed": "disputed-no-expert", "waiting": "no-votes"}[outcome.state]


def _tally(result: BatchResult) -> dict[str, Any]:
    states = Counter(outcome.state for outcome in result.outcomes.values())
    disputes = sum(outcome.was_disputed for outcome in result.outcomes.values())
    return {"pairs": len(result.outcomes), "states": dict(states), "disputes": disputes, "discards": states["discarded"]}


def _unseen(context: Context, gold: list[dict[str, Any]], round_number: int) -> list[dict[str, Any]]:
    known = {row["pair_id"] for row in gold_up_to(context, round_number - 1)} if round_number else set()
    return list({row["pair_id"]: row for row in gold if row["pair_id"] not in known}.values())


def _write(
    context: Context, fingerprint: str, round_number: int, gold: list[dict[str, Any]], dropped: list[dict[str, Any]]
) -> None:
    workspace, step = context.workspace, f"gold_{round_number}"
    with workspace.writer(f"gold_{round_number}", step=step, fingerprint=fingerprint) as out:
        out.write_rows(sorted(gold, key=lambda row: str(row["pair_id"])), GOLD_SCHEMA)
        out.counts = Counts(
            total=len(gold) + len(dropped), kept=len(gold), dropped=dict(Counter(row["reason"] for row in dropped))
        )
    with workspace.writer(f"gold_dropped_{round_number}", step=step, fingerprint=fingerprint) as out:
        out.write_rows(sorted(dropped, key=lambda row: str(row["pair_id"])), DROPPED_SCHEMA)


def _check_enough(context: Context, gold: list[dict[str, Any]]) -> None:
    decided = [row for row in gold if row["label"] != "tie"]
    by_split = Counter(row["split"] for row in decided)
    if len(decided) < context.config.gold.minimum or not by_split["train"] or not by_split["validation"]:
        raise UserError(
            f"only {len(decided)} decided gold pairs ({dict(by_split)}); at least gold.minimum = {context.config.gold.minimum} with both train and validation "
            "are needed to choose a model. Raise gold.seed_budget, or bring more recorded votes"
        )


def _all_batches(context: Context) -> dict[str, Any]:
    """The agreement of each batch, and over all votes that were adjudicated."""
    from goldsmith.curate.step import read_marker
    from goldsmith.gold.agreement import alpha_first, alpha_retest

    batches: list[dict[str, Any]] = []
    for number in range(context.config.rounds.count + 1):
        marker = read_marker(context.workspace, f"gold_{number}")
        batches += marker.facts["batches"] if marker else []
    votes = _adjudicated_votes(context)
    overall, again = alpha_first(votes, seed=context.seed), alpha_retest(_judged_again(context, votes), seed=context.seed)
    return {
        "batches": batches,
        "alpha_first": {"alpha": overall.alpha, "low": overall.low, "high": overall.high, "num_pairs": overall.num_pairs},
        **({"alpha_retest": asdict(again)} if again.num_pairs else {}),
        "disputes": sum(batch["disputes"] for batch in batches),
        "discards": sum(batch["discards"] for batch in batches),
    }


def _judged_again(context: Context, votes: list[list[Vote]]) -> list[tuple[VoteChoice, VoteChoice]]:
    """First verdict and each blind vote of somebody else, of the pairs that became gold."""
    labels = {row["pair_id"]: row["label"] for row in gold_up_to(context, context.config.rounds.count)}
    found: list[tuple[VoteChoice, VoteChoice]] = []
    for given in votes:
        again = [vote for vote in given if vote.round == "retest" and _decides(vote, given) and vote.pair_id in labels]
        found += [(labels[vote.pair_id], vote.choice) for vote in again]
    return found


def _adjudicated_votes(context: Context) -> list[list[Vote]]:
    ids: list[str] = []
    for number in range(context.config.rounds.count + 1):
        for table in (f"gold_{number}", f"gold_dropped_{number}"):
            ids += [row["pair_id"] for row in context.workspace.table(table).rows(["pair_id"])]
    store = open_votes(context.workspace)
    try:
        votes = store.votes_of(ids)
    finally:
        store.close()
    return [votes[name] for name in sorted(votes)]
