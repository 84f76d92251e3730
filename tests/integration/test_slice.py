"""The slice: 200 real pairs through every stage, from the sources to a report. It stays green for ever."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from goldsmith import Workspace, init, run, status, why
from goldsmith.errors import UserError
from goldsmith.gold.split import split_of

CONFIGS = Path(__file__).parents[2] / "configs"


def _config() -> Path:
    return CONFIGS / ("slice.toml" if Path(os.environ.get("GOLDSMITH_DATA", "/nonexistent")).is_dir() else "slice-demo.toml")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    made = init(tmp_path_factory.mktemp("slice") / "workspace", _config())
    run(made)
    return made


@pytest.fixture(scope="module")
def report(workspace: Workspace) -> dict[str, Any]:
    return dict(json.loads((workspace.runs()[-1] / "report.json").read_text(encoding="utf-8")))


def test_every_stage_is_done_and_every_count_adds_up(workspace: Workspace) -> None:
    assert {stage.state for stage in status(workspace).stages} == {"done"}
    for table in workspace.tables():
        if table.manifest.counts is not None:
            table.manifest.counts.check(table.name)
    pool = workspace.table("pool").manifest
    assert pool.num_rows == 200


def test_every_pool_pair_has_one_decision_and_the_curated_set_follows_from_them(workspace: Workspace) -> None:
    pool = {row["pair_id"]: row for row in workspace.table("pool").rows()}
    decisions = {row["pair_id"]: row for row in workspace.table("decisions").rows()}
    assert decisions.keys() == pool.keys()
    for row in workspace.table("curated").rows():
        if row["pair_id"] in decisions:
            assert row["label"] == decisions[row["pair_id"]]["label_after"]
            assert decisions[row["pair_id"]]["action"] != "drop"


def test_nothing_closed_is_trained_on(workspace: Workspace) -> None:
    gold = workspace.table("gold").rows()
    assert {row["split"] for row in gold} == {"train", "validation", "audit"}
    assert all(row["split"] == split_of(row["context_id"]) for row in gold)
    closed = {row["context_id"] for row in gold if row["split"] != "train"}
    closed |= {row["context_id"] for row in workspace.table("eval_pairs").rows()}
    assert not closed & {row["context_id"] for row in workspace.table("curated").rows()}


def test_no_model_scored_a_context_it_was_trained_on(workspace: Workspace) -> None:
    silver = {row["pair_id"] for row in workspace.table("silver_0").rows()}
    trained = {row["context_id"] for row in workspace.table("pool").rows() if row["pair_id"] in silver}
    closed = {row["context_id"] for row in workspace.table("gold").rows() if row["split"] != "train"}
    context = {row["pair_id"]: row["context_id"] for row in workspace.table("pool").rows()}
    for row in workspace.table("scores_best").rows():
        if context[row["pair_id"]] in trained - closed:
            assert row["fold"] is not None


def test_audit_is_read_by_the_report_alone(workspace: Workspace) -> None:
    audit = {row["pair_id"] for row in workspace.table("gold").rows() if row["split"] == "audit"}
    assert audit
    assert not audit & {row["pair_id"] for row in workspace.table("gold_margins_1").rows()}
    assert not audit & {row["pair_id"] for row in workspace.table("verdicts_probe").rows()}
    assert audit & {row["pair_id"] for row in workspace.table("evaluation").rows() if row["set"] == "gold audit"}


def test_the_report_opens_with_what_the_judges_are_worth(workspace: Workspace, report: dict[str, Any]) -> None:
    page = (workspace.runs()[-1] / "report.html").read_text(encoding="utf-8")
    assert not any(mark in page for mark in ('src="http', 'href="http', "@import"))
    tests = report["judges"]["tests"]
    assert [test["model"] for test in tests] == ["smollm2-135m"]
    if not tests[0]["beats_chance"]:
        assert "no judge" in report["words"][0]["text"].lower() or "chance" in report["words"][0]["text"].lower()
        original = {row["pair_id"]: (row["label"], row["label_origin"]) for row in workspace.table("pool").rows()}
        for row in workspace.table("silver_0").rows():
            assert (row["label"], row["label_origin"]) == original[row["pair_id"]]


def test_unproven_attributes_make_no_quota_and_the_report_says_so(workspace: Workspace, report: dict[str, Any]) -> None:
    rows = workspace.table("attribute_quality").rows()
    assert [row["attribute"] for row in rows if row["source"] == "classifier"] == ["task", "objectivity", "controversiality"]
    assert [row["num_pairs"] for row in report["attribute_quality"] if row["source"] == "classifier"] == [200, 200, 200]
    left_out = {row["attribute"] for row in rows if not row["used"]}
    said = " ".join(paragraph["text"] for paragraph in report["words"])
    for name in ("task", "objectivity", "controversiality"):
        assert (f"Attribute {name} by classifier was left out of quotas" in said) == (name in left_out)
    # The cells that the seed counted are those of the attributes that are left.
    kept = [name for name in ("task", "objectivity", "controversiality") if name not in left_out]
    cells = {tuple(row[name] for name in kept) for row in workspace.table("seed").rows()}
    facts = json.loads((workspace.runs()[-1] / "facts" / "seed.json").read_text(encoding="utf-8"))
    assert facts["cells"] == len(cells)


def test_accuracies_of_the_report_are_those_of_the_table(workspace: Workspace, report: dict[str, Any]) -> None:
    rows = [row for row in workspace.table("evaluation").rows() if row["model"] == "curated"]
    for found in report["final"]["sets"]:
        mine = [row for row in rows if row["set"] == found["name"]]
        assert found["models"]["curated"]["value"] == pytest.approx(sum(row["margin"] > 0 for row in mine) / len(mine))


def test_a_second_run_does_nothing(workspace: Workspace) -> None:
    before = {table.name: table.fingerprint for table in workspace.tables()}
    assert run(workspace).steps_run == []
    assert {table.name: table.fingerprint for table in workspace.tables()} == before


def test_why_tells_a_pair_from_source_to_decision(workspace: Workspace) -> None:
    pair_id = workspace.table("silver_0").rows()[0]["pair_id"]
    stages = Counter(event.stage for event in why(workspace, pair_id).events)
    assert {"source", "attributes", "seed", "silver", "score", "decision"} <= stages.keys()
    assert why(workspace, pair_id[:12]).pair_id == pair_id
    with pytest.raises(UserError, match="no pair of this workspace"):
        why(workspace, "zz")


def test_a_saved_model_scores_as_the_evaluation_did(workspace: Workspace) -> None:
    from goldsmith import RewardModel
    from goldsmith.store import from_row

    row = workspace.table("eval_pairs").rows()[0]
    model = RewardModel.load(workspace.models / "curated", dtype="float32")
    first, second = model.score_pairs([from_row(row)])[0]
    margin = first - second if row["label"] == "first" else second - first
    recorded = [
        item["margin"]
        for item in workspace.table("evaluation").rows()
        if (item["pair_id"], item["set"], item["model"]) == (row["pair_id"], row["set"], "curated")
    ]
    assert recorded[0] == pytest.approx(margin, abs=1e-4)
