"""`run --watch` waits until nobody is left to be waited for, and looks again only when there is something new."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from goldsmith.config import GoldsmithConfig
from goldsmith.config.annotate import AnnotateConfig
from goldsmith.config.gold import GoldConfig
from goldsmith.curate import watch
from goldsmith.errors import WaitingForHumans
from goldsmith.gold.database import Database
from goldsmith.gold.room import Room
from goldsmith.gold.votes import VoteStore
from goldsmith.store import Workspace
from voting_room import Clock, SmallRoom, item


def test_it_goes_on_when_the_last_vote_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = Workspace(tmp_path, GoldsmithConfig())
    room = Room(
        database=Database(workspace.annotation_db),
        gold=GoldConfig(retest_share=0.0, retest_same_share=0.0),
        rules=AnnotateConfig(check_rate=0.0, qualification_items=0),
        clock=Clock(),
    )
    here = SmallRoom(room, Clock())
    here.add("ann", "bob", "cat")
    runs, naps = [], []

    def run(*_: Any, **__: Any) -> str:
        runs.append(len(naps))
        if len(runs) == 1:
            VoteStore(room.database).fill_queue("seed", [item("p1")])
            raise WaitingForHumans("1 pair needs votes")
        return "done"

    def sleep(_seconds: float) -> None:
        # One vote in each of the first three naps, as if people worked meanwhile.
        naps.append(len(naps))
        here.work(("ann", "bob", "cat")[naps[-1]])

    monkeypatch.setattr(watch, "run", run)
    assert watch.run_watching(workspace, sleep=sleep) == "done"  # type: ignore[comparison-overlap]
    assert runs == [0, 3]
    here.room.close()
