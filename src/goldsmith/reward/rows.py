"""Rows of a file to be scored: pairs, conversations, or lists of candidates for one context; and the line each of them gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from goldsmith.errors import DataError
from goldsmith.reward.calibration import Calibration
from goldsmith.reward.grouping import Reply
from goldsmith.reward.model import RewardModel, as_reply
from goldsmith.reward.rewards import Reward, deviation, margin_deviation
from goldsmith.types import Pair

if TYPE_CHECKING:
    from goldsmith.pool.sources import Rejected
    from goldsmith.pool.sources.containers import Document

MAX_LINE_MB = 64
LOOK_AT = 100
"""Rows at the beginning of a file that tell what it holds."""
CONTEXTS = ("messages", "context", "prompt", "instruction", "question")
"""Columns of a candidate list's context: a list of messages, or the text of one user turn."""
CANDIDATES = ("replies", "responses", "completions", "answers", "candidates")
"""Columns of its replies: texts, or objects with one of `TEXTS`."""
TEXTS = ("content", "text", "response", "completion", "answer")


@dataclass(frozen=True, slots=True)
class Listed:
    """A row that is no pair: one conversation in `messages`, or candidates for one context.

    Attributes:
        document: name of the file.
        line: its line there, from 1.
        row: as it was read.
    """

    document: str
    line: int
    row: Mapping[str, Any]

    @property
    def names(self) -> dict[str, Any]:
        """What the row's line of results says about where it comes from."""
        own = self.row.get("id")
        known = {"id": own} if isinstance(own, str | int) else {}
        return {"line": self.line, "source_ref": f"{self.document}:{self.line}", **known}


Row = Pair | Listed
"""What can be scored."""


def read_rows(path: str | Path) -> Iterator[Row | Rejected]:
    """Yield the rows of a file: conversations or candidates when that is what its first readable rows hold, else pairs.

    Raises:
        DataError: the file cannot be read, or holds none of the three.
    """
    from goldsmith.pool.sources import Rejected, read_pairs
    from goldsmith.pool.sources.containers import container_of, documents, records
    from goldsmith.pool.sources.lines import Problem

    inputs = [] if str(path).startswith("hf:") else documents(Path(path))
    if not any(_holds_lists(document) for document in inputs):
        yield from read_pairs(path)
        return
    for document in inputs:
        for line, row in records(document, container_of(document), MAX_LINE_MB << 20):
            if isinstance(row, Problem):
                yield Rejected(document.name, line, *row)
            else:
                yield Listed(document.name, line, row)


def _holds_lists(document: Document) -> bool:
    from goldsmith.pool.sources.containers import container_of, records
    from goldsmith.pool.sources.formats import format_of

    for _, row in islice(records(document, container_of(document), MAX_LINE_MB << 20), LOOK_AT):
        if isinstance(row, dict):
            if format_of(row) is not None:
                return False
            if "messages" in row or (_column(row, CANDIDATES) and _column(row, CONTEXTS)):
                return True
    return False


def score_rows(model: RewardModel, rows: Sequence[Row | Rejected]) -> list[dict[str, Any]]:
    """Return one line for each row, in order; when one cannot be scored, the others still are."""
    replies: list[Reply] = []
    spans: list[tuple[int, int] | str] = []
    for row in rows:
        try:
            own = _replies(row)
        except DataError as error:
            spans.append(str(error))
            continue
        spans.append((len(replies), len(replies) + len(own)))
        replies += own
    rewards = model.rate(replies)
    return [
        _failed(row, span) if isinstance(span, str) else _line(row, rewards[slice(*span)], model.calibration)
        for row, span in zip(rows, spans, strict=True)
    ]


def num_replies(row: Row | Rejected) -> int:
    """Return about how many replies a row holds, for batches of even size."""
    if isinstance(row, Listed):
        column = _column(row.row, CANDIDATES)
        return len(row.row[column]) if column else 1
    return 2


def _replies(row: Row | Rejected) -> list[Reply]:
    if isinstance(row, Pair):
        return [Reply(row.messages, content, f"pair {row.pair_id}") for content in (row.chosen, row.rejected)]
    if not isinstance(row, Listed):
        return []
    column, where = _column(row.row, CANDIDATES), f"{row.document}:{row.line}"
    if column is None and "messages" not in row.row:
        raise DataError(
            f"{where}: holds neither `messages` nor one of {', '.join(CANDIDATES)}, as the rows before it do; score rows of another kind, "
            "pairs for instance, as a file of their own"
        )
    if column is None:
        return [as_reply(row.row["messages"], where)]
    context = _context(row.row, where)
    return [Reply(context, _text(entry), f"{where}, reply {index}") for index, entry in enumerate(row.row[column])]


