"""Scoring a file of any size: rows stream through, results are appended, and a killed call goes on where it stopped.

Each row of the input gives exactly one line of the output, in order: a score, or a failure with its reason, and never both.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from goldsmith.errors import DataError, UserError
from goldsmith.identity import file_digest
from goldsmith.reward.grouping import Reply
from goldsmith.reward.model import Pooling, RewardModel
from goldsmith.store.atomic import write_json
from goldsmith.types import Pair

if TYPE_CHECKING:
    from goldsmith.pool.sources import Rejected

CHUNK = 128
"""Rows scored and written at once; a kill loses at most so many."""
MAX_LINE_MB = 64


@dataclass(frozen=True, slots=True)
class Conversation:
    """A row that is one conversation: its line in the file, and its messages."""

    line: int
    messages: Any


def score_file(
    model: RewardModel | str | Path,
    path: str | Path,
    out: Path,
    *,
    max_length: int | None = None,
    pooling: Pooling | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Score every row of a file and append the results to `out` as JSON lines.

    Args:
        model: a loaded model, a folder or a hub id.
        path: pairs in any format that `pool add` reads, or rows `{"messages": [...]}` that end in an assistant turn.
        out: the JSONL file; beside it, `<out>.run.json` names the model and the input.
        max_length: tokens of a conversation at most; only for a model that is not loaded yet.
        pooling: likewise.
        progress: called with (rows done, rows in all).

    Returns:
        {rows, scored, failed: {reason: count}, ties, accuracy, truncated, model_digest, out}: `accuracy` is the share of labelled pairs
        whose chosen reply scores strictly higher (None without any), `ties` counts pairs labelled as ties, `truncated` the conversations
        of this call that were cut.

    Raises:
        UserError: the model or the file cannot be used, or `out` holds the results of another model or file.
    """
    total = sum(1 for _ in read_rows(path))
    loaded = model if isinstance(model, RewardModel) else RewardModel.load(model, max_length=max_length, pooling=pooling)
    _claim(out, {"model_digest": loaded.digest, "input": _fingerprint(path)})
    done = keep_whole_lines(out)
    rows = islice(read_rows(path), done, None)
    with out.open("ab") as stream:
        while chunk := list(islice(rows, CHUNK)):
            for line in score_rows(loaded, chunk):
                stream.write(json.dumps(line, ensure_ascii=False, allow_nan=False).encode() + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
            done += len(chunk)
            if progress:
                progress(done, total)
    facts = summarise(out)
    assert facts["rows"] == total == facts["scored"] + sum(facts["failed"].values())
    return {**facts, "truncated": loaded.renderer.truncated, "model_digest": loaded.digest, "out": str(out)}


def read_rows(path: str | Path) -> Iterator[Pair | Rejected | Conversation]:
    """Yield the rows of a file: conversations when its first readable row has `messages`, else pairs."""
    from goldsmith.pool.sources import Rejected, read_pairs
    from goldsmith.pool.sources.containers import container_of, documents, records
    from goldsmith.pool.sources.formats import format_of
    from goldsmith.pool.sources.lines import Problem

    inputs = [] if str(path).startswith("hf:") else documents(Path(path))
    first = next((row for document in inputs for _, row in records(document, container_of(document), MAX_LINE_MB << 20)), None)
    if not isinstance(first, dict) or "messages" not in first or format_of(first) is not None:
        yield from read_pairs(path)
        return
    for document in inputs:
        for line, row in records(document, container_of(document), MAX_LINE_MB << 20):
            if isinstance(row, Problem):
                yield Rejected(document.name, line, *row)
            else:
                yield Conversation(line, row.get("messages"))


def score_rows(model: RewardModel, rows: Sequence[Pair | Rejected | Conversation]) -> list[dict[str, Any]]:
    """Return one line for each row; when one cannot be scored, the others still are."""
    owed = [index for index, row in enumerate(rows) if isinstance(row, Pair | Conversation)]
    lines = [{} if isinstance(row, Pair | Conversation) else _rejected(row) for row in rows]
    try:
        for index, line in zip(owed, _scored(model, [rows[index] for index in owed]), strict=True):
            lines[index] = line
    except DataError:
        for index in owed:
            try:
                lines[index] = _scored(model, [rows[index]])[0]
            except DataError as error:
                lines[index] = {**_name(rows[index]), "failure": "cannot-be-scored", "detail": str(error)}
    return lines


def keep_whole_lines(path: Path) -> int:
    """Cut a torn last line off a JSONL file and return the number of whole lines; 0 when it does not exist."""
    if not path.is_file():
        return 0
    count = end = 0
    with path.open("rb+") as stream:
        for line in stream:
            if not line.endswith(b"\n"):
                break
            count, end = count + 1, end + len(line)
        stream.truncate(end)
    return count


def summarise(path: Path) -> dict[str, Any]:
    """Return the counts of a file of results, and its accuracy over pairs with a preference."""
    failed: Counter[str] = Counter()
    rows = ties = wins = decided = 0
    with path.open(encoding="utf-8") as stream:
        for text in stream:
            line = json.loads(text)
            rows += 1
            if "failure" in line:
                failed[line["failure"]] += 1
            elif line.get("label") == "tie":
                ties += 1
            elif "margin" in line:
                decided, wins = decided + 1, wins + (line["margin"] > 0)
    accuracy = wins / decided if decided else None
    return {"rows": rows, "scored": rows - failed.total(), "failed": dict(failed), "ties": ties, "accuracy": accuracy}


def _scored(model: RewardModel, rows: Sequence[Any]) -> list[dict[str, Any]]:
    replies: list[Reply] = []
    for row in rows:
        if isinstance(row, Pair):
            replies += [Reply(row.messages, content, f"pair {row.pair_id}") for content in (row.first, row.second)]
        else:
            replies.append(_conversation(row))
    scores = iter(model.score_replies(replies))
    return [
        {**_name(row), **(_pair_scores(row, next(scores), next(scores)) if isinstance(row, Pair) else {"score": next(scores)})}
        for row in rows
    ]


def _pair_scores(pair: Pair, first: float, second: float) -> dict[str, Any]:
    chosen, rejected = (second, first) if pair.label == "second" else (first, second)
    return {"label": pair.label, "score_chosen": chosen, "score_rejected": rejected, "margin": chosen - rejected}


def _conversation(row: Conversation) -> Reply:
    turns = row.messages
    if (
        not isinstance(turns, list)
        or len(turns) < 2
        or not all(isinstance(turn, dict) and {"role", "content"} <= turn.keys() for turn in turns)
    ):
        raise DataError(f"line {row.line}: `messages` is no list of at least two turns with `role` and `content`")
    if turns[-1]["role"] != "assistant":
        raise DataError(f"line {row.line}: the last turn is not the assistant's; it is the one that gets scored")
    return Reply(turns[:-1], turns[-1]["content"], f"line {row.line}")


def _name(row: Any) -> dict[str, Any]:
    return {"pair_id": row.pair_id, "source_ref": row.source_ref} if isinstance(row, Pair) else {"line": row.line}


def _rejected(row: Any) -> dict[str, Any]:
    return {"source_ref": f"{row.file}:{row.line}", "failure": row.reason, "detail": row.detail}


def _fingerprint(path: str | Path) -> str:
    if str(path).startswith("hf:"):
        return str(path)
    found = Path(path)
    if found.is_file():
        return file_digest(found)
    return str(found.resolve())


def _claim(out: Path, facts: dict[str, str]) -> None:
    """Note what `out` is made from; refuse to mix results of two models or inputs in one file."""
    note = out.with_name(out.name + ".run.json")
    if not out.is_file():
        out.parent.mkdir(parents=True, exist_ok=True)
        write_json(note, facts)
        return
    before = json.loads(note.read_text(encoding="utf-8")) if note.is_file() else {}
    differing = [key for key in facts if before.get(key) != facts[key]]
    if differing:
        raise UserError(f"{out} holds results of another {' and '.join(differing)}; name another file with -o, or delete it")
