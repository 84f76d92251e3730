"""Stage 1: a round trains on silver, measures itself on gold, and asks for labels where gold says it errs (spec 4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from goldsmith.curate.context import Context
from goldsmith.curate.evidence import from_margins
from goldsmith.curate.gold import gold_up_to, pairs_by_id
from goldsmith.curate.grow import asked_ids
from goldsmith.curate.judging import label_by_judges
from goldsmith.curate.rewards import Rewards, closed_contexts, fit, oriented, pair_features, rewards, trainable
from goldsmith.errors import UserError
from goldsmith.evaluate import statistics
from goldsmith.store import PAIR_COLUMNS, Counts

if TYPE_CHECKING:
    from goldsmith.retrieve.rank import Retrieved
    from goldsmith.reward.head import Head

SILVER_SCHEMA = pa.schema(
    [
        ("pair_id", pa.string()),
        ("label", pa.string()),
        ("label_origin", pa.string()),
        ("origin", pa.string()),
        ("round", pa.int64()),
    ]
)
RETRIEVED_SCHEMA = pa.schema(
    [("pair_id", pa.string()), ("priority", pa.float64()), ("gold_ids", pa.string()), ("to_humans", pa.bool_())]
)
MARGIN_SCHEMA = pa.schema([("pair_id", pa.string()), ("split", pa.string()), ("p", pa.float64()), ("margin", pa.float64())])
FEWEST_PROMPTS = 5
"""Below this a head cannot be fitted and checked on prompts it has not seen."""


def seed_silver(context: Context, fingerprint: str) -> dict[str, Any]:
    """Write `silver_0`: the seed's pairs that did not go to people, labelled by judges that may be used, else as they came."""
    asked = set(asked_ids(context, 0))
    wanted = [row["pair_id"] for row in context.workspace.table("seed").rows(["pair_id"]) if row["pair_id"] not in asked]
    silver_facts, replies = _write_silver(context, fingerprint, wanted, round_number=0, origin="seed")
    return {**silver_facts, "replies": replies}


def run_round(context: Context, fingerprint: str, round_number: int) -> dict[str, Any]:
    """Train, evaluate, retrieve; people's part of what is retrieved waits in the queue, the rest becomes silver."""
    gold = gold_up_to(context, round_number - 1)
    silver = silver_up_to(context, round_number - 1)
    training = trainable(silver, closed_contexts(gold))
    readout = context.config.reward.readout
    head = fit(context, checked(training, f"round {round_number}"), readout)
    seen = [row for row in gold if row["label"] != "tie" and row["split"] != "audit"]
    margins = gold_margins(rewards(context, head, seen, readout), seen)
    _write_margins(context, fingerprint, round_number, seen, margins)
    retrieved, recall = _retrieve(
        context,
        fingerprint,
        round_number,
        gold,
        silver,
        {row["pair_id"]: margin for row, margin in zip(seen, margins, strict=True)},
        Learnt(head, training),
    )
    to_llm = [row["pair_id"] for row in retrieved if not row["to_humans"]]
    silver_facts, replies = _write_silver(context, fingerprint, to_llm, round_number=round_number, origin="retrieved")
    head.save(context.workspace.models / f"round-{round_number}")
    facts = {
        "round": round_number,
        "silver_total": len(silver),
        "silver_trained": len(training),
        "gold_total": len(gold),
        "retrieved": len(retrieved),
        "index_recall": recall,
    }
    by_origin = dict(Counter(row["label_origin"] for row in silver))
    return (
        facts
        | {
            "silver_by_origin": by_origin,
            "to_humans": len(retrieved) - len(to_llm),
            "to_llm": len(to_llm),
            "silver_added": silver_facts,
            "replies": replies,
        }
        | gold_accuracy(context, seen, margins)
    )


def silver_up_to(context: Context, round_number: int) -> list[dict[str, Any]]:
    """Return silver pairs of rounds 0 to `round_number` as pair rows with silver's labels; a later label wins.

    What people were asked about since, as a batch had to grow, is silver no longer.
    """
    labels: dict[str, dict[str, Any]] = {}
    for number in range(round_number + 1):
        labels.update({row["pair_id"]: row for row in context.workspace.table(f"silver_{number}").rows()})
    for number in range(round_number + 1):
        for name in asked_ids(context, number):
            labels.pop(name, None)
    pairs = pairs_by_id(context, list(labels))
    return [
        {**pairs[name], "label": labels[name]["label"], "label_origin": labels[name]["label_origin"]} for name in sorted(labels)
    ]


