"""Anybody's file of labelled pairs as a benchmark: every format that `pool add` reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from goldsmith.benchdata.item import Item
from goldsmith.benchdata.rows import Source
from goldsmith.pool.sources.recognise import Rejected, read_pairs
from goldsmith.retrieve.text import plain_text
from goldsmith.types import Pair


def own_pairs(name: str, source: Source, count: Callable[[], None], leave_out: Callable[[str], None]) -> Iterator[Item]:
    """Yield the items of a source; its subset is the pair's source, or `meta.subset`.

    Args:
        name: the user's name of the set.
        source: a document, or a dataset of the hub.
        count: called for each row.
        leave_out: called with the reason why a row is no pair.

    Raises:
        DataError: the file is of no known format.
    """
    rows = read_pairs(source) if isinstance(source, str) else _document_pairs(source)
    for row in rows:
        count()
        if isinstance(row, Rejected):
            leave_out(row.reason)
        else:
            yield _item(name, row)


def _document_pairs(source: Source) -> Iterator[Pair | Rejected]:
    from goldsmith.pool.sources.containers import Document, container_of, records
    from goldsmith.pool.sources.draft import Reject
    from goldsmith.pool.sources.recognise import dataset_name, drafts, recognised_format, reference
    from goldsmith.pool.sources.rows import pair_of

    assert isinstance(source, Document)
    known, rows = recognised_format(source.name, records(source, container_of(source), 64 << 20))
    for draft, file, line in drafts(known, rows, source.name):
        if isinstance(draft, Rejected):
            yield draft
            continue
        try:
            yield pair_of(draft, dataset_name(file), reference(file, line, draft.part))
        except Reject as reject:
            yield Rejected(file, line, reject.reason, reject.detail)


def _item(name: str, pair: Pair) -> Item:
    is_tie = pair.label == "tie"
    subset = pair.meta.get("subset")
    return Item(
        benchmark=name,
        subset=subset if isinstance(subset, str) and subset else pair.source or "all",
        item_id=pair.pair_id,
        context=pair.messages,
        replies=[plain_text(pair.chosen), plain_text(pair.rejected)],
        good=[not is_tie, False],
        comparisons=[] if is_tie else [(0, 1)],
        source_ref=pair.source_ref,
        meta={"label_origin": pair.label_origin},
    )
