"""One writer at a time, and a lock that outlives neither its holder nor its file."""

import fcntl
import os
import re

import pytest

from goldsmith.errors import StoreError
from goldsmith.store.lock import exclusive


def test_a_second_holder_is_refused_with_the_first_ones_process_and_let_in_after_it(tmp_path):
    path = tmp_path / "deep" / "lock"
    named = re.escape(f"the thing is in use by another Goldsmith process (id {os.getpid()}); wait until it ends")
    with exclusive(path, "the thing"), pytest.raises(StoreError, match=named), exclusive(path, "the thing"):
        pass
    with exclusive(path, "the thing"):
        assert path.read_text() == f"{os.getpid()}\n"


@pytest.mark.parametrize("comes_back", [False, True])
def test_a_lock_on_a_file_that_its_holder_just_removed_keeps_nobody_out_and_is_refused(tmp_path, monkeypatch, comes_back):
    """The holder removes its folder and ends between our opening the file and our locking it."""
    path = tmp_path / "lock"

    def removed_meanwhile(descriptor, operation, lock=fcntl.flock):
        path.unlink()
        if comes_back:
            (tmp_path / "other").touch()
            (tmp_path / "other").rename(path)
        lock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", removed_meanwhile)
    told = r"the thing was in use by another .*, which has just ended; run the same command again"
    with pytest.raises(StoreError, match=told), exclusive(path, "the thing"):
        pytest.fail("the lock was given")
    monkeypatch.undo()
    with exclusive(path, "the thing"):
        assert path.exists()