def _context(row: Mapping[str, Any], where: str) -> list[dict[str, Any]]:
    column = _column(row, CONTEXTS)
    value = row[column] if column else None
    turns = [{"role": "user", "content": value}] if isinstance(value, str) else value
    if not isinstance(turns, list) or not turns or not all(isinstance(turn, dict) for turn in turns):
        raise DataError(f"{where}: candidates need their context in one of {', '.join(CONTEXTS)}: a text, or a list of messages")
    if turns[-1].get("role") == "assistant":
        raise DataError(f"{where}: the context ends in an assistant turn; the candidates answer the turn before it")
    return turns


def _text(entry: Any) -> Any:
    if isinstance(entry, list) and len(entry) == 1 and isinstance(entry[0], dict) and "role" in entry[0]:
        entry = entry[0]
    column = _column(entry, TEXTS) if isinstance(entry, dict) else None
    return entry[column] if column else entry


def _column(row: Mapping[str, Any], names: Sequence[str]) -> str | None:
    lists = names is CANDIDATES
    return next((name for name in names if isinstance(row.get(name), list) or (not lists and row.get(name) is not None)), None)


def _line(row: Row | Rejected, rewards: Sequence[Reward], calibration: Calibration) -> dict[str, Any]:
    if isinstance(row, Pair):
        failure = next((reward.failure for reward in rewards if reward.failure), None)
        return _failed(row, failure) if failure else _names(row) | _pair(row, rewards, calibration) | _extras(rewards)
    if not isinstance(row, Listed):
        return {"source_ref": f"{row.file}:{row.line}", "failure": row.reason, "detail": row.detail}
    if _column(row.row, CANDIDATES) is not None:
        return _list(row, rewards, calibration)
    only = rewards[0]
    return _failed(row, only.failure) if only.failure else row.names | {"score": only.value} | _extras(rewards)


def _pair(pair: Pair, rewards: Sequence[Reward], calibration: Calibration) -> dict[str, Any]:
    chosen, rejected = rewards
    assert chosen.value is not None
    assert rejected.value is not None
    margin = chosen.value - rejected.value
    spread = margin_deviation(chosen, rejected)
    return {
        "label": pair.label,
        "score_chosen": chosen.value,
        "score_rejected": rejected.value,
        "margin": margin,
        "p_chosen": calibration.probability(margin),
        "calibrated": calibration.is_fitted,
        **({} if spread is None else {"std_margin": spread}),
    }


def _list(row: Listed, rewards: Sequence[Reward], calibration: Calibration) -> dict[str, Any]:
    scored = [index for index, reward in enumerate(rewards) if reward.value is not None]
    failures = {str(index): reward.failure for index, reward in enumerate(rewards) if reward.failure}
    if not scored:
        return _failed(
            row, "; ".join(map(str, failures.values())) or f"{row.document}:{row.line}: the list of candidates is empty"
        )
    scores = [reward.value for reward in rewards]
    chances = dict(zip(scored, calibration.best_of([value for value in scores if value is not None]), strict=True))
    return {
        **row.names,
        "scores": scores,
        # The earliest of equal ones.
        "best": max(scored, key=lambda index: (scores[index], -index)),
        "p_best": [chances.get(index) for index in range(len(scores))],
        "calibrated": calibration.is_fitted,
        **_extras(rewards),
        **({"failures": failures} if failures else {}),
    }


def _extras(rewards: Sequence[Reward]) -> dict[str, Any]:
    """Return the spread over bootstrap heads, and the tokens cut, of each reply; nothing where there is nothing to tell."""
    spreads = [deviation(reward.by_head) for reward in rewards]
    cut = [reward.cut for reward in rewards]
    return {
        **({} if all(spread is None for spread in spreads) else {"std": spreads if len(spreads) > 1 else spreads[0]}),
        **({"cut": cut} if any(cut) else {}),
    }


def _names(row: Row | Rejected) -> dict[str, Any]:
    if isinstance(row, Pair):
        return {"pair_id": row.pair_id, "source_ref": row.source_ref}
    return row.names if isinstance(row, Listed) else {"source_ref": f"{row.file}:{row.line}"}


def _failed(row: Row | Rejected, detail: str | None) -> dict[str, Any]:
    return {**_names(row), "failure": "cannot-be-scored", "detail": detail}