def gold_margins(scored: Rewards, rows: Sequence[dict[str, Any]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return r(chosen) - r(rejected) under the human label, shape [N]."""
    sign = np.array([1.0 if row["label"] == "first" else -1.0 for row in rows])
    return np.asarray(sign * (scored.first - scored.second), dtype=np.float64)


def gold_accuracy(context: Context, rows: Sequence[dict[str, Any]], margins: Any) -> dict[str, Any]:
    """Return the accuracy on gold validation with its interval, and on gold train."""
    facts: dict[str, Any] = {}
    for split in ("validation", "train"):
        chosen = [at for at, row in enumerate(rows) if row["split"] == split]
        part = margins[chosen]
        estimate = statistics.accuracy(part > 0, [rows[at]["context_id"] for at in chosen], ties=part == 0, seed=context.seed)
        facts[f"accuracy_{split}"] = estimate.value
        facts[f"num_{split}"] = len(chosen)
        if split == "validation":
            facts |= {"low": estimate.low, "high": estimate.high}
    return facts


def checked(training: list[dict[str, Any]], where: str) -> list[dict[str, Any]]:
    """Return the rows; refuse a set that no head can be fitted to."""
    prompts = len({row["context_id"] for row in training})
    if prompts < FEWEST_PROMPTS:
        raise UserError(
            f"{where}: {len(training)} silver pairs of {prompts} prompts are left to train on, and a head needs {FEWEST_PROMPTS} prompts; "
            "raise seed_selection.size, or add pairs to the pool"
        )
    return training


def _retrieve(
    context: Context,
    fingerprint: str,
    round_number: int,
    gold: list[dict[str, Any]],
    silver: list[dict[str, Any]],
    margins: dict[str, float],
    learnt: Learnt,
) -> tuple[list[dict[str, Any]], float | None]:
    """Rank pool pairs by the errors that ask for them, split them between people and LLMs, and write `retrieved_<r>`.

    Returned beside the rows: the share of the exact neighbours that the index finds; None where it is exact.
    """
    done = {row["pair_id"] for row in gold} | {row["pair_id"] for row in silver} | _asked_before(context, round_number)
    asking = {row["pair_id"]: float(from_margins(margins[row["pair_id"]])) for row in gold if row["pair_id"] in margins}
    if context.config.rounds.retrieval == "error":
        hits, recall = _by_errors(context, asking, closed_contexts(gold), done)
    else:
        hits, recall = _by_model(context, asking, closed_contexts(gold), done, learnt, round_number), None
    budget = context.config.gold.human_budget
    rows = [
        {"pair_id": hit.pair_id, "priority": hit.priority, "gold_ids": hit.gold_ids, "to_humans": place < budget}
        for place, hit in enumerate(hits)
    ]
    with context.workspace.writer(f"retrieved_{round_number}", step=f"round_{round_number}", fingerprint=fingerprint) as out:
        out.write_rows(rows, RETRIEVED_SCHEMA)
    return rows, recall


@dataclass(frozen=True, slots=True)
class Learnt:
    """A round's head, and the rows it was fitted to."""

    head: Head
    training: list[dict[str, Any]]


def _by_errors(
    context: Context, asking: dict[str, float], closed: set[str], done: set[str]
) -> tuple[list[Retrieved], float | None]:
    """The article's: what is like the gold pairs that the model gets wrong."""
    from goldsmith.curate.similarity import SimilarPairs
    from goldsmith.retrieve.rank import GoldQuery, retrieve

    similar, rounds = SimilarPairs(context), context.config.rounds
    vectors = similar.vectors_of(list(asking))
    hits = retrieve(
        [GoldQuery(pair_id=name, p=p) for name, p in asking.items()],
        vectors,
        similar.index,
        similar.pool_ids,
        similar.pool_contexts,
        rule=rounds.k_rule,
        k_max=rounds.k_max,
        excluded_contexts=closed,
        excluded_pairs=done,
    )
    return hits, similar.recall(vectors, rounds.k_max)


def _by_model(
    context: Context, asking: dict[str, float], closed: set[str], done: set[str], learnt: Learnt, round_number: int
) -> list[Retrieved]:
    """Doubt, disagreement or chance: as many pairs as the k rule asks for on gold, so that the modes spend alike."""
    from goldsmith.curate.ask import COMMITTEE, ask
    from goldsmith.retrieve.adaptive_k import adaptive_k
    from goldsmith.reward.ensemble import fit_ensemble

    rounds, readout = context.config.rounds, context.config.reward.readout
    mode = rounds.retrieval
    assert mode != "error"
    pool = context.workspace.table("pool").rows(PAIR_COLUMNS)
    margins = None
    if mode == "uncertainty":
        scored = rewards(context, learnt.head, pool, readout)
        margins = scored.first - scored.second
    elif mode == "disagreement":
        chosen, rejected = oriented(learnt.training, *pair_features(context, learnt.training, readout))
        groups = [row["context_id"] for row in learnt.training]
        heads = fit_ensemble(learnt.head, chosen, rejected, groups, COMMITTEE, context.seed)
        first, second = pair_features(context, pool, readout)
        margins = (heads.weight @ (first - second).T).astype(np.float64)
    return ask(
        mode,
        [row["pair_id"] for row in pool],
        [row["context_id"] for row in pool],
        sum(adaptive_k(p, rounds.k_rule, rounds.k_max) for p in asking.values()),
        context.seed + round_number,
        margins=margins,
        excluded_contexts=closed,
        excluded_pairs=done,
    )


def _asked_before(context: Context, round_number: int) -> set[str]:
    """Pairs people were asked about already, whatever came of it."""
    return {name for number in range(round_number) for name in asked_ids(context, number)}


def _write_silver(
    context: Context, fingerprint: str, pair_ids: list[str], *, round_number: int, origin: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Write `silver_<r>` and return its counts, and what came back from the judges."""
    pairs = pairs_by_id(context, pair_ids)
    labels, dropped, replies = label_by_judges(context, fingerprint, [pairs[name] for name in pair_ids], round_number)
    rows = [
        {"pair_id": name, "label": label, "label_origin": made_by, "origin": origin, "round": round_number}
        for name, (label, made_by) in sorted(labels.items())
    ]
    step = f"round_{round_number}" if round_number else "silver_0"
    with context.workspace.writer(f"silver_{round_number}", step=step, fingerprint=fingerprint) as out:
        out.write_rows(rows, SILVER_SCHEMA)
        out.counts = Counts(total=len(pair_ids), kept=len(rows), dropped=dropped)
    return out.counts.model_dump(), replies


def _write_margins(context: Context, fingerprint: str, round_number: int, rows: list[dict[str, Any]], margins: Any) -> None:
    made = [
        {"pair_id": row["pair_id"], "split": row["split"], "p": float(1.0 / (1.0 + np.exp(-margin))), "margin": float(margin)}
        for row, margin in zip(rows, margins, strict=True)
    ]
    with context.workspace.writer(f"gold_margins_{round_number}", step=f"round_{round_number}", fingerprint=fingerprint) as out:
        out.write_rows(made, MARGIN_SCHEMA)


def choose_best(context: Context, fingerprint: str) -> dict[str, Any]:
    """Refit every round's model without the contexts that became gold validation or audit since, and take the best on gold validation."""
    gold = gold_up_to(context, context.config.rounds.count)
    validation = [row for row in gold if row["split"] == "validation" and row["label"] != "tie"]
    closed, readout = closed_contexts(gold), context.config.reward.readout
    found = []
    for number in range(1, context.config.rounds.count + 1):
        training = trainable(silver_up_to(context, number - 1), closed)
        head = fit(context, checked(training, f"round {number}"), readout)
        margins = gold_margins(rewards(context, head, validation, readout), validation)
        found.append({"round": number, "trained_on": len(training), **gold_accuracy(context, validation, margins)})
    best = max(found, key=lambda item: (item["accuracy_validation"], item["round"]))
    with context.workspace.writer("best", step="best", fingerprint=fingerprint) as out:
        out.write(pa.table({"round": pa.array([best["round"]], pa.int64())}))
    return {"round": best["round"], "rounds": found}


__all__ = ["choose_best", "gold_margins", "run_round", "seed_silver", "silver_up_to"]
