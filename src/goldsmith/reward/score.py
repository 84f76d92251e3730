"""Scoring a file of any size: rows stream through, results are appended, and a killed call goes on where it stopped.

Each row of the input gives exactly one line of the output, in order: a score, or a failure with its reason, and never both. Rows are
scored in chunks whose bounds depend on the file alone, and a continued call begins at such a bound, so that its batches, and with them
every digit, are those of an unbroken call.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from goldsmith.errors import StoreError, UserError
from goldsmith.identity import combined_digest, file_digest
from goldsmith.reward.model import Pooling, RewardModel
from goldsmith.reward.render import TruncationSide
from goldsmith.reward.rows import Row, num_replies, read_rows, score_rows
from goldsmith.store.atomic import explained, write_json

if TYPE_CHECKING:
    from goldsmith.pool.sources import Rejected

CHUNK = 128
"""Rows scored and written at once; a kill loses at most so many."""
CHUNK_REPLIES = 512
"""Replies after which a chunk ends, whatever its rows."""

_DIGESTS = {"model_digest": "model", "input": "input, or of this one before it changed"}
"""Facts that say no more than that something is another."""
_SETTINGS = ("dtype", "calibrated", "temperature", "heads")
_DECIDING = (*_DIGESTS, *_SETTINGS)
"""Facts that a continued call must share with what stands in the file."""
_IN_DIGEST = ("max_length", "truncation_side", "pooling")
"""Facts that the model's digest covers."""


