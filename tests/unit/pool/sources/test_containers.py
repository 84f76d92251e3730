"""Whatever rows are wrapped in, and whatever is broken about it."""

import gzip
import io
import json
import os
import tarfile
import tracemalloc
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from goldsmith.errors import DataError
from goldsmith.pool.sources import Rejected, hub, read_pairs, recognise
from goldsmith.pool.sources.containers import documents
from goldsmith.pool.sources.lines import lines
from goldsmith.types import Pair

ROWS = [{"prompt": f"Question {number}?", "chosen": "yes", "rejected": "no"} for number in range(3)]
JSONL = "".join(json.dumps(row) + "\n" for row in ROWS).encode()


def contexts(path: Path | str) -> list[str]:
    pairs = list(read_pairs(path))
    assert all(isinstance(pair, Pair) for pair in pairs), pairs
    return [pair.messages[0]["content"] for pair in pairs if isinstance(pair, Pair)]


EXPECTED = ["Question 0?", "Question 1?", "Question 2?"]


@pytest.mark.parametrize(
    ("name", "data", "container"),
    [
        ("a.jsonl", JSONL, "jsonl"),
        ("a.jsonl", JSONL.rstrip(), "jsonl"),
        ("a.jsonl", b"\xef\xbb\xbf" + JSONL.replace(b"\n", b"\r\n\r\n"), "jsonl"),
        ("a.json", json.dumps(ROWS).encode(), "json"),
        ("a.json", json.dumps(ROWS, indent=1).encode(), "json"),
        ("a.json", json.dumps({"easy": ROWS[:1], "hard": ROWS[1:]}, indent=1).encode(), "json"),
        ("a.json", JSONL, "jsonl"),
        ("a.jsonl.gz", gzip.compress(JSONL, mtime=0), "jsonl.gz"),
        ("a.json.gz", gzip.compress(json.dumps(ROWS).encode(), mtime=0), "json.gz"),
        ("a.jsonl.zst", zstandard.compress(JSONL), "jsonl.zst"),
        ("no-suffix", gzip.compress(JSONL, mtime=0), "jsonl.gz"),
    ],
)
def test_text_containers(tmp_path: Path, name: str, data: bytes, container: str) -> None:
    (tmp_path / name).write_bytes(data)
    assert recognise(tmp_path / name).container == container
    assert contexts(tmp_path / name) == EXPECTED


def test_parquet(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "a.parquet", row_group_size=2)
    assert recognise(tmp_path / "a.parquet").container == "parquet"
    assert contexts(tmp_path / "a.parquet") == EXPECTED


