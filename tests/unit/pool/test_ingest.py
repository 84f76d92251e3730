"""Adding: counts, rejects with their place, chunks that equal the whole, and one door for rows however they come."""

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsmith.config import GoldsmithConfig
from goldsmith.errors import DataError, StoreError
from goldsmith.identity import canonical_json
from goldsmith.pool import plan
from goldsmith.pool.ingest import add
from goldsmith.pool.sources import Rejected, read_pairs
from goldsmith.pool.sources.draft import Draft
from goldsmith.pool.sources.rows import fast_json, store_row
from goldsmith.store import PAIR_COLUMNS, Workspace, to_row
from goldsmith.types import Pair


def workspace(path: Path) -> Workspace:
    return Workspace(path, GoldsmithConfig.model_validate({"engine": {"workers": 1}}))


def rows_of(count: int) -> list[dict[str, Any]]:
    """`count` rows; every tenth has an empty reply."""
    return [
        {"prompt": f"Question {n}?", "chosen": "yes" * (n + 1), "rejected": "" if n % 10 == 9 else "no"} for n in range(count)
    ]


def raw_rows(ws: Workspace) -> list[dict[str, Any]]:
    found = [row for table in ws.tables() if table.name.startswith("raw_") for row in table.rows()]
    return [{name: row[name] for name in PAIR_COLUMNS} for row in sorted(found, key=lambda row: row["pair_id"])]


def test_counts_add_up_and_rejects_name_file_line_and_reason(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(map(json.dumps, rows_of(20))) + "\nnot json\n", encoding="utf-8")
    (result,) = add(workspace(tmp_path / "ws"), [str(path)]).inputs
    assert (result.format, result.container) == ("trl-explicit", "jsonl")
    assert (result.total, result.kept, result.rejected) == (21, 18, {"empty-reply": 2, "not-json": 1})
    tables = {table.name.split("_")[0]: table for table in workspace(tmp_path / "ws").tables()}
    rejects = [(row["file"], row["line"], row["reason"]) for row in tables["rejects"].rows()]
    assert rejects == [("a.jsonl", 10, "empty-reply"), ("a.jsonl", 20, "empty-reply"), ("a.jsonl", 21, "not-json")]
    counts = tables["raw"].manifest.counts
    assert counts is not None
    assert (counts.total, counts.kept) == (21, 18)


def test_a_file_that_changed_is_added_beside_its_earlier_version_and_says_so(tmp_path: Path) -> None:
    ws, path = workspace(tmp_path / "ws"), tmp_path / "a.jsonl"
    path.write_text(json.dumps(rows_of(1)[0]), encoding="utf-8")
    (first,) = add(ws, [str(path)]).inputs
    (again,) = add(ws, [str(path)]).inputs
    path.write_text(json.dumps(rows_of(2)[1]), encoding="utf-8")
    (changed,) = add(ws, [str(path)]).inputs
    assert (first.earlier_version, again.already_added, again.earlier_version) == (None, True, None)
    assert changed.earlier_version == f"raw_{first.digest[:16]}"
    assert len(raw_rows(ws)) == 2


def test_adding_from_python_waits_for_nobody_else(tmp_path: Path) -> None:
    with workspace(tmp_path / "ws").locked(), pytest.raises(StoreError, match="in use by another Goldsmith process"):
        add(workspace(tmp_path / "ws"), ["a.jsonl"])


def test_a_file_whose_name_is_not_utf8_can_be_added(tmp_path: Path) -> None:
    path = os.path.join(os.fsencode(tmp_path), b"caf\xe9.jsonl")
    with open(path, "w", encoding="utf-8") as out:
        out.write(json.dumps(rows_of(1)[0]))
    (result,) = add(workspace(tmp_path / "ws"), [os.fsdecode(path)]).inputs
    assert result.input.endswith("caf\\udce9.jsonl")
    assert raw_rows(workspace(tmp_path / "ws"))[0]["source_ref"] == "caf\\udce9.jsonl:1"


@pytest.mark.parametrize("chunk_bytes", [40, 333, 1 << 20])
def test_a_file_cut_into_chunks_gives_the_rows_of_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk_bytes: int
) -> None:
    monkeypatch.setattr(plan, "CHUNK_BYTES", chunk_bytes)
    monkeypatch.setattr(plan, "_BLOCK", 64)
    path = tmp_path / "a.jsonl"
    path.write_text("\n\n".join(map(json.dumps, rows_of(30))), encoding="utf-8")
    ws = workspace(tmp_path / "ws")
    (result,) = add(ws, [str(path)]).inputs
    assert (result.kept, result.rejected) == (27, {"empty-reply": 3})
    expected = [to_row(item) for item in read_pairs(path) if isinstance(item, Pair)]
    assert raw_rows(ws) == sorted(expected, key=lambda row: row["pair_id"])


