"""Checks of a batch before people read it: rules need no model, their counts add up, and the screen gets what was said."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from goldsmith.config import load_config
from goldsmith.curate import gold, verify
from goldsmith.curate.plan import plan
from goldsmith.store import Workspace, to_row
from goldsmith.types import Pair


def _pair(number: int, **meta: Any) -> Pair:
    context = [{"role": "user", "content": f"{number} + 1?"}]
    return Pair.from_replies(context, f"\\boxed{{{number + 1}}}", f"\\boxed{{{number}}}", meta=meta)


def test_known_answers_are_compared_without_a_model_and_reach_the_queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "goldsmith.toml").write_text("", encoding="utf-8")
    workspace = Workspace(tmp_path)
    known, opinion, unknown = _pair(1, answer="2"), _pair(2, answer="3"), _pair(3)
    kinds = {known.pair_id: "factual", opinion.pair_id: "opinion", unknown.pair_id: "factual"}
    with workspace.writer("attributes", step="test", fingerprint="f") as out:
        rows = [{"pair_id": name, "objectivity": kind} for name, kind in kinds.items()]
        out.write_rows(rows, pa.schema([("pair_id", pa.string()), ("objectivity", pa.string())]))
    monkeypatch.setattr(verify, "asked_batch", lambda *_: ("seed", [to_row(pair) for pair in (known, opinion, unknown)]))
    config = load_config(overrides=["verify.answer_field='answer'"])
    context: Any = SimpleNamespace(workspace=workspace, config=config, llm=None, progress=None)  # a call of a model would fail
    facts = verify.verify_batch(context, "f", 0)
    assert facts == {"pairs": 0, "factual": 2, "replies": {}, "exact": {"correct": 1, "incorrect": 1}, "executed": {}}
    [(pair_id, shown)] = gold._checks(context, set(kinds), 0).items()
    assert pair_id == known.pair_id
    right = "second" if known.label == "second" else "first"
    assert shown[right] == [
        {"model": "exact-answer", "outcome": "correct", "reason": "Its final answer '2' is the known answer '2'."}
    ]


def test_the_step_is_there_when_anything_is_checked() -> None:
    def has_step(*overrides: str) -> bool:
        return any(step.name == "verify_0" for step in plan(load_config(overrides=list(overrides))))

    assert [has_step(), has_step("verify.answer_field='answer'"), has_step("verify.max_pairs=1")] == [False, True, True]
