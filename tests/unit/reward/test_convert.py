"""Value heads of other programs become standard checkpoints: the expected scores are head . hidden state, worked out here."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer

from goldsmith.errors import UserError
from goldsmith.reward import RewardModel
from goldsmith.reward.convert import convert_model
from goldsmith.reward.tiny import write_tiny_model

CONTEXT = [{"role": "user", "content": "What is 2+2?"}]
TEXTS = ["4", "It is four.", "I do not know."]
HIDDEN = 32


@pytest.fixture
def head() -> tuple[torch.Tensor, torch.Tensor]:
    """Weight [1, D] and bias [1] of a value head."""
    generator = torch.Generator().manual_seed(5)
    return torch.randn(1, HIDDEN, generator=generator), torch.tensor([0.75])


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A causal model, to which a test adds a head in one of the formats."""
    return write_tiny_model(tmp_path / "source", seed=11)


def _tensors(folder: Path, change) -> None:
    tensors = change(load_file(folder / "model.safetensors"))
    save_file(
        {name: value.contiguous() for name, value in tensors.items()}, folder / "model.safetensors", metadata={"format": "pt"}
    )


def _edit(path: Path, **values) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def _expected(trunk_folder: Path, weight: torch.Tensor, bias: float) -> list[float]:
    """weight . (last hidden state at the last token) + bias, from single unpadded sequences."""
    trunk = AutoModel.from_pretrained(str(trunk_folder), dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(str(trunk_folder))
    scores = []
    for text in TEXTS:
        turns = [*CONTEXT, {"role": "assistant", "content": text}]
        ids = tokenizer.apply_chat_template(turns, tokenize=True, return_dict=False)
        with torch.inference_mode():
            scores.append(float(trunk(torch.tensor([ids])).last_hidden_state[0, -1] @ weight[0] + bias))
    return scores


def _in_model_file(folder, weight, bias):  # TRL
    _tensors(folder, lambda tensors: {**tensors, "v_head.summary.weight": weight, "v_head.summary.bias": bias})


def _in_own_file(folder, weight, bias):  # LLaMA-Factory, ms-swift
    save_file({"v_head.summary.weight": weight, "v_head.summary.bias": bias}, folder / "value_head.safetensors")


def _bare_own_file(folder, weight, bias):
    save_file({"summary.weight": weight, "summary.bias": bias}, folder / "value_head.safetensors")


def _wrapped(folder, weight, bias):  # sharded training that saved the wrapper's names
    _tensors(
        folder,
        lambda tensors: {
            **{f"pretrained_model.{name}": value for name, value in tensors.items()},
            "v_head.summary.weight": weight,
            "v_head.summary.bias": bias,
        },
    )


def _doubly_wrapped(folder, weight, bias):
    _tensors(
        folder,
        lambda tensors: {
            **{f"module.base_model.model.model.{name}": value for name, value in tensors.items() if name.startswith("model.")},
            "module.base_model.model.value_head.weight": weight,
            "module.base_model.model.value_head.bias": bias,
        },
    )


def _peft_copies(folder, weight, bias):  # the head before training stays beside the trained one
    _tensors(
        folder,
        lambda tensors: {
            **{f"base_model.model.{name}": value for name, value in tensors.items()},
            "base_model.model.score.original_module.weight": torch.zeros_like(weight),
            "base_model.model.score.modules_to_save.default.weight": weight,
            "base_model.model.score.modules_to_save.default.bias": bias,
        },
    )


@pytest.mark.parametrize("write", [_in_model_file, _in_own_file, _bare_own_file, _wrapped, _doubly_wrapped, _peft_copies])
def test_export_drops_value_head(source: Path, tmp_path: Path, head, write):
    weight, bias = head
    trunk = shutil.copytree(source, tmp_path / "trunk")
    write(source, weight, bias)
    with pytest.raises(UserError, match="goldsmith models convert"):
        RewardModel.load(source)
    result = convert_model(source, tmp_path / "out")
    model = RewardModel.load(tmp_path / "out", dtype="float32")
    assert model.score_replies(CONTEXT, TEXTS) == pytest.approx(_expected(trunk, weight, 0.75), abs=1e-5)
    assert result["head_bias"] == 0.75
    # To other programs the bias is a constant that is not there.
    plain = AutoModelForSequenceClassification.from_pretrained(str(tmp_path / "out"), dtype=torch.float32).eval()
    assert plain.score.weight.tolist() == weight.tolist()


def test_openrlhf_normalisation_is_kept(source: Path, tmp_path: Path, head):
    weight, _ = head
    trunk = shutil.copytree(source, tmp_path / "trunk")
    _tensors(source, lambda tensors: {**{k: v for k, v in tensors.items() if "lm_head" not in k}, "value_head.weight": weight})
    _edit(source / "config.json", architectures=["RewardModel"], normalize_reward=True, mean=1.5, std=2.0)
    convert_model(source, tmp_path / "out")
    scores = RewardModel.load(tmp_path / "out", dtype="float32").score_replies(CONTEXT, TEXTS)
    assert scores == pytest.approx([(raw - 1.5) / 2.0 for raw in _expected(trunk, weight, 0.0)], abs=1e-5)


def test_bfloat16_stays_and_the_head_is_float32(source: Path, tmp_path: Path, head):
    weight, bias = head
    _tensors(source, lambda tensors: {name: value.bfloat16() for name, value in tensors.items()})
    trunk = shutil.copytree(source, tmp_path / "trunk")
    _in_own_file(source, weight, bias)
    convert_model(source, tmp_path / "out")
    saved = load_file(tmp_path / "out" / "model.safetensors")
    assert {str(value.dtype) for name, value in saved.items() if name != "score.weight"} == {"torch.bfloat16"}
    assert torch.equal(saved["score.weight"], weight)
    scores = RewardModel.load(tmp_path / "out", dtype="float32").score_replies(CONTEXT, TEXTS)
    assert scores == pytest.approx(_expected(trunk, weight, 0.75), abs=1e-5)


def test_tied_embeddings_that_only_the_language_head_holds(tmp_path: Path, head):
    weight, bias = head
    source = write_tiny_model(tmp_path / "source", seed=11)
    _edit(source / "config.json", tie_word_embeddings=True)
    trunk = shutil.copytree(source, tmp_path / "trunk")
    _tensors(
        source,
        lambda tensors: {
            **{name: value for name, value in tensors.items() if name not in ("model.embed_tokens.weight", "lm_head.weight")},
            "lm_head.weight": tensors["model.embed_tokens.weight"],
            "v_head.summary.weight": weight,
            "v_head.summary.bias": bias,
        },
    )
    convert_model(source, tmp_path / "out")
    scores = RewardModel.load(tmp_path / "out", dtype="float32").score_replies(CONTEXT, TEXTS)
    assert scores == pytest.approx(_expected(trunk, weight, 0.75), abs=1e-5)


def test_a_pad_that_the_template_emits_is_replaced(source: Path, tmp_path: Path, head):
    _in_own_file(source, *head)
    _edit(source / "tokenizer_config.json", pad_token="<|im_end|>")
    assert convert_model(source, tmp_path / "out")["pad_token"] == "<pad>"
    with pytest.raises(
        UserError,
        match=r"--pad-token '<\|im_end\|>' is no special token of it, or its chat template emits it; free ones: '<pad>'",
    ):
        convert_model(source, tmp_path / "other", pad_token="<|im_end|>")


@pytest.mark.parametrize(
    ("tensors", "told"),
    [
        ({}, "has no head"),
        ({"v_head.summary.weight": torch.ones(1, HIDDEN), "score.weight": torch.ones(1, HIDDEN)}, "has 2 heads"),
        ({"score.weight": torch.ones(3, HIDDEN)}, r"shape \[3, 32\], expected one output"),
        ({"v_head.0.weight": torch.ones(8, HIDDEN), "v_head.2.weight": torch.ones(1, 8)}, "not one linear layer"),
        ({"v_head.summary.weight": torch.ones(1, HIDDEN // 2)}, "the head is 16 wide and the decoder 32"),
        ({"v_head.summary.weight": torch.full((1, HIDDEN), float("nan"))}, "not finite"),
        ({"v_head.summary.weight": torch.zeros(1, HIDDEN)}, "all zeros"),
        ({"v_head.summary.weight": torch.ones(1, HIDDEN), "vision.weight": torch.ones(2)}, r"has vision\.weight beside"),
        (
            {"v_head.summary.weight": torch.ones(1, HIDDEN), "model.layers.0.mlp.up_proj.lora_A.weight": torch.ones(2)},
            "adapters that are not merged",
        ),
    ],
)
def test_what_is_not_one_linear_head_on_a_whole_decoder_is_refused(source: Path, tmp_path: Path, tensors, told):
    _tensors(source, lambda found: {**found, **tensors})
    with pytest.raises(Exception, match=told) as caught:
        convert_model(source, tmp_path / "out")
    assert type(caught.value).__module__ == "goldsmith.errors"
    assert not (tmp_path / "out").exists()


def test_missing_weights_are_refused(source: Path, tmp_path: Path, head):
    _in_own_file(source, *head)
    _tensors(source, lambda tensors: {name: value for name, value in tensors.items() if "layers.1." not in name})
    with pytest.raises(UserError, match=r"it lacks model\.layers\.1"):
        convert_model(source, tmp_path / "out")


def test_pickles_are_never_read(source: Path, tmp_path: Path):
    (source / "value_head.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(UserError, match=r"value_head\.bin, a pickle, which can run code.*save_file"):
        convert_model(source, tmp_path / "out")
    (source / "model.safetensors").rename(source / "pytorch_model.bin")
    with pytest.raises(UserError, match=r"pytorch_model\.bin is a pickle.*safe_serialization"):
        convert_model(source, tmp_path / "out")


def test_nothing_is_overwritten(source: Path, tmp_path: Path, head):
    _in_own_file(source, *head)
    convert_model(source, tmp_path / "out")
    with pytest.raises(UserError, match="holds something already"):
        convert_model(source, tmp_path / "out")
