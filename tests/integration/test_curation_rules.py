"""The rule `stack`, other retrieval and a diverse seed through every stage, with a tiny random model on demo pairs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from goldsmith import Workspace, load_config, plan, run
from goldsmith.reward.tiny import write_tiny_model

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    root = tmp_path_factory.mktemp("stack")
    tiny = write_tiny_model(root / "tiny", seed=3)
    settings = [
        f'base_dir="{CONFIGS}"', "llm.endpoints=[]", "attributes.llm_pairs=0", f'reward.base="{tiny}"', 'curate.keep_rule="stack"',
        'rounds.retrieval="disagreement"', 'seed_selection.order="diverse"', "seed_selection.near_copies_above=0.95", "train.soft_labels=true",
    ]  # fmt: skip
    (root / "w").mkdir()
    made = Workspace(root / "w", load_config([CONFIGS / "slice-demo.toml"], settings))
    run(made)
    return made


def test_every_count_adds_up_and_people_stand_above_the_stack(workspace: Workspace) -> None:
    for table in workspace.tables():
        if table.manifest.counts is not None:
            table.manifest.counts.check(table.name)
    gold = {row["pair_id"]: row["label"] for row in workspace.table("gold").rows()}
    decisions = workspace.table("decisions").rows()
    assert len(decisions) == workspace.table("pool").num_rows
    for row in decisions:
        if row["pair_id"] in gold:
            assert (row["rule"], row["label_after"]) == ("human", gold[row["pair_id"]])
        assert 0.0 <= row["p_first"] <= 1.0
    facts = json.loads((workspace.runs()[-1] / "facts" / "stage2.json").read_text())
    assert facts["stack"]["gold_pairs"] == workspace.table("gold_scores").num_rows


def test_a_random_model_gets_little_weight_against_labels_that_are_mostly_right(workspace: Workspace) -> None:
    weights = json.loads((workspace.runs()[-1] / "facts" / "stage2.json").read_text())["stack"]["weights"]
    assert weights["label"] > 0.3
    assert weights["judges"] == 0.0


def test_the_plan_says_what_it_cannot_tell(workspace: Workspace) -> None:
    found = plan(workspace, labels=20)
    assert found.llm.verdict == "cannot tell"
    assert "0 gold pairs have a verdict" in str(found.llm.reason)
    assert len(found.ask_first) == 20
    assert found.probabilities == "calibrated"
    seen = {row["pair_id"] for row in workspace.table("gold").rows()}
    assert not seen & set(found.ask_first)


def test_the_joint_rule_goes_by_the_labels_where_a_random_model_knows_nothing(workspace: Workspace, tmp_path: Path) -> None:
    copied = shutil.copytree(workspace.root, tmp_path / "w")
    curate = workspace.config.curate.model_copy(update={"keep_rule": "joint"})
    made = Workspace(copied, workspace.config.model_copy(update={"curate": curate}))
    run(made, restart=True)
    facts = json.loads((made.runs()[-1] / "facts" / "stage2.json").read_text())["stack"]
    # Labels that are mostly right predict hidden gold, and neither RM does.
    assert facts["low"] > 0.5
    assert max(facts["alone"].values()) < 0.65
    gold = {row["pair_id"] for row in made.table("gold").rows()}
    decisions = made.table("decisions").rows()
    assert len(decisions) == made.table("pool").num_rows
    turned = [row["label_after"] != row["label_before"] for row in decisions if row["pair_id"] not in gold]
    assert sum(turned) <= 0.05 * len(turned)
