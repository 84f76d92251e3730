"""Ways in which reward models of other programs lose points, one test each: none of them can happen here.

The references are transformers' own class on one unpadded sequence, or on a batch padded as the test says.
"""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from goldsmith.errors import UserError
from goldsmith.reward import RewardModel
from goldsmith.reward.tiny import write_tiny_model

CONTEXT = [{"role": "user", "content": "What is 2+2?"}]
OTHER = [
    {"role": "user", "content": "hi"},
    {"role": "assistant", "content": "hello"},
    {"role": "user", "content": "A longer question?"},
]
TEXTS = ["4", "It is four.", "I do not know, " * 8, "5", "It is five.", "<|im_end|>", "four<|im_end|>"]


def _turns(text: str, context=CONTEXT):
    return [*context, {"role": "assistant", "content": text}]


def _ids(folder: Path, text: str, context=CONTEXT) -> list[int]:
    return AutoTokenizer.from_pretrained(str(folder)).apply_chat_template(_turns(text, context), tokenize=True, return_dict=False)


def _own_class(folder: Path, **options):
    return AutoModelForSequenceClassification.from_pretrained(str(folder), dtype=torch.float32, **options).eval()


def _alone(folder: Path, texts=TEXTS, context=CONTEXT, **options) -> list[float]:
    model = _own_class(folder, **options)
    with torch.inference_mode():
        return [float(model(torch.tensor([_ids(folder, text, context)])).logits[0, 0]) for text in texts]


def _close(found, expected) -> bool:
    return all(abs(one - other) <= 1e-5 * max(1.0, abs(other)) for one, other in zip(found, expected, strict=True))


@pytest.fixture(params=["newline after the end token", "ends in the end token"])
def folder(request, tiny_rm: Path, tmp_path: Path, ends_in_end_token) -> Path:
    return tiny_rm if request.param.startswith("newline") else ends_in_end_token(tiny_rm, tmp_path / "ends")


def test_reward_read_at_a_pad_when_pad_token_is_none(tiny_rm: Path, tmp_path: Path, edit):
    none = shutil.copytree(tiny_rm, tmp_path / "none")
    edit(none / "tokenizer_config.json", pad_token=None)
    edit(none / "config.json", pad_token_id=None)
    with pytest.raises(UserError, match=r"no pad token; set another one, for example '<pad>'"):
        RewardModel.load(none)
    # The same model with padding named gives the reward of the last token, whatever stands beside it.
    scores = RewardModel.load(tiny_rm, dtype="float32").score([_turns(text) for text in TEXTS])
    assert _close(scores, _alone(tiny_rm))


def test_eos_as_pad_reads_one_token_too_early(tiny_rm: Path, tmp_path: Path, edit, ends_in_end_token):
    published = ends_in_end_token(tiny_rm, tmp_path / "published")
    last = RewardModel.load(published, dtype="float32").score([_turns(text) for text in TEXTS])
    edit(published / "config.json", pad_token_id=2)
    edit(published / "tokenizer_config.json", pad_token="<|im_end|>")
    with pytest.raises(UserError, match="its chat template emits"):
        RewardModel.load(published)
    model = RewardModel.load(published, dtype="float32", pooling="as-published")
    scores = model.score([_turns(text) for text in TEXTS])
    assert _close(scores, _alone(published))
    assert not _close(scores, last)
    assert model.facts()["pooling"] == "as-published"


@pytest.mark.parametrize("side", ["left", "right"])
def test_left_and_right_padding_give_other_scores(folder: Path, side: str):
    tokenizer = AutoTokenizer.from_pretrained(str(folder))
    tokenizer.padding_side = side
    batch = tokenizer.apply_chat_template(
        [_turns(text) for text in TEXTS], tokenize=True, padding=True, return_dict=True, return_tensors="pt"
    )
    with torch.inference_mode():
        padded = _own_class(folder)(**batch).logits[:, 0].tolist()
    assert _close(RewardModel.load(folder, dtype="float32").score([_turns(text) for text in TEXTS]), padded)


@pytest.mark.parametrize("family", ["llama", "qwen3"])
@pytest.mark.parametrize("token_budget", [64, 300, 4096])
def test_score_moves_with_batch_size_order_or_neighbours(tmp_path: Path, family, token_budget):
    folder = write_tiny_model(tmp_path / family, seed=4, family=family, num_labels=1)
    contexts = (CONTEXT, OTHER)
    expected = {
        (text, which): score
        for which in (0, 1)
        for text, score in zip(TEXTS, _alone(folder, context=contexts[which]), strict=True)
    }
    model = RewardModel.load(folder, dtype="float32", token_budget=token_budget)
    rows = [(text, which) for text in TEXTS for which in (0, 1)] * 2
    for seed in range(3):
        random.Random(seed).shuffle(rows)
        scores = model.score([_turns(text, contexts[which]) for text, which in rows])
        assert _close(scores, [expected[row] for row in rows])


