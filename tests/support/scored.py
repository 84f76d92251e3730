"""A benchmark's result from rows in its official layout and the scores, or a judge's games, of each row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import bench_files
from goldsmith.benchdata.item import Item
from goldsmith.benchdata.suite import find_suite
from goldsmith.evaluate.engines.engine import Answer
from goldsmith.evaluate.result import BenchmarkResult, ItemRecord
from goldsmith.evaluate.runner import item_record
from goldsmith.evaluate.scoring.rule import Settings
from goldsmith.evaluate.scoring.summary import summarise

Scores = Sequence[float | None]
SETTINGS = Settings(seed=0, resamples=200)


def scored(
    folder: Path, name: str, rows: list[dict[str, Any]], scores: Sequence[Scores], file: str = "rows.jsonl"
) -> BenchmarkResult:
    """The result of a benchmark with these rows and these scores, row by row."""
    return answered(folder, name, rows, lambda _item, place: Answer(scores=list(scores[place])), file)


def answered(
    folder: Path, name: str, rows: list[dict[str, Any]], answer: Callable[[Item, int], Answer], file: str = "rows.jsonl"
) -> BenchmarkResult:
    """The result of a benchmark with these rows, each answered by its item and place."""
    return from_files(name, bench_files.write_lines(folder / file, rows), answer)


def from_files(name: str, path: Path, answer: Callable[[Item, int], Answer]) -> BenchmarkResult:
    """The result of a benchmark in a file or folder, each item answered by itself and its place."""
    data = find_suite(None, [f"{name}={path}"]).data[0]
    records: list[ItemRecord] = []
    for place, item in enumerate(data.items()):
        records.append(item_record(item, answer(item, place), item.text_ids(), item.cluster or item.context_id))
    return summarise(data, records, SETTINGS)


def accuracies(result: BenchmarkResult, level: str) -> dict[str, float | None]:
    """The accuracies of a level's groups."""
    return {item.name: item.accuracy for item in result.subsets if item.level == level}


def metrics(result: BenchmarkResult) -> dict[str, float | None]:
    """The values of all further metrics."""
    return {item.name: item.value for item in result.metrics}
