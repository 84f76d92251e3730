"""Checkpoints for other programs: their layout, and that what the parity report compared is what they say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from goldsmith.errors import UserError
from goldsmith.reward import RewardModel


def test_w8a8_has_the_layout_that_compressed_tensors_reads(qwen: Path, exported: dict[str, Path]) -> None:
    before, after = (load_file(folder / "model.safetensors") for folder in (qwen, exported["hf int8"]))
    linears = [name for name in before if name.endswith("_proj.weight")]
    assert len(linears) == 2 * 7
    for name in linears:
        assert after[name].dtype == torch.int8
        assert after[f"{name}_scale"].shape == (len(before[name]), 1)
        # The largest magnitude of each row is 127, and no weight is off by more than half a step.
        assert after[name].abs().amax(1).tolist() == [127] * len(before[name])
        step = after[f"{name}_scale"]
        assert ((after[name] * step - before[name]).abs() <= 0.5001 * step).all()
    assert set(after) == set(before) | {f"{name}_scale" for name in linears}
    assert after["score.weight"].dtype == torch.float32
    assert torch.equal(after["score.weight"], before["score.weight"])
    assert after["model.norm.weight"].dtype == torch.bfloat16


def test_its_configuration_names_scheme_and_head(exported: dict[str, Path]) -> None:
    found = json.loads((exported["hf int8"] / "config.json").read_text(encoding="utf-8"))["quantization_config"]
    group = found["config_groups"]["group_0"]
    assert (found["quant_method"], found["format"], found["ignore"]) == ("compressed-tensors", "int-quantized", ["score"])
    assert (group["targets"], group["weights"]["strategy"], group["weights"]["num_bits"]) == (["Linear"], "channel", 8)
    assert (group["input_activations"]["strategy"], group["input_activations"]["dynamic"]) == ("token", True)


def test_goldsmith_itself_does_not_serve_w8a8(exported: dict[str, Path]) -> None:
    with pytest.raises(UserError, match="is quantised"):
        RewardModel.load(exported["hf int8"])


def test_a_rounded_checkpoint_is_a_standard_one_with_its_head_whole(qwen: Path, exported: dict[str, Path]) -> None:
    after = load_file(exported["hf bf16"] / "model.safetensors")
    assert after["model.layers.0.mlp.up_proj.weight"].dtype == torch.bfloat16
    assert after["score.weight"].dtype == torch.float32
    told = json.loads((exported["hf bf16"] / "parity.json").read_text(encoding="utf-8"))
    turns = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Good day."}]
    rounded, whole = (RewardModel.load(folder, dtype="float32").score([turns])[0] for folder in (exported["hf bf16"], qwen))
    assert 0 < abs(rounded - whole) <= 5 * told["overall"]["largest"]
