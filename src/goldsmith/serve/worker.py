"""A worker process: opens one engine, then answers batches until its pipe closes. It never sees text, only token ids."""

from __future__ import annotations

import gc
import signal
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from goldsmith.errors import GoldsmithError
from goldsmith.reward.checkpoint import FileState, known_digests, trust_digests
from goldsmith.serve.engines import EngineSpec, open_engine
from goldsmith.serve.share import Ids, group_sequences

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Ready:
    """The engine is loaded and checked.

    Attributes:
        facts: what it says of itself.
        digests: of the files it read, so that its successor need not read them again.
    """

    facts: dict[str, Any]
    digests: dict[FileState, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failed:
    """The engine cannot be used, or a batch failed; the message is for the operator, and holds no user text."""

    message: str
    is_user_error: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """Logits of a batch.

    Attributes:
        logits: float32 [1 + K] of each sequence, in order.
        computed: tokens that were computed.
        reused: tokens taken from earlier requests.
    """

    logits: list[NDArray[np.float32]]
    computed: int
    reused: int


def main(pipe: Connection, spec: EngineSpec, digests: dict[FileState, str]) -> None:
    """Serve one engine over a pipe: lists of sequences come in, `Answer` or `Failed` goes out.

    Args:
        pipe: to the server.
        spec: what to load.
        digests: of files that a predecessor read.
    """
    trust_digests(digests)
    for name in (signal.SIGINT, signal.SIGTERM):
        # The server decides when its workers end: it closes the pipe, or kills them.
        signal.signal(name, signal.SIG_IGN)
    try:
        engine = open_engine(spec)
    except GoldsmithError as error:
        pipe.send(Failed(str(error), is_user_error=True))
        return
    except Exception as error:  # a boundary: the server reports it, and the process ends
        pipe.send(Failed(f"{spec.path}: {type(error).__name__}: {error}"))
        return
    gc.freeze()
    try:
        pipe.send(Ready(engine.facts, known_digests()))
    except BrokenPipeError:
        return
    while True:
        try:
            sequences: list[Ids] = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            pipe.send(_answer(engine, sequences))
        except BrokenPipeError:
            return
        except Exception as error:  # a boundary: this batch fails, and the server replaces the process
            pipe.send(Failed(f"{type(error).__name__}: {error}"[:500]))
            return


def _answer(engine: Any, sequences: list[Ids]) -> Answer:
    distinct = list(dict.fromkeys(sequences))
    computed, reused = engine.computed, engine.reused
    found = engine.logits(group_sequences(distinct))
    place = {ids: row for row, ids in enumerate(distinct)}
    return Answer([found[place[ids]] for ids in sequences], computed=engine.computed - computed, reused=engine.reused - reused)
