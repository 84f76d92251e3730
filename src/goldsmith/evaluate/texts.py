"""A small store of the texts of failures beside a result, for people to read: the comparisons that a model got most wrong."""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goldsmith.benchdata.item import Item
from goldsmith.errors import DataError
from goldsmith.evaluate.result import TEXTS, ItemRecord
from goldsmith.store import atomic

KEPT = 100
"""Failures of one benchmark whose texts are kept: the widest wrong margins, and as many of the narrowest."""
LONGEST = 20_000
"""Characters of a text that are kept; longer ones end with a mark."""
_CUT = " […]"


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureTexts:
    """One comparison that a model got wrong, with its texts.

    Attributes:
        benchmark: its benchmark.
        item_id: its item.
        better: place of the better reply among the item's replies.
        worse: place of the worse one.
        margin: score of the better one minus that of the worse one, at most 0; None for a judge.
        context: the messages.
        better_text: the better reply.
        worse_text: the worse one.
    """

    benchmark: str
    item_id: str
    better: int
    worse: int
    margin: float | None
    context: list[dict[str, Any]]
    better_text: str
    worse_text: str


class FailureKeeper:
    """Keeps the texts of one benchmark's widest and narrowest failures while its items stream by."""

    def __init__(self) -> None:
        self._widest: list[tuple[float, int, FailureTexts]] = []
        self._narrowest: list[tuple[float, int, FailureTexts]] = []
        self._count = 0

    def offer(self, item: Item, record: ItemRecord) -> None:
        """Look at one item; only the comparison with the widest wrong margin counts."""
        found = _worst(item, record)
        if found is None:
            return
        self._count += 1
        margin = found.margin or 0.0
        for heap, rank in ((self._widest, -margin), (self._narrowest, margin)):
            entry = (rank, -self._count, found)
            if len(heap) < KEPT:
                heapq.heappush(heap, entry)
            elif entry > heap[0]:
                heapq.heapreplace(heap, entry)

    def kept(self) -> list[FailureTexts]:
        """Return the failures, widest first."""
        ranked = sorted(self._widest, reverse=True) + sorted(self._narrowest)
        return list({(item.item_id, item.better, item.worse): item for _, _, item in ranked}.values())


def write_texts(folder: Path, failures: list[FailureTexts]) -> None:
    """Replace `texts.parquet` of a model's folder."""
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [
        {
            "benchmark": item.benchmark, "item_id": item.item_id, "better": item.better, "worse": item.worse, "margin": item.margin,
            "context": json.dumps(item.context, ensure_ascii=False), "better_text": item.better_text, "worse_text": item.worse_text,
        }
        for item in failures
    ]  # fmt: skip
    schema = pa.schema(
        [
            ("benchmark", pa.string()), ("item_id", pa.string()), ("better", pa.int64()), ("worse", pa.int64()),
            ("margin", pa.float64()), ("context", pa.string()), ("better_text", pa.string()), ("worse_text", pa.string()),
        ]
    )  # fmt: skip
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), buffer, compression="zstd")
    atomic.write_bytes(folder / TEXTS, buffer.getvalue())


def read_texts(folder: Path, benchmark: str | None = None) -> Iterator[FailureTexts]:
    """Yield the stored failures of one model's folder, each benchmark's widest margin first; nothing when there is no such file.

    Raises:
        DataError: the file is broken.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / TEXTS
    if not path.is_file():
        return
    try:
        rows = pq.read_table(path).to_pylist()
        found = [FailureTexts(**{**row, "context": json.loads(row["context"])}) for row in rows]
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise DataError(f"{path}: no table of texts ({' '.join(str(error).split())[:200]}); run `goldsmith eval` again") from None
    yield from (item for item in found if benchmark is None or item.benchmark == benchmark)


def _worst(item: Item, record: ItemRecord) -> FailureTexts | None:
    wrong = [pair for pair, decision in zip(record.comparisons, record.decisions, strict=True) if decision in ("wrong", "tie")]
    if not wrong:
        return None
    better, worse = min(wrong, key=lambda pair: _margin(record, pair) or 0.0)
    return FailureTexts(
        benchmark=item.benchmark,
        item_id=item.item_id,
        better=better,
        worse=worse,
        margin=_margin(record, (better, worse)),
        context=[{"role": turn["role"], "content": _shortened(str(turn["content"]))} for turn in item.context],
        better_text=_shortened(item.replies[better]),
        worse_text=_shortened(item.replies[worse]),
    )


def _margin(record: ItemRecord, pair: tuple[int, int]) -> float | None:
    if not record.scores:
        return None
    one, other = record.scores[pair[0]], record.scores[pair[1]]
    return None if one is None or other is None else one - other


def _shortened(text: str) -> str:
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text if len(text) <= LONGEST else text[:LONGEST] + _CUT
