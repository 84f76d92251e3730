"""The feature script: several read-outs in one pass, no text in its output, and a killed call continues."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[3] / "benchmarks"))

import curation_features
from curation_parts import data
from goldsmith.reward.features import FeatureStore
from goldsmith.reward.tiny import write_tiny_model


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    rows = [
        {
            "id": f"r{number}", "prompt": [{"role": "user", "content": f"Secret question {number // 3}?"}], "chosen": f"long answer {number}",
            "rejected": f"no {number}", "meta": {"chosen_model": f"m{number % 4}", "rejected_model": "base", "logit_gap": 4.0},
        }
        for number in range(12)
    ]  # fmt: skip
    (tmp_path / "pool.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    tiny = write_tiny_model(tmp_path / "tiny", seed=3)
    vectors = lambda self, texts: SimpleNamespace(vectors=np.ones((len(texts), 4), dtype=np.float32))
    monkeypatch.setattr("goldsmith.retrieve.embed.Embedder.embed", vectors)
    monkeypatch.setattr(curation_features, "PART", 4)
    out = tmp_path / "out"
    arguments = [
        "x",
        "--out",
        str(out),
        "--source",
        str(tmp_path / "pool.jsonl"),
        "--base",
        str(tiny),
        "--pairs",
        "10",
        "--per-prompt",
        "2",
    ]
    monkeypatch.setattr(sys, "argv", arguments)
    return out


def test_pairs_are_read_back_with_both_read_outs_and_hold_no_text(folder: Path) -> None:
    assert curation_features.main() == 0
    # Four prompts, two pairs of each.
    for readout, width in (("last", 32), ("layers", 64)):
        found = data.read(folder, readout)
        assert found.replies.first.shape == found.replies.second.shape == (8, width)
    assert len(set(found.replies.prompts)) == 4
    assert set(found.truth.tolist()) == {True, False}
    # Where the longer reply is first, it is the chosen one here.
    assert ((found.replies.length > 0) == found.truth).all()
    assert "Secret" not in (folder / "pairs.jsonl").read_text()


def test_a_killed_call_continues(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = FeatureStore.features, [0]

    def killed(self: FeatureStore, *args: Any, **more: Any) -> Any:
        calls[0] += 1
        if calls[0] == 3:
            raise KeyboardInterrupt
        return real(self, *args, **more)

    monkeypatch.setattr(FeatureStore, "features", killed)
    with pytest.raises(KeyboardInterrupt):
        curation_features.main()
    assert [path.name for path in folder.glob("features-*")] == ["features-0000.npz"]
    with pytest.raises(SystemExit, match="no finished features"):
        data.read(folder, "last")
    first = (folder / "features-0000.npz").stat().st_mtime_ns
    assert curation_features.main() == 0
    assert (folder / "features-0000.npz").stat().st_mtime_ns == first
    assert len(data.read(folder, "last").truth) == 8


def test_other_settings_in_the_same_folder_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    curation_features.main()
    monkeypatch.setattr(sys, "argv", [*sys.argv, "--max-length", "64"])
    with pytest.raises(SystemExit, match="was begun with"):
        curation_features.main()
