"""A whole run as the preset `goldsmith` sets it: the rule `joint`, soft labels without a model's margin, people's labels as a correction."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from goldsmith import Workspace, init, run
from goldsmith.llm.mock import ScriptedServer
from goldsmith.reward.tiny import write_tiny_model
from knowing_judge import CONFIG, pair_rows, script, with_votes

OURS = """
[curate]
keep_rule = "joint"
[train]
method = "head"
soft_labels = true
people = "correct"
"""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("corrected")
    pool = pair_rows("plus", 150)
    files = {"pool": pool, "votes": [with_votes(row) for row in pool[:70]], "heldout": pair_rows("times", 30)}
    files["recorded"] = [{**row, "said": "chosen"} for row in pair_rows("minus", 5)]
    for name, rows in files.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    base = write_tiny_model(folder / "tiny", seed=0, hidden=64)
    config = CONFIG.replace('[train]\nmethod = "head"\n', OURS)
    with ScriptedServer(script) as server:
        (folder / "config.toml").write_text(config.format(base_url=server.base_url, base=base))
        made = init(folder / "workspace", folder / "config.toml")
        run(made)
    return made


def test_people_correct_a_head_that_learnt_what_label_and_judges_say(workspace: Workspace) -> None:
    card: dict[str, Any] = json.loads((workspace.models / "curated" / "goldsmith.json").read_text(encoding="utf-8"))
    decisions = {row["pair_id"]: row for row in workspace.table("decisions").rows()}
    curated = {row["pair_id"] for row in workspace.table("curated").rows(["pair_id"])}
    gold = {row["pair_id"] for row in workspace.table("gold").rows() if row["split"] == "train" and row["label"] != "tie"}
    by_people = curated & gold
    # They came with their votes, and the pool does not hold them, so nothing was decided about them: they correct all the same.
    assert not by_people & decisions.keys()
    assert card["metrics"]["people"] == len(by_people) >= 20
    # Every other label was learnt as a probability, none of them as certain.
    assert card["metrics"]["without_probability"] == len(by_people)
    others = [row for name, row in decisions.items() if name in curated - by_people]
    assert others
    assert all(0.0 < row["p_sources"] < 1.0 for row in others)
    assert any(abs(row["p_sources"] - row["p_first"]) > 0.02 for row in others)
    # The label as it came or the judge's, whichever people agree with more; the head learnt it, and the evidence beside it.
    assert {row["p_trusted"] for row in others} <= {0.0, 0.5, 1.0}


def test_labels_are_cleaner_than_they_came(workspace: Workspace) -> None:
    hidden = {row["pair_id"]: "first" if "certain" in row["first"] else "second" for row in workspace.table("pool").rows()}
    before = [row["label"] == hidden[row["pair_id"]] for row in workspace.table("pool").rows()]
    after = [row["label"] == hidden[row["pair_id"]] for row in workspace.table("curated").rows() if row["pair_id"] in hidden]
    assert sum(after) / len(after) > sum(before) / len(before) + 0.1
    assert Path(workspace.runs()[-1] / "report.html").is_file()
