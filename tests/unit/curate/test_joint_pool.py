"""The joint estimate in a workspace: which pairs it is fitted to, what it reads of them, and the rewards it leaves for stage 2."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from goldsmith.config.curate import CurateConfig
from goldsmith.curate import joint_pool
from goldsmith.curate.evidence import codes
from goldsmith.curate.stack import Gold
from goldsmith.curate.surface import surface

COUNT, NUM_GOLD = 600, 90


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A pool whose features tell the better reply, 35 % wrong labels, and gold on some of it and on two pairs of its own."""
    rng = np.random.default_rng(0)
    truth = rng.random(COUNT + 2) < 0.5
    quality = rng.normal(size=(COUNT + 2, 6))
    quality[:, 0] += np.where(truth, 1.2, -1.2)
    side = lambda is_first: "first" if is_first else "second"
    label = [side(one != (rng.random() < 0.35)) for one in truth]
    rows = [
        {
            "pair_id": f"p{at}",
            "context_id": f"c{at}",
            "first": "a" * (1 + at % 7),
            "second": "b" * (1 + at % 5),
            "label": label[at],
        }
        for at in range(COUNT + 2)
    ]
    gold = [
        {**rows[at], "label": side(truth[at]), "split": "audit" if at < 5 else "train"}
        for at in [*range(NUM_GOLD), COUNT, COUNT + 1]
    ]
    place = {row["pair_id"]: at for at, row in enumerate(rows)}
    seen = [row for row in gold if row["split"] != "audit"]
    known = Gold(
        truth=codes([row["label"] for row in seen]), contexts=[row["context_id"] for row in seen],
        label=codes([label[place[row["pair_id"]]] for row in seen]), best=rng.normal(size=len(seen)), gold=rng.normal(size=len(seen)),
        judged_p=np.full(len(seen), np.nan), differs=surface([row["first"] for row in seen], [row["second"] for row in seen]),
    )  # fmt: skip
    monkeypatch.setattr(joint_pool, "gold_evidence", lambda *_: known)
    monkeypatch.setattr(joint_pool, "probed", lambda _: {})
    features = lambda _context, some, _readout: (
        np.stack([quality[place[row["pair_id"]]] for row in some]).astype(np.float32), np.zeros((len(some), 6), dtype=np.float32),
    )  # fmt: skip
    monkeypatch.setattr(joint_pool, "pair_features", features)
    config = SimpleNamespace(reward=SimpleNamespace(readout="layers"), curate=CurateConfig(keep_rule="joint"))
    table = SimpleNamespace(rows=lambda _: rows[:COUNT])
    workspace = SimpleNamespace(table=lambda _: table, cache=tmp_path)
    return {"context": SimpleNamespace(workspace=workspace, config=config, seed=0), "gold": gold, "truth": truth, "rows": rows}


@pytest.mark.parametrize("most", [20_000, 300])
def test_every_pool_pair_gets_a_reward_in_the_pools_order(
    made: dict[str, Any], monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(joint_pool, "FITTED_TO", most)
    monkeypatch.setattr(joint_pool, "AT_ONCE", 250)
    stack, path, facts = joint_pool.joint_of_pool(made["context"], made["gold"], {})
    assert stack is not None
    assert path is not None
    table = pq.read_table(path)
    assert table["pair_id"].to_pylist() == [row["pair_id"] for row in made["rows"][:COUNT]]
    margin = table["first"].to_numpy() - table["second"].to_numpy()
    # Sides are 2.4 standard deviations apart: about 88 % can be told.
    assert ((margin > 0) == made["truth"][:COUNT]).mean() > 0.83
    assert facts["stack"]["label_noise"]["wrong"] == pytest.approx(0.35, abs=0.08)
    assert (facts["stack"]["judge_noise"], stack.judges) == (None, None)


def test_gold_that_nothing_predicts_gives_no_estimate_and_says_so(made: dict[str, Any]) -> None:
    rng = np.random.default_rng(2)
    coin = [{**row, "label": ("first", "second")[rng.integers(2)]} for row in made["gold"]]
    stack, path, facts = joint_pool.joint_of_pool(made["context"], coin, {})
    assert (stack, path) == (None, None)
    assert "every label stays as it came" in facts["statements"][0]


def test_gold_that_was_not_in_the_pool_has_no_label_that_could_err_and_audit_none_at_all(
    made: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    real, seen = joint_pool.fit_joint_checked, []
    monkeypatch.setattr(joint_pool, "fit_joint_checked", lambda known, *more: seen.append(known) or real(known, *more))
    joint_pool.joint_of_pool(made["context"], made["gold"], {"p7": ("first", 0.9, None), "p8": (None, None, "first")})
    known = seen[0]
    assert len(known.contexts) == COUNT + 2
    assert np.isnan(known.label[COUNT:]).all()
    assert not np.isnan(known.human[COUNT:]).any()
    assert np.isnan(known.human[:5]).all()
    assert (known.judged_p[7], np.isnan(known.judged_p[8])) == (0.9, True)
