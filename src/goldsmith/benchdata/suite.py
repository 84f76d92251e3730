"""Which benchmarks are there: found in a folder by the looks of their rows, or named one by one; and their items."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from goldsmith.benchdata import extras
from goldsmith.benchdata.catalogue import BENCHMARKS, CORE, Benchmark, announced, benchmark_named, require_benchmark
from goldsmith.benchdata.item import Item
from goldsmith.benchdata.pairs import own_pairs
from goldsmith.benchdata.rows import Source, bench_rows, raw_rows, source_name
from goldsmith.errors import DataError, UserError
from goldsmith.identity import file_digest
from goldsmith.pool.sources.containers import documents, packed_names
from goldsmith.pool.sources.hub import HUB_PREFIX
from goldsmith.pool.sources.lines import Problem

_REPEAT = "#"
"""Stands between an id that occurs again and its number, as in `17#2`."""
_ALL = "all"
_NO_OBJECT = "not-an-object"
"""JSON that is sound and no row of anything, as a list of numbers: a foreign file."""
_SHOWN = 8
"""Columns of a row, and files, that a message names at most."""


@dataclass(slots=True, kw_only=True)
class BenchmarkData:
    """One benchmark's sources; `items` reads them, and counts while it does.

    Attributes:
        id: of the benchmark, or the user's name for a file of pairs.
        title: as people call it.
        sources: documents, or datasets of the hub, in the order read.
        benchmark: None for a file of the user's own pairs.
        rows: of each source, by its name; filled while reading.
        left_out: rows that are no items, by reason; filled while reading.
    """

    id: str
    title: str
    sources: list[Source]
    benchmark: Benchmark | None
    rows: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)

    def items(self) -> Iterator[Item]:
        """Yield the items; rows = items + left out, as every row is one item.

        A row that stands in several files (a set in two forms) is read once; one that a file repeats stays, as the official rules keep it.

        Raises:
            DataError: a file is broken, or a row does not have the benchmark's layout; or there is no row at all.
        """
        self.rows.clear()
        self.left_out.clear()
        seen: set[str] = set()
        names: Counter[str] = Counter()
        for source in self.sources:
            here: set[str] = set()
            for item in self._read(source):
                key = self._identity(item) if len(self.sources) > 1 else ""
                if key in seen:
                    self.left_out["stands in another file too"] += 1
                    continue
                here.add(key)
                names[item.item_id] += 1
                yield item if names[item.item_id] == 1 else _renamed(item, names[item.item_id])
            seen |= here
        if not self.rows.total():
            places = ", ".join(map(source_name, self.sources[:_SHOWN]))
            raise DataError(f"{places}: holds no row of {self.title}; check the download, nothing was evaluated")

    def _identity(self, item: Item) -> str:
        """What tells an item from every other one: its id, where that is the same in every form of the set, and what is asked."""
        name = item.item_id if self.benchmark is not None and self.benchmark.has_lasting_ids else ""
        asked = (f"{good:d}{reply}" for good, reply in zip(item.good, item.replies, strict=True))
        parts = [name, item.subset, item.context_id, *asked]
        return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()

    def digests(self) -> dict[str, str]:
        """Return the SHA-256 of each source's file by the name of the source; empty for the hub."""
        known: dict[str, str] = {}
        found = {}
        for source in self.sources:
            if isinstance(source, str):
                found[source] = ""
                continue
            if source.path not in known:
                known[source.path] = file_digest(Path(source.path))
            found[source.name] = known[source.path]
        return found

    def _read(self, source: Source) -> Iterator[Item]:
        name = source_name(source)
        if self.benchmark is None:
            yield from own_pairs(self.id, source, lambda: self.rows.update([name]), lambda reason: self.left_out.update([reason]))
            return
        for row in bench_rows(source, self.title):
            self.rows[name] += 1
            try:
                yield from self.benchmark.read(row)
            except extras.LeftOut as reason:
                self.left_out[str(reason)] += 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """What was found.

    Attributes:
        data: the benchmarks that are there, in the catalogue's order, then the user's own files.
        absent: those of the seven that are not.
        passed_over: files of the folder that hold no benchmark, each with the columns of its first row.
    """

    data: list[BenchmarkData]
    absent: list[Benchmark]
    passed_over: list[str]


