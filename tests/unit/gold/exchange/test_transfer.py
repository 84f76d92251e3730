"""Votes between workspaces: all of them, once, with the pairs they need."""

import json
from pathlib import Path
from typing import Any

import pytest

from exchange_items import item, vote
from goldsmith.config import GoldsmithConfig
from goldsmith.curate.inputs import imported_pairs
from goldsmith.gold import export_votes, import_votes
from goldsmith.gold.exchange.item import Item
from goldsmith.gold.room import open_votes
from goldsmith.store import Workspace
from goldsmith.types import Vote

ONE, TWO = item("one"), item("two")
NAMES = {
    "jsonl": "v.jsonl",
    "csv": "v.csv.gz",
    "parquet": "v.parquet",
    "label-studio": "v.json",
    "argilla": "argilla-out",
    "potato": "potato-out",
}


def _workspace(root: Path, asked: list[Item], votes: list[Vote]) -> Workspace:
    root.mkdir(parents=True)
    made = Workspace(root, GoldsmithConfig())
    store = open_votes(made)
    pairs = [one.pair for one in asked if one.pair]
    rows = [{"pair_id": p.pair_id, "context": p.messages, "first": p.first, "second": p.second} for p in pairs]
    store.fill_queue("seed", [{**row, "attributes": {"task": "math"}} for row in rows])
    store.add(votes, recorded=False)
    store.close()
    return made


def _votes(workspace: Workspace) -> list[str]:
    store = open_votes(workspace)
    try:
        return sorted(str(v) for given in store.votes_of([ONE.pair_id, TWO.pair_id]).values() for v in given)
    finally:
        store.close()


@pytest.mark.parametrize("format", NAMES)
def test_every_vote_goes_to_a_workspace_that_knows_nothing_and_brings_its_pair(tmp_path: Path, format: str) -> None:
    given = [
        vote(ONE.pair_id, 1),
        vote(ONE.pair_id, 2, choice="tie", strength=0),
        vote(TWO.pair_id, 1, choice="second", strength=1),
    ]
    here = _workspace(tmp_path / "here", [ONE, TWO], given)
    path = tmp_path / NAMES[format]
    out = export_votes(here, path, format)
    assert (out["pairs"], out["votes"], out["votes_without_texts"]) == (2, 3, 0)
    there = _workspace(tmp_path / "there", [], [])
    found = import_votes(there, path)
    assert (found["votes"], found["new"], found["pairs_brought"], found["not_asked_for"]) == (3, 3, 2, 3)
    assert _votes(there) == _votes(here)
    brought = imported_pairs(there)
    assert {name: (pair.first, pair.second) for name, pair in brought.items()} == {one.pair_id: ("a", "b") for one in (ONE, TWO)}
    again = import_votes(there, path)
    assert (again["new"], again["known"], again["pairs_brought"]) == (0, 3, 0)
    back = import_votes(here, path)
    assert (back["new"], back["known"], back["pairs_brought"], back["not_asked_for"]) == (0, 3, 0, 0)


def test_votes_that_contradict_each_other_or_what_is_stored_are_named_and_not_stored(tmp_path: Path) -> None:
    workspace = _workspace(tmp_path / "w", [ONE, TWO], [vote(TWO.pair_id, 1)])
    rows: list[dict[str, Any]] = [
        vote(ONE.pair_id, 1, vote_id="x", choice="first").model_dump(),
        vote(ONE.pair_id, 1, vote_id="y", choice="second").model_dump(),
        vote(ONE.pair_id, 2).model_dump(),
        vote(ONE.pair_id, 2).model_dump(),
        vote(TWO.pair_id, 1, choice="tie", strength=0).model_dump(),
        vote(TWO.pair_id, 1, vote_id="other id", choice="second").model_dump(),
    ]
    path = tmp_path / "v.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = import_votes(workspace, path)
    # Of six: x and y contradict each other; one of the two of ann-2 is new and its copy known; two say something else than the stored vote.
    counts = {name: found[name] for name in ("votes", "new", "known", "contradicting", "conflicting")}
    assert counts == {"votes": 6, "new": 1, "known": 1, "contradicting": 2, "conflicting": 2}
    assert found["contradictions"] == [
        {"pair_id": ONE.pair_id, "annotator": "ann-1", "round": "first", "votes": ["x", "y"], "choices": ["first", "second"]}
    ]
    assert [one["found"] for one in found["conflicts"]] == ["tie", "second"]
    assert len(_votes(workspace)) == 2


def test_a_table_of_somebody_elses_may_have_its_replies_in_any_order(tmp_path: Path) -> None:
    workspace = _workspace(tmp_path / "w", [ONE], [])
    (tmp_path / "v.csv").write_text("prompt,first,second,annotator,choice,shown_first\none,b,a,zoe,first,first\n")
    import_votes(workspace, tmp_path / "v.csv")
    (stored,) = (Vote.model_validate(row) for row in _records(workspace))
    # The row's first reply is "b", the pair's second.
    assert (stored.choice, stored.shown_order, stored.annotator) == ("second", ["second", "first"], "zoe")


def _records(workspace: Workspace) -> list[dict[str, Any]]:
    store = open_votes(workspace)
    try:
        return [v.model_dump() for v in store.votes_of([ONE.pair_id])[ONE.pair_id]]
    finally:
        store.close()


def test_what_is_exported_can_be_chosen(tmp_path: Path) -> None:
    workspace = _workspace(tmp_path / "w", [ONE, TWO], [vote(ONE.pair_id, 1), vote("0" * 32, 1)])
    counted = {which: export_votes(workspace, tmp_path / "v.jsonl", "jsonl", which=which) for which in ("all", "open", "voted")}  # type: ignore[arg-type]
    assert {which: (found["pairs"], found["votes_without_texts"]) for which, found in counted.items()} == {
        "all": (2, 1),
        "open": (2, 0),
        "voted": (1, 1),
    }


def test_suggestions_of_judges_and_reward_models_go_along(tmp_path: Path) -> None:
    import pyarrow as pa

    workspace = _workspace(tmp_path / "w", [ONE, TWO], [])
    text, number = pa.string(), pa.float64()
    with workspace.writer("judgements_stage2", step="stage2", fingerprint="f") as out:
        rows = [
            {"pair_id": ONE.pair_id, "choice": "second", "p_first": 0.25},
            {"pair_id": TWO.pair_id, "choice": "abstain", "p_first": 0.5},
        ]
        out.write_rows(rows, pa.schema([("pair_id", text), ("choice", text), ("p_first", number)]))
    with workspace.writer("scores_gold", step="scores", fingerprint="f") as out:
        out.write_rows(
            [{"pair_id": ONE.pair_id, "first": 2.0, "second": 0.5}],
            pa.schema([("pair_id", text), ("first", number), ("second", number)]),
        )
    export_votes(workspace, tmp_path / "v.jsonl", "jsonl")
    rows = {row["pair_id"]: row for row in map(json.loads, (tmp_path / "v.jsonl").read_text().splitlines())}
    assert rows[ONE.pair_id]["suggestions"] == [
        {"model": "judges", "choice": "second", "p_first": 0.25, "margin": None},
        {"model": "gold-rm", "choice": "first", "p_first": None, "margin": 1.5},
    ]
    assert "suggestions" not in rows[TWO.pair_id]
    assert export_votes(workspace, tmp_path / "v.jsonl", "jsonl", suggestions=False)["suggestions"] == 0
