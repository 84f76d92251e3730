"""Stage 2 over a pool in several parts and partitions: every pair once, in any partitioning, and again after a kill."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from goldsmith.config import GoldsmithConfig, load_config
from goldsmith.curate import partition, stage2
from goldsmith.curate.evidence import from_margins
from goldsmith.curate.scoring import SCORE_SCHEMA
from goldsmith.curate.stack import Stack
from goldsmith.curate.transition import Transition
from goldsmith.errors import DataError
from goldsmith.store import PAIR_COLUMNS, Counts, Workspace
from goldsmith.store.pairs import pair_schema

NUM = 1000
PARTS = (0, 300, 700, NUM)


@pytest.fixture(autouse=True)
def _small_partitions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage2, "ROWS", 128)


def _workspace(root: Path, *settings: str, shuffled: bool = False) -> Workspace:
    root.mkdir(parents=True, exist_ok=True)
    config: GoldsmithConfig = load_config([], ["engine.workers=1", "llm.endpoints=[]", *settings])
    workspace = Workspace(root, config)
    rng = np.random.default_rng(5)
    ids = [f"{number:032x}" for number in rng.permutation(NUM)]
    label = rng.choice(["first", "second", "tie"], NUM, p=[0.48, 0.48, 0.04])
    columns: dict[str, Any] = {name: [None] * NUM for name in PAIR_COLUMNS}
    columns |= {
        "pair_id": ids,
        "context_id": [f"c{number // 2}" for number in range(NUM)],
        "context": ["[]"] * NUM,
        "label": label.tolist(),
    }
    columns |= {
        "first": ["long " * (number % 7) for number in range(NUM)],
        "second": ["x"] * NUM,
        "label_origin": ["likes"] * NUM,
    }
    pool = pa.table(columns, schema=pair_schema())
    with workspace.writer("pool", step="pool", fingerprint="pool") as out:
        for start, stop in itertools.pairwise(PARTS):
            out.write(pool.slice(start, stop - start))
    for name in ("best", "gold"):
        margin = rng.normal(size=NUM)
        rows = {
            "pair_id": ids[::-1] if shuffled else ids,
            "model_digest": ["m"] * NUM,
            "first": margin,
            "second": np.zeros(NUM),
            "fold": [None] * NUM,
        }
        table = pa.table(rows, schema=SCORE_SCHEMA)
        with workspace.writer(f"scores_{name}", step="scores", fingerprint="scores") as out:
            for start, stop in ((0, 555), (555, NUM)):
                out.write(table.slice(start, stop - start))
    return workspace


def _decide(
    workspace: Workspace, opinions: dict[str, Any] | None = None, closed: set[str] | None = None, stack: Stack | None = None
) -> tuple[dict[str, Any], Counts]:
    results = stage2.decide_pool(workspace, "f", opinions or {}, closed or set(), stack)
    counts = stage2._commit(workspace, "f", results, [])
    return {row["pair_id"]: row for row in workspace.table("decisions").rows()}, counts


def test_every_pair_is_decided_once_by_its_own_scores(tmp_path: Path) -> None:
    workspace = _workspace(tmp_path)
    decisions, counts = _decide(workspace)
    assert len(decisions) == workspace.table("decisions").num_rows == NUM
    gold = {row["pair_id"]: row["first"] - row["second"] for row in workspace.table("scores_gold").rows()}
    label = {row["pair_id"]: row["label"] for row in workspace.table("pool").rows(["pair_id", "label"])}
    for name, row in decisions.items():
        # The article's rule without judges: keep when the gold RM is on the label's side, else flip.
        agrees = (gold[name] > 0) == (label[name] == "first")
        assert row["action"] == ("drop" if label[name] == "tie" else "keep" if agrees else "flip")
        assert json.loads(row["judges"])["gold"] == pytest.approx(float(from_margins(gold[name])))
    curated = {row["pair_id"]: row for row in workspace.table("curated").rows()}
    ties = sum(value == "tie" for value in label.values())
    assert (counts.total, counts.kept, counts.dropped) == (NUM, NUM - ties, {"a tie is never trained on": ties})
    assert all(row["label"] == decisions[name]["label_after"] for name, row in curated.items())
    assert {row["label_origin"] for row in curated.values() if row["action"] == "flip"} == {"rule"}


def test_where_gold_carries_no_gold_rm_no_label_is_turned_round(tmp_path: Path) -> None:
    workspace = _workspace(tmp_path)
    results = stage2.decide_pool(workspace, "f", {}, set(), None, gold_stands=False)
    counts = stage2._commit(workspace, "f", results, [])
    rows = workspace.table("decisions").rows()
    assert {row["action"] for row in rows if row["label_before"] != "tie"} == {"keep"}
    assert all(row["label_after"] == row["label_before"] for row in rows)
    assert counts.kept + sum(counts.dropped.values()) == NUM


def test_opinions_and_closed_contexts_reach_the_right_pairs(tmp_path: Path) -> None:
    workspace = _workspace(tmp_path)
    rows = workspace.table("pool").rows(["pair_id", "label", "context_id"])
    sided = [row for row in rows if row["label"] != "tie"]
    human, judged = sided[3], sided[850]
    other = {"first": "second", "second": "first"}
    opinions = {human["pair_id"]: (None, None, other[human["label"]]), judged["pair_id"]: ("first", 0.75, None)}
    decisions, counts = _decide(workspace, opinions, closed={rows[400]["context_id"]})
    assert decisions[human["pair_id"]]["rule"] == "human"
    assert decisions[human["pair_id"]]["action"] == "relabel"
    assert json.loads(decisions[judged["pair_id"]]["judges"])["llm_p_first"] == 0.75
    assert counts.dropped[partition.CLOSED] == 2
    curated = {row["pair_id"]: row for row in workspace.table("curated").rows()}
    assert curated[human["pair_id"]]["label_origin"] == "human"
    assert not {row["context_id"] for row in curated.values()} & {rows[400]["context_id"]}


def test_a_run_cut_off_in_the_middle_continues_and_gives_the_same_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unbroken, _ = _decide(_workspace(tmp_path / "unbroken"))
    workspace = _workspace(tmp_path / "broken")
    done: list[int] = []
    real = partition.decide_partition

    def cut_off(chunk: dict[str, Any]) -> dict[str, Any]:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(chunk["number"])
        return real(chunk)

    monkeypatch.setattr(stage2, "decide_partition", cut_off)
    with pytest.raises(KeyboardInterrupt):
        stage2.decide_pool(workspace, "f", {}, set(), None)
    again: list[int] = []
    monkeypatch.setattr(stage2, "decide_partition", lambda chunk: again.append(chunk["number"]) or real(chunk))
    decisions, _ = _decide(workspace)
    assert (done, again) == ([0, 1], [2])
    assert decisions == unbroken


def test_other_rules_or_opinions_do_not_take_over_what_was_decided_before(tmp_path: Path) -> None:
    workspace = _workspace(tmp_path)
    stage2.decide_pool(workspace, "f", {}, set(), None)
    name = workspace.table("pool").rows(["pair_id"])[0]["pair_id"]
    decisions, _ = _decide(workspace, {name: (None, None, "tie")})
    assert decisions[name]["reason"] == "people call it a tie"


def test_scores_of_another_order_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"scores_best.*not those of the pool.*remove steps/scores"):
        stage2.decide_pool(_workspace(tmp_path, shuffled=True), "f", {}, set(), None)


def test_the_least_sure_pairs_are_found_across_parts_without_those_people_saw(tmp_path: Path) -> None:
    workspace = _workspace(tmp_path)
    best = {row["pair_id"]: float(from_margins(row["first"])) for row in workspace.table("scores_best").rows()}
    label = {row["pair_id"]: row["label"] for row in workspace.table("pool").rows(["pair_id", "label"])}
    doubted = {
        name for name in best if label[name] != "tie" and not (best[name] if label[name] == "first" else 1 - best[name]) > 0.5
    }
    seen = min(doubted, key=lambda name: abs(best[name] - 0.5))
    expected = sorted(doubted - {seen}, key=lambda name: (abs(best[name] - 0.5), name))
    found = stage2.find_unsure(workspace, {seen}, 0.5, 10)
    assert (found.num, found.least_sure) == (len(expected), expected[:10])


def test_the_stack_decides_under_its_rule_and_its_probability_is_stored(tmp_path: Path) -> None:
    workspace = _workspace(tmp_path, 'curate.keep_rule="stack"')
    # Weight on the gold RM's margin alone: p = sigmoid(2 m).
    stack = Stack(label=None, judges=None, weight=(0.0, 0.0, 0.0, 2.0, 0.0, 0.0))
    decisions, _ = _decide(workspace, stack=stack)
    gold = {row["pair_id"]: row["first"] for row in workspace.table("scores_gold").rows()}
    name = next(iter(decisions))
    assert decisions[name]["p_first"] == pytest.approx(float(from_margins(2 * gold[name])))
    assert {row["p_sources"] for row in decisions.values()} == {0.5}
    reasons = Counter(row["reason"] for row in decisions.values())
    assert {"likely right", "likely wrong", "too close to call"} <= reasons.keys()


def test_what_label_and_judges_say_without_a_model_is_stored_where_a_rule_weighs_them(tmp_path: Path) -> None:
    workspace = _workspace(tmp_path, 'curate.keep_rule="joint"')
    assert {(row["p_sources"], row["p_trusted"]) for row in _decide(workspace)[0].values()} == {(None, None)}
    # Labels right with probability 3/4 whatever their surface, and a margin that is none of the sources' business.
    label = Transition(truth=float(np.log(3)), length=0.0, format=0.0, num_pairs=50, wrong=0.25)
    decisions, _ = _decide(workspace, stack=Stack(label=label, judges=None, weight=(1.0, 1.0, 1.0, 0.0, 0.0, 0.0)))
    expected = {"first": 0.75, "second": 0.25, "tie": 0.5}
    assert all(row["p_sources"] == pytest.approx(expected[row["label_before"]]) for row in decisions.values())
    # Alone it is the most trusted source as well, and is taken at its word.
    assert {(row["label_before"], row["p_trusted"]) for row in decisions.values()} <= {
        ("first", 1.0),
        ("second", 0.0),
        ("tie", None),
    }
    assert len({row["p_first"] for row in decisions.values()}) > 3


def test_facts_add_up_and_name_a_model_that_follows_length(tmp_path: Path) -> None:
    workspace = _workspace(tmp_path)
    results = stage2.decide_pool(workspace, "f", {}, set(), None)
    facts = stage2._facts(results, stage2._commit(workspace, "f", results, []))
    assert sum(facts["by_action"].values()) == sum(facts["by_rule"].values()) == sum(facts["by_reason"].values()) == NUM
    sided = sum(row["label"] != "tie" for row in workspace.table("pool").rows(["label"]))
    assert sum(facts["p_histogram"]["pool"]) == sided
    # Random margins: neither model follows length.
    assert facts["follows_length"]["best"]["warning"] is None
    assert facts["follows_length"]["best"]["share"] == pytest.approx(0.5, abs=0.1)