def find_suite(folder: str | Path | None, named: Sequence[str] = (), *, only: Sequence[str] = ()) -> Suite:
    """Return the benchmarks of a folder, and those that are named.

    Args:
        folder: looked through with the folders below it; None: nothing but what is named.
        named: `NAME=PATH`, where NAME is a benchmark's, or anybody's for a file of labelled pairs, and PATH a file, a folder or
            `hf:org/name:split`; or a benchmark's NAME alone, from the hub.
        only: ids of benchmarks; empty: all.

    Raises:
        UserError: nothing is there, or a name is unknown.
        DataError: a file cannot be read.
    """
    found: dict[str, list[Source]] = {}
    passed_over: list[str] = []
    wanted = [require_benchmark(name).id for name in only]
    if folder is not None:
        _look_through(Path(folder), found, passed_over)
    own: dict[str, list[Source]] = {}
    given: set[str] = set()
    for entry in named:
        name, sources = _named(entry)
        benchmark = benchmark_named(name)
        _claim(benchmark.id if benchmark else name, given)
        if benchmark is None:
            own[name] = sources
        else:
            found[benchmark.id] = sources
    data = [
        BenchmarkData(id=name, title=benchmark.title, sources=found[name], benchmark=benchmark)
        for name, benchmark in BENCHMARKS.items()
        if name in found and (not wanted or name in wanted)
    ]
    data += [BenchmarkData(id=name, title=name, sources=sources, benchmark=None) for name, sources in own.items()]
    if not data:
        raise UserError(_nothing(folder, wanted, passed_over))
    present = {item.id for item in data}
    return Suite(data=data, absent=[BENCHMARKS[name] for name in CORE if name not in present], passed_over=passed_over)


def _look_through(folder: Path, found: dict[str, list[Source]], passed_over: list[str]) -> None:
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; --suite names the folder that holds the benchmarks' files")
    packed = [f"{name} (packed in a way that is not read: unpack it)" for name in packed_names(folder)]
    passed_over += packed
    try:
        there = documents(folder)
    except DataError as error:
        raise DataError(f"{error}; there is {'; '.join(packed[:_SHOWN])}" if packed else str(error)) from None
    for document in there:
        row = _first_row(document, document.name)
        benchmark = _told(row, document.name) if row else None
        if benchmark is None:
            passed_over.append(f"{document.name} ({', '.join(map(str, list(row)[:_SHOWN])) if row else 'no row of columns'})")
        else:
            found.setdefault(benchmark.id, []).append(document)


def _first_row(source: Source, name: str) -> dict[str, Any] | None:
    first = next(islice(raw_rows(source), 1), None)
    if first is None:
        return None
    line, row = first
    if isinstance(row, Problem):
        if row[0] == _NO_OBJECT:
            return None
        raise DataError(f"{name}:{line}: {row[0]}: {row[1]}; mend this file, or move it out of the suite's folder")
    return row


def _told(row: dict[str, Any], name: str) -> Benchmark | None:
    """Return the benchmark whose rows a document holds, by its first one."""
    return next((item for item in BENCHMARKS.values() if item.matches(row, name)), None) or announced(name, row)


def _named(entry: str) -> tuple[str, list[Source]]:
    name, equals, path = entry.partition("=")
    if equals and name and path:
        return name, [path] if path.startswith(HUB_PREFIX) else [*_data_documents(path)]
    if equals:
        raise UserError(f"--benchmark {entry}: write NAME=PATH")
    benchmark = require_benchmark(name)
    if not benchmark.hub:
        raise UserError(
            f"{benchmark.title} is not on the hub in its official layout; get it from {benchmark.where}, then {benchmark.id}=PATH"
        )
    return benchmark.id, list(benchmark.hub)


def _claim(name: str, given: set[str]) -> None:
    """Note the name of a benchmark that was named; none may stand for two sets of files, nor for all of them."""
    if name in given:
        raise UserError(f"--benchmark {name} is given twice; name a folder that holds both, or give one another NAME")
    if name.lower() == _ALL:
        raise UserError(f"--benchmark {name}: this name stands for all benchmarks together in reports; give it another NAME")
    given.add(name)


def _data_documents(path: str) -> list[Source]:
    found: list[Source] = [*documents(Path(path))]
    return found


def _renamed(item: Item, number: int) -> Item:
    from dataclasses import replace

    return replace(item, item_id=f"{item.item_id}{_REPEAT}{number}")


def first_name(item_id: str) -> str | None:
    """Return the id that an item shares with an earlier one, None for an item that is the first of its id."""
    name, mark, number = item_id.rpartition(_REPEAT)
    return name if mark and number.isdecimal() else None


def _nothing(folder: str | Path | None, wanted: Sequence[str], passed_over: Sequence[str]) -> str:
    places = "\n".join(
        f"  {item.id}: {item.where}" for item in BENCHMARKS.values() if item.is_core and (not wanted or item.id in wanted)
    )
    start = "no benchmark was named" if folder is None else f"{folder}: holds none of the benchmarks"
    if passed_over:
        start += f" (looked at {'; '.join(passed_over[:_SHOWN])}{' and others' if len(passed_over) > _SHOWN else ''})"
    return f"{start}; give --suite FOLDER, or --benchmark NAME=PATH (or NAME alone, from the hub):\n{places}"
