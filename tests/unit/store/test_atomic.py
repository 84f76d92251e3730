"""Files that are replaced together: all or, where one cannot be written, none."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from goldsmith.errors import StoreError
from goldsmith.store import atomic


def test_files_that_belong_together_stay_old_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    atomic.write_together({one: b"old", other: b"old"})
    fsync, calls = os.fsync, [0]

    def full(descriptor: int) -> None:
        calls[0] += 1
        if calls[0] == 2:
            raise OSError(errno.ENOSPC, "no space")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="other: no space left on the disk"):
        atomic.write_together({one: b"new", other: b"new"})
    assert (one.read_bytes(), other.read_bytes()) == (b"old", b"old")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "other"]
    atomic.write_together({one: b"new", other: b"new"})
    assert (one.read_bytes(), other.read_bytes()) == (b"new", b"new")
