"""The processes that train together under `torchrun`: who they are, and how results and failures pass between them.

What passes as an object is pickled, from one process of the run to another; nothing from outside is ever unpickled.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from goldsmith.errors import GoldsmithError, UserError

T = TypeVar("T")

PATIENCE = timedelta(days=7)
"""How long one process waits for another. Fitting the first head may take the first one hours; a process that died is noticed at once,
by its closed connection and by `torchrun`."""


def num_processes() -> int:
    """Return how many processes `torchrun` started, 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_first_process() -> bool:
    """Whether this process is the one that speaks and writes files."""
    return int(os.environ.get("RANK", "0")) == 0


@dataclass(frozen=True, slots=True)
class Processes:
    """One process among those that train together; alone by default, and then nothing is sent.

    Attributes:
        rank: number of this process, from 0.
        size: how many there are.
    """

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes files."""
        return self.rank == 0

    def gather(self, value: T) -> list[T]:
        """Return every process's value, in their order; all have to call it."""
        if self.size == 1:
            return [value]
        import torch.distributed as dist

        found: list[Any] = [None] * self.size
        dist.all_gather_object(found, value)
        return found

    def first_does(self, work: Callable[[], T]) -> T:
        """Let the first process do something while the others wait, and return on all what it returned.

        Raises:
            GoldsmithError: what the first one raised, on all.
        """
        if self.size == 1:
            return work()
        import torch.distributed as dist

        value, error = None, None
        if self.is_first:
            try:
                value = work()
            except GoldsmithError as raised:
                error = raised
        told = [(value, error)]
        dist.broadcast_object_list(told, src=0)
        self.raise_first([told[0][1]])
        return value if self.is_first else told[0][0]  # type: ignore[return-value]

    def agree(self, error: GoldsmithError | None) -> None:
        """Raise on all processes what one of them has found; all have to call it."""
        self.raise_first(self.gather(error))

    def raise_first(self, errors: Sequence[GoldsmithError | None]) -> None:
        """Raise the first of the processes' errors, given in their order, if there is any; one process shows the message."""
        owner = next((rank for rank, error in enumerate(errors) if error is not None), None)
        if owner is None:
            return
        error = errors[owner]
        assert error is not None
        error.is_echo = owner != self.rank
        raise error


@contextmanager
def joined() -> Iterator[Processes]:
    """Give the processes of this run, connected; a connection that was there already is used and left as it was.

    Raises:
        GoldsmithError: another process ended.
    """
    if num_processes() == 1:
        yield Processes()
        return
    import torch.distributed as dist

    is_ours = not dist.is_initialized()
    try:
        if is_ours:
            _connect()
        yield Processes(dist.get_rank(), dist.get_world_size())
    except RuntimeError as error:
        if not _is_lost_connection(error):
            raise
        raise GoldsmithError(
            f"process {os.environ.get('RANK', '0')} of {num_processes()} lost the others: one of them ended, and its own message says why. "
            "The last checkpoint is kept; the same command goes on from there"
        ) from error
    # Not after a failure: the others may be waiting inside a call, and closing would wait for them.
    if is_ours:
        dist.destroy_process_group()


def _connect() -> None:
    import torch
    import torch.distributed as dist

    missing = [name for name in ("RANK", "MASTER_ADDR", "MASTER_PORT") if name not in os.environ]
    if missing:
        raise UserError(
            f"WORLD_SIZE is {num_processes()}, but {', '.join(missing)} is not set; start the processes with torchrun"
        )
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    try:
        dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo", timeout=PATIENCE)
    except RuntimeError as error:
        place = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
        raise UserError(f"the {num_processes()} processes did not meet at {place} ({error}); start them with torchrun") from error


def _is_lost_connection(error: RuntimeError) -> bool:
    import torch.distributed as dist

    words = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "gloo")
    return isinstance(error, dist.DistError) or any(word in str(error) for word in words)
