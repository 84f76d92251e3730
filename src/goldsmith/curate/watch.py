"""`goldsmith run --watch`: wait for people instead of stopping, and go on as soon as they are done."""

from __future__ import annotations

import time
from collections.abc import Callable

from goldsmith.curate.run import RunResult, run
from goldsmith.errors import WaitingForHumans
from goldsmith.gold.progress import QueueState, queue_state
from goldsmith.gold.room import open_room
from goldsmith.progress import Progress
from goldsmith.store import Workspace

POLL_SECONDS = 5.0


def run_watching(
    workspace: Workspace, *, restart: bool = False, progress: Progress | None = None, sleep: Callable[[float], None] = time.sleep
) -> RunResult:
    """Run every stage like `run`, and wait where it would stop for people; the workspace is free for other processes meanwhile.

    Args:
        workspace: the workspace.
        restart: see `run`.
        progress: where progress is shown; none: nowhere.
        sleep: waits so many seconds.

    Raises:
        UserError, StoreError: see `run`.
    """
    shown = progress or Progress()
    while True:
        before = _state(workspace)
        try:
            return run(workspace, restart=restart, progress=shown)
        except WaitingForHumans as waiting:
            shown.note(f"waiting: {waiting}")
        restart = False
        _wait(workspace, before, sleep)


def _wait(workspace: Workspace, before: QueueState, sleep: Callable[[float], None]) -> None:
    """Until nobody is left to be waited for, and something has happened since the run looked."""
    while True:
        sleep(POLL_SECONDS)
        now = _state(workspace)
        if not now.waiting and now.num_votes != before.num_votes:
            return


def _state(workspace: Workspace) -> QueueState:
    room = open_room(workspace)
    try:
        with room.database.read() as connection:
            return queue_state(connection)
    finally:
        room.close()
