"""A wrong file changes nothing, and names the line and the field."""

import json
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange_items import item, vote
from goldsmith.config import GoldsmithConfig
from goldsmith.errors import DataError, UserError
from goldsmith.gold import import_votes
from goldsmith.gold.exchange import argilla, csv_file, jsonl, label_studio, parquet_file, potato
from goldsmith.gold.exchange.formats import format_named
from goldsmith.gold.exchange.item import Item
from goldsmith.gold.exchange.jsonl import row_of
from goldsmith.store import Workspace

GOOD = item(votes=(vote(item().pair_id),))
OTHER = item("another question", votes=(vote(item("another question").pair_id),))


def _refusal(tmp_path: Path, path: Path, format: str = "auto") -> str:
    """Return why a file is not imported; nothing of it may be left in the workspace."""
    workspace = Workspace(tmp_path / "workspace", GoldsmithConfig())
    workspace.root.mkdir()
    with pytest.raises(DataError) as refused:
        import_votes(workspace, path, format)
    assert not any(workspace.root.iterdir())
    return str(refused.value)


def _line(**changes: Any) -> dict[str, Any]:
    return {**row_of(OTHER), **changes}


def _changed_vote(**changes: Any) -> dict[str, Any]:
    return _line(votes=[{**row_of(OTHER)["votes"][0], **changes}])


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (_changed_vote(choice="left"), r"v\.jsonl:2: votes\[0\]: vote .*field 'choice'.*found 'left'"),
        (_changed_vote(choice="tie", strength=2), r"v\.jsonl:2: .*field 'strength' is 2, but 'choice' is 'tie'"),
        (_changed_vote(confidence=9), r"v\.jsonl:2: .*field 'confidence'"),
        (_changed_vote(seconds=float("inf")), r"v\.jsonl:2: .*field 'seconds'"),
        (_changed_vote(annotator=""), r"v\.jsonl:2: .*field 'annotator'"),
        (_changed_vote(rationale="\ud800"), r"v\.jsonl:2: .*field 'rationale' holds half of a character"),
        (_changed_vote(shown_order=["first", "first"]), r"v\.jsonl:2: .*field 'shown_order'"),
        (_changed_vote(pair_id="0" * 32), r"v\.jsonl:2: votes\[0\]: field 'pair_id'"),
        (_line(first="changed by hand"), r"v\.jsonl:2: field 'pair_id'.*the texts or the id were changed"),
        (_line(first=""), r"v\.jsonl:2: field 'first' is empty"),
        (_line(first="b"), r"v\.jsonl:2: fields 'first' and 'second' hold the same reply"),
        (_line(context=[{"role": "poet", "content": "q"}]), r"v\.jsonl:2: field 'context'"),
        (_line(votes="first"), r"v\.jsonl:2: neither a vote record"),
        (_line(first=[1]), r"v\.jsonl:2: field 'first\."),
        (_line(context=[{"role": "user", "content": "\ud800"}]), r"v\.jsonl:2: field 'context' holds half of a character"),
        (_changed_vote(rationale="a\0b"), r"v\.jsonl:2: .*field 'rationale' holds a NUL"),
    ],
)
def test_lines_of_our_own(tmp_path: Path, row: dict[str, Any], told: str) -> None:
    path = tmp_path / "v.jsonl"
    path.write_text(json.dumps(row_of(GOOD)) + "\n" + json.dumps(row) + "\n")
    assert re.search(told, _refusal(tmp_path, path))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda text: text.replace("choice", "chosen", 1), r"v\.csv:1: column 'choice' is missing"),
        (lambda text: text.replace(",first,first,", ",first,left,", 1), r"v\.csv:2: .*field 'choice'.*found 'left'"),
        (lambda text: text.replace(",2,3,", ",two,3,", 1), r"v\.csv:2: field 'strength' is 'two', not a number"),
        (lambda text: text + "a,b\r\n", r"v\.csv:4: 2 cells, but there are"),
        (lambda text: text.replace("ann-1", "", 1), r"v\.csv:2: .*field 'annotator'"),
        (lambda text: text.replace(",false,", ",maybe,", 1), r"v\.csv:2: field 'changed_after_hint' is 'maybe'"),
        (lambda text: text + '"torn', r"v\.csv:\d+: no CSV"),
        (lambda text: text.replace("pair_id,", "choice,", 1), r"v\.csv:1: a column stands twice"),
        (lambda text: text.replace(",false,", f",false{'e' * 200_000},", 1), r"v\.csv:2: field 'changed_after_hint' is 'falsee"),
        (lambda text: text.replace("it is right", "it is\0right", 1), r"v\.csv:2: .*field 'rationale' holds a NUL"),
        (
            lambda text: text.replace(",false,", ",,", 1).replace('"[{', f'"[{"1" * 5000}, {{', 1),
            r"v\.csv:2: field 'context' is no JSON",
        ),
    ],
)
def test_cells_of_a_csv(tmp_path: Path, change: Callable[[str], str], told: str) -> None:
    path = tmp_path / "v.csv"
    csv_file.write([GOOD, OTHER], path, 0)
    path.write_bytes(change(path.read_bytes().decode()).encode())
    assert re.search(told, _refusal(tmp_path, path))


