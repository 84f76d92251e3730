import errno
import os
from pathlib import Path

import pyarrow as pa
import pytest

from goldsmith.config import GoldsmithConfig
from goldsmith.errors import StoreError, UserError
from goldsmith.store import Counts, Workspace, atomic, from_row, pair_schema, to_row
from goldsmith.types import Pair

PAIR = Pair.from_replies([{"role": "user", "content": "hi"}], "b", "a", strength=1.5, meta={"k": [1]})
PARTS = Pair.from_replies([{"role": "user", "content": "hi"}], [{"type": "text", "text": "x"}], "a")
SCHEMA = pa.schema([("n", pa.int64())])


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path, GoldsmithConfig())


@pytest.mark.parametrize("pair", [PAIR, PARTS])
def test_a_pair_survives_the_table(workspace: Workspace, pair: Pair) -> None:
    with workspace.writer("pool", step="t", fingerprint="f") as out:
        out.write_rows([to_row(pair)], pair_schema())
    assert from_row(workspace.table("pool").rows()[0]) == pair


def test_an_interrupted_writer_leaves_the_old_table(workspace: Workspace) -> None:
    _write(workspace, [1], "one")
    with pytest.raises(KeyboardInterrupt):
        _write_interrupted(workspace, [2], "two")
    table = workspace.table("t")
    assert (table.rows(), table.fingerprint) == ([{"n": 1}], "one")
    assert len([entry for entry in table.path.iterdir() if entry.is_dir()]) == 1


def test_a_new_version_replaces_the_old_one_and_its_files(workspace: Workspace) -> None:
    _write(workspace, [1], "one")
    _write(workspace, [2, 3], "two")
    table = workspace.table("t")
    assert (table.rows(), table.num_rows) == ([{"n": 2}, {"n": 3}], 2)
    assert len([entry for entry in table.path.iterdir() if entry.is_dir()]) == 1


def test_counts_that_do_not_add_up_are_refused(workspace: Workspace) -> None:
    with pytest.raises(StoreError, match="3 rows went in but 2 are accounted for"):
        _write(workspace, [1], "f", Counts(total=3, kept=1, dropped={"x": 1}))
    assert not workspace.table("t").exists


def test_an_empty_table_has_its_columns(workspace: Workspace) -> None:
    _write(workspace, [], "none")
    assert workspace.table("t").to_arrow().column_names == ["n"]


@pytest.mark.parametrize(
    ("number", "told"), [(errno.ENOSPC, "no space left on the disk"), (errno.EFBIG, "the file would be larger than this process")]
)
def test_a_full_disk_is_a_message_and_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, told: str
) -> None:
    place = tmp_path / "x.json"
    atomic.write_json(place, {"old": 1})

    def full(_descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StoreError, match=rf"x\.json: {told}"):
        atomic.write_json(place, {"new": 1})
    assert place.read_text() == '{\n "old": 1\n}\n'
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.json"]


def test_a_second_process_is_refused_by_name(workspace: Workspace) -> None:
    with workspace.locked(), pytest.raises(StoreError, match="in use by another Goldsmith process"), workspace.lock():
        pass


def test_leftovers_of_a_killed_process_are_cleared(workspace: Workspace) -> None:
    leftover = workspace.root / "runs" / f"{atomic.TEMPORARY}x"
    leftover.mkdir(parents=True)
    with workspace.locked():
        assert not leftover.exists()


def test_a_version_that_was_never_committed_is_cleared_and_the_committed_one_stays(workspace: Workspace) -> None:
    _write(workspace, [1], "one")
    table, torn = workspace.table("t"), workspace.table("torn")
    for leftover in (table.path / "v-torn", torn.path / "v-torn"):
        leftover.mkdir(parents=True)
        (leftover / "part-00000.parquet").write_bytes(b"half")
    with workspace.locked():
        assert (table.rows(), table.path.joinpath("v-torn").exists()) == ([{"n": 1}], False)
        assert not torn.path.exists()


def test_a_version_that_is_being_written_survives_another_lock_of_its_holder(workspace: Workspace) -> None:
    with workspace.locked(), workspace.writer("t", step="t", fingerprint="one") as out:
        out.write_rows([{"n": 1}], SCHEMA)
        with workspace.locked():
            pass
        out.write_rows([{"n": 2}], SCHEMA)
    assert workspace.table("t").num_rows == 2
    with workspace.lock():
        pass  # and the last to leave lets go of it


def test_a_manifest_that_cannot_be_read_stops_only_who_reads_it(workspace: Workspace) -> None:
    _write(workspace, [1], "one")
    (workspace.table("t").path / "manifest.json").write_text("{")
    with workspace.locked():
        assert list(workspace.table("t").path.glob("v-*"))
    with pytest.raises(StoreError, match="not a manifest of this version"):
        workspace.table("t").rows()


def test_a_folder_that_is_no_workspace_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no goldsmith\.toml here"):
        Workspace(tmp_path)


def _write(workspace: Workspace, numbers: list[int], fingerprint: str, counts: Counts | None = None) -> None:
    with workspace.writer("t", step="t", fingerprint=fingerprint) as out:
        out.write_rows([{"n": number} for number in numbers], SCHEMA)
        out.counts = counts


def _write_interrupted(workspace: Workspace, numbers: list[int], fingerprint: str) -> None:
    with workspace.writer("t", step="t", fingerprint=fingerprint) as out:
        out.write_rows([{"n": number} for number in numbers], SCHEMA)
        raise KeyboardInterrupt
