"""The gate's third check: each round's reward model, and one trained on gold alone, are scored on RewardBench; a drop flags what came into gold since.

It only flags: no label, batch or model is changed by it. Where RewardBench is not there, the round says so with the reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from goldsmith.benchdata.rewardbench import ID
from goldsmith.benchdata.suite import BenchmarkData, find_suite
from goldsmith.curate.context import Context
from goldsmith.curate.gold import gold_up_to
from goldsmith.curate.grow import batch_name
from goldsmith.curate.rewards import closed_contexts, fit, trainable
from goldsmith.curate.step import read_marker
from goldsmith.errors import UserError
from goldsmith.pool.sources.hub import HUB_PREFIX

if TYPE_CHECKING:
    from goldsmith.evaluate.result import ItemRecord
    from goldsmith.reward.grouping import Reply
    from goldsmith.reward.head import Head

SCHEMA = pa.schema([("model", pa.string()), ("record", pa.string())])
RESAMPLES = 1000
FEWEST_PROMPTS = 5
ABSENT = "RewardBench is not there: gold.cross_check names no file, and evaluate.suite no folder that holds it"


def check_round(context: Context, fingerprint: str, round_number: int) -> dict[str, Any]:
    """Write `cross_check_<r>`, the items as the round's models answer them, and return what became of the score since the round before."""
    data = rewardbench_of(context)
    found = _answers(context, data, round_number) if data is not None else {}
    rows = [{"model": model, "record": record.model_dump_json()} for model, records in found.items() for record in records]
    with context.workspace.writer(
        f"cross_check_{round_number}", step=f"cross_check_{round_number}", fingerprint=fingerprint
    ) as out:
        out.write_rows(rows, SCHEMA)
    if data is None:
        return {"computed": False, "reason": ABSENT}
    before = _records(context, round_number - 1)
    models = {name: _compared(context, before[name], records) for name, records in found.items() if before.get(name)}
    flagged = [batch_name(round_number - 1)] if any(model["is_drop"] for model in models.values()) else []
    for name in flagged:
        context.progress.note(
            f"RewardBench: the score has dropped since batch '{name}' came in; look at its pairs and its people"
        )
    reason = "" if models else "the first round has none to be compared with"
    return {"computed": bool(models), "reason": reason, "round": round_number, "models": models, "flagged": flagged}


def cross_check_facts(context: Context) -> dict[str, Any]:
    """Return what the rounds' checks found, for the report: `computed`, `reason` and `flagged`, and each round's figures."""
    markers = [read_marker(context.workspace, f"cross_check_{number}") for number in range(1, context.config.rounds.count + 1)]
    rounds = [marker.facts for marker in markers if marker is not None]
    computed = [facts for facts in rounds if facts["computed"]]
    return {
        "computed": bool(computed),
        "reason": "" if computed else next((facts["reason"] for facts in reversed(rounds)), "there was no round"),
        "flagged": [name for facts in computed for name in facts["flagged"]],
        "rounds": computed,
    }


def rewardbench_of(context: Context) -> BenchmarkData | None:
    """Return RewardBench as it is configured, or found among the benchmarks; None where it is neither.

    Raises:
        UserError: what `gold.cross_check` names is not there.
        DataError: it does not have RewardBench's layout.
    """
    named, suite = context.config.gold.cross_check, context.config.evaluate.suite
    if named:
        place = named if named.startswith(HUB_PREFIX) else str(context.path(named))
        return find_suite(None, [f"{ID}={place}"]).data[0]
    if not suite or not Path(context.path(suite)).is_dir():
        return None
    try:
        return find_suite(context.path(suite), only=[ID]).data[0]
    except UserError:
        return None


def sources_of(context: Context) -> Any:
    """What the check depends on besides tables: where RewardBench is, and how long its files are."""
    data = rewardbench_of(context)
    return [_size(source) for source in data.sources] if data is not None else None


def _size(source: Any) -> Any:
    path = Path(str(source))
    return [str(source), path.stat().st_size if path.is_file() else None]


def _answers(context: Context, data: BenchmarkData, round_number: int) -> dict[str, list[ItemRecord]]:
    from goldsmith.evaluate.cross_check import rate_items
    from goldsmith.reward.head import Head

    gold = gold_up_to(context, round_number - 1)
    heads = {"round": Head.load(context.workspace.models / f"round-{round_number}")}
    training = trainable(gold, closed_contexts(gold))
    if len({row["context_id"] for row in training}) >= FEWEST_PROMPTS:
        heads["gold"] = fit(context, training, context.config.reward.readout)
    most = context.config.gold.cross_check_items
    return {name: rate_items(data, partial(_rates, context, head), most) for name, head in heads.items()}


def _rates(context: Context, head: Head, replies: Sequence[Reply]) -> list[float]:
    """Rewards of replies; the trunk reads each of them once, whatever the round."""
    vectors = context.features.features(
        list(replies),
        readout=context.config.reward.readout,
        progress=lambda done, total, _tokens: context.progress.update(done, total, "RewardBench's replies"),
    )
    return [float(value) for value in head.score(vectors)]


def _records(context: Context, round_number: int) -> dict[str, list[ItemRecord]]:
    from goldsmith.evaluate.result import ItemRecord

    found: dict[str, list[ItemRecord]] = {}
    table = context.workspace.table(f"cross_check_{round_number}")
    for row in table.rows() if table.exists else ():
        found.setdefault(row["model"], []).append(ItemRecord.model_validate_json(row["record"]))
    return found


def _compared(context: Context, before: list[ItemRecord], after: list[ItemRecord]) -> dict[str, Any]:
    from goldsmith.evaluate.cross_check import cross_check
    from goldsmith.evaluate.scoring.rule import Settings

    found = cross_check(before, after, Settings(seed=context.seed, resamples=RESAMPLES))
    difference = found.difference
    return {
        "difference": difference.value,
        "low": difference.low,
        "high": difference.high,
        "num_items": found.num_items,
        "is_drop": found.is_drop,
    }
