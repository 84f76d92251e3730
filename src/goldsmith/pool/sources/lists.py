"""Rows of several ranked replies, kept whole instead of as pairs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goldsmith.errors import DataError
from goldsmith.identity import canonical_json, context_id, digest
from goldsmith.pool.sources.containers import container_of, documents, records
from goldsmith.pool.sources.draft import Draft, Reject, content_of
from goldsmith.pool.sources.lines import Problem
from goldsmith.pool.sources.ranked import RANKED, ranked_row
from goldsmith.pool.sources.recognise import Rejected, reference
from goldsmith.pool.sources.rows import check
from goldsmith.types import Content, Pair


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedList:
    """Several replies to one context, and the order a labeller put them in.

    Attributes:
        list_id: by content: context and replies, whatever their order in the file.
        context: messages with `role` and `content`.
        replies: distinct, none empty, at least two.
        ranks: of the replies, smaller is better, equal where the labeller saw no difference; not all equal.
        source_ref: where the list stood.
    """

    list_id: str
    context: list[dict[str, Any]]
    replies: tuple[Content, ...]
    ranks: tuple[float, ...]
    source_ref: str = ""

    @classmethod
    def of(
        cls, context: list[dict[str, Any]], replies: Sequence[Content], ranks: Sequence[float], source_ref: str = ""
    ) -> RankedList:
        """Return the list of replies and their ranks (smaller is better), named by content."""
        name = digest([context, sorted(map(canonical_json, replies))])[:32]
        return cls(list_id=name, context=context, replies=tuple(replies), ranks=tuple(ranks), source_ref=source_ref)

    @property
    def context_id(self) -> str:
        """The id of the context, which pairs and lists of one prompt share."""
        return context_id(self.context)

    def pairs(self) -> list[Pair]:
        """Return every two replies of different rank as a pair, in the order of the replies."""
        places = range(len(self.replies))
        return [
            Pair.from_replies(self.context, self.replies[one], self.replies[other], source_ref=self.source_ref)
            for one in places
            for other in places
            if self.ranks[one] < self.ranks[other]
        ]


def read_lists(path: str | Path, max_line_mb: int = 64) -> Iterator[RankedList | Rejected]:
    """Yield each ranked list of a file or folder; rows that are none, and replies taken out of a list, with the reason.

    Args:
        path: `prompt`, `responses` (or `completions`) and `scores` or `ranks` in every row.
        max_line_mb: a longer line is rejected, and never held in memory.

    Raises:
        DataError: the file holds nothing, or no row of it is a ranked list.
    """
    found = 0
    for document in documents(Path(path)):
        for line, row in records(document, container_of(document), max_line_mb << 20):
            if isinstance(row, Problem):
                yield Rejected(document.name, line, *row)
                continue
            for outcome in _outcomes(row, document.name, line):
                found += isinstance(outcome, RankedList)
                yield outcome
    if not found:
        raise DataError(
            f"{path}: holds no ranked list ({RANKED.columns}); set train.ranked_lists=pairs to train on pairs, which any known format gives"
        )


def _outcomes(row: dict[str, Any], name: str, line: int) -> Iterator[RankedList | Rejected]:
    try:
        if not RANKED.matches(row):
            raise Reject(
                "unknown-fields", f"not {RANKED.name} ({RANKED.columns}); the row has {', '.join(map(str, list(row)[:20]))}"
            )
        ranked = ranked_row(row)
        if len(ranked.replies) != len(ranked.scores):
            raise Reject("too-few-replies", f"{len(ranked.replies)} replies and {len(ranked.scores)} scores")
        kept: dict[str, tuple[Content, float]] = {}
        for reply, score in zip(map(content_of, ranked.replies), ranked.scores, strict=True):
            if score is None:
                raise Reject("score-missing", f"scores {list(ranked.scores)}")
            reason = _unusable(reply, kept)
            if reason:
                yield Rejected(name, line, reason, str(reply)[:80])
            else:
                kept[canonical_json(reply)] = (reply, -score)
        yield _list(ranked.context, list(kept.values()), reference(name, line, ""))
    except Reject as reject:
        yield Rejected(name, line, reject.reason, reject.detail)
    except UnicodeEncodeError:
        yield Rejected(
            name, line, "lone-surrogate", "half of a character; no UTF-8 file can hold it; take it out, or drop the row"
        )


def _unusable(reply: Any, kept: dict[str, tuple[Content, float]]) -> str:
    if not reply or (isinstance(reply, str) and not reply.strip()):
        return "empty-reply"
    return "identical-replies" if canonical_json(reply) in kept else ""


def _list(context: list[dict[str, Any]], kept: Sequence[tuple[Content, float]], source_ref: str) -> RankedList:
    if len(kept) < 2:
        raise Reject("too-few-replies", f"{len(kept)} distinct replies that are not empty")
    check(Draft(context, kept[0][0], kept[1][0]))
    ranks = [rank for _, rank in kept]
    if len(set(ranks)) < 2:
        raise Reject("all-tied", f"all {len(kept)} replies have one rank")
    return RankedList.of(context, [reply for reply, _ in kept], ranks, source_ref)
