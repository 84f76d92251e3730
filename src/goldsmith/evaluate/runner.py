"""One command, every benchmark that is there, any number of models: items stream through an engine, and the results are written.

A killed run is run again: scores are in the cache, a judge's answers in its ledger, and only what is missing is computed.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from goldsmith.benchdata.catalogue import CORE
from goldsmith.benchdata.item import Item
from goldsmith.benchdata.suite import BenchmarkData, Suite
from goldsmith.errors import GoldsmithError, UserError
from goldsmith.evaluate.answers import Answerer
from goldsmith.evaluate.blame import ModelFailed, blamed, none_left
from goldsmith.evaluate.cache import SCORES_FILE, ScoreCache
from goldsmith.evaluate.engines.engine import Answer, Engine
from goldsmith.evaluate.items import ItemWriter
from goldsmith.evaluate.result import (
    ITEMS,
    MODELS,
    RESULT,
    AbsentBenchmark,
    BenchmarkResult,
    EvalResult,
    EvalSettings,
    FailedModel,
    ItemRecord,
    Metric,
)  # fmt: skip
from goldsmith.evaluate.scoring.decide import by_games, by_scores, outcome_of
from goldsmith.evaluate.scoring.rule import Settings
from goldsmith.evaluate.scoring.summary import rule_of, summarise
from goldsmith.evaluate.texts import FailureKeeper, FailureTexts, write_texts
from goldsmith.identity import digest
from goldsmith.pool.bias import marks
from goldsmith.store import atomic
from goldsmith.store.lock import exclusive
from goldsmith.version import code_version

LONGEST_NAME = 200
"""Bytes of a folder's name; file systems take 255 or less."""
WINDOW = 8192
"""Replies in memory at once, about."""
Progress = Callable[[int, int, str, str], None]
"""Called with (done, in all, unit, what is being done)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What an evaluation gave: the results in the order of the models, their folders, and the models that gave none."""

    results: list[EvalResult]
    folders: list[Path]
    passed_over: list[str] = field(default_factory=list)
    failed: list[FailedModel] = field(default_factory=list)


