"""LLM judges in a run: tested on gold first, and used only when they beat chance (contracts: stage 1 and 2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
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
    from goldsmith.judge.recorded import RecordedFile

JUDGES_SCHEMA = pa.schema([("model", pa.string()), ("used", pa.bool_()), ("weight", pa.float64())])
VERDICT_SCHEMA = pa.schema(
    [("pair_id", pa.string()), ("model", pa.string()), ("sample", pa.int64())]
    + [(name, pa.string()) for name in ("shown_order", "choice", "failure", "usage")]
)
JUDGEMENT_SCHEMA = pa.schema(
    [("pair_id", pa.string()), ("choice", pa.string()), ("p_first", pa.float64()), ("by_model", pa.string())]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What the judges in use said of some pairs; empty when none may be used, and no call was made then.

    Attributes:
        choices: the decided choices by pair id.
        p_first: the aggregated probability that `first` wins, of every pair with a usable verdict.
        with_verdicts: pairs on which there is a verdict at all, failed ones included; recorded judges need not know every pair.
        replies: what came back, for the report.
    """

    choices: dict[str, Side] = field(default_factory=dict)
    p_first: dict[str, float] = field(default_factory=dict)
    with_verdicts: frozenset[str] = frozenset()
    replies: dict[str, Any] = field(default_factory=dict)


def probe_judges(context: Context, fingerprint: str) -> dict[str, Any]:
    """Test every judge on gold train and validation; write `judges` and `verdicts_probe`."""
    from goldsmith.judge import judge_pairs, test_judges, together_test, usable_judges

    settings = context.config.judge
    live, files = [endpoint.name for endpoint in context.config.llm.endpoints], _read_recorded(context)
    recorded = sorted({verdict.model for file in files for verdict in file.verdicts})
    gold = [row for row in gold_up_to(context, 0) if row["split"] != "audit" and row["label"] != "tie"]
    probe = sorted(gold, key=lambda row: unit_interval(f"probe:{row['pair_id']}", context.seed))[: settings.probe_pairs]
    pairs = [from_row(row) for row in gold]
    facts: dict[str, Any] = {"recorded": {file.path.name: _recorded_facts(file) for file in files}}
    if not [*live, *recorded] or not pairs:
        reason = "there is no gold to test judges on" if pairs == [] and [*live, *recorded] else "no judge is configured"
        return facts | _write_probe(context, fingerprint, [], [], set()) | {"reason": reason}
    shown = _demonstrations(context, gold)
    runs = [
        judge_pairs(asked, shown, _judges(context, group), settings, context.seed, _calls(context))
        # A recorded verdict costs nothing, so recorded judges are tested on all of gold; live ones on a probe.
        for group, asked in ((live, [from_row(row) for row in probe]), (recorded, pairs))
        if group
    ]
    verdicts = [verdict for run in runs for verdict in run.verdicts]
    tests = test_judges(verdicts, pairs, [*live, *recorded], _tasks(context))
    used = set(usable_judges(tests, insist=settings.insist))
    reason = "" if any(test.beats_chance for test in tests) else "no judge beats chance on gold train and validation"
    if reason and settings.insist:
        reason += "; judge.insist is on, so their verdicts are used all the same"
    facts |= _write_probe(context, fingerprint, tests, verdicts, used) | {"reason": reason, "replies": runs[0].replies}
    if len(used) > 1:
        weights = judge_weights(context)
        facts["together"] = asdict(together_test(verdicts, pairs, sorted(used), weights, _tasks(context)))
    return facts


def recorded_files(context: Context) -> Any:
    """Digests of recorded verdicts, which judging depends on."""
    paths = [path for item in _recorded(context) for path in (item.path, item.pairs) if path is not None]
    return [file_digest(path) if path.is_file() else sorted(str(entry) for entry in path.rglob("*")) for path in paths]


def label_by_judges(
    context: Context, fingerprint: str, rows: Sequence[dict[str, Any]], round_number: int
) -> tuple[dict[str, tuple[str, str]], dict[str, int], dict[str, Any]]:
    """Return silver labels with their origin by pair id, what was dropped by reason, and what came back from the judges.

    With judges in use, the first `judge.max_pairs_per_round` rows get the LLMs' label, and are dropped where they do not
    decide; every other row, and one that no recorded judge knows, keeps the label it came with. Ties never become silver.
    """
    rows = list(rows)
    usable = {row["pair_id"]: row for row in rows if row["label"] != "tie"}
    labels = {name: (row["label"], row["label_origin"]) for name, row in usable.items()}
    dropped = Counter({"tie": len(rows) - len(usable)})
    asked = list(usable.values())[: context.config.judge.max_pairs_per_round] if used_judges(context) else []
    judged = judge_rows(context, fingerprint, asked, f"round_{round_number}", len(asked))
    for row in asked:
        choice = judged.choices.get(row["pair_id"])
        if row["pair_id"] not in judged.with_verdicts:
            continue
        if choice is None:
            del labels[row["pair_id"]]
            dropped["judges-undecided"] += 1
        else:
            labels[row["pair_id"]] = (choice, "llm")
    return labels, {reason: number for reason, number in dropped.items() if number}, judged.replies


