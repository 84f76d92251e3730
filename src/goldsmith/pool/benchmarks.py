"""The prompts of every benchmark file that is given or found, read through the same door as any pairs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from goldsmith.benchdata.prompts import BenchmarkPrompt, distinct_prompts
from goldsmith.errors import DataError
from goldsmith.pool.sources.hub import HUB_PREFIX
from goldsmith.pool.sources.recognise import Rejected, dataset_name, read_drafts


def benchmark_prompts(paths: Iterable[str | Path]) -> list[BenchmarkPrompt]:
    """Return the distinct first-turn prompts of benchmark files, folders or hub datasets.

    A record whose replies could not make a pair (empty, identical) still has a prompt, and it counts. Files of a folder that
    hold no pairs (score tables, verdicts) are passed over.

    Raises:
        DataError: a path does not exist, or holds no pairs at all.
    """
    return list(distinct_prompts(context for path in paths for context in _contexts(str(path))))


def _contexts(path: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    found = False
    for draft, name, _ in read_drafts(path):
        if not isinstance(draft, Rejected):
            found = True
            yield set_name(name), draft.context
    if not found:
        raise DataError(
            f"{path}: no pairs to take benchmark prompts from; name files or folders of evaluation sets in pool.benchmarks"
        )


def set_name(name: str) -> str:
    """Return how a benchmark file is called: folder and file name, without suffixes."""
    if name.startswith(HUB_PREFIX):
        return name
    folder, _, _ = name.rpartition("/")
    return f"{folder}/{dataset_name(name)}" if folder else dataset_name(name)
