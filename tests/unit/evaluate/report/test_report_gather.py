"""From a workspace's tables and facts to the report's data."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from goldsmith.config import GoldsmithConfig
from goldsmith.evaluate.report.data import ReportData
from goldsmith.evaluate.report.final import final_results
from goldsmith.evaluate.report.gather import gather
from goldsmith.store import Counts, Workspace, pair_schema, to_row
from goldsmith.types import Pair


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path, config=GoldsmithConfig(name="tiny", seed=3, simulated=["the votes"]))


def fill(
    workspace: Workspace, name: str, rows: list[dict[str, Any]], schema: pa.Schema | None = None, counts: Counts | None = None
) -> None:
    with workspace.writer(name, step=name, fingerprint="f") as out:
        out.write_rows(rows, schema) if schema is not None else out.write(pa.Table.from_pylist(rows))
        out.counts = counts


def pool_pair(number: int) -> Pair:
    context = [{"role": "user", "content": f"question {number}"}]
    return Pair.from_replies(context, f"good {number}", f"bad \u202e {number}")


def decision(pair: Pair, action: str, *, turned: bool, p_first: float | None) -> dict[str, Any]:
    other = "second" if pair.label == "first" else "first"
    after = other if turned else pair.label
    return {"pair_id": pair.pair_id, "action": action, "label_before": pair.label, "label_after": after, "p_first": p_first, "rule": "r", "reason": "why"}  # fmt: skip


@pytest.fixture
def filled(workspace: Workspace) -> tuple[Workspace, Path]:
    pairs = [pool_pair(i) for i in range(6)]
    fill(workspace, "pool", [to_row(pair) for pair in pairs], pair_schema(), Counts(total=7, kept=6, dropped={"duplicate": 1}))
    kinds = [("a", "factual", "low")] * 4 + [("b", "opinion", "high")] * 2
    fill(workspace, "attributes", [
        {"pair_id": pair.pair_id, "task": t, "objectivity": o, "controversiality": c} for pair, (t, o, c) in zip(pairs, kinds, strict=True)
    ])  # fmt: skip
    recorded = {"pair_id": "elsewhere", "task": "c", "objectivity": "opinion", "controversiality": "low"}
    fill(workspace, "attributes", [*workspace.table("attributes").rows(), recorded])
    # "good" sorts after "bad", so every label is `second`: p of the label is 1 - p_first.
    fill(workspace, "decisions", [
        decision(pairs[0], "keep", turned=False, p_first=0.1), decision(pairs[1], "keep", turned=False, p_first=0.2),
        decision(pairs[2], "flip", turned=True, p_first=0.9), decision(pairs[3], "flip", turned=True, p_first=0.8),
        decision(pairs[4], "drop", turned=False, p_first=None), decision(pairs[5], "relabel", turned=True, p_first=0.5),
    ])  # fmt: skip
    fill(workspace, "flipped_on_purpose", [{"pair_id": pairs[i].pair_id} for i in (1, 2, 4)])
    rows = [("train", 0.9), ("validation", 0.4), ("validation", 0.5), ("audit", 0.1)]
    fill(workspace, "gold_margins_2", [{"pair_id": str(i), "split": s, "p": p, "margin": 0.0} for i, (s, p) in enumerate(rows)])
    run = workspace.root / "runs" / "1"
    counts = {"total": 8, "kept": 7, "dropped": {"no user turn": 1}, "failed": {}}
    workspace.write_facts(
        run, "pool", {"ingest": counts, "pool": {"total": 7, "kept": 6, "dropped": {"duplicate": 1}, "failed": {}}}
    )
    workspace.write_facts(run, "gold", {
        "by_split": {"train": 6, "validation": 2, "audit": 2}, "by_how": {"unanimous": 10}, "disputes": 1, "discards": 0,
        "alpha_first": {"alpha": 0.8, "low": 0.7, "high": 0.84, "num_pairs": 10},
        "batches": [{"batch": "seed", "alpha": 0.8, "low": 0.7, "high": 0.84, "num_pairs": 10, "outcome": "fail", "enforced": False, "recorded": True}],
    })  # fmt: skip
    test = {
        "model": "m",
        "num_pairs": 8,
        "num_correct": 4,
        "accuracy": 0.5,
        "low": 0.2,
        "high": 0.8,
        "beats_chance": False,
        "sentence": "x",
    }
    workspace.write_facts(run, "judges", {"tests": [test], "used": [], "reason": "4 of 8"})
    workspace.write_facts(
        run, "round_2", {"round": 2, "silver_total": 5, "accuracy_validation": 0.5, "low": 0.1, "high": 0.9, "num_validation": 2}
    )
    workspace.write_facts(run, "best", {"round": 2})
    workspace.write_facts(run, "timing", {"pool": 2.0, "gold": 3.0})
    workspace.write_facts(run, "usage", {"calls": 12, "unknown": 1, "by_model": {"m": {"calls": 12}}})
    workspace.write_facts(run, "train", {"curated": {"loss": 0.123456, "series": [1, 2]}})
    return workspace, run


def test_an_empty_workspace_gives_an_empty_report(workspace: Workspace) -> None:
    data = gather(workspace, workspace.root / "runs" / "1")
    assert (data.title, data.seed, data.simulated) == ("tiny", 3, ["the votes"])
    assert data.funnel == []
    assert (data.coverage, data.gold, data.judges, data.margins, data.stage2, data.final) == (None,) * 6
    assert data.notes == []
    assert data.config["rounds"]["count"] == 2


def test_facts_and_tables_become_the_parts(filled: tuple[Workspace, Path]) -> None:
    data = gather(*filled)
    assert data.notes == []
    assert [(step.name, step.total, step.kept) for step in data.funnel] == [("ingest", 8, 7), ("pool", 7, 6)]
    assert data.coverage is not None
    assert [(cell.task, cell.num_pairs) for cell in data.coverage.cells] == [("a", 4), ("b", 2)]
    assert data.gold is not None
    assert data.gold.num_pairs == 10
    assert data.gold.alpha_first is not None
    assert data.gold.alpha_first.outcome == "fail"  # 0.84 < 0.85
    assert data.judges is not None
    assert data.judges.none_beats_chance
    assert (data.best_round, data.rounds[0].silver_total) == (2, 5)
    assert (data.runtime_s, data.cost.usage, data.cost.by_model) == (5.0, {"calls": 12, "unknown": 1}, {"m": {"calls": 12}})
    assert data.training == {"curated": {"loss": 0.1235}}


def test_margins_leave_audit_out_and_call_a_tie_wrong(filled: tuple[Workspace, Path]) -> None:
    margins = gather(*filled).margins
    assert margins is not None
    assert margins.gold is not None
    assert {name: sum(counts) for name, counts in margins.gold.series.items()} == {"right": 1, "wrong": 2}
    assert margins.share_gold_below == pytest.approx(1 / 3)
    # Bins 0.9 (stated 0.9, right), 0.6 (0.6, wrong), 0.5 (0.5, wrong): (0.1 + 0.6 + 0.5) / 3 = 0.4.
    assert margins.calibration_error == pytest.approx(0.4)
    assert margins.pool is not None
    assert margins.pool.total == 5  # one decision has no p


def test_decisions_are_counted_by_task_and_against_planted_noise(filled: tuple[Workspace, Path]) -> None:
    stage2 = gather(*filled).stage2
    assert stage2 is not None
    assert stage2.by_action == {"keep": 2, "flip": 2, "drop": 1, "relabel": 1}
    assert stage2.by_task == {"a": {"keep": 2, "flip": 2}, "b": {"drop": 1, "relabel": 1}}
    assert stage2.known_noise is not None
    assert stage2.known_noise.reversed == {"unchanged": 1, "turned": 1, "dropped": 1}
    assert stage2.known_noise.untouched == {"unchanged": 1, "turned": 2}


def test_examples_are_shortened_cleaned_and_stable(filled: tuple[Workspace, Path]) -> None:
    first, again = gather(*filled).stage2, gather(*filled).stage2
    assert first is not None
    assert again is not None
    assert first.examples == again.examples
    assert [pair.action for pair in first.examples] == ["keep", "keep", "relabel", "flip", "flip", "drop"]
    assert all("[U+202E]" in pair.rejected and pair.chosen.startswith("good") for pair in first.examples)
    kept = next(pair for pair in first.examples if pair.prompt == "question 0")
    assert kept.p_label == pytest.approx(0.9)


def test_the_pool_histogram_of_the_facts_is_used_without_planted_noise(workspace: Workspace) -> None:
    run = workspace.root / "runs" / "1"
    workspace.write_facts(run, "stage2", {"by_action": {"keep": 3}, "p_histogram": {"edges": [0, 0.5, 1], "pool": [1, 2]}})
    margins = gather(workspace, run).margins
    assert margins is not None
    assert margins.pool is not None
    assert margins.pool.series == {"pool pairs": [1, 2]}


def test_what_cannot_be_read_is_noted_and_stops_nothing(filled: tuple[Workspace, Path]) -> None:
    workspace, run = filled
    (run / "facts" / "pool.json").write_text("{broken", encoding="utf-8")
    (run / "facts" / "usage.json").write_text("[1]", encoding="utf-8")
    workspace.write_facts(run, "round_1", {"silver_total": "many"})
    data = gather(workspace, run)
    notes = "\n".join(data.notes)
    for piece in ("facts/pool.json", "facts/usage.json: an object was expected, not list", "facts/round_1.json: silver_total"):
        assert piece in notes
    assert [step.name for step in data.funnel] == ["pool"]  # the table's manifest stands in
    assert ReportData.model_validate_json(data.model_dump_json()) == data


def test_gold_that_is_still_open_shows_its_batches(workspace: Workspace) -> None:
    run = workspace.root / "runs" / "1"
    batch = {
        "batch": "seed",
        "alpha": 0.9,
        "low": 0.87,
        "high": 0.95,
        "num_pairs": 3,
        "outcome": "pass",
        "enforced": True,
        "disputes": 1,
        "discards": 0,
    }
    workspace.write_facts(run, "gold_0", {"batches": [batch], "gold": 3, "dropped": {}})
    fill(workspace, "gold_0", [{"pair_id": str(i), "split": "train"} for i in range(3)])
    gold = gather(workspace, run).gold
    assert gold is not None
    assert (gold.by_split, gold.disputes, gold.alpha_first and gold.alpha_first.outcome) == ({"train": 3}, 1, "pass")


def test_rounds_are_compared_on_the_gold_of_today(filled: tuple[Workspace, Path]) -> None:
    workspace, run = filled
    again = {"round": 2, "accuracy_validation": 0.75, "low": 0.6, "high": 0.9, "num_validation": 40, "accuracy_train": 0.7}
    workspace.write_facts(run, "best", {"round": 2, "rounds": [again]})
    item = gather(workspace, run).rounds[0]
    assert (item.accuracy_validation, item.num_validation, item.accuracy_then) == (0.75, 40, 0.5)


def test_what_the_run_wrote_about_itself_is_used(filled: tuple[Workspace, Path]) -> None:
    workspace, run = filled
    (run / "manifest.json").write_text('{"machine": "2 cores"}', encoding="utf-8")
    (run / "attempts.json").write_text("[10.5, 4.5]", encoding="utf-8")
    workspace.write_facts(run, "scores", {"gold_rm": {"accuracy_validation": 0.7, "low": 0.5, "high": 0.9, "num_validation": 20}})
    fill(workspace, "gold_dropped_0", [{"pair_id": "x", "batch": "seed", "reason": "discarded"}])
    fill(workspace, "gold_dropped_1", [{"pair_id": "y", "batch": "round-1", "reason": "discarded"}])
    data = gather(workspace, run)
    assert (data.machine, data.runtime_s) == ("2 cores", 15.0)
    assert data.stage2 is not None
    assert data.stage2.gold_rm is not None
    assert (data.stage2.gold_rm.value, data.stage2.gold_rm.num_pairs) == (0.7, 20)
    assert data.gold is not None
    assert data.gold.dropped == {"discarded": 2}
    fill(workspace, "gold_dropped", [{"pair_id": "x", "batch": "seed", "reason": "gate"}])
    again = gather(workspace, run).gold
    assert again is not None
    assert again.dropped == {"gate": 1}


def test_the_evaluation_table_is_read_with_what_its_sets_left_out(workspace: Workspace) -> None:
    run = workspace.root / "runs" / "1"
    fill(
        workspace,
        "evaluation",
        [outcome("s", m, str(i), str(i), i > 0, 1.0) for m in ("final", "curated", "raw") for i in range(4)],
    )
    workspace.write_facts(run, "evaluation_sets", {"sets": {"s": {"total": 6, "kept": 4, "dropped": {"tie": 2}, "failed": {}}}})
    final = gather(workspace, run).final
    assert final is not None
    assert (final.main, final.sets[0].left_out, final.sets[0].models["final"].value) == ("final", {"tie": 2}, 0.75)


def outcome(name: str, model: str, pair: str, context: str, correct: bool | None, longer: float, **more: Any) -> dict[str, Any]:
    return {"set": name, "model": model, "pair_id": pair, "context_id": context, "margin": 1.0, "correct": correct, "longer_correct": longer, **more}  # fmt: skip


def test_final_results_by_hand() -> None:
    rows = [
        outcome("s", "curated", "1", "x", True, 1.0), outcome("s", "raw", "1", "x", False, 1.0),
        outcome("s", "curated", "2", "x", True, 0.0), outcome("s", "raw", "2", "x", True, 0.0),
        outcome("s", "curated", "3", "y", False, 0.5), outcome("s", "raw", "3", "y", True, 0.5, margin=0.0),
        outcome("s", "curated", "4", "z", None, 1.0), outcome("s", "raw", "4", "z", True, 1.0),
        outcome("t", "curated", "1", "x", True, 1.0), outcome("t", "raw", "1", "x", False, 1.0),
    ]  # fmt: skip
    final = final_results(rows, seed=0, resamples=200)
    assert final is not None
    first = final.sets[0]
    assert (first.models["curated"].value, first.models["curated"].num_pairs) == (pytest.approx(2 / 3), 3)
    assert (first.models["raw"].value, first.models["raw"].num_ties) == (0.5, 1)  # right on 2 and 4; the tie on 3 is wrong
    assert (first.longer.value, first.longer.num_pairs) == (pytest.approx(2.5 / 4), 4)
    assert first.missing == {"curated": 1}
    assert first.difference is not None
    assert (first.difference.value, first.difference.num_pairs) == (pytest.approx(1 / 3), 3)  # +1, 0, 0
    assert first.above_longer is not None
    assert first.above_longer.value == pytest.approx((0 + 1 - 0.5) / 3)
    assert final.pooled_difference is not None
    assert final.pooled_difference.value == pytest.approx(2 / 4)
    assert final.pooled_difference.num_contexts == 2  # prompt x stands in both sets and is one prompt


def test_final_results_without_a_rival_or_rows() -> None:
    final = final_results([outcome("s", "curated", "1", "x", True, 1.0)], seed=0, resamples=100)
    assert final is not None
    assert final.pooled_difference is None
    assert final_results([], seed=0) is None
