"""What would load and score wrongly is refused with the reason and the remedy."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from goldsmith.config.reward import RewardConfig
from goldsmith.errors import DataError, UserError
from goldsmith.reward import RewardModel
from goldsmith.reward.backbone import load_backbone


@pytest.fixture
def folder(tiny_rm: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_rm, tmp_path / "rm")


def _tensors(folder: Path, **changed) -> None:
    tensors = {**load_file(folder / "model.safetensors"), **changed}
    save_file(
        {name: value for name, value in tensors.items() if value is not None}, folder / "model.safetensors", {"format": "pt"}
    )


@pytest.mark.parametrize("num_labels", [2, 3, 19])
def test_several_labels(tmp_path: Path, write_family, num_labels):
    folder = write_family(tmp_path / "rm", "Llama", num_key_value_heads=2, num_labels=num_labels)
    with pytest.raises(UserError, match=rf"it has {num_labels}\): which of them.*goldsmith train"):
        RewardModel.load(folder)


def test_a_causal_model(tmp_path: Path, write_family):
    folder = write_family(tmp_path / "rm", "Llama", kind="ForCausalLM", num_key_value_heads=2)
    with pytest.raises(UserError, match=r"its architecture is LlamaForCausalLM\); train a head"):
        RewardModel.load(folder)


@pytest.mark.parametrize("family", ["Bert", "Roberta"])
def test_encoders(tmp_path: Path, write_family, family):
    folder = write_family(tmp_path / "rm", family)
    with pytest.raises(UserError, match=r"no linear head `score` of one output on a decoder.*encoders pool elsewhere"):
        RewardModel.load(folder)


def test_quantised_weights(folder: Path, edit):
    edit(folder / "config.json", quantization_config={"quant_method": "gptq", "bits": 4})
    for load in (RewardModel.load, lambda path: load_backbone(RewardConfig(base=str(path)))):
        with pytest.raises(UserError, match=r"is quantised \(gptq\).*use the original weights"):
            load(folder)


def test_code_from_the_checkpoint_is_never_run(folder: Path, edit):
    edit(folder / "config.json", auto_map={"AutoModelForSequenceClassification": "modeling_own.OwnForSequenceClassification"})
    (folder / "modeling_own.py").write_text("raise SystemExit('code of the checkpoint ran')")
    for load in (RewardModel.load, lambda path: load_backbone(RewardConfig(base=str(path)))):
        with pytest.raises(UserError, match=r"needs code that comes with the checkpoint \(modeling_own"):
            load(folder)


def test_weights_of_another_shape(folder: Path):
    _tensors(folder, **{"score.weight": torch.ones(1, 31)})
    with pytest.raises(UserError, match=r"have another shape \((score|model.layers.0.mlp.up_proj)\.weight"):
        RewardModel.load(folder)


def test_a_decoder_layer_of_another_shape(folder: Path):
    _tensors(folder, **{"model.layers.0.mlp.up_proj.weight": torch.ones(64, 31)})
    with pytest.raises(UserError, match=r"have another shape \((score|model.layers.0.mlp.up_proj)\.weight"):
        RewardModel.load(folder)


def test_a_bias_that_the_class_would_drop(folder: Path):
    _tensors(folder, **{"score.bias": torch.ones(1)})
    with pytest.raises(UserError, match=r"score\.bias\); bring it into the standard format with `goldsmith models convert"):
        RewardModel.load(folder)


def test_left_over_language_head_is_harmless(folder: Path, tiny_rm: Path):
    _tensors(folder, **{"lm_head.weight": torch.ones(259, 32)})
    turns = [[{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]]
    assert RewardModel.load(folder).score(turns) == RewardModel.load(tiny_rm).score(turns)


def test_an_architecture_that_the_model_type_contradicts(folder: Path, edit):
    edit(folder / "config.json", architectures=["Qwen3ForSequenceClassification"])
    with pytest.raises(
        UserError, match="names Qwen3ForSequenceClassification, and its model_type gives LlamaForSequenceClassification"
    ):
        RewardModel.load(folder)


def test_an_adapter_alone(tmp_path: Path):
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(UserError, match=r"an adapter alone.*merge_and_unload"):
        RewardModel.load(tmp_path)


@pytest.mark.parametrize(
    ("card", "told"),
    [
        ([], "expected a JSON object, found a list"),
        ({"pooling": "mean"}, "pooling is 'mean'; it must be one of last, as-published"),
        ({"max_length": "long"}, "max_length is 'long'"),
        ({"head_bias": "much"}, "head_bias is 'much'"),
    ],
)
def test_a_card_that_cannot_be(folder: Path, card, told):
    (folder / "goldsmith.json").write_text(json.dumps(card))
    with pytest.raises(UserError, match=told):
        RewardModel.load(folder)


def test_a_hub_id_without_a_hub_says_so(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(
        UserError, match=r"'Skywork/Skywork-Reward-V2-Qwen3-0.6B': there is no such folder, and the hub does not give it"
    ):
        RewardModel.load("Skywork/Skywork-Reward-V2-Qwen3-0.6B")


def _with_extra_token(folder: Path) -> None:
    """Add a token to the vocabulary that the embedding lacks."""
    raw = json.loads((folder / "tokenizer.json").read_text())
    raw["added_tokens"].append({**raw["added_tokens"][0], "id": 259, "content": "<extra>"})
    (folder / "tokenizer.json").write_text(json.dumps(raw))


def test_a_pad_token_without_an_embedding(folder: Path, edit):
    _with_extra_token(folder)
    edit(folder / "tokenizer_config.json", pad_token="<extra>")
    edit(folder / "config.json", pad_token_id=259)
    with pytest.raises(UserError, match=r"pad_token_id 259 has no embedding \(vocab_size 259\)"):
        RewardModel.load(folder)


def test_a_text_with_a_token_without_an_embedding(folder: Path):
    _with_extra_token(folder)
    model = RewardModel.load(folder)
    with pytest.raises(DataError, match="reply 1: its tokenizer gives token 259, and the model has embeddings for 259"):
        model.score_replies([{"role": "user", "content": "hi"}], ["hello", "<extra>"])


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"hidden_size": "x"}, "the weights cannot be loaded .*fetch or train the model again"),
        ({"id2label": ["A"]}, "the weights cannot be loaded .*fetch or train the model again"),
        ({"_attn_implementation": "flash_attention_2"}, "FlashAttention2.*take `attn_implementation`.*out of config.json"),
    ],
)
def test_a_configuration_that_cannot_be_is_no_bug_of_ours(folder: Path, edit, value, told):
    edit(folder / "config.json", **value)
    with pytest.raises(UserError, match=f"(?s){told}"):
        RewardModel.load(folder)


def test_a_pickle_is_not_read_where_the_safetensors_have_another_name(folder: Path):
    tensors = load_file(folder / "model.safetensors")
    torch.save(tensors, folder / "pytorch_model.bin")
    (folder / "model.safetensors").rename(folder / "weights.safetensors")
    for load in (RewardModel.load, lambda path: load_backbone(RewardConfig(base=str(path))).trunk):
        with pytest.raises(UserError, match=r"no file named model\.safetensors"):
            load(folder)


@pytest.mark.parametrize(
    ("index", "told"),
    [
        (
            '{"weight_map": {"score.weight": "../elsewhere/part.safetensors"}}',
            "names the weights '../elsewhere/part.safetensors'",
        ),
        ('{"weight_map": {"score.weight": "lost.safetensors"}}', "which are not in this folder"),
        ("{", "is no index of weights"),
        ("[]", "is no index of weights"),
        ('{"weight_map": ["x"]}', "is no index of weights"),
    ],
)
def test_an_index_names_only_what_is_in_its_folder(folder: Path, index: str, told: str):
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(folder / "model.safetensors", elsewhere / "part.safetensors")
    (folder / "model.safetensors").rename(folder / "part.safetensors")
    (folder / "model.safetensors.index.json").write_text(index)
    with pytest.raises(UserError, match=told):
        RewardModel.load(folder)
