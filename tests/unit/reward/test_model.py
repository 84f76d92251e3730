from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from goldsmith.errors import DataError, UserError
from goldsmith.reward import Reply, RewardModel
from goldsmith.reward.checkpoint import choose_dtype
from goldsmith.reward.tiny import write_tiny_model
from goldsmith.types import Pair

CONTEXT = [{"role": "user", "content": "What is 2+2?"}]
TEXTS = ["4", "It is four.", "I do not know, " * 8, "5", "It is five."]


def _turns(text: str, context=CONTEXT):
    return [*context, {"role": "assistant", "content": text}]


def _edit(folder: Path, name: str, **values) -> None:
    path = folder / name
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def _by_transformers(folder: Path, text: str) -> float:
    """The same reward from one unpadded sequence and the checkpoint's own class."""
    model = AutoModelForSequenceClassification.from_pretrained(str(folder), dtype=torch.float32).eval()
    ids = AutoTokenizer.from_pretrained(str(folder)).apply_chat_template(_turns(text), tokenize=True, return_dict=False)
    with torch.inference_mode():
        return float(model(torch.tensor([ids])).logits[0, 0])


def test_scores_equal_the_checkpoints_own_class(tiny_rm: Path):
    scores = RewardModel.load(tiny_rm, dtype="float32").score([_turns(text) for text in TEXTS])
    assert scores == pytest.approx([_by_transformers(tiny_rm, text) for text in TEXTS], abs=1e-5)
    assert max(scores) - min(scores) > 0.01


def test_neighbours_order_and_batch_size_do_not_move_a_score(tiny_rm: Path):
    large, small = (RewardModel.load(tiny_rm, dtype="float32", token_budget=budget) for budget in (4096, 64))
    other = [{"role": "user", "content": "A much longer question about something else entirely?"}]
    alone = [large.score([_turns(text)])[0] for text in TEXTS]
    together = large.score([_turns(text) for text in TEXTS] + [_turns("yes", other)])[:5]
    backwards = small.score([_turns("no", other)] + [_turns(text) for text in TEXTS[::-1]])[:0:-1]
    assert together == pytest.approx(alone, abs=1e-5)
    assert backwards == pytest.approx(alone, abs=1e-5)


def test_pairs_score_first_and_second(tiny_rm: Path):
    model = RewardModel.load(tiny_rm)
    pair = Pair.from_replies(CONTEXT, "It is five.", "4")
    assert (pair.first, pair.second) == ("4", "It is five.")
    assert model.score_pairs([pair])[0] == pytest.approx(tuple(model.score([_turns("4"), _turns("It is five.")])), abs=1e-6)


def test_progress_counts_distinct_conversations(tiny_rm: Path):
    seen = []
    RewardModel.load(tiny_rm).score([_turns("4"), _turns("5"), _turns("4")], progress=lambda *counts: seen.append(counts[:2]))
    assert seen == [(2, 2)]


def test_a_causal_model_is_no_reward_model(tiny: Path):
    with pytest.raises(UserError, match=r"no sequence classifier with one label.*goldsmith train"):
        RewardModel.load(tiny)


def test_two_labels_are_refused(tmp_path: Path):
    with pytest.raises(UserError, match=r"no sequence classifier with one label \(it has 2\)"):
        RewardModel.load(write_tiny_model(tmp_path, seed=0, num_labels=2))


def test_a_lost_head_is_noticed(tiny_rm: Path, tmp_path: Path):
    folder = shutil.copytree(tiny_rm, tmp_path / "headless")
    weights = load_file(folder / "model.safetensors")
    del weights["score.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"weights are missing .*score\.weight"):
        RewardModel.load(folder)


def test_missing_and_broken_files(tiny_rm: Path, tmp_path: Path):
    with pytest.raises(UserError, match="no such folder"):
        RewardModel.load(tmp_path / "nowhere" / "at" / "all")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"no config\.json"):
        RewardModel.load(tmp_path / "empty")
    folder = shutil.copytree(tiny_rm, tmp_path / "broken")
    (folder / "model.safetensors").write_bytes(b"torn")
    with pytest.raises(UserError, match="cannot be loaded"):
        RewardModel.load(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(UserError, match="weights are missing"):
        RewardModel.load(folder)


def test_a_pad_that_two_files_name_differently_is_refused(tiny_rm: Path, tmp_path: Path):
    folder = shutil.copytree(tiny_rm, tmp_path / "pad")
    _edit(folder, "config.json", pad_token_id=2)
    with pytest.raises(UserError, match="set pad_token_id to 0"):
        RewardModel.load(folder)


def test_as_published_pools_where_the_authors_did_and_is_another_model(tiny_rm: Path, tmp_path: Path):
    # With the end-of-turn token as padding and a template that ends in it, transformers reads the token before.
    folder = shutil.copytree(tiny_rm, tmp_path / "published")
    template = (folder / "chat_template.jinja").read_text()
    (folder / "chat_template.jinja").write_text(template.replace("'<|im_end|>\n' }}{% endfor %}", "'<|im_end|>' }}{% endfor %}"))
    _edit(folder, "config.json", pad_token_id=2)
    _edit(folder, "tokenizer_config.json", pad_token="<|im_end|>")
    with pytest.raises(UserError, match="--pooling as-published"):
        RewardModel.load(folder)
    model = RewardModel.load(folder, pooling="as-published", dtype="float32")
    assert model.score([_turns(text) for text in TEXTS]) == pytest.approx(
        [_by_transformers(folder, text) for text in TEXTS], abs=1e-5
    )
    assert model.pooling == "as-published"


def test_the_digest_names_weights_length_and_pooling(tiny_rm: Path, tmp_path: Path):
    model = RewardModel.load(tiny_rm)
    assert model.digest == RewardModel.load(shutil.copytree(tiny_rm, tmp_path / "copy")).digest
    assert model.digest != RewardModel.load(tiny_rm, max_length=64).digest


def test_a_reward_that_is_not_finite_is_an_error_with_its_row(tiny_rm: Path):
    model = RewardModel.load(tiny_rm)
    with torch.no_grad():
        model.classifier.score.weight.fill_(float("inf"))
    with pytest.raises(DataError, match=r"pair 9f: the reward is (nan|inf|-inf)"):
        model.score_replies([Reply(CONTEXT, "4", "pair 9f")])


def test_a_conversation_must_end_in_a_reply(tiny_rm: Path):
    with pytest.raises(DataError, match="conversation 0 does not end in an assistant turn"):
        RewardModel.load(tiny_rm).score([CONTEXT])


def test_bfloat16_is_chosen_only_where_it_is_native(monkeypatch):
    cpu = torch.device("cpu")
    for native, expected in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr("goldsmith.reward.checkpoint._cpu_multiplies_bfloat16", lambda native=native: native)
        assert choose_dtype("auto", cpu) == expected
    assert choose_dtype("bfloat16", cpu) == torch.bfloat16
