"""`goldsmith judge`: judges a plain file of pairs, tested first on a file of human labels where there is one; no workspace."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from goldsmith.config import GoldsmithConfig
from goldsmith.errors import UserError
from goldsmith.gold.split import split_of
from goldsmith.identity import unit_interval
from goldsmith.judge.chance import JudgeTest, accuracy_weights, test_judges, together_test, usable_judges
from goldsmith.judge.demonstrations import Demonstrations
from goldsmith.judge.foreseen import Foreseen, foresee
from goldsmith.judge.judges import Judge, LlmJudge, judges, recorded_models
from goldsmith.judge.run import JudgeRun, joined, judge_pairs, judge_requests
from goldsmith.llm import LlmGroup
from goldsmith.pool.sources import Rejected, read_pairs
from goldsmith.store import atomic
from goldsmith.store.output import check_output
from goldsmith.types import Attributes, Pair, Verdict

UNJUDGED = "no-verdict"
NO_JUDGE = "no-usable-judge"
CHUNK = 512
"""Pairs whose prompts are in memory at once."""
Announce = Callable[[Foreseen], bool]
"""Is told what the run will cost at most, before anything is sent; False stops it there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gold:
    """Pairs with human labels: those that may be shown, and those that judges are tested on."""

    train: list[Pair] = field(default_factory=list)
    tested: list[Pair] = field(default_factory=list)
    counts: dict[str, Any] = field(default_factory=dict)


