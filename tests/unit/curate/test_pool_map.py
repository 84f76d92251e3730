"""The map of the pool: who is drawn, where, with which texts, and what is said when it cannot be drawn."""

import re
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from goldsmith.config import GoldsmithConfig
from goldsmith.curate import pool_map as room
from goldsmith.curate.context import Context
from goldsmith.curate.pool_map import draw, pool_map
from goldsmith.curate.proven import SCHEMA as QUALITY_SCHEMA
from goldsmith.evaluate.report.data import ReportData
from goldsmith.evaluate.report.html import render
from goldsmith.evaluate.report.pool_parts import PoolMap
from goldsmith.identity import unit_interval
from goldsmith.progress import Progress
from goldsmith.store import Workspace, pair_schema, to_row
from goldsmith.types import Pair

HOSTILE = '</dd></article></title></svg><script>alert(1)</script><a href="javascript:x" onclick=alert(2)>\u202e'


class Cache:
    """Stands for the embedder: knows the texts it is given vectors for, and embeds nothing."""

    def __init__(self, forgets: str = "never") -> None:
        self.forgets = forgets

    def known(self, texts: list[str]) -> dict[str, Any]:
        known = [text for text in texts if self.forgets not in text]
        return {text: np.array([len(text), index % 3, index], dtype=np.float32) for index, text in enumerate(known)}


def pairs() -> list[Pair]:
    made = [
        Pair.from_replies(
            [{"role": "user", "content": f"question {n} {'x' * n}"}], f"good {n} " + "word " * 300, f"bad {n} {HOSTILE}"
        )
        for n in range(7)
    ]
    return [*made, Pair.from_replies([{"role": "user", "content": HOSTILE}], "one", "two")]


@pytest.fixture
def context(tmp_path: Path) -> Context:
    workspace, made = Workspace(tmp_path, config=GoldsmithConfig(name="tiny", seed=3)), pairs()
    actions = ["keep", "keep", "keep", "flip", "flip", "drop", "relabel", "keep"]
    decisions = [
        {"pair_id": pair.pair_id, "action": action, "label_before": pair.label, "label_after": "first", "p_first": 0.25, "reason": HOSTILE, "rule": "r"}
        for pair, action in zip(made, actions, strict=True)
    ]  # fmt: skip
    with workspace.writer("pool", step="pool", fingerprint="f") as out:
        out.write_rows([to_row(pair) for pair in made], pair_schema())
    for name, rows in {"decisions": decisions, "attributes": [{"pair_id": "elsewhere"}]}.items():
        with workspace.writer(name, step=name, fingerprint="f") as out:
            out.write(pa.Table.from_pylist(rows))
    with workspace.writer("attribute_quality", step="attributes", fingerprint="f") as out:
        out.write_rows([], QUALITY_SCHEMA)
    made_context = Context(workspace, tmp_path / "runs" / "1", Progress())
    made_context.__dict__["embedder"] = Cache()
    return made_context


def page_of(map_: PoolMap | None) -> str:
    return render(ReportData(title="t", created="2026-11-22T10:00:00+00:00", version="0", seed=3, pool_map=map_))


def found(context: Context) -> PoolMap:
    made = pool_map(context)
    assert made is not None
    return made


def test_every_pair_of_a_small_pool_is_drawn(context: Context) -> None:
    made = found(context)
    assert (made.num_decided, made.by_action, made.num_without_vector) == (8, {"keep": 4, "flip": 2, "drop": 1, "relabel": 1}, 0)
    assert [point.x for point in made.points] == sorted(point.x for point in made.points)
    assert {point.pair_id for point in made.points} == {pair.pair_id for pair in pairs()}
    before = {point.pair_id: point for point in made.points}
    for pair in pairs():  # p of the label as it came: 0.25 where that is `first`
        assert before[pair.pair_id].p_label == (0.25 if pair.label == "first" else 0.75)
    assert "Every decided pair." in page_of(made)


def test_a_large_pool_is_sampled_by_the_smallest_hashes(context: Context) -> None:
    names = sorted((pair.pair_id for pair in pairs()), key=lambda name: unit_interval(f"report-map:{name}", 3))
    assert list(draw(context.workspace.table("decisions"), 3, most=5)) == names[:5]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "draw", lambda decisions, seed: draw(decisions, seed, most=5))
        made = found(context)
    assert {point.pair_id for point in made.points} == set(names[:5])
    assert "5 of 8 decided pairs: those whose hash" in page_of(made).replace("\u00a0", " ")


def test_texts_are_cut_and_said_to_be(context: Context) -> None:
    made = found(context)
    assert (made.prompt_characters, made.reply_characters) == (300, 600)
    long = next(point for point in made.points if point.prompt.startswith("question 3"))
    assert max(len(long.first), len(long.second)) in range(500, 603)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "TEXT_BYTES", 3600)
        shorter = found(context)
    # Seven long replies weigh 2,800 at (200, 400) and 1,400 at (120, 200); the seven hostile ones about 180 each, prompts 320.
    assert (shorter.prompt_characters, shorter.reply_characters) == (120, 200)
    assert "cut after 120 characters, replies after 200" in page_of(shorter)


def test_hostile_texts_stay_text(context: Context) -> None:
    page = page_of(found(context))
    assert "<script" not in page
    assert "onclick=alert" in unescape(page)
    assert all(address.startswith("#") for address in re.findall(r'href="([^"]*)"', page))
    assert page.count("<article") == page.count("</article>") == 8
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", page)


def test_every_point_leads_to_its_panel(context: Context) -> None:
    made = found(context)
    page = page_of(made)
    panels = re.findall(r'<article id="m(\d+)">.*?goldsmith why ([0-9a-f]+)<', page, re.DOTALL)
    assert panels == [(str(n), point.pair_id) for n, point in enumerate(made.points, 1)]
    assert re.findall(r'<a href="#m(\d+)" class="(\w+)">', page) == [
        (str(n), point.action) for n, point in enumerate(made.points, 1)
    ]


def test_pairs_without_an_embedding_are_counted(context: Context) -> None:
    context.__dict__["embedder"] = Cache(forgets="question 3")
    made = found(context)
    assert (len(made.points), made.num_without_vector, made.by_action["flip"]) == (7, 1, 1)
    assert "1 more pair of the sample has no embedding yet." in page_of(made).replace("\u00a0", " ")


def test_without_embeddings_the_section_says_so(context: Context) -> None:
    context.__dict__["embedder"] = Cache(forgets="")
    made = found(context)
    assert made.points == []
    page = page_of(made)
    assert "There is no map: the embeddings of the pool are not in the workspace" in page
    assert "<article" not in page


def test_before_stage_2_there_is_no_map(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, config=GoldsmithConfig(name="tiny"))
    assert pool_map(Context(workspace, tmp_path, Progress())) is None
