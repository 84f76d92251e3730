"""Agreement of judges and margins before and after, against counts made by hand."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from goldsmith.config import GoldsmithConfig
from goldsmith.evaluate.report.data import ReportData
from goldsmith.evaluate.report.gather import gather
from goldsmith.evaluate.report.html import render
from goldsmith.evaluate.report.opinions import VOICES, Opinions, opinions
from goldsmith.store import Workspace


def decision(name: str, action: str, before: str, after: str, **judges: Any) -> dict[str, Any]:
    said = {"best": None, "gold": None, "human": None, "llm": None, "llm_p_first": None, "stack": None} | judges
    return {
        "pair_id": name, "action": action, "label_before": before, "label_after": after, "rule": "r", "reason": "why",
        "judges": json.dumps(said), "p_first": 0.99,
    }  # fmt: skip


ROWS = [
    decision("a", "keep", "first", "first", best=0.92, gold=0.7),
    decision("b", "keep", "second", "second", best=0.08, gold=0.6, human="second"),
    decision("c", "flip", "first", "second", best=0.31, gold=0.2, llm="second"),
    decision("d", "relabel", "second", "first", best=0.5, gold=0.9, llm="first", human="first"),
    decision("e", "drop", "first", "first", best=0.4, gold=0.5, llm="tie", human="tie"),
    decision("f", "drop", "tie", "tie", best=0.8, gold=0.8),
]


def workspace_of(root: Path, rows: list[dict[str, Any]], **more: list[dict[str, Any]]) -> Workspace:
    workspace = Workspace(root, config=GoldsmithConfig(name="tiny", seed=3))
    for name, table in {"decisions": rows, **more}.items():
        with workspace.writer(name, step=name, fingerprint="f") as out:
            out.write(pa.Table.from_pylist(table))
    return workspace


@pytest.fixture
def found(tmp_path: Path) -> Opinions:
    return opinions(workspace_of(tmp_path, ROWS).table("decisions"))


def test_agreement_counts_pairs_on_which_both_prefer_a_reply(found: Opinions) -> None:
    counted = {(row.one, row.other): (row.num_same, row.num_pairs) for row in found.agreements()}
    assert counted == {
        ("label", "best RM"): (2, 4),  # a, b alike; c, e not; d is even odds and f a tie
        ("label", "gold RM"): (1, 4),  # a alike; b, c, d not; e is even odds
        ("label", "LLM judges"): (0, 2),  # c, d
        ("label", "people"): (1, 2),  # b alike, d not; e is a tie
        ("best RM", "gold RM"): (3, 4),  # a, c, f alike; b not
        ("best RM", "LLM judges"): (1, 1),  # c
        ("best RM", "people"): (1, 1),  # b
        ("gold RM", "LLM judges"): (2, 2),  # c, d
        ("gold RM", "people"): (1, 2),  # d alike, b not
        ("LLM judges", "people"): (1, 1),  # d
    }


def test_margins_follow_the_label_before_and_after(found: Opinions) -> None:
    before, after = found.histograms()
    assert before is not None
    assert after is not None
    # p of the label as it came: a 0.92, b 0.92, c 0.31, d 0.5, e 0.4; the tie has none.
    counts = before.series["pool pairs"]
    assert {place: number for place, number in enumerate(counts) if number} == {18: 2, 6: 1, 10: 1, 8: 1}
    # Of the label now: a and b as before, c 1 - 0.31, d 0.5; what was dropped is out.
    filled = {name: {place: n for place, n in enumerate(row) if n} for name, row in after.series.items()}
    assert filled == {"keep": {18: 2}, "flip": {13: 1}, "relabel": {10: 1}}


def test_labels_reversed_on_purpose_are_a_series_of_their_own(tmp_path: Path) -> None:
    data = gather(workspace_of(tmp_path, ROWS, flipped_on_purpose=[{"pair_id": "c"}, {"pair_id": "f"}]), tmp_path / "runs" / "1")
    assert data.margins is not None
    assert data.margins.pool is not None
    assert {name: sum(counts) for name, counts in data.margins.pool.series.items()} == {
        "left alone": 4,
        "reversed on purpose": 1,
    }


def test_without_judge_and_people_the_table_says_so(tmp_path: Path) -> None:
    rows = [decision("a", "keep", "first", "first", best=0.9, gold=0.7)]
    page = render(gather(workspace_of(tmp_path, rows), tmp_path / "runs" / "1"))
    assert "No judgement of an LLM counted in stage 2." in page
    assert page.count("<small>no pair</small>") == 7  # four pairs with the LLMs and four with people, one of them shared
    assert "<small>1 of 1</small>" in page
    assert "Tasks are not known, so all pairs stand in one bar." in page


def test_pairs_without_a_task_are_counted_as_unknown(tmp_path: Path) -> None:
    tasks = [{"pair_id": name, "task": "math/proof", "objectivity": "factual", "controversiality": "low"} for name in "abc"]
    workspace = workspace_of(tmp_path, ROWS, attributes=tasks)
    stage2 = gather(workspace, tmp_path / "runs" / "1").stage2
    assert stage2 is not None
    assert stage2.by_task == {"math/proof": {"keep": 2, "flip": 1}, "unknown": {"relabel": 1, "drop": 2}}


def test_both_histograms_are_drawn_to_one_scale(sample: ReportData) -> None:
    from goldsmith.evaluate.report.shapes import histogram_figure

    assert sample.margins is not None
    pool = sample.margins.pool
    assert pool is not None
    small = pool.model_copy(update={"series": {"kept": [1] * 20}})
    alone, beside = histogram_figure(small, "pairs"), histogram_figure(small, "pairs", pool)
    assert alone is not None
    assert beside is not None
    assert alone.wide != beside.wide


def test_a_table_of_no_opinions_has_no_histogram() -> None:
    assert Opinions().histograms() == (None, None)
    assert [(row.num_pairs, row.num_same) for row in Opinions().agreements()] == [(0, 0)] * 10
    assert len(VOICES) == 5
