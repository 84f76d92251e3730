"""A checkpoint's own code runs for the digest that was allowed, and for no other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import transformers.dynamic_module_utils

from goldsmith.errors import UserError
from goldsmith.reward.model import RewardModel
from goldsmith.reward.remote_code import code_digest, trusts_code
from goldsmith.reward.tiny import write_tiny_model

TURNS = [{"role": "user", "content": "What is 2 + 2?"}, {"role": "assistant", "content": "4"}]
SOURCE = """
from transformers import LlamaForSequenceClassification


class {name}(LlamaForSequenceClassification):
    def forward(self, *given, **named):
        found = super().forward(*given, **named)
        found.logits = found.logits * {factor}
        return found
"""


@pytest.fixture(autouse=True)
def _own_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Transformers copies code to where it imports it from."""
    modules = tmp_path / "modules"
    modules.mkdir()
    monkeypatch.setattr(transformers.dynamic_module_utils, "HF_MODULES_CACHE", str(modules))
    monkeypatch.syspath_prepend(str(modules))


def _with_code(folder: Path, name: str, factor: int = 1) -> Path:
    write_tiny_model(folder, seed=4, num_labels=1)
    (folder / "modeling_own.py").write_text(SOURCE.format(name=name, factor=factor))
    config = json.loads((folder / "config.json").read_text())
    config |= {"architectures": [name], "auto_map": {"AutoModelForSequenceClassification": f"modeling_own.{name}"}}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_code_runs_for_its_own_digest_alone(tmp_path: Path) -> None:
    folder = _with_code(tmp_path / "own", "OwnForSequenceClassification")
    digest = code_digest(folder)
    with pytest.raises(UserError, match=f"--remote-code {digest}"):
        RewardModel.load(folder, dtype="float32")
    with pytest.raises(UserError, match="the code that was allowed is another one"):
        RewardModel.load(folder, dtype="float32", remote_code=["0" * 64])
    plain = RewardModel.load(write_tiny_model(tmp_path / "plain", seed=4, num_labels=1), dtype="float32")
    found = RewardModel.load(folder, dtype="float32", remote_code=["0" * 64, digest])
    assert type(found.classifier).__name__ == "OwnForSequenceClassification"
    assert found.score([TURNS])[0] == pytest.approx(plain.score([TURNS])[0], abs=1e-5)
    (folder / "another.py").write_text("# a file that was not read when the digest was given")
    with pytest.raises(UserError, match="the code that was allowed is another one"):
        RewardModel.load(folder, dtype="float32", remote_code=[digest])


def test_a_class_that_computes_something_else_is_refused(tmp_path: Path) -> None:
    folder = _with_code(tmp_path / "doubled", "DoubledForSequenceClassification", factor=2)
    with pytest.raises(UserError, match="its own class gives"):
        RewardModel.load(folder, dtype="float32", remote_code=[code_digest(folder)])


def test_code_from_another_repository_is_refused_whatever_was_allowed(tmp_path: Path) -> None:
    config = {"auto_map": {"AutoModelForSequenceClassification": "somebody/else--modeling_own.Own"}}
    with pytest.raises(UserError, match="another repository"):
        trusts_code(tmp_path, config, [code_digest(tmp_path)])
    assert trusts_code(tmp_path, {}) is False
