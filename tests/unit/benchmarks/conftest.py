"""Made-up data in the layout that the curation experiment reads, and a tiny model."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[3] / "benchmarks"))

import curation_features
from goldsmith.reward.tiny import write_tiny_model

MODELS = [f"m{number}" for number in range(24)]


@pytest.fixture
def features(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the feature script is about to write: its arguments, made-up data and a tiny model are in place."""
    rows = [
        {
            "id": f"r{number}", "prompt": [{"role": "user", "content": f"Secret question {number // 4}?"}], "chosen": f"long answer {number}",
            "rejected": f"no {number}",
            "meta": {"chosen_model": MODELS[number % 24], "rejected_model": MODELS[(number * 7 + 1) % 24], "logit_gap": 4.0},
        }
        for number in range(160)
    ]  # fmt: skip
    with gzip.open(tmp_path / "pool_alpacaeval.jsonl.gz", "wt") as stream:
        stream.write("".join(json.dumps(row) + "\n" for row in rows))
    tiny = write_tiny_model(tmp_path / "tiny", seed=3)
    vectors = lambda self, texts: SimpleNamespace(vectors=np.ones((len(texts), 4), dtype=np.float32))
    monkeypatch.setattr("goldsmith.retrieve.embed.Embedder.embed", vectors)
    monkeypatch.setenv("GOLDSMITH_DATA", str(tmp_path))
    for name, value in (("CHUNK", 16), ("DEPTH", 2), ("LAYERS", (1, 2))):
        monkeypatch.setattr(curation_features, name, value)
    out = tmp_path / "out"
    monkeypatch.setattr(sys, "argv", ["x", "--out", str(out), "--base", str(tiny), "--only", "pool", "--pairs", "20"])
    return out