def score_file(
    model: RewardModel | str | Path,
    path: str | Path,
    out: Path,
    *,
    max_length: int | None = None,
    pooling: Pooling | None = None,
    truncation_side: TruncationSide | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Score every row of a file and append the results to `out` as JSON lines.

    Args:
        model: a loaded model, a folder or a hub id.
        path: pairs in any format that `pool add` reads; or rows `{"messages": [...]}` that end in an assistant turn; or candidates,
            `{"prompt": text or messages, "replies": [...]}`.
        out: the JSONL file; beside it, `<out>.run.json` records the model, the input and how scores were computed.
        max_length: tokens of a conversation at most; only for a model that is not loaded yet.
        pooling: likewise.
        truncation_side: likewise.
        progress: called with (rows done, rows in all), first with those of earlier calls.

    Returns:
        {rows, scored, failed: {reason: count}, replies, replies_failed, ties, accuracy, truncated, out} and the model's facts (see
        `RewardModel.facts`): `accuracy` is the share of labelled pairs whose chosen reply scores strictly higher (None without any),
        `ties` counts pairs labelled as ties, `truncated` the conversations that were cut.

    Raises:
        UserError: the model or the file cannot be used, or `out` holds the results of another model or file.
        StoreError: another process writes `out`, or the disk is full.
    """
    total = sum(1 for _ in read_rows(path))
    if not isinstance(model, RewardModel):
        model = RewardModel.load(model, max_length=max_length, pooling=pooling, truncation_side=truncation_side)
    told = model.facts()
    with explained(out), _claimed(out, {**told, "input": _fingerprint(path), "file": str(path)}) as stream:
        done = keep_whole_lines(out)
        if done > total:
            raise UserError(f"{out} holds {done} rows and the input {total}; name another file with -o, or delete it")
        if progress:
            progress(done, total)
        begin = 0
        for chunk in chunks(read_rows(path)):
            end = begin + len(chunk)
            if end > done:
                if begin < done:
                    keep_whole_lines(out, begin)
                _append(stream, score_rows(model, chunk))
                if progress:
                    progress(end, total)
            begin = end
    facts = summarise(out)
    assert facts["rows"] == total == facts["scored"] + sum(facts["failed"].values())
    return {**facts, **told, "out": str(out)}


def chunks(rows: Iterable[Row | Rejected]) -> Iterator[list[Row | Rejected]]:
    """Yield rows in chunks of at most `CHUNK`, and about `CHUNK_REPLIES` replies."""
    chunk: list[Row | Rejected] = []
    replies = 0
    for row in rows:
        chunk.append(row)
        replies += num_replies(row)
        if len(chunk) >= CHUNK or replies >= CHUNK_REPLIES:
            yield chunk
            chunk, replies = [], 0
    if chunk:
        yield chunk


def keep_whole_lines(path: Path, at_most: int | None = None) -> int:
    """Cut a torn last line off a JSONL file, and lines beyond `at_most`; return the number left, 0 when it does not exist."""
    if not path.is_file():
        return 0
    count = end = 0
    with path.open("rb+") as stream:
        for line in stream:
            if not line.endswith(b"\n") or count == at_most:
                break
            count, end = count + 1, end + len(line)
        stream.truncate(end)
    return count


def summarise(path: Path) -> dict[str, Any]:
    """Return the counts of a file of results, and its accuracy over pairs with a preference."""
    failed: Counter[str] = Counter()
    counts: Counter[str] = Counter(rows=0, scored=0, replies=0, replies_failed=0, ties=0, truncated=0)
    wins = decided = 0
    with path.open(encoding="utf-8") as stream:
        for number, text in enumerate(stream, 1):
            line = _line(text, f"{path}:{number}")
            counts["rows"] += 1
            counts["truncated"] += sum(1 for cut in line.get("cut", ()) if cut)
            if "failure" in line:
                failed[line["failure"]] += 1
                continue
            lost = len(line.get("failures", ()))
            counts.update(scored=1, replies_failed=lost, replies=_num_scores(line) - lost)
            if line.get("label") == "tie":
                counts["ties"] += 1
            elif "margin" in line:
                decided, wins = decided + 1, wins + (line["margin"] > 0)
    return {**counts, "failed": dict(failed), "accuracy": wins / decided if decided else None}


def _line(text: str, where: str) -> dict[str, Any]:
    try:
        return dict(json.loads(text))
    except (ValueError, TypeError):
        raise UserError(
            f"{where}: is no line of scores (it was changed, or damaged); delete the file and run the same command again"
        ) from None


def _num_scores(line: dict[str, Any]) -> int:
    return len(line["scores"]) if "scores" in line else 2 if "margin" in line else 1


def _append(stream: BinaryIO, lines: Iterable[dict[str, Any]]) -> None:
    for line in lines:
        # Half of a character, which a row's own id may hold, is written as the JSON escape that it was.
        stream.write(json.dumps(line, ensure_ascii=False, allow_nan=False).encode("utf-8", "backslashreplace") + b"\n")
    stream.flush()
    os.fsync(stream.fileno())


def _fingerprint(path: str | Path) -> str:
    from goldsmith.pool.sources.containers import documents

    if str(path).startswith("hf:"):
        return str(path)
    found = Path(path)
    if found.is_file():
        return file_digest(found)
    files = sorted({document.path for document in documents(found)})
    return combined_digest(f"{Path(name).relative_to(found)} {file_digest(Path(name))}" for name in files)


@contextmanager
def _claimed(out: Path, facts: dict[str, Any]) -> Iterator[BinaryIO]:
    """Open `out` for appending, alone; refuse to mix results of two models or inputs in one file."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("ab") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreError(
                f"{out} is being written by another process; wait until it ends, or name another file with -o"
            ) from None
        note = out.with_name(out.name + ".run.json")
        if out.stat().st_size:
            _check_same(out, note, facts)
        write_json(note, {"schema_version": 1, **facts})
        yield stream


def _check_same(out: Path, note: Path, facts: dict[str, Any]) -> None:
    remedy = "name another file with -o, or delete it"
    try:
        before = json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise UserError(f"{out} holds something, and no {note.name} beside it says that these are scores; {remedy}") from None
    differing = [key for key in _DECIDING if before.get(key) != facts[key]]
    if not differing:
        return
    how = [
        f"{key} ({before.get(key)!r}, now {facts[key]!r})" for key in (*_IN_DIGEST, *_SETTINGS) if before.get(key) != facts[key]
    ]
    # The model's digest covers how it reads; where that differs, it is what a person changed.
    is_read_otherwise = any(before.get(key) != facts[key] for key in _IN_DIGEST)
    what = [_DIGESTS[key] for key in differing if key in _DIGESTS and not (key == "model_digest" and is_read_otherwise)]
    raise UserError(f"{out} holds results of another {' and another '.join([*what, *how])}; {remedy}")
