"""Everything the report shows, read from a workspace: facts of the run's stages first, tables where facts do not reach.

A stage that has not run leaves its part None. What is there but cannot be read becomes a note in the report; it never
stops the report, and is never passed over in silence.
"""

from __future__ import annotations

import json
import os
import platform
from collections import Counter
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from goldsmith.config import GoldsmithConfig
from goldsmith.errors import StoreError
from goldsmith.evaluate.report import tables
from goldsmith.evaluate.report.data import (
    AttributeQuality,
    Batch,
    Cost,
    CrossCheck,
    Final,
    Gold,
    Histogram,
    JudgeRow,
    Judges,
    Margins,
    RecordedRow,
    Replies,
    ReportData,
    Round,
    SetResult,
    Stage2,
    Step,
)
from goldsmith.evaluate.report.final import final_results
from goldsmith.evaluate.report.opinions import Opinions, opinions
from goldsmith.evaluate.report.part import Part
from goldsmith.evaluate.report.replies import reply_rows
from goldsmith.evaluate.statistics import Estimate, expected_calibration_error
from goldsmith.store import Workspace
from goldsmith.version import code_version

P = TypeVar("P", bound=Part)
Facts = dict[str, Any]

_STEP_FACTS = ("ingest", "pool", "attributes", "seed", "gold", "stage2")
_STEP_NAMES = {"ingest": "read", "attributes": "attributes", "seed": "seed (a selection)", "gold": "gold", "stage2": "stage 2"}
_SPLITS = ["train", "validation", "audit"]
_MEASURED = ("accuracy_validation", "low", "high", "num_validation", "accuracy_train")


def gather(workspace: Workspace, run_dir: Path) -> ReportData:
    """Return the report's data of one run.

    Args:
        workspace: whose tables and configuration are read.
        run_dir: the run's folder, with `facts/<stage>.json`; the run may still be under way.
    """
    facts, notes = _read_facts(run_dir)
    reader = _Reader(workspace, facts, notes)
    config = workspace.config
    seconds = {name: float(value) for name, value in facts.get("timing", {}).items() if isinstance(value, int | float)}
    return ReportData(
        title=config.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        version=code_version(),
        seed=workspace.seed,
        machine=_machine(run_dir),
        runtime_s=_runtime(run_dir, seconds),
        simulated=list(config.simulated),
        funnel=reader.funnel(),
        coverage=tables.coverage(workspace),
        attribute_quality=reader.attribute_quality(),
        gold=reader.gold(config),
        judges=reader.judges(),
        replies=reader.parts(Replies, reply_rows(facts)),
        rounds=reader.rounds(),
        best_round=reader.best_round(),
        margins=reader.margins(),
        stage2=reader.stage2(),
        training=_training(facts.get("train", {})),
        final=reader.final(config),
        cost=_cost(facts.get("usage", {}), seconds),
        config=config.model_dump(mode="json"),
        notes=notes,
    )


def _read_facts(run_dir: Path) -> tuple[dict[str, Facts], list[str]]:
    """Return stage -> facts, and a note for each file that cannot be read."""
    facts: dict[str, Facts] = {}
    notes: list[str] = []
    for path in sorted((run_dir / "facts").glob("*.json")):
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            notes.append(f"facts/{path.name}: {error}")
            continue
        if isinstance(value, dict):
            facts[path.stem] = value
        else:
            notes.append(f"facts/{path.name}: an object was expected, not {type(value).__name__}")
    return facts, notes