def archive(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as packed:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            packed.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo("link.jsonl")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        packed.addfile(link)
    return path


def test_archives_are_read_in_place_and_nothing_is_unpacked_outside(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    members = {"../../evil.jsonl": JSONL.splitlines()[0], "set/b.json": json.dumps(ROWS[1:]).encode(), "README.md": b"hello"}
    path = archive(inner / "set.tar.gz", members)
    assert recognise(path).container == "jsonl.tar.gz+json.tar.gz"
    assert contexts(path) == EXPECTED
    assert sorted(entry.name for entry in tmp_path.rglob("*")) == ["inner", "set.tar.gz"]


def test_packed_members_of_an_archive_are_unpacked(tmp_path: Path) -> None:
    members = {"a.jsonl.gz": gzip.compress(JSONL, mtime=0), "b.jsonl.zst": zstandard.compress(JSONL)}
    assert contexts(archive(tmp_path / "set.tar.gz", members)) == EXPECTED * 2


def test_a_zst_file_cut_anywhere_is_an_error_and_never_a_shorter_file(tmp_path: Path) -> None:
    frame = zstandard.ZstdCompressor(write_checksum=True).compress(JSONL)
    skippable = (0x184D2A53).to_bytes(4, "little") + (5).to_bytes(4, "little") + b"notes"
    whole = tmp_path / "a.jsonl.zst"
    whole.write_bytes(frame + skippable + frame)
    assert contexts(whole) == EXPECTED * 2
    for size in [*range(5, len(frame)), *range(len(frame) + len(skippable) + 1, 2 * len(frame) + len(skippable))]:
        whole.write_bytes((frame + skippable + frame)[:size])
        with pytest.raises(DataError, match="broken or cut short"):
            list(read_pairs(whole))


def test_parquet_columns_of_any_type_are_no_obstacle(tmp_path: Path) -> None:
    asked = [row["prompt"] for row in ROWS]
    columns = {
        "prompt": pa.array(asked).dictionary_encode(),
        "chosen": pa.array([b"yes"] * 3, pa.binary()),
        "rejected": pa.array(["no"] * 3, pa.large_string()),
        "at": pa.array([1, -(2**62), 3], pa.timestamp("ns")),
        "day": pa.array([2**30, 1, 2], pa.date32()),
        "amount": pa.array([1, 2, 3], pa.decimal128(9, 2)),
        "tags": pa.array([[("a", 1)], [], None], pa.map_(pa.string(), pa.int64())),
        "raw": pa.array([b"\xff", None, b""], pa.binary()),
    }
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    assert contexts(tmp_path / "a.parquet") == EXPECTED


def test_a_parquet_text_that_is_not_utf8_is_a_reject_of_its_row(tmp_path: Path) -> None:
    replies = pa.array([b"yes", b"caf\xe9", b"yes"], pa.binary())
    broken = pa.Array.from_buffers(pa.string(), 3, replies.buffers())
    columns = {"prompt": [row["prompt"] for row in ROWS], "chosen": broken, "rejected": ["no"] * 3}
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    first, rejected, third = read_pairs(tmp_path / "a.parquet")
    assert (isinstance(first, Pair), isinstance(third, Pair)) == (True, True)
    assert isinstance(rejected, Rejected)
    assert (rejected.line, rejected.reason) == (2, "wrong-utf8")
    assert "0xe9 at position 3" in rejected.detail


def test_a_longer_line_is_read_once_it_is_allowed(tmp_path: Path) -> None:
    long = tmp_path / "a.jsonl"
    long.write_text(json.dumps({**ROWS[0], "chosen": "y" * (2 << 20)}))
    with pytest.raises(DataError, match=r"raise pool\.max_line_mb"):
        recognise(long, max_line_mb=1)
    assert recognise(long, max_line_mb=3).format == "trl-explicit"


def test_a_folder_is_read_file_by_file_and_other_files_are_rejects(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.jsonl").write_bytes(JSONL)
    (folder / "deep" / "b.json").write_text(json.dumps(ROWS[:1]), encoding="utf-8")
    (folder / "scores.json").write_text('[{"score": 1}]', encoding="utf-8")
    (folder / "notes.txt").write_text("x", encoding="utf-8")
    outcomes = list(read_pairs(folder))
    assert [item.source_ref for item in outcomes if isinstance(item, Pair)] == [
        "set/a.jsonl:1",
        "set/a.jsonl:2",
        "set/a.jsonl:3",
        "set/deep/b.json:1",
    ]
    assert [(item.file, item.reason) for item in outcomes if isinstance(item, Rejected)] == [
        ("set/scores.json", "unknown-format")
    ]


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.jsonl", b"", "is empty"),
        ("a.jsonl", b"\n \n", "is empty"),
        ("a.jsonl.gz", gzip.compress(JSONL * 1000, mtime=0)[:-20], "cut short"),
        ("a.jsonl.gz", b"\x1f\x8b" + b"junk" * 20, "broken"),
        ("a.jsonl.zst", zstandard.compress(JSONL)[:-10] + b"0123456789", "broken"),
        ("a.tar.gz", b"\x1f\x8b" + b"junk" * 20, "broken"),
        ("a.json", b'[{"prompt": "x",\n "chosen"', "a.json:2: not JSON"),
        ("a.json", b'[{"prompt": "x",\n "chosen": "\xff"}]', "a.json:2: byte 0xff is not UTF-8"),
        ("a.jsonl", "[1, 2]".encode("utf-16"), "no row of the file can be read"),
        ("a.parquet", b"PAR1 and no more", "not a Parquet file"),
        ("a.json", b"[" * 100_000, "a.json"),
    ],
)
def test_broken_files_are_one_clear_error(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError, match=message):
        list(read_pairs(tmp_path / name))


@pytest.mark.parametrize(("start", "kind"), [(b"PK\x03\x04", "zip"), (b"BZh9", "bzip2"), (b"\xfd7zXZ\x00", "xz")])
def test_other_packings_are_refused_by_name(tmp_path: Path, start: bytes, kind: str) -> None:
    (tmp_path / "a.jsonl").write_bytes(start + JSONL)
    with pytest.raises(DataError, match=f"a {kind} file, which is not read; unpack it"):
        recognise(tmp_path / "a.jsonl")


def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.jsonl")
    with pytest.raises(DataError, match="cannot be read twice"):
        recognise(tmp_path / "a.jsonl")


@pytest.mark.parametrize("reference", ["hf:", "hf:/x", "hf:a/b/c", "hf:a b"])
def test_a_hub_id_that_is_none_is_refused_before_the_hub_is_asked(reference: str) -> None:
    with pytest.raises(DataError, match="no dataset's id; write hf:org/name"):
        recognise(reference)


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        recognise(tmp_path / "absent.jsonl")
    with pytest.raises(DataError, match="no data file in this folder"):
        recognise(tmp_path)


def test_bad_lines_are_rejected_with_their_number_and_the_rest_is_read(tmp_path: Path) -> None:
    good = JSONL.splitlines()
    bad = [b'{"prompt": "x', b'{"prompt": "\xff"}', b"[1]", b'"text"', b'{"prompt": NaN}']
    (tmp_path / "a.jsonl").write_bytes(b"\n".join([good[0], *bad, good[1]]))
    outcomes = list(read_pairs(tmp_path / "a.jsonl"))
    reasons = {item.line: item.reason for item in outcomes if isinstance(item, Rejected)}
    assert reasons == {2: "not-json", 3: "wrong-utf8", 4: "not-an-object", 5: "not-an-object", 6: "unknown-fields"}
    assert [item.source_ref for item in outcomes if isinstance(item, Pair)] == ["a.jsonl:1", "a.jsonl:7"]


def test_a_100_mb_line_is_rejected_without_being_held(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with path.open("wb") as stream:
        stream.write(JSONL)
        for _ in range(100):
            stream.write(b"x" * (1 << 20))
        stream.write(b"\n" + JSONL)
    tracemalloc.start()
    outcomes = list(read_pairs(path, max_line_mb=2))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 << 20
    rejected = [item for item in outcomes if isinstance(item, Rejected)]
    assert [(item.file, item.line, item.reason) for item in rejected] == [("a.jsonl", 4, "line-too-long")]
    assert len(outcomes) == 7


@pytest.mark.parametrize("text", [b"", b"a", b"a\n", b"a\nb", b"\n\na\n", b"abc\nabcd\nab"])
def test_lines_are_those_of_the_text(text: bytes) -> None:
    expected = [(number, line if len(line) <= 3 else None) for number, line in enumerate(text.split(b"\n"), start=1)]
    if text.endswith(b"\n") or not text:
        expected.pop()
    assert list(lines(io.BytesIO(text), 3)) == expected


def test_a_hub_dataset_is_loaded_by_id_and_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "train.jsonl").write_bytes(JSONL)
    real = datasets.load_dataset

    def local(name: str) -> Any:
        assert name == "org/name"
        return real("json", data_files={"train": str(folder / "train.jsonl")}, cache_dir=str(tmp_path / "cache"))

    monkeypatch.setattr(datasets, "load_dataset", local)
    assert recognise("hf:org/name").format == "trl-explicit"
    pairs = list(read_pairs("hf:org/name:train"))
    assert [pair.source_ref for pair in pairs if isinstance(pair, Pair)] == [
        f"hf:org/name:train:{number}" for number in (1, 2, 3)
    ]
    with pytest.raises(DataError, match=r"one of train"):
        hub.load_hub("hf:org/name:test")


def test_a_hub_that_does_not_answer_is_an_error_with_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")

    def fail(name: str) -> Any:
        raise ConnectionError(f"couldn't reach {name}")

    monkeypatch.setattr(datasets, "load_dataset", fail)
    with pytest.raises(DataError, match="check the id and the connection"):
        recognise("hf:org/name")


def test_linked_folders_are_read_once_and_a_link_back_ends(tmp_path: Path) -> None:
    for name in ("suite/own/a.jsonl", "elsewhere/b.jsonl", "suite/.hidden/c.jsonl"):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_text("{}\n", encoding="utf-8")
    (tmp_path / "suite" / "linked").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "suite" / "twice").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "suite", target_is_directory=True)
    (tmp_path / "suite" / "gone.jsonl").symlink_to(tmp_path / "nowhere.jsonl")
    assert [document.name for document in documents(tmp_path / "suite")] == ["suite/linked/b.jsonl", "suite/own/a.jsonl"]