def evaluate_engines(
    engines: Sequence[Callable[[], Engine]],
    suite: Suite,
    out: Path,
    settings: Settings,
    *,
    labels: Sequence[str] = (),
    cache: Path | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Evaluate engines one after the other on a suite, and write their folders below `out`.

    Of several, one that fails is noted with its reason, and the others are evaluated all the same.

    Args:
        engines: what opens each; one is open at a time.
        suite: what was found.
        out: the evaluation's folder; earlier results of models with other names stay.
        settings: of the intervals.
        labels: names of the engines, for those that cannot even be opened; empty: their numbers.
        cache: SQLite file of scores; None: `scores.sqlite` in `out`.
        progress: see `Progress`.

    Raises:
        UserError: two models have one name.
        DataError: a benchmark's file is broken.
        StoreError: scores or results cannot be written.
        GoldsmithError: the only model failed, or every one of several; run the same again to go on.
    """
    results: list[EvalResult] = []
    folders: list[Path] = []
    errors: dict[str, GoldsmithError] = {}
    with exclusive(out / ".lock", f"the evaluation in {out}"), ScoreCache(cache or out / SCORES_FILE) as scores:
        for number, opened in enumerate(engines):
            try:
                with blamed():
                    ready = opened()
                with ready as engine:
                    folder = out / MODELS / slug(engine.info.name)
                    if folder in folders:
                        raise UserError(f"two models are called '{engine.info.name}'; give one another name: LABEL=MODEL")
                    results.append(_evaluate(engine, suite, folder, settings, scores, progress))
                    folders.append(folder)
            except ModelFailed as failed:
                errors[labels[number] if labels else f"model {number + 1}"] = failed.reason
    if not results:
        raise none_left(errors)
    return Evaluation(
        results=results,
        folders=folders,
        passed_over=suite.passed_over,
        failed=[FailedModel(name=name, reason=str(error)) for name, error in errors.items()],
    )


def slug(name: str) -> str:
    """Return the folder's name of a model: letters, digits, dots, dashes and underscores of its label; a long one is cut and marked."""
    plain = re.sub(r"[^\w.-]+", "-", name).strip(".-") or "model"
    return plain if len(plain.encode()) <= LONGEST_NAME else f"{plain[: LONGEST_NAME // 5]}-{digest([name])[:12]}"


def item_record(item: Item, answer: Answer, text_ids: Sequence[str], prompt_id: str) -> ItemRecord:
    """Return what becomes of an item under the official rule of its benchmark."""
    scores = [None if score is not None and score != score else score for score in answer.scores]
    is_judged = bool(answer.games)
    decisions = by_games(answer.games) if is_judged else by_scores(scores, item.comparisons)
    credit = rule_of(item.benchmark).credit(item, decisions, [] if is_judged else scores)
    outcome = outcome_of(decisions, credit)
    counted = outcome not in ("failed", "unlabelled")
    return ItemRecord(
        benchmark=item.benchmark,
        subset=item.subset,
        item_id=item.item_id,
        prompt_id=prompt_id,
        source_ref=item.source_ref,
        outcome=outcome,
        credit=credit if counted else None,
        weight=item.weight,
        reason=answer.reason or ("a score is missing" if outcome == "failed" else ""),
        good=item.good,
        text_ids=list(text_ids),
        scores=[] if is_judged else scores,
        comparisons=item.comparisons,
        decisions=decisions,
        games=answer.games,
        chars=[len(reply) for reply in item.replies],
        marks=[sum(marks(reply).values()) for reply in item.replies],
        is_ordered=item.is_ordered,
        tokens=answer.tokens,
        cut=answer.cut,
        meta=item.meta,
    )


def paper_average(benchmarks: Sequence[BenchmarkResult]) -> Metric:
    """Return the mean of the paper's seven numbers; undefined unless all seven are there."""
    rule = "mean of the seven, each by the paper's rule"
    values = {result.id: result.paper_score for result in benchmarks}
    missing = [name for name in CORE if values.get(name) is None]
    if missing:
        return Metric(name="average of seven", value=None, rule=rule, reason=f"no number for {', '.join(missing)}")
    found = [value for name, value in values.items() if name in CORE and value is not None]
    return Metric(
        name="average of seven", value=sum(found) / len(found), rule=rule, reason="no interval: the benchmarks differ in kind"
    )


def _evaluate(
    engine: Engine, suite: Suite, folder: Path, settings: Settings, cache: ScoreCache, progress: Progress | None
) -> EvalResult:
    begun = time.monotonic()
    answerer = Answerer(engine, cache)
    benchmarks: list[BenchmarkResult] = []
    failures: list[FailureTexts] = []
    with ItemWriter(folder / ITEMS) as writer:
        for data in suite.data:
            keeper = FailureKeeper()
            records = list(_records(data, answerer, writer, keeper, progress))
            benchmarks.append(summarise(data, records, settings))
            failures += keeper.kept()
        with blamed():
            engine.finish()
    result = EvalResult(
        goldsmith_version=code_version(),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        model=engine.info,
        settings=EvalSettings(seed=settings.seed, resamples=settings.resamples),
        benchmarks=benchmarks,
        absent=[AbsentBenchmark(id=item.id, title=item.title, where=item.where) for item in suite.absent],
        average=paper_average(benchmarks),
        seconds=round(time.monotonic() - begun, 2),
        num_texts=answerer.num_texts,
        num_scored=answerer.num_scored,
    )
    write_texts(folder, failures)
    atomic.write_text(folder / RESULT, result.model_dump_json(indent=1) + "\n")
    return result


def _records(
    data: BenchmarkData, answerer: Answerer, writer: ItemWriter, keeper: FailureKeeper, progress: Progress | None
) -> Iterator[ItemRecord]:
    done = 0
    expected = (data.benchmark.num_expected if data.benchmark else None) or 0
    for window in _windows(data.items()):

        def advance(part: int, of: int, unit: str) -> None:
            if progress:
                progress(part, of, unit, data.title)

        with blamed():
            answers, ids, contexts = answerer.answer(window, advance)
        for item, answer, names, context in zip(window, answers, ids, contexts, strict=True):
            record = item_record(item, answer, names, item.cluster or context)
            writer.write(record)
            keeper.offer(item, record)
            yield record
        done += len(window)
        if progress:
            progress(done, max(done, expected), "items", data.title)


def _windows(items: Iterator[Item]) -> Iterator[list[Item]]:
    window: list[Item] = []
    replies = 0
    for item in items:
        window.append(item)
        replies += len(item.replies)
        if replies >= WINDOW:
            yield window
            window, replies = [], 0
    if window:
        yield window