def judge_file(
    path: str | Path,
    out: Path,
    config: GoldsmithConfig | None = None,
    *,
    gold: str | Path | None = None,
    attributes: Path | None = None,
    cache: Path | None = None,
    announce: Announce | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Judge every pair of a file and write one line for each row to `out`: a judgement, or a failure with its reason.

    Beside it, `<out>.verdicts.jsonl` holds every sample as a `Verdict`, which `judge.recorded` reads. Called again, nothing
    that was answered is asked again.

    Args:
        path: pairs in any format that `pool add` reads; their labels are not shown.
        out: the JSONL file, replaced as a whole when all is done.
        config: sections `llm`, `judge` and `retrieve`; none: the embedded model.
        gold: pairs with human labels. They are split by context as gold always is: train is shown as examples, train and
            validation test the judges, audit is left alone. Judges that do not beat chance are then not used, unless `judge.insist`.
        attributes: `Attributes` lines of any of the pairs, shown to judges and used for the figures by task.
        cache: SQLite file of answers; none: `<out>.llm.sqlite`.
        announce: told what the run will cost at most, about; returns whether to go on.
        progress: called with (calls answered, calls).

    Returns:
        {rows, judged, failed, choices, gold, judges, used, together, replies, usage, estimate, out, verdicts}; rows = judged + failed.
        Only {rows, estimate} when `announce` said no.

    Raises:
        UserError: a file cannot be read, or no judge is configured.
        ProviderError: a server cannot be reached.
    """
    settings = config or GoldsmithConfig()
    recorded = [item.path for item in settings.judge.recorded]
    check_output(out, path, gold, attributes, *recorded)
    check_output(out.with_name(f"{out.name}.verdicts.jsonl"), path, gold, attributes, *recorded)
    rows = list(read_pairs(path, max_line_mb=settings.pool.max_line_mb))
    pairs = [row for row in rows if isinstance(row, Pair)]
    known = _read_gold(gold)
    with ExitStack() as stack:
        llm = None
        if settings.llm.endpoints:
            place = cache or out.with_name(f"{out.name}.llm.sqlite")
            place.parent.mkdir(parents=True, exist_ok=True)
            llm = stack.enter_context(LlmGroup(settings.llm, place, seed=settings.seed))
        job = _Job(settings, llm, known, _demonstrations(settings, known, pairs, read_attributes(attributes)), progress)
        estimate = job.estimate(pairs)
        told = asdict(estimate) if estimate else None
        if estimate and announce and not announce(estimate):
            return {"rows": len(rows), "estimate": told}
        run = job.judge(pairs)
    lines = _lines(rows, run)
    atomic.write_text(out, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
    verdicts = out.with_name(f"{out.name}.verdicts.jsonl")
    atomic.write_text(verdicts, "".join(verdict.model_dump_json() + "\n" for verdict in run.verdicts))
    failed = Counter(line["failure"] for line in lines if "failure" in line)
    assert len(rows) == len(lines) == sum("choice" in line for line in lines) + failed.total()
    return {
        "rows": len(rows),
        "judged": len(rows) - failed.total(),
        "failed": dict(sorted(failed.items())),
        "choices": dict(sorted(Counter(line["choice"] for line in lines if "choice" in line).items())),
        "gold": known.counts,
        **job.facts,
        "replies": run.replies,
        "usage": [asdict(usage) for usage in run.usage],
        "estimate": told,
        "out": str(out),
        "verdicts": str(verdicts),
    }


class _Job:
    """One file's judging: who judges, tested on what, shown what."""

    def __init__(
        self,
        config: GoldsmithConfig,
        llm: LlmGroup | None,
        gold: _Gold,
        shown: Demonstrations,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self.config, self.llm, self.gold, self.shown, self.progress = config, llm, gold, shown, progress
        self.live = llm.names if llm else []
        self.recorded = recorded_models(config.judge.recorded)
        if not self.live and not self.recorded:
            raise UserError("no judge: name a model under llm.endpoints, or a file under judge.recorded")
        asked = sorted(gold.tested, key=lambda pair: unit_interval(f"probe:{pair.pair_id}", config.seed))
        self.probe = asked[: config.judge.probe_pairs]
        self.facts: dict[str, Any] = {"judges": [], "used": [*self.live, *self.recorded], "together": None}

    def estimate(self, pairs: Sequence[Pair]) -> Foreseen | None:
        """What testing and judging will use at most, about; None without live models."""
        if self.llm is None:
            return None
        live = self._judges(self.live)
        parts = [*_chunks(self.probe), *_chunks(pairs)]
        return foresee(self.llm, (judge_requests(part, self.shown, live, self.config.judge, self.config.seed) for part in parts))

    def judge(self, pairs: Sequence[Pair]) -> JudgeRun:
        """Test the judges where there is gold, then let those that may be used judge the pairs."""
        weights = self._test() if self.gold.tested else {}
        used = self._judges(self.facts["used"])
        if not used:
            return JudgeRun(verdicts=[], judgements=[])
        return self._ask(pairs, used, weights)

    def _test(self) -> dict[str, float]:
        runs = [self._ask(self.probe, self._judges(self.live), {})] if self.live else []
        runs += [self._ask(self.gold.tested, self._judges(self.recorded), {})] if self.recorded else []
        verdicts: list[Verdict] = [verdict for run in runs for verdict in run.verdicts]
        tasks = {name: item.task for name, item in self.shown.attributes.items()}
        tests: list[JudgeTest] = test_judges(verdicts, self.gold.tested, [*self.live, *self.recorded], tasks)
        used = usable_judges(tests, insist=self.config.judge.insist)
        weights = accuracy_weights(tests) if self.config.judge.weights == "accuracy" else {}
        together = together_test(verdicts, self.gold.tested, used, weights, tasks) if len(used) > 1 else None
        self.facts = {
            "judges": [asdict(test) for test in tests],
            "used": used,
            "together": asdict(together) if together else None,
        }
        return weights

    def _ask(self, pairs: Sequence[Pair], used: Sequence[Judge], weights: Mapping[str, float]) -> JudgeRun:
        """Judge chunk by chunk, so that a large file's prompts are never in memory together."""
        distinct = list({pair.pair_id: pair for pair in pairs}.values())
        calls = sum(isinstance(judge, LlmJudge) for judge in used) * self.config.judge.samples
        runs: list[JudgeRun] = []
        for part in _chunks(distinct):
            before = len(runs) * CHUNK * calls

            def progress(done: int, _total: int, before: int = before) -> None:
                if self.progress:
                    self.progress(before + done, len(distinct) * calls)

            runs.append(judge_pairs(part, self.shown, used, self.config.judge, self.config.seed, progress, weights=weights))
        return joined(runs)

    def _judges(self, names: Sequence[str]) -> list[Judge]:
        return judges(names, self.llm, self.config.judge.recorded)


def _chunks(pairs: Sequence[Pair]) -> list[Sequence[Pair]]:
    return [pairs[start : start + CHUNK] for start in range(0, len(pairs), CHUNK)]


def read_attributes(path: Path | None) -> dict[str, Attributes]:
    """Return the `Attributes` records of a JSONL file by pair id; lines that are failures are left out. No file: none.

    Raises:
        UserError: the file is missing, or a line is no such record.
    """
    found: dict[str, Attributes] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path else []
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error}); `goldsmith attributes FILE -o {path}` writes one") from None
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            if "failure" not in row:
                item = Attributes.model_validate({name: row[name] for name in Attributes.model_fields if name in row})
                found[item.pair_id] = item
        except (ValueError, TypeError, AttributeError) as error:
            raise UserError(f"{path}:{number}: no record of attributes: {str(error).splitlines()[0]}") from None
    return found