def test_parquet_row_groups_are_chunks_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "CHUNK_BYTES", 300)
    path = tmp_path / "a.parquet"
    pq.write_table(pa.Table.from_pylist(rows_of(30)), path, row_group_size=7)
    ws = workspace(tmp_path / "ws")
    assert len(plan.plan(str(path))) > 1
    add(ws, [str(path)])
    references = {row["source_ref"] for row in raw_rows(ws)}
    assert references == {f"a.parquet:{n + 1}" for n in range(30) if n % 10 != 9}


def test_two_processes_give_the_rows_of_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "CHUNK_BYTES", 500)
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(map(json.dumps, rows_of(30))), encoding="utf-8")
    one = workspace(tmp_path / "one")
    two = Workspace(tmp_path / "two", GoldsmithConfig.model_validate({"engine": {"workers": 2}}))
    assert add(one, [str(path)]).inputs == add(two, [str(path)]).inputs
    assert raw_rows(one) == raw_rows(two)


def test_an_input_without_a_single_pair_adds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"prompt": "x", "chosen": "", "rejected": "y"}), encoding="utf-8")
    ws = workspace(tmp_path / "ws")
    with pytest.raises(DataError, match=r"not one row is a pair: empty-reply \(1\)"):
        add(ws, [str(path)])
    assert ws.tables() == []


def test_a_file_that_breaks_off_adds_nothing_and_a_good_one_before_it_stays(tmp_path: Path) -> None:
    good, bad = tmp_path / "a.jsonl", tmp_path / "b.jsonl.gz"
    good.write_text("\n".join(map(json.dumps, rows_of(3))), encoding="utf-8")
    bad.write_bytes(gzip.compress("\n".join(map(json.dumps, rows_of(3000))).encode())[:-30])
    ws = workspace(tmp_path / "ws")
    with pytest.raises(DataError, match="cut short"):
        add(ws, [str(good), str(bad)])
    assert len(raw_rows(ws)) == 3


def test_a_folder_counts_its_unreadable_files(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "a.jsonl").write_text("\n".join(map(json.dumps, rows_of(3))), encoding="utf-8")
    (folder / "b.json").write_text('[{"score": 1}]', encoding="utf-8")
    (folder / "c.jsonl").write_text("", encoding="utf-8")
    (result,) = add(workspace(tmp_path / "ws"), [str(folder)]).inputs
    assert (result.total, result.kept, result.rejected) == (5, 3, {"empty-file": 1, "unknown-format": 1})


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@settings(deadline=None)  # a busy machine is no bug
@given(
    st.lists(st.fixed_dictionaries({"role": st.sampled_from(["system", "user", "assistant"]), "content": TEXT}), max_size=3),
    TEXT.filter(str.strip),
    TEXT.filter(str.strip),
    st.booleans(),
)
def test_the_fast_row_is_the_row_of_the_pair(context: list[dict[str, str]], chosen: str, rejected: str, tie: bool) -> None:
    if chosen == rejected:
        return
    turns = [turn for turn in context if turn["content"]] + [{"role": "user", "content": "Go."}]
    fields = {"strength": 1.5, "meta": {"b": 1, "a": "x"}}
    row = dict(zip(PAIR_COLUMNS, store_row(Draft(turns, chosen, rejected, tie=tie, **fields), "set", "set:1"), strict=True))  # type: ignore[arg-type]
    assert row == to_row(Pair.from_replies(turns, chosen, rejected, tie=tie, source="set", source_ref="set:1", **fields))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
)


@settings(deadline=None)  # a busy machine is no bug
@given(JSON)
def test_fast_json_writes_the_bytes_of_canonical_json(value: Any) -> None:
    assert fast_json(value) == canonical_json(value).encode("utf-8")


def test_rejected_rows_with_half_a_surrogate_can_be_stored(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    odd = [
        {"prompt": "x", "chosen": "\ud83d", "rejected": "y"},
        {"prompt": "x", "chosen": "a", "rejected": "b", "source": "\ud83d"},
    ]
    path.write_text("\n".join(map(json.dumps, [*rows_of(2), *odd])), encoding="utf-8")
    (result,) = add(workspace(tmp_path / "ws"), [str(path)]).inputs
    assert result.rejected == {"lone-surrogate": 2}
    assert sum(isinstance(item, Rejected) for item in read_pairs(path)) == 2
