"""LLM judges in a run: tested on gold first, and used only when they beat chance (contracts: stage 1 and 2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from goldsmith.config.judge import RecordedConfig
from goldsmith.curate.context import Context
from goldsmith.curate.gold import gold_up_to
from goldsmith.curate.similarity import SimilarPairs, read_attributes
from goldsmith.identity import file_digest, unit_interval
from goldsmith.store import Counts, from_row
from goldsmith.types import Side

if TYPE_CHECKING:
    from goldsmith.judge import Demonstrations, JudgeRun

JUDGES_SCHEMA = pa.schema([("model", pa.string()), ("used", pa.bool_())])
VERDICT_SCHEMA = pa.schema(
    [("pair_id", pa.string()), ("model", pa.string()), ("sample", pa.int64())]
    + [(name, pa.string()) for name in ("shown_order", "choice", "failure", "usage")]
)
JUDGEMENT_SCHEMA = pa.schema(
    [("pair_id", pa.string()), ("choice", pa.string()), ("p_first", pa.float64()), ("by_model", pa.string())]
)


def probe_judges(context: Context, fingerprint: str) -> dict[str, Any]:
    """Test every judge on gold train and validation; write `judges` and `verdicts_probe`."""
    from goldsmith.judge import judge_pairs, recorded_models, test_judges

    settings = context.config.judge
    live, recorded = [endpoint.name for endpoint in context.config.llm.endpoints], recorded_models(_recorded(context))
    gold = [row for row in gold_up_to(context, 0) if row["split"] != "audit" and row["label"] != "tie"]
    probe = sorted(gold, key=lambda row: unit_interval(f"probe:{row['pair_id']}", context.seed))[: settings.probe_pairs]
    pairs = [from_row(row) for row in gold]
    names = [*live, *recorded]
    if not names or not pairs:
        return _write_probe(
            context, fingerprint, [], [], set(), "no judge is configured" if not names else "there is no gold to test judges on"
        )
    shown = _demonstrations(context, gold)
    verdicts = []
    # A recorded verdict costs nothing, so recorded judges are tested on all of gold; live ones on a probe.
    for group, asked in ((live, [from_row(row) for row in probe]), (recorded, pairs)):
        if group:
            verdicts += judge_pairs(asked, shown, _judges(context, group), settings, context.seed, _calls(context)).verdicts
    tests = test_judges(verdicts, pairs, names)
    passed = {test.model for test in tests if test.beats_chance}
    used = set(names) if settings.insist else passed
    reason = (
        ""
        if passed
        else "no judge beats chance on gold train and validation"
        + ("; judge.insist is on, so their verdicts are used all the same" if settings.insist else "")
    )
    return _write_probe(context, fingerprint, tests, verdicts, used, reason)


def recorded_files(context: Context) -> Any:
    """Digests of recorded verdicts, which judging depends on."""
    paths = [path for item in _recorded(context) for path in (item.path, item.pairs) if path is not None]
    return [file_digest(path) if path.is_file() else sorted(str(entry) for entry in path.rglob("*")) for path in paths]


def label_by_judges(
    context: Context, fingerprint: str, rows: Sequence[dict[str, Any]], round_number: int
) -> tuple[dict[str, tuple[str, str]], dict[str, int]]:
    """Return silver labels with their origin by pair id, and what was dropped, by reason.

    With judges in use, the first `judge.max_pairs_per_round` rows get the LLMs' label, and are dropped where they do not
    decide; every other row keeps the label it came with. Ties never become silver.
    """
    rows = list(rows)
    usable = {row["pair_id"]: row for row in rows if row["label"] != "tie"}
    labels = {name: (row["label"], row["label_origin"]) for name, row in usable.items()}
    dropped = Counter({"tie": len(rows) - len(usable)})
    asked = list(usable.values())[: context.config.judge.max_pairs_per_round] if used_judges(context) else []
    choices = judged_choices(context, fingerprint, asked, f"round_{round_number}", len(asked))
    for row in asked:
        choice = choices.get(row["pair_id"])
        if choice is None:
            del labels[row["pair_id"]]
            dropped["judges-undecided"] += 1
        else:
            labels[row["pair_id"]] = (choice, "llm")
    return labels, {reason: number for reason, number in dropped.items() if number}


def judged_choices(context: Context, fingerprint: str, rows: Sequence[dict[str, Any]], stage: str, limit: int) -> dict[str, Side]:
    """Return the judges' decided choices by pair id for at most `limit` rows; writes `verdicts_<stage>` and `judgements_<stage>`.

    Empty when no judge may be used: no call is made then.
    """
    from goldsmith.judge import judge_pairs

    names = used_judges(context)
    chosen = list(rows)[:limit]
    if not names or not chosen:
        return {}
    gold = [row for number in _gold_rounds(context) for row in context.workspace.table(f"gold_{number}").rows()]
    pairs = [from_row(row) for row in chosen]
    run = judge_pairs(
        pairs,
        _demonstrations(context, gold),
        _judges(context, names),
        context.config.judge,
        context.seed,
        context.progress.update,
    )
    _write_run(context, fingerprint, run, stage)
    return {item.pair_id: item.choice for item in run.judgements if item.choice in ("first", "second")}


def used_judges(context: Context) -> list[str]:
    """Return the names of the judges whose verdicts may be used."""
    return [row["model"] for row in context.workspace.table("judges").rows() if row["used"]]


def _judges(context: Context, names: Sequence[str]) -> list[Any]:
    from goldsmith.judge import judges

    return judges(names, context.llm, _recorded(context))


def _calls(context: Context) -> Callable[[int, int], None]:
    return lambda done, total: context.progress.update(done, total, "LLM calls")


def _recorded(context: Context) -> list[RecordedConfig]:
    """The files of recorded verdicts, their paths resolved."""
    found = []
    for item in context.config.judge.recorded:
        pairs = None if item.pairs is None else context.path(item.pairs)
        found.append(item.model_copy(update={"path": context.path(item.path), "pairs": pairs}))
    return found


def _gold_rounds(context: Context) -> list[int]:
    return [number for number in range(context.config.rounds.count + 1) if context.workspace.table(f"gold_{number}").exists]


def _demonstrations(context: Context, gold: Sequence[dict[str, Any]]) -> Demonstrations:
    """Human-labelled examples: gold train only, as validation and audit must not be shown to anyone."""
    from goldsmith.judge import Demonstrations

    examples = [row for row in gold if row["split"] == "train" and row["label"] != "tie"]
    attributes = read_attributes(context)
    similar = SimilarPairs(context)
    return Demonstrations(
        pairs=[from_row(row) for row in examples],
        vectors=similar.vectors_of([row["pair_id"] for row in examples]),
        attributes=attributes,
        vectors_of=similar.vectors_of,
        count=context.config.judge.demonstrations,
    )


def _write_probe(
    context: Context, fingerprint: str, tests: Sequence[Any], verdicts: Sequence[Any], used: set[str], reason: str
) -> dict[str, Any]:
    from dataclasses import asdict

    workspace = context.workspace
    with workspace.writer("verdicts_probe", step="judges", fingerprint=fingerprint) as out:
        out.write_rows([verdict.model_dump() for verdict in verdicts], VERDICT_SCHEMA)
    with workspace.writer("judges", step="judges", fingerprint=fingerprint) as out:
        out.write_rows([{"model": test.model, "used": test.model in used} for test in tests], JUDGES_SCHEMA)
    return {"tests": [asdict(test) for test in tests], "used": sorted(used), "reason": reason}


def _write_run(context: Context, fingerprint: str, run: JudgeRun, stage: str) -> None:
    with context.workspace.writer(f"verdicts_{stage}", step=stage, fingerprint=fingerprint) as out:
        out.write_rows([verdict.model_dump() for verdict in run.verdicts], VERDICT_SCHEMA)
        failed = Counter(verdict.failure for verdict in run.verdicts if verdict.choice is None and verdict.failure)
        kept = len(run.verdicts) - sum(failed.values())
        out.counts = Counts(total=len(run.verdicts), kept=kept, failed=dict(failed))
    with context.workspace.writer(f"judgements_{stage}", step=stage, fingerprint=fingerprint) as out:
        out.write_rows([item.model_dump() for item in run.judgements], JUDGEMENT_SCHEMA)