def _read_gold(path: str | Path | None) -> _Gold:
    if path is None:
        return _Gold()
    rejected: Counter[str] = Counter()
    by_split: dict[str, dict[str, Pair]] = {"train": {}, "validation": {}, "audit": {}}
    for row in read_pairs(path):
        if isinstance(row, Rejected):
            rejected[row.reason] += 1
        else:
            by_split[split_of(row.context_id)][row.pair_id] = row
    train = list(by_split["train"].values())
    tested = [*train, *by_split["validation"].values()]
    if not tested:
        raise UserError(
            f"{path}: no labelled pair to test judges on ({sum(map(len, by_split.values()))} read, {dict(rejected)} rejected)"
        )
    counts = {**{name: len(found) for name, found in by_split.items()}, "rejected": dict(rejected)}
    return _Gold(train=[pair for pair in train if pair.label != "tie"], tested=tested, counts=counts)


def _demonstrations(
    config: GoldsmithConfig, gold: _Gold, pairs: Sequence[Pair], attributes: Mapping[str, Attributes]
) -> Demonstrations:
    """The nearest human-labelled pairs; nothing is embedded when there are none to show, or no live model to show them to."""
    import numpy as np

    from goldsmith.retrieve.embed import Embedder
    from goldsmith.retrieve.text import pair_text

    examples = gold.train if config.llm.endpoints and config.judge.demonstrations else []
    embedder = Embedder(config.retrieve.embedder, batch_size=config.retrieve.batch_size)
    texts = {pair.pair_id: pair_text(pair.context, attributes.get(pair.pair_id)) for pair in [*pairs, *gold.tested]}

    def vectors_of(names: Sequence[str]) -> Any:
        return embedder.embed([texts[name] for name in names]).vectors

    vectors = vectors_of([pair.pair_id for pair in examples]) if examples else np.zeros((0, 1), dtype=np.float32)
    return Demonstrations(
        pairs=examples, vectors=vectors, attributes=attributes, vectors_of=vectors_of, count=config.judge.demonstrations
    )


def _lines(rows: Sequence[Pair | Rejected], run: JudgeRun) -> list[dict[str, Any]]:
    """One line a row; a pair without a usable verdict says how the first of its verdicts failed."""
    judgements = {item.pair_id: item for item in run.judgements}
    failures: dict[str, str] = {}
    for verdict in run.verdicts:
        failures.setdefault(verdict.pair_id, verdict.failure or UNJUDGED)
    lines = []
    for row in rows:
        if isinstance(row, Rejected):
            lines.append({"source_ref": f"{row.file}:{row.line}", "failure": row.reason, "detail": row.detail})
            continue
        line: dict[str, Any] = {"pair_id": row.pair_id, "source_ref": row.source_ref, "label": row.label}
        found = judgements.get(row.pair_id)
        if found is not None:
            line |= {"choice": found.choice, "p_first": found.p_first, "by_model": found.by_model}
        else:
            line["failure"] = failures.get(row.pair_id, UNJUDGED if run.verdicts else NO_JUDGE)
        lines.append(line)
    return lines
