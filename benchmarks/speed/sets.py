"""Every benchmark that is there through one checkpoint: set by set, on for as long as it takes, stopped and continued as one likes.

Below a working folder, `scores.sqlite` holds what was scored, `BENCHMARK.json` what a set has cost so far and what it gave (`Account`),
`BENCHMARK/` the evaluation itself. Both are written after every chunk of texts, so a killed call loses the running chunk at most,
and the seconds of an account are those spent scoring, summed over calls: no loading, no reading, no waiting between calls.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from goldsmith.benchdata.catalogue import require_benchmark
from goldsmith.benchdata.suite import BenchmarkData, Suite, find_suite
from goldsmith.evaluate.engines.checkpoint import CheckpointEngine, described
from goldsmith.evaluate.engines.engine import Progress, Rated, Text
from goldsmith.evaluate.runner import evaluate_engines
from goldsmith.evaluate.scoring.rule import Settings
from goldsmith.reward.model import RewardModel
from goldsmith.store import atomic

NAME = "model"
STEP = 64
"""Texts scored at once, and lost by a kill: a minute or two of a small model on two cores."""
_HEAD = ("benchmark", "texts", "tokens after sharing", "seconds", "official score", "95 % interval")


@dataclass
class Account:
    """What a set has cost so far, and what it gave once it is done.

    Attributes:
        model: digest of the model.
        files: SHA-256 of the set's files.
        extent: distinct texts of the set.
        texts: those scored for it; done, the others came from sets scored before.
        tokens: computed for them, those that replies share counted once.
        seconds: spent on that.
        score: official score with its interval (value, low, high), once the set is done; None where the rule gives none.
        reason: why there is no score.
    """

    model: str
    files: dict[str, str]
    extent: int
    texts: int = 0
    tokens: int = 0
    seconds: float = 0.0
    is_done: bool = False
    score: list[float | None] = field(default_factory=lambda: [None, None, None])
    reason: str = ""


class Clocked(CheckpointEngine):
    """A checkpoint that enters every chunk into an account when its scores are kept."""

    def __init__(self, model: RewardModel, spec: str, enter: Callable[[int, int, float], None]) -> None:
        super().__init__(lambda: model, described(model, spec, NAME))
        self._enter = enter

    def rate(self, texts: Sequence[Text], progress: Progress | None = None) -> Iterator[list[tuple[Text, Rated]]]:
        for start in range(0, len(texts), STEP):
            begun, before = time.perf_counter(), self.num_tokens
            part = [pair for chunk in super().rate(texts[start : start + STEP], progress) for pair in chunk]
            seconds = time.perf_counter() - begun
            yield part
            self._enter(len(part), self.num_tokens - before, seconds)


def run_sets(
    folder: Path, model: RewardModel, spec: str, suite_folder: Path, names: Sequence[str] = (), resamples: int = 2000
) -> None:
    """Score and evaluate the sets of a folder that are not done, the smallest first.

    Args:
        folder: the working folder.
        model: loaded.
        spec: how it is named in the results.
        suite_folder: where the sets are.
        names: of benchmarks; empty: every one that is there.
        resamples: of the intervals.
    """
    suite = find_suite(suite_folder, only=[require_benchmark(name).id for name in names])
    sized = sorted(((*_size(data), data) for data in suite.data), key=lambda entry: (entry[0], entry[2].id))
    for _, extent, data in sized:
        account = _account(folder, data, model, extent)
        if not account.is_done:
            print(
                f"{data.title}: {extent:,} texts, {account.texts:,} of them scored in {account.seconds:,.0f} s before", flush=True
            )
            _run_set(folder, data, account, model, spec, resamples)


def table_of_sets(folder: Path, suite_folder: Path) -> str:
    """Return what is known of every set that is there, done ones as a table, and what is missing."""
    suite = find_suite(suite_folder)
    rows: list[tuple[str, ...]] = []
    missing: list[str] = []
    for data in suite.data:
        account = _load(folder / f"{data.id}.json")
        if account is None:
            missing.append(f"{data.title}: not begun")
        elif not account.is_done:
            missing.append(f"{data.title}: {account.texts:,} of {account.extent:,} texts scored, in {account.seconds:,.0f} s")
        else:
            rows.append(_row(data.title, account))
    missing += [f"{benchmark.title}: not in {suite_folder}; it is at {benchmark.where}" for benchmark in suite.absent]
    widths = [max(map(len, column)) for column in zip(_HEAD, *rows, strict=True)]
    lines = ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in (_HEAD, *rows)]
    return "\n".join([*lines, *(f"missing: {line}" for line in missing)])


def _run_set(folder: Path, data: BenchmarkData, account: Account, model: RewardModel, spec: str, resamples: int) -> None:
    path = folder / f"{data.id}.json"

    def enter(texts: int, tokens: int, seconds: float) -> None:
        account.texts, account.tokens = account.texts + texts, account.tokens + tokens
        account.seconds += seconds
        _save(path, account)
        print(f"  {account.texts:,} of {account.extent:,} texts, {account.seconds:,.0f} s", flush=True)

    _save(path, account)
    alone = Suite(data=[data], absent=[], passed_over=[])
    settings = Settings(seed=0, resamples=resamples)
    cache = folder / "scores.sqlite"
    found = evaluate_engines([lambda: Clocked(model, spec, enter)], alone, folder / data.id, settings, cache=cache)
    official = found.results[0].benchmarks[0].official
    account.score, account.reason = [official.value, official.low, official.high], official.reason
    account.is_done = True
    _save(path, account)


def _size(data: BenchmarkData) -> tuple[int, int]:
    """Return the characters of a set, those of a context and of equal texts counted once, and its distinct texts."""
    contexts: dict[str, int] = {}
    texts: dict[str, int] = {}
    for item in data.items():
        name = item.context_id
        contexts[name] = sum(len(str(turn["content"])) for turn in item.context)
        texts.update(zip(item.text_ids(name), map(len, item.replies), strict=True))
    return sum(contexts.values()) + sum(texts.values()), len(texts)


def _account(folder: Path, data: BenchmarkData, model: RewardModel, extent: int) -> Account:
    """Return a set's account, a new one where there is none or the set's files are others."""
    path = folder / f"{data.id}.json"
    known, files = _load(path), data.digests()
    if known is not None and known.model != model.digest:
        raise SystemExit(f"FAILED: {path} is of another model or length; name another --work, or delete {folder}")
    if known is None or known.files != files:
        return Account(model=model.digest, files=files, extent=extent)
    return known


def _row(title: str, account: Account) -> tuple[str, ...]:
    value, low, high = account.score
    others = account.extent - account.texts
    return (
        title,
        f"{account.extent:,}" + (f" ({others:,} known from other sets)" if others else ""),
        f"{account.tokens:,}",
        f"{account.seconds:,.0f}",
        account.reason if value is None else f"{100 * value:.2f}",
        "" if low is None or high is None else f"{100 * low:.1f} to {100 * high:.1f}",
    )


def _load(path: Path) -> Account | None:
    return Account(**json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None


def _save(path: Path, account: Account) -> None:
    atomic.write_text(path, json.dumps(asdict(account), indent=1) + "\n")