def test_a_parquet_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "v.parquet").write_bytes(b"PAR1 and no more")
    assert re.search(r"v\.parquet: no Parquet file", _refusal(tmp_path, tmp_path / "v.parquet"))
    parquet_file.write([GOOD], tmp_path / "w.parquet", 0)
    pq.write_table(pq.read_table(tmp_path / "w.parquet").drop(["annotator"]), tmp_path / "x.parquet")
    with pytest.raises(DataError, match=r"x\.parquet: row 1: .*field 'annotator'"):
        parquet_file.read(tmp_path / "x.parquet")


@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        ("shown_first", ["first"], "field 'shown_first' is \\['first'\\]"),
        ("choice", ["first"], "field 'choice'"),
        ("choice", 1, "field 'choice'"),
        ("pair_id", 7, "field 'pair_id'"),
        ("first", ["a"], "field 'first"),
        ("seconds", "soon", "field 'seconds'"),
        ("tools", "{", "field 'tools' is no JSON"),
        ("confidence", 2.5, "field 'confidence'"),
        ("annotator", b"\xff", "field 'annotator'"),
    ],
)
def test_a_parquet_with_other_types(tmp_path: Path, column: str, value: Any, told: str) -> None:
    parquet_file.write([GOOD], tmp_path / "w.parquet", 0)
    rows = [{**row, column: value} for row in pq.read_table(tmp_path / "w.parquet").to_pylist()]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "x.parquet")
    with pytest.raises(DataError, match=rf"x\.parquet: row 1: .*{told}"):
        parquet_file.read(tmp_path / "x.parquet")


def _tasks() -> list[dict[str, Any]]:
    bare = [label_studio.task_of(Item(pair_id=one.pair_id, pair=one.pair), 0) for one in (GOOD, OTHER)]
    for number, task in enumerate(bare):
        left = {"type": "pairwise", "from_name": "comparison", "to_name": "answer1", "value": {"selected": "left"}}
        task["annotations"] = [{"id": number, "completed_by": 1, "result": [left]}]
    return bare


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda task: task.pop("data"), r"t\.json:\d+: field 'data' is missing"),
        (lambda task: task["data"].pop("answer2"), r"t\.json:\d+: field 'data.answer2' is missing"),
        (lambda task: task["data"].update(answer1=7), r"t\.json:\d+: field 'data.answer1' is int"),
        (lambda task: task["data"].update(answer1="edited"), r"t\.json:\d+: field 'pair_id' is .*the texts or the id were changed"),
        (lambda task: task["data"].update(shown_order=["left", "right"]), r"field 'data.shown_order'"),
        (lambda task: task["annotations"][0].pop("completed_by"), r"annotations\[0\]: field 'completed_by' is None"),
        (lambda task: task["annotations"][0]["result"][0]["value"].update(selected="middle"), r"annotations\[0\]: field 'result.value.selected' is 'middle'"),
        (
            lambda task: task["annotations"][0]["result"].append({**_tasks()[0]["annotations"][0]["result"][0], "value": {"selected": "right"}}),
            r"annotations\[0\]: field 'result' contradicts itself: first and second",
        ),
        (lambda task: task["annotations"][0]["result"][0].update(meta=3), r"annotations\[0\]: field 'meta' is int"),
        (lambda task: task["annotations"][0].update(lead_time=-1), r"annotations\[0\]: vote .*field 'seconds' is -1"),
        (lambda task: task["annotations"][0].update(completed_by="x" * 300), r"annotations\[0\]: vote .*field 'annotator' has 313 characters"),
        (
            lambda task: task["annotations"][0]["result"].append({"type": "textarea", "from_name": "rationale", "value": {"text": ["\ud800"]}}),
            r"annotations\[0\]: field 'rationale' holds half of a character",
        ),
        (lambda task: task["annotations"][0].update(result=[{"type": "rating", "value": {"rating": 3}}]), r"neither a pairwise selection nor a verdict"),
    ],
)  # fmt: skip
def test_tasks_of_label_studio(tmp_path: Path, change: Callable[[dict[str, Any]], Any], told: str) -> None:
    tasks = _tasks()
    change(tasks[1])
    (tmp_path / "t.json").write_text(json.dumps(tasks, indent=1))
    assert re.search(told, _refusal(tmp_path, tmp_path / "t.json", "label-studio"))