def test_doubled_bos_from_template_and_tokenizer(tiny_rm: Path, tmp_path: Path, adds_bos):
    folder = adds_bos(tiny_rm, tmp_path / "bos")
    assert AutoTokenizer.from_pretrained(str(folder))("x")["input_ids"][0] == 1
    model = RewardModel.load(folder, dtype="float32")
    assert _close(model.score([_turns(text) for text in TEXTS]), _alone(tiny_rm))
    with torch.inference_mode():
        doubled = float(_own_class(folder)(torch.tensor([[1, *_ids(tiny_rm, "4")]])).logits[0, 0])
    assert abs(model.score([_turns("4")])[0] - doubled) > 1e-3


def test_default_attention_kernel_drops_soft_capping(tmp_path: Path, write_family):
    # A small cap, so that a kernel that ignores it is far off.
    folder = write_family(
        tmp_path / "gemma", "Gemma2", num_key_value_heads=2, head_dim=8, attn_logit_softcapping=0.5, query_pre_attn_scalar=8
    )
    model = RewardModel.load(folder, dtype="float32")
    assert _close(model.score([_turns(text) for text in TEXTS]), _alone(folder, attn_implementation="eager"))
    assert model.facts()["attention"] == "eager"
    uncapped = _own_class(folder, attn_implementation="eager")
    for layer in uncapped.model.layers:
        layer.self_attn.attn_logit_softcapping = None
    with torch.inference_mode():
        other = float(uncapped(torch.tensor([_ids(folder, "4")])).logits[0, 0])
    assert abs(model.score([_turns("4")])[0] - other) > 1e-3


def test_model_saved_without_its_new_head(tiny_rm: Path, tmp_path: Path):
    folder = shutil.copytree(tiny_rm, tmp_path / "headless")
    tensors = load_file(folder / "model.safetensors")
    del tensors["score.weight"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"weights are missing .*score\.weight.*would be random numbers"):
        RewardModel.load(folder)


@pytest.mark.parametrize("sharded", [False, True])
def test_head_of_an_earlier_training_in_the_same_folder(tiny_rm: Path, tmp_path: Path, sharded: bool):
    """A file that the library does not read lies beside the weights, with a head in it: its name sorts last, and it must not count."""
    folder = shutil.copytree(tiny_rm, tmp_path / "rm")
    if sharded:
        names = load_file(folder / "model.safetensors")
        (folder / "model.safetensors").rename(folder / "model-00001-of-00001.safetensors")
        index = {"metadata": {}, "weight_map": dict.fromkeys(names, "model-00001-of-00001.safetensors")}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    save_file({"score.weight": torch.ones(1, 32)}, folder / "previous.safetensors")
    assert _close(RewardModel.load(folder, dtype="float32").score([_turns(text) for text in TEXTS]), _alone(folder))


def test_generic_head_on_another_architecture(tiny_rm: Path, tmp_path: Path):
    """A mixture of heads, or any other weights that the class does not read, would score as something else."""
    folder = shutil.copytree(tiny_rm, tmp_path / "gated")
    tensors = {**load_file(folder / "model.safetensors"), "gating.weight": torch.ones(2, 2)}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"does not read \(gating\.weight\)"):
        RewardModel.load(folder)


def test_bfloat16_rounds_the_head(tiny_rm: Path):
    model = RewardModel.load(tiny_rm, dtype="bfloat16")
    assert model.trunk.dtype == torch.bfloat16
    assert torch.equal(model.classifier.score.weight, load_file(tiny_rm / "model.safetensors")["score.weight"])


@pytest.mark.parametrize("family", ["qwen3", "llama"])
def test_readme_example_of_a_published_model(tmp_path: Path, family, edit, adds_bos):
    """Tokenise the rendered text, take a leading BOS off as the tokenizer may add its own, read logits[0][0]."""
    folder = write_tiny_model(tmp_path / "plain", seed=6, family=family, num_labels=1)
    if family == "llama":
        folder = adds_bos(folder, tmp_path / "llama")
    else:
        edit(folder / "tokenizer_config.json", bos_token=None)
    tokenizer = AutoTokenizer.from_pretrained(str(folder))
    model = _own_class(folder, num_labels=1)
    for text in TEXTS:
        rendered = tokenizer.apply_chat_template(_turns(text), tokenize=False)
        if tokenizer.bos_token is not None and rendered.startswith(tokenizer.bos_token):
            rendered = rendered[len(tokenizer.bos_token) :]
        with torch.inference_mode():
            expected = model(**tokenizer(rendered, return_tensors="pt")).logits[0][0].item()
        assert RewardModel.load(folder, dtype="float32").score([_turns(text)])[0] == pytest.approx(expected, abs=1e-5)