class _Reader:
    """Turns facts and tables into the report's parts; what does not fit becomes a note."""

    def __init__(self, workspace: Workspace, facts: dict[str, Facts], notes: list[str]) -> None:
        self.workspace, self.facts, self.notes = workspace, facts, notes
        self.planted = tables.planted(workspace)

    @cached_property
    def opinions(self) -> Opinions | None:
        """Label, judges and people compared; None before stage 2."""
        decisions = self.workspace.table("decisions")
        return opinions(decisions, self.planted) if tables.has_rows(decisions) else None

    def funnel(self) -> list[Step]:
        """Every set of counts in the facts, in the order of the flow; the pool table's own where facts have none."""
        steps = []
        for stage in _STEP_FACTS:
            facts = self.facts.get(stage, {})
            named = {name: value for name, value in facts.items() if _is_counts(value)}
            for name, value in named.items():
                title = _STEP_NAMES.get(stage, stage) if name == "counts" else name.replace("_", " ")
                steps.append(self._part(Step, {**value, "name": title}, f"facts/{stage}.json, {name}"))
        table = self.workspace.table("pool")
        if not steps and table.exists and table.manifest.counts is not None:
            steps = [Step(name="pool", **table.manifest.counts.model_dump())]
        return [step for step in steps if step is not None]

    def attribute_quality(self) -> list[AttributeQuality]:
        """Every source of attributes against the hand-labelled pairs."""
        rows = self.facts.get("attributes", {}).get("quality", [])
        parts = [self._part(AttributeQuality, row, "facts/attributes.json, quality") for row in rows]
        return [part for part in parts if part is not None]

    def gold(self, config: GoldsmithConfig) -> Gold | None:
        """Splits, agreement and gate."""
        facts, table = self.facts.get("gold") or self._open_gold(), self.workspace.table("gold")
        if not facts and not tables.has_rows(table):
            return None
        batches = [self._part(Batch, row, "facts/gold.json, batches") for row in facts.get("batches", [])]
        by_split, by_how = facts.get("by_split", {}), facts.get("by_how", {})
        if not by_split and tables.has_rows(table):
            by_split = {key[0]: num for key, num in tables.count_by(table, ["split"]).items()}
            by_how = {key[0]: num for key, num in tables.count_by(table, ["how"]).items()}
        return Gold(
            by_split={
                name: by_split[name] for name in sorted(by_split, key=_SPLITS.index if set(by_split) <= set(_SPLITS) else str)
            },
            by_how=by_how,
            alpha_first=self._alpha("first round", facts.get("alpha_first"), [b for b in batches if b], config),
            alpha_retest=self._alpha("retest", facts.get("alpha_retest"), [], config),
            batches=[batch for batch in batches if batch is not None],
            min_alpha=config.gold.min_alpha,
            disputes=facts.get("disputes"),
            discards=facts.get("discards"),
            dropped=tables.gold_dropped(self.workspace),
            cross_check=self._part(CrossCheck, facts["cross_check"], "facts/gold.json, cross_check")
            if facts.get("cross_check")
            else None,
        )

    def _open_gold(self) -> Facts:
        """What the rounds' own facts say of gold while it is not closed: batches and their tallies so far."""
        rounds = [facts for name, facts in sorted(self.facts.items()) if name.startswith("gold_") and name[5:].isdigit()]
        batches = [batch for facts in rounds for batch in facts.get("batches", [])]
        if not batches:
            return {}
        by_split: Counter[str] = Counter()
        for number in range(len(rounds)):
            rows = self.workspace.table(f"gold_{number}")
            for (split,), count in (tables.count_by(rows, ["split"]) if tables.has_rows(rows) else {}).items():
                by_split[split] += count
        tally = {name: sum(batch.get(name) or 0 for batch in batches) for name in ("disputes", "discards")}
        return {"batches": batches, "by_split": dict(by_split), **tally, "alpha_first": batches[0] if len(batches) == 1 else None}

    def _alpha(self, name: str, row: Facts | None, batches: list[Batch], config: GoldsmithConfig) -> Batch | None:
        """An alpha with the gate's outcome, worked out by the contract's rule where the facts do not say."""
        if not row or row.get("alpha") is None:
            return None
        bar, low, high = config.gold.min_alpha, row.get("low"), row.get("high")
        outcome = "undecided"
        if low is not None and high is not None:
            outcome = "pass" if low > bar else "fail" if high < bar else "undecided"
        enforced = any(batch.enforced for batch in batches) if batches else bool(config.gold.enforce_gate)
        return self._part(Batch, {"outcome": outcome, "enforced": enforced, **row, "batch": name}, f"facts/gold.json, {name}")

    def judges(self) -> Judges | None:
        """The judges' tests."""
        facts = self.facts.get("judges")
        if facts is None:
            return None
        used = set(facts.get("used", []))
        rows = [
            self._part(JudgeRow, {**row, "used": row.get("model") in used}, "facts/judges.json, tests")
            for row in facts.get("tests", [])
        ]
        together = facts.get("together")
        return Judges(
            tests=[row for row in rows if row is not None],
            reason=str(facts.get("reason") or ""),
            together=self._part(JudgeRow, {**together, "used": True}, "facts/judges.json, together") if together else None,
            recorded=self.parts(
                RecordedRow,
                {f"facts/judges.json, {name}": {**row, "file": name} for name, row in facts.get("recorded", {}).items()},
            ),
            weights=facts.get("weights", {}),
        )

    def rounds(self) -> list[Round]:
        """Every `round_<r>.json`, in order; accuracies on today's gold where the choice of the best round measured them."""
        numbers = sorted(int(name[6:]) for name in self.facts if name.startswith("round_") and name[6:].isdigit())
        again = {row.get("round"): row for row in self.facts.get("best", {}).get("rounds", []) if isinstance(row, dict)}
        rows = []
        for r in numbers:
            then = self.facts[f"round_{r}"]
            now = {name: again[r].get(name) for name in _MEASURED} if r in again else {}
            row = {"round": r, **then, **now, "accuracy_then": then.get("accuracy_validation") if now else None}
            rows.append(self._part(Round, row, f"facts/round_{r}.json"))
        return [row for row in rows if row is not None]

    def best_round(self) -> int | None:
        """The round the best RM comes from."""
        number = self.facts.get("best", {}).get("round")
        return number if isinstance(number, int) else None

    def margins(self) -> Margins | None:
        """Histograms of p on gold (best round, else the latest) and on the pool."""
        candidates = [self.best_round(), *sorted((row.round for row in self.rounds()), reverse=True)]
        number = next(
            (r for r in candidates if r is not None and tables.has_rows(self.workspace.table(f"gold_margins_{r}"))), None
        )
        rows = tables.gold_margins(self.workspace, number) if number is not None else []
        probabilities = [float(row["p"]) for row in rows]
        pool, curated = self.opinions.histograms() if self.opinions else (None, None)
        pool = pool or self._pool_histogram()
        if not probabilities and pool is None:
            return None
        # A tie (p = 0.5) is no success, as everywhere (contracts: strict comparison).
        right, wrong = [p for p in probabilities if p > 0.5], [p for p in probabilities if p <= 0.5]
        return Margins(
            round=number,
            gold=tables.histogram({"right": right, "wrong": wrong}) if probabilities else None,
            pool=pool,
            curated=curated,
            calibration_error=expected_calibration_error(
                [max(p, 1 - p) for p in probabilities], [p > 0.5 for p in probabilities]
            ),
            share_gold_below=sum(p < 0.5 for p in probabilities) / len(probabilities) if probabilities else None,
        )

    def _pool_histogram(self) -> Histogram | None:
        """The facts' counts of the labels as they came."""
        facts = self.facts.get("stage2", {}).get("p_histogram") or {}
        if not facts.get("edges") or not facts.get("pool"):
            return None
        row = {"edges": facts["edges"], "series": {"pool pairs": facts["pool"]}}
        return self._part(Histogram, row, "facts/stage2.json, p_histogram")

    def stage2(self) -> Stage2 | None:
        """Decisions by action, rule and task, planted errors, examples."""
        facts, table = self.facts.get("stage2"), self.workspace.table("decisions")
        if facts is None and not tables.has_rows(table):
            return None
        facts = facts or {}
        by_action, by_rule = facts.get("by_action", {}), facts.get("by_rule", {})
        if not by_action and tables.has_rows(table):
            by_action = {key[0]: num for key, num in tables.count_by(table, ["action"]).items()}
            by_rule = {key[0]: num for key, num in tables.count_by(table, ["rule"]).items()}
        return Stage2(
            by_action=by_action,
            by_rule=by_rule,
            by_reason=facts.get("by_reason", {}),
            num_curated=self._num_curated(),
            by_task=tables.actions_by_task(self.workspace),
            agreement=self.opinions.agreements() if self.opinions else [],
            known_noise=tables.known_noise(table, self.planted),
            gold_rm=_gold_rm(self.facts.get("scores", {}).get("gold_rm") or facts.get("gold_rm") or {}),
            statements=facts.get("statements", []),
            examples=tables.examples(self.workspace),
        )

    def _num_curated(self) -> int | None:
        table = self.workspace.table("curated")
        return table.num_rows if table.exists else None

    def final(self, config: GoldsmithConfig) -> Final | None:
        """The evaluation table, as accuracies."""
        table = self.workspace.table("evaluation")
        if not tables.has_rows(table):
            return None
        wanted = ["set", "model", "pair_id", "context_id", "margin", "correct", "tie", "longer_correct"]
        present = tables.columns_of(table)
        try:
            rows = table.rows([name for name in wanted if name in present])
            result = final_results(rows, seed=config.seed, resamples=config.evaluate.bootstrap)
        except (StoreError, KeyError) as error:
            self.notes.append(f"table evaluation: {error}")
            return None
        return None if result is None else result.model_copy(update={"sets": [self._with_left_out(item) for item in result.sets]})

    def _with_left_out(self, item: SetResult) -> SetResult:
        """The set with what its file held but nobody scored."""
        counts = self.facts.get("evaluation_sets", {}).get("sets", {}).get(item.name) or {}
        left_out = {**counts.get("dropped", {}), **counts.get("failed", {})}
        return self._part(SetResult, {**dict(item), "left_out": left_out}, f"facts/evaluation_sets.json, {item.name}") or item

    def parts(self, kind: type[P], rows: dict[str, Any]) -> list[P]:
        """The parts that can be made of rows, by where each row comes from."""
        found = [self._part(kind, row, where) for where, row in rows.items()]
        return [part for part in found if part is not None]

    def _part(self, kind: type[P], row: Any, where: str) -> P | None:
        """A part of the report from a row of facts; fields it does not know are left out, a bad one becomes a note."""
        try:
            return kind(**{name: value for name, value in dict(row).items() if name in kind.model_fields})
        except (ValidationError, TypeError, ValueError) as error:
            message = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": str(error)}
            self.notes.append(f"{where}: {'.'.join(str(part) for part in message['loc'])} {message['msg']}".strip())
            return None


