"""Silver labels by judges: decided ones are theirs, undecided ones go, and what no judge knows stays as it came."""

from types import SimpleNamespace
from typing import Any

import pytest

from goldsmith.config import load_config
from goldsmith.curate import judging
from goldsmith.curate.judging import Judged, label_by_judges
from goldsmith.errors import UserError


def row(name: str, label: str = "second") -> dict[str, Any]:
    return {"pair_id": name, "label": label, "label_origin": "likes"}


def test_every_row_has_one_fate(monkeypatch: pytest.MonkeyPatch) -> None:
    said = Judged(
        choices={"turned": "first", "kept": "second"}, with_verdicts=frozenset({"turned", "kept", "torn"}), replies={"total": 3}
    )
    asked: list[str] = []

    def judge_rows(context: Any, fingerprint: str, rows: list[dict[str, Any]], stage: str, limit: int) -> Judged:
        asked.extend(item["pair_id"] for item in rows)
        return said

    monkeypatch.setattr(judging, "judge_rows", judge_rows)
    monkeypatch.setattr(judging, "used_judges", lambda context: ["m"])
    context = SimpleNamespace(config=load_config(overrides=["judge.max_pairs_per_round=4"]))
    rows = [row("turned"), row("tie", "tie"), row("kept"), row("torn"), row("unknown-to-it"), row("beyond-the-limit")]
    labels, dropped, replies = label_by_judges(context, "f", rows, 0)  # type: ignore[arg-type]
    assert asked == ["turned", "kept", "torn", "unknown-to-it"]
    assert labels == {
        "turned": ("first", "llm"),
        "kept": ("second", "llm"),
        "unknown-to-it": ("second", "likes"),
        "beyond-the-limit": ("second", "likes"),
    }
    assert dropped == {"tie": 1, "judges-undecided": 1}
    assert len(rows) == len(labels) + sum(dropped.values())
    assert replies == {"total": 3}


def test_a_checker_that_is_no_endpoint_is_refused() -> None:
    with pytest.raises(UserError, match=r"verify\.models names 'x'.*known: smollm2-135m"):
        load_config(overrides=['verify.models=["x"]'])
