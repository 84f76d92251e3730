"""Every recipe trains a tiny random model of its own class; the schedule and the batches are the recipe's."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from goldsmith.cli.main import run
from goldsmith.config import load_config
from goldsmith.config.recipe import STAGES, read_recipe, recipe_names
from goldsmith.config.reward import RewardConfig
from goldsmith.config.train import TrainConfig
from goldsmith.errors import UserError
from goldsmith.reward import Reply, RewardModel
from goldsmith.reward.backbone import load_backbone
from goldsmith.reward.checkpoint import load_tokenizer
from goldsmith.reward.head import Head
from goldsmith.reward.render import Renderer
from goldsmith.reward.tiny import write_tiny_model
from goldsmith.train import train_reward_model
from goldsmith.types import Pair

PAIRS, BATCH = 16, 4


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A tiny random chat model of each class in the family."""
    return {
        family: write_tiny_model(tmp_path_factory.mktemp(family), seed=5, family=family, num_layers=2)
        for family in ("llama", "qwen3")
    }


@pytest.fixture
def file(tmp_path):
    """Sixteen pairs of as many contexts, so that every batch is full."""
    rows = [{"prompt": f"Say {number}.", "chosen": f"{number}, please!", "rejected": str(number)} for number in range(PAIRS)]
    path = tmp_path / "pairs.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_trains_with_its_schedule_and_batches(name, stage, models, file, tmp_path, capsys):
    recipe = read_recipe(f"{name}/{stage}")
    base = models["qwen3" if name.startswith("qwen3") else "llama"]
    small = [f"train.batch_size={BATCH}", "reward.max_length=256", "reward.token_budget=256", "reward.pad_token=<pad>"]
    arguments = [
        "train",
        str(file),
        "--recipe",
        f"{name}/{stage}",
        "--base",
        str(base),
        "--out",
        str(tmp_path / "model"),
        "--json",
    ]
    assert run([*arguments, *(part for setting in small for part in ("--set", setting))]) == 0
    metrics = json.loads(capsys.readouterr().out)["metrics"]
    assert (metrics["steps"], metrics["num_pairs"], metrics["precision"]) == (4, PAIRS, "bf16-master32")
    rows = [json.loads(line) for line in (tmp_path / "model" / "metrics.jsonl").read_text().splitlines()]
    steps = [row for row in rows if "learning_rate" in row]
    assert [row["pairs"] for row in steps] == [BATCH] * 4  # 16 pairs, one epoch
    # Constant: the peak from the first step. Linear: one step of warm-up (3 % of 4 steps, rounded up) from 0, then down to 0.
    peak = recipe.settings["train"]["learning_rate"]
    shares = [1, 1, 1, 1] if stage == "final" else [0, 1, 2 / 3, 1 / 3]
    assert [row["learning_rate"] for row in steps] == pytest.approx([peak * share for share in shares])
    card = json.loads((tmp_path / "model" / "goldsmith.json").read_text())["train"]
    used = load_config(below=recipe.settings_for(1)).train.model_copy(update={"batch_size": BATCH}).model_dump(mode="json")
    assert {key: used[key] for key in card} == card


def test_one_process_has_nothing_to_shard():
    recipe = read_recipe("qwen3-0.6b")
    assert load_config(below=recipe.settings).train.sharding != "none"
    assert load_config(below=recipe.settings_for(1)).train.sharding == "none"
    assert load_config(below=recipe.settings_for(2)).train.sharding == load_config(below=recipe.settings).train.sharding


def test_a_pad_token_of_the_vocabulary_is_taken_and_another_refused(models):
    backbone = load_backbone(RewardConfig(base=str(models["llama"]), pad_token="!"))
    assert backbone.renderer.tokenizer.pad_token == "!"
    assert backbone.renderer.pad_id == backbone.renderer.tokenizer.convert_tokens_to_ids("!")
    with pytest.raises(UserError, match=r"reward.pad_token = '<none>': .* has no such token"):
        load_backbone(RewardConfig(base=str(models["llama"]), pad_token="<none>"))


def test_llama_without_a_pad_token_trains_as_its_recipe_sets_one(tmp_path, file):
    # Llama 3's tokenizer names no pad token: without the setting, training is refused.
    folder = write_tiny_model(tmp_path / "llama", seed=5, num_layers=1)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    config.pop("pad_token")
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match=r"no pad token.*`reward.pad_token`"):
        load_backbone(RewardConfig(base=str(folder)))
    arguments = ["train", str(file), "--base", str(folder), "--out", str(tmp_path / "model"), "--set", "train.method=head"]
    assert run([*arguments, "--set", "reward.pad_token=<pad>"]) == 0
    assert RewardModel.load(tmp_path / "model").renderer.tokenizer.pad_token == "<pad>"


def _padded_to(renderer: Renderer, length: int, replies: tuple[str, str]) -> Pair:
    """Return a pair whose longer conversation has exactly `length` tokens; a token of the tiny model is a byte."""

    def pair(context: str) -> Pair:
        return Pair.from_replies([{"role": "user", "content": context}], *replies)

    def longest(made: Pair) -> int:
        return max(len(renderer.render(made.messages, reply).ids) for reply in (made.chosen, made.rejected))

    filler = "a sentence of some words. " * 700
    made = pair(filler[: length - longest(pair(""))])
    assert longest(made) == length
    return made


def test_a_tiny_qwen3_trains_on_and_scores_16384_tokens(tmp_path):
    folder = write_tiny_model(tmp_path / "qwen3", seed=6, family="qwen3", num_layers=1, max_positions=16_384)
    renderer = Renderer(load_tokenizer(folder), model_max_length=16_384)
    pair = _padded_to(renderer, 16_384, ("a good answer " * 20, "bad " * 30))
    config = TrainConfig(method="full", precision="float32", learning_rate=1e-3, warmup_ratio=0.0)
    head = Head(weight=np.full(32, 0.01), l2=1.0, temperature=1.0, num_pairs=1)
    result = train_reward_model(
        [pair], folder, tmp_path / "model", config, RewardConfig(base=str(folder)), seed=0, init_head=head
    )
    assert (result.metrics["steps"], result.metrics["truncated_replies"]) == (1, 0)
    model = RewardModel.load(result.path)
    assert model.renderer.max_length == 16_384
    scores = model.score_replies([Reply(pair.messages, reply) for reply in (pair.chosen, pair.rejected)])
    assert model.renderer.truncated == 0
    assert scores[0] != scores[1]
    # The step was down the slope: the loss of the new margin is below the one that the step was computed from.
    row = json.loads((result.path / "metrics.jsonl").read_text().splitlines()[0])
    assert math.log1p(math.exp(scores[1] - scores[0])) < row["loss"]
