"""The one door for recorded verdicts: a file in any known layout to verdicts, and every row's fate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from pydantic import ValidationError

from goldsmith.config.judge import RecordedConfig
from goldsmith.errors import DataError
from goldsmith.judge.recorded.joined import PairsByKey
from goldsmith.judge.recorded.layouts import COLUMN, LAYOUTS, Layout, Opinion
from goldsmith.judge.recorded.rows import Row, rows_of
from goldsmith.judge.recorded.values import NO_CHOICE
from goldsmith.pool.sources.draft import Reject
from goldsmith.pool.sources.lines import Problem
from goldsmith.types import Verdict

Where = tuple[str, Row | Problem]
OWN_COLUMNS = frozenset({"pair_id", "model", "sample", "shown_order"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedFile:
    """What a file of recorded verdicts holds; num_rows = rows with verdicts + dropped."""

    path: Path
    layout: str
    num_rows: int
    dropped: dict[str, int]
    verdicts: list[Verdict] = field(repr=False)


def read_verdicts(files: Sequence[RecordedConfig | Path]) -> list[Verdict]:
    """Return the verdicts of files, in order; raises as `read_recorded`."""
    return [verdict for file in read_recorded(files) for verdict in file.verdicts]


def read_recorded(files: Sequence[RecordedConfig | Path]) -> list[RecordedFile]:
    """Return what each file holds; verdicts without a sample number get the next one of their pair and model.

    Raises:
        DataError: a file is missing, broken or of no known layout, a `Verdict` line is none, or one model has two verdicts of
            one sample number.
    """
    seen: dict[tuple[str, str, int], str] = {}
    counts: Counter[tuple[str, str]] = Counter()
    found = []
    for entry in files:
        config = RecordedConfig(path=entry) if isinstance(entry, Path) else entry
        missing = next((path for path in (config.path, config.pairs) if path is not None and not path.exists()), None)
        if missing is not None:
            raise DataError(f"judge.recorded: {missing}: no such file; check the path, or take the entry out")
        rows = rows_of(config.path)
        looked_at: list[Where] = []
        first: Row | None = None
        for where, row in rows:
            looked_at.append((where, row))
            if not isinstance(row, Problem):
                first = row
                break
        if first is None:
            raise DataError(f"{config.path}: no row that can be read; recorded verdicts are JSON lines, JSON or Parquet")
        stream = chain(looked_at, rows)
        own = config.column is None and first.keys() >= OWN_COLUMNS
        found.append(_own(config, stream, seen) if own else _foreign(config, stream, _layout(config, first), counts))
        counts.update((verdict.pair_id, verdict.model) for verdict in found[-1].verdicts if own)
    return found


def _layout(config: RecordedConfig, row: Row) -> Layout:
    layout = COLUMN if config.column is not None else next((item for item in LAYOUTS if item.matches(row)), None)
    if layout is None:
        known = "\n".join(f"  {item.name}: {item.columns}" for item in LAYOUTS)
        raise DataError(
            f"{config.path}: no known layout of recorded verdicts; the rows have the keys: {', '.join(map(str, list(row)[:20]))}\n"
            f"Known layouts:\n  goldsmith: Verdict records (pair_id, model, sample, shown_order, choice, failure)\n{known}\n"
            "For pairs with the choice in a column of its own: judge.recorded = [{ path = ..., column = ... }]"
        )
    return layout


def _own(config: RecordedConfig, rows: Iterator[Where], seen: dict[tuple[str, str, int], str]) -> RecordedFile:
    """Goldsmith's own records are read strictly: what breaks the form is an error, not a drop."""
    verdicts = []
    for where, row in rows:
        if isinstance(row, Problem):
            raise DataError(f"{where}: {row[0]}: {row[1]}; a recorded verdict is one JSON object a line")
        verdict = _verdict(row, where)
        key = (verdict.pair_id, verdict.model, verdict.sample)
        if key in seen:
            raise DataError(
                f"{where}: model '{verdict.model}' has sample {verdict.sample} of pair {verdict.pair_id} already at {seen[key]}; "
                "give every sample its own number"
            )
        seen[key] = where
        verdicts.append(verdict)
    return RecordedFile(path=config.path, layout="goldsmith", num_rows=len(verdicts), dropped={}, verdicts=verdicts)


def _verdict(row: Row, where: str) -> Verdict:
    try:
        verdict = Verdict.model_validate(row)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"]) or "line"
        raise DataError(f"{where}: {name}: {first['msg']}; a recorded verdict has the fields of contracts' Verdict") from None
    if (verdict.choice is None) != (verdict.failure is not None):
        raise DataError(f"{where}: choice = {verdict.choice!r} with failure = {verdict.failure!r}; exactly one of them is null")
    return verdict


def _foreign(config: RecordedConfig, rows: Iterator[Where], layout: Layout, counts: Counter[tuple[str, str]]) -> RecordedFile:
    """Other people's files are read row by row: one that cannot be used is dropped with its reason."""
    find = PairsByKey(config.pairs, config.key).find if config.pairs is not None else None
    verdicts: list[Verdict] = []
    dropped: Counter[str] = Counter()
    num_rows = num_read = 0
    for _, row in rows:
        num_rows += 1
        try:
            if isinstance(row, Problem):
                raise Reject(*row)
            if not layout.matches(row):
                raise Reject("unknown-fields", f"not {layout.name} ({layout.columns})")
            opinions = list(layout.read(row, config, find, config.path.name.partition(".")[0]))
        except Reject as reject:
            dropped[reject.reason] += 1
            continue
        num_read += 1
        for opinion in opinions:
            key = (opinion.pair_id, opinion.model)
            verdicts.append(_numbered(opinion, counts[key]))
            counts[key] += 1
    assert num_rows == num_read + sum(dropped.values())
    if not verdicts:
        raise DataError(f"{config.path}: taken for '{layout.name}', but no row gives a verdict; dropped: {dict(dropped)}")
    return RecordedFile(path=config.path, layout=layout.name, num_rows=num_rows, dropped=dict(dropped), verdicts=verdicts)


def _numbered(opinion: Opinion, sample: int) -> Verdict:
    return Verdict(
        pair_id=opinion.pair_id,
        model=opinion.model,
        sample=sample,
        shown_order=opinion.shown_order,
        choice=opinion.choice,
        failure=NO_CHOICE if opinion.choice is None else None,
    )