def test_the_line_of_a_task_is_where_it_begins(tmp_path: Path) -> None:
    tasks = _tasks()
    tasks[1]["data"]["answer1"] = 7
    text = json.dumps(tasks, indent=1)
    (tmp_path / "t.json").write_text(text)
    second = [number for number, line in enumerate(text.splitlines(), 1) if line == " {"][1]
    with pytest.raises(DataError, match=rf"t\.json:{second}: "):
        label_studio.read(tmp_path / "t.json")
    (tmp_path / "t.json").write_text(text[:-40])
    with pytest.raises(DataError, match=r"t\.json:\d+: not JSON"):
        label_studio.read(tmp_path / "t.json")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda record: record["fields"].pop("response_2"), r"records\.json:\d+: field 'fields.response_2' is missing"),
        (lambda record: record["responses"]["preference"][0].pop("user_id"), r"responses\.preference\[0\]: field 'user_id' is missing"),
        (lambda record: record["responses"]["preference"][0].update(value=[{"value": "response_1", "rank": 1}]), r"field 'preference' is .*expected the rank"),
        (lambda record: record["metadata"].update(goldsmith_votes="[1]"), r"goldsmith_votes\[0\].*field 'vote'"),
        (lambda record: record["metadata"].update(goldsmith_votes="{"), r"field 'goldsmith_votes' is no JSON"),
    ],
)  # fmt: skip
def test_records_of_argilla(tmp_path: Path, change: Callable[[dict[str, Any]], Any], told: str) -> None:
    argilla.write([GOOD, OTHER], tmp_path / "set", 0)
    records = json.loads((tmp_path / "set" / "records.json").read_text())
    change(records[1])
    (tmp_path / "set" / "records.json").write_text(json.dumps(records, indent=1))
    assert re.search(told, _refusal(tmp_path, tmp_path / "set"))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda labels: labels[0].__setitem__(1, "C"), r"user_state\.json:\d+: field 'selection' is 'C'"),
        (
            lambda labels: labels.append([{"schema": "strength", "name": "better"}, "better"]),
            r"field 'strength' contradicts itself: better and much better",
        ),
        (lambda labels: labels[0].__setitem__(1, ["A"]), r"user_state\.json:\d+: field 'selection' is \['A'\]"),
        (lambda labels: labels.append("A"), r"expected \[\{schema, name\}, value\]"),
    ],
)
def test_answers_of_potato(tmp_path: Path, change: Callable[[list[Any]], Any], told: str) -> None:
    potato.write([GOOD], tmp_path / "task", 0)
    place = tmp_path / "task" / "annotation_output" / "ann-1" / "user_state.json"
    state = json.loads(place.read_text())
    change(state["instance_id_to_label_to_value"][GOOD.pair_id])
    place.write_text(json.dumps(state, indent=1))
    assert re.search(told, _refusal(tmp_path, tmp_path / "task"))