def judge_rows(context: Context, fingerprint: str, rows: Sequence[dict[str, Any]], stage: str, limit: int) -> Judged:
    """Return what the judges in use say of at most `limit` rows; writes `verdicts_<stage>` and `judgements_<stage>`.

    Empty when no judge may be used: no call is made then.
    """
    from goldsmith.judge import judge_pairs

    names = used_judges(context)
    chosen = list(rows)[:limit]
    if not names or not chosen:
        return Judged()
    gold = [row for number in _gold_rounds(context) for row in context.workspace.table(f"gold_{number}").rows()]
    run = judge_pairs(
        [from_row(row) for row in chosen],
        _demonstrations(context, gold),
        _judges(context, names),
        context.config.judge,
        context.seed,
        _calls(context),
        weights=judge_weights(context),
    )
    _write_run(context, fingerprint, run, stage)
    return Judged(
        choices={item.pair_id: item.choice for item in run.judgements if item.choice in ("first", "second")},
        p_first={item.pair_id: item.p_first for item in run.judgements},
        with_verdicts=frozenset(verdict.pair_id for verdict in run.verdicts),
        replies=run.replies,
    )


def judge_weights(context: Context) -> dict[str, float]:
    """Return the weights of the judges in use, by name."""
    return {row["model"]: row["weight"] for row in context.workspace.table("judges").rows() if row["used"]}


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
    return [item.resolved(context.path(".")) for item in context.config.judge.recorded]


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
    context: Context, fingerprint: str, tests: Sequence[Any], verdicts: Sequence[Any], used: set[str]
) -> dict[str, Any]:
    from goldsmith.judge import accuracy_weights

    workspace = context.workspace
    with workspace.writer("verdicts_probe", step="judges", fingerprint=fingerprint) as out:
        out.write_rows([verdict.model_dump() for verdict in verdicts], VERDICT_SCHEMA)
    weights = accuracy_weights(tests) if context.config.judge.weights == "accuracy" else {}
    rows = [{"model": test.model, "used": test.model in used, "weight": weights.get(test.model, 1.0)} for test in tests]
    with workspace.writer("judges", step="judges", fingerprint=fingerprint) as out:
        out.write_rows(rows, JUDGES_SCHEMA)
    return {
        "tests": [asdict(test) for test in tests],
        "used": sorted(used),
        "weights": {row["model"]: row["weight"] for row in rows},
    }


def _read_recorded(context: Context) -> list[RecordedFile]:
    from goldsmith.judge.recorded import read_recorded

    return read_recorded(_recorded(context))


def _recorded_facts(file: RecordedFile) -> dict[str, Any]:
    """A file of recorded verdicts, for the record: its rows, their fates, its verdicts."""
    return {
        "layout": file.layout,
        "rows": file.num_rows,
        "dropped": file.dropped,
        "verdicts": len(file.verdicts),
        "failed": sum(verdict.choice is None for verdict in file.verdicts),
    }


def _tasks(context: Context) -> dict[str, str]:
    return {row["pair_id"]: row["task"] for row in context.workspace.table("attributes").rows(["pair_id", "task"])}


def _write_run(context: Context, fingerprint: str, run: JudgeRun, stage: str) -> None:
    with context.workspace.writer(f"verdicts_{stage}", step=stage, fingerprint=fingerprint) as out:
        out.write_rows([verdict.model_dump() for verdict in run.verdicts], VERDICT_SCHEMA)
        failed = Counter(verdict.failure for verdict in run.verdicts if verdict.choice is None and verdict.failure)
        kept = len(run.verdicts) - sum(failed.values())
        out.counts = Counts(total=len(run.verdicts), kept=kept, failed=dict(failed))
    with context.workspace.writer(f"judgements_{stage}", step=stage, fingerprint=fingerprint) as out:
        out.write_rows([item.model_dump() for item in run.judgements], JUDGEMENT_SCHEMA)
