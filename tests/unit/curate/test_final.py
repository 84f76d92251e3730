from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from goldsmith.config.train import TrainConfig
from goldsmith.curate import final


def _context(rows: list[dict], notes: list[str]) -> SimpleNamespace:
    table = SimpleNamespace(rows=lambda: rows)
    return SimpleNamespace(workspace=SimpleNamespace(table=lambda name: table), progress=SimpleNamespace(note=notes.append))


def _gold(split: str, count: int, label: str = "first") -> list[dict]:
    return [{"pair_id": f"{split}-{label}-{n}", "split": split, "label": label} for n in range(count)]


def test_the_temperature_is_fitted_on_gold_validation_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def margins(context, folder, settings, rows):
        seen.extend(row["pair_id"] for row in rows)
        return {row["pair_id"]: (1.0 if n % 4 else -1.0) for n, row in enumerate(rows)}

    monkeypatch.setattr(final, "_checkpoint_margins", margins)
    rows = _gold("train", 20) + _gold("validation", 12) + _gold("validation", 3, "tie") + _gold("audit", 20)
    facts = final._calibrate(_context(rows, []), tmp_path, TrainConfig())
    assert seen == [f"validation-first-{n}" for n in range(12)]
    assert facts["calibration_pairs"] == 12
    card = json.loads((tmp_path / "goldsmith.json").read_text())
    assert card["calibration"]["data"] == "gold validation"
    assert card["calibration"]["temperature"] == facts["temperature"]


def test_too_little_gold_leaves_a_model_uncalibrated(tmp_path: Path) -> None:
    assert final._calibrate(_context(_gold("validation", 9), []), tmp_path, TrainConfig()) == {}
    assert not (tmp_path / "goldsmith.json").exists()


def test_margins_that_tell_nothing_are_noted_and_stop_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notes: list[str] = []
    monkeypatch.setattr(
        final, "_checkpoint_margins", lambda context, folder, settings, rows: {row["pair_id"]: 0.0 for row in rows}
    )
    assert final._calibrate(_context(_gold("validation", 12), notes), tmp_path, TrainConfig()) == {}
    assert "win probabilities stay uncalibrated" in notes[0]