def _is_counts(value: Any) -> bool:
    return isinstance(value, dict) and {"total", "kept"} <= value.keys()


def _gold_rm(facts: Facts) -> Estimate | None:
    if facts.get("accuracy_validation") is None:
        return None
    return Estimate(
        value=facts["accuracy_validation"],
        low=facts.get("low"),
        high=facts.get("high"),
        num_pairs=facts.get("num_validation") or 0,
    )


def _training(facts: Facts) -> dict[str, Facts]:
    """Model to its single figures, rounded to read; series are left to the run's own files."""
    return {
        str(model): {name: _rounded(value) for name, value in metrics.items() if isinstance(value, int | float | str | bool)}
        for model, metrics in facts.items()
        if isinstance(metrics, dict)
    }


def _rounded(value: Any) -> Any:
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _cost(usage: Facts, seconds: dict[str, float]) -> Cost:
    by_model = usage.get("by_model") or usage.get("models") or {}
    return Cost(
        usage=_numbers(usage),
        by_model={str(name): _numbers(row) for name, row in by_model.items() if isinstance(row, dict)},
        seconds=seconds,
    )


def _numbers(row: Facts) -> dict[str, int | float]:
    return {str(k): v for k, v in row.items() if isinstance(v, int | float) and not isinstance(v, bool)}


def _machine(run_dir: Path) -> str:
    """The machine of the run as its manifest says; without one, this machine."""
    try:
        return str(json.loads((run_dir / "manifest.json").read_text(encoding="utf-8"))["machine"])
    except (OSError, ValueError, KeyError, TypeError):
        return f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"


def _runtime(run_dir: Path, seconds: dict[str, float]) -> float | None:
    """The seconds of all attempts of the run; the stages' sum where they were not kept; None when neither is known."""
    try:
        return float(sum(json.loads((run_dir / "attempts.json").read_text(encoding="utf-8"))))
    except (OSError, ValueError, TypeError):
        return sum(seconds.values()) if seconds else None
