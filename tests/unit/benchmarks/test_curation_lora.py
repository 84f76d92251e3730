"""The curation experiment with adapters: what an arm decides is what is learnt, and a second call trains nothing."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[3] / "benchmarks"))

import curation_features
import curation_lora
from curation_parts import data
from curation_parts.outcomes import decoded


@pytest.fixture
def work(features: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    curation_features.main()
    given = {"features": features, "work": tmp_path / "work", "base": tmp_path / "tiny", "layers": 1, "pool": 20, "tests": 5}
    told = [part for name, value in given.items() for part in (f"--{name}", str(value))]
    monkeypatch.setattr(
        sys, "argv", ["x", *told, "--readout", "1", "2", "--budget", "0.5", "--arms", "clean", "raw", "gold only"]
    )
    return tmp_path / "work"


def test_arms_are_trained_once_and_stand_beside_their_heads(
    work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert curation_lora.main() == 0
    (results,) = work.glob("*/results.jsonl")
    rows = [json.loads(line) for line in results.read_text().splitlines()]
    assert [(row["arm"], row["pairs"]) for row in rows] == [("clean", 20), ("raw", 20), ("gold only", 10)]
    assert {len(decoded(row[way])) for row in rows for way in ("head", "lora")} == {5}
    (base,) = work.glob("base-*-1")
    assert json.loads((base / "config.json").read_text())["num_hidden_layers"] == 1
    shown = capsys.readouterr().out
    assert "| gold only | 10 |" in shown
    monkeypatch.setattr(curation_lora, "learn", lambda *_: pytest.fail("trained again"))
    assert curation_lora.main() == 0
    # Other settings are other results.
    monkeypatch.setattr(sys, "argv", [*sys.argv, "--epochs", "2"])
    with pytest.raises(pytest.fail.Exception, match="trained again"):
        curation_lora.main()


def test_the_probability_goes_with_the_reply_it_speaks_of(work: Path, features: Path, tmp_path: Path) -> None:
    found = data.read(features, ("1",))
    places = [place for place, group in enumerate(found.group) if group == "pool"]
    # The fixture's better replies are the long ones, and nothing is cut here.
    texts = curation_lora.Texts(found, tmp_path / "tiny", 512)
    truth = [0.9 if found.truth[place] else 0.1 for place in places]
    for pair, p in texts.pairs(places, truth):
        assert p == pytest.approx(0.9 if str(pair.first).startswith("long") else 0.1)
        assert str(pair.chosen).startswith("long")


def test_replies_are_cut_behind_their_tokens(work: Path, features: Path, tmp_path: Path) -> None:
    found = data.read(features, ("1",))
    texts = curation_lora.Texts(found, tmp_path / "tiny", 2)
    ((pair, _),) = texts.pairs([0], [1.0])
    whole, _ = next(iter(curation_lora.Texts(found, tmp_path / "tiny", 512).pairs([0], [1.0])))
    assert len(str(pair.chosen)) < len(str(whole.chosen))