def test_a_potato_task_that_shuffles_replies_is_refused(tmp_path: Path) -> None:
    potato.write([GOOD], tmp_path / "task", 0)
    config = tmp_path / "task" / "config.yaml"
    config.write_text(config.read_text().replace("    allow_tie: true", "    allow_tie: true\n    randomize_order: true"))
    assert re.search(r"config\.yaml:\d+: field 'randomize_order' is on", _refusal(tmp_path, tmp_path / "task"))


@pytest.mark.parametrize("attributes", ["no JSON", "[1]", 3])
def test_attributes_that_are_none_are_refused_for_potato_too(tmp_path: Path, attributes: Any) -> None:
    potato.write([GOOD], tmp_path / "task", 0)
    [file] = (tmp_path / "task" / "data").iterdir()
    file.write_text(json.dumps({**json.loads(file.read_text()), "attributes": attributes}) + "\n")
    assert re.search(r":1: field 'attributes' is", _refusal(tmp_path, tmp_path / "task"))


def test_the_line_of_a_byte_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "v.jsonl"
    path.write_bytes(json.dumps(row_of(GOOD)).encode() + b"\n\xff\n")
    assert re.search(r"v\.jsonl:2: not UTF-8 \(byte 0xff", _refusal(tmp_path, path))
    (tmp_path / "v.csv").write_bytes(b"choice,pair_id\r\nfirst,\xe9\r\n")
    with pytest.raises(DataError, match=r"v\.csv:2: not UTF-8 \(byte 0xe9"):
        csv_file.read(tmp_path / "v.csv")


@pytest.mark.parametrize("name", ["v.jsonl", "v.csv", "v.json"])
def test_a_byte_order_mark_and_line_ends_of_windows_are_no_mistake(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    home = {"v.jsonl": jsonl, "v.csv": csv_file, "v.json": label_studio}[name]
    home.write([GOOD, OTHER], path, 0)
    known = home.read(path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
    assert home.read(path) == known


JSON_FILES: dict[str, Callable[[Path], list[Path]]] = {
    "jsonl": lambda path: [path],
    "label-studio": lambda path: [path],
    "argilla": lambda path: [path / "records.json"],
    "potato": lambda path: [*path.glob("data/*"), *path.rglob("user_state.json"), path / "votes.jsonl"],
}
WRONG = (None, 0, -1, 3.5, True, "", "x", [], {}, [None], {"a": 1}, "\0", "9" * 400, 10**30, "\ud800", ["first"], float("inf"))


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of everything within a JSON value."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, one in inside for found in [(*path, key), *_places(one, (*path, key))]]


@pytest.mark.parametrize("name", JSON_FILES)
@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_whatever_is_changed_in_a_file_it_is_read_or_refused_by_its_place(name: str, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "v")
        format_named(name).write([GOOD, OTHER], path, 0)
        file = data.draw(st.sampled_from(sorted(JSON_FILES[name](path))))
        text = file.read_text()
        value = (
            [json.loads(line) for line in text.splitlines()] if file.suffix == ".jsonl" or name == "jsonl" else json.loads(text)
        )
        *outer, last = data.draw(st.sampled_from(_places(value)))
        at = value
        for key in outer:
            at = at[key]
        at[last] = data.draw(st.sampled_from(WRONG))
        is_lines = file.suffix == ".jsonl" or name == "jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in value) if is_lines else json.dumps(value, indent=1))
        assert re.search(r":\d+", _told(name, path))


def _told(name: str, path: Path) -> str:
    """Why a file is refused; a place where it is not."""
    try:
        format_named(name).read(path)
    except DataError as refused:
        return str(refused)
    return "read:0"


def test_unknown_formats_and_folders_are_named(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, GoldsmithConfig())
    with pytest.raises(UserError, match="unknown format 'xml'; there are jsonl"):
        import_votes(workspace, tmp_path / "v.xml", "xml")
    with pytest.raises(DataError, match="no such file of votes"):
        import_votes(workspace, tmp_path / "v.json")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="neither a folder of Argilla"):
        import_votes(workspace, tmp_path / "empty")
