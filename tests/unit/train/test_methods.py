"""Files in, models out: lists, soft labels, long contexts, trackers, and what reaches the terminal."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file

from goldsmith.config import load_config
from goldsmith.config.reward import RewardConfig
from goldsmith.config.train import LoraConfig, TrainConfig
from goldsmith.errors import GoldsmithError, UserError
from goldsmith.reward import Reply, RewardModel
from goldsmith.reward.ensemble import HeadEnsemble
from goldsmith.reward.features import FeatureStore
from goldsmith.reward.head import Head
from goldsmith.train import train_file, train_reward_model
from goldsmith.types import Pair

FULL = TrainConfig(method="full", epochs=4, batch_size=4, learning_rate=1e-3)
HEAD = TrainConfig(method="head", bootstrap_heads=4)


@pytest.fixture
def reading(tiny: Path, tmp_path: Path) -> RewardConfig:
    return RewardConfig(base=str(tiny), feature_cache=tmp_path / "features", token_budget=256)


def _train(pairs, tiny, out, config, reading, **more):
    return train_reward_model(pairs, tiny, out, config, reading, seed=0, **more)


def _overrides(tmp_path, *more):
    return [f"reward.feature_cache={tmp_path / 'features'}", "reward.token_budget=256", *more]


def test_ranked_lists_are_learned_whole_from_a_file(tiny, tmp_path):
    words = ["red", "blue", "green", "black", "white", "pink"]
    rows = [
        {"prompt": f"Say {word}.", "responses": [f"no {word}", word, f"{word}, please!"], "ranks": [3, 2, 1]} for word in words
    ]
    path = tmp_path / "lists.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in [*rows, {**rows[0], "ranks": [1, 1, 1]}]))
    settings = [
        "train.method=full",
        "train.ranked_lists=plackett-luce",
        "train.epochs=6",
        "train.batch_size=4",
        "train.learning_rate=1e-3",
    ]
    result = train_file(path, tiny, tmp_path / "rm", load_config(overrides=_overrides(tmp_path, *settings)))
    assert (result.metrics["num_pairs"], result.metrics["num_lists"], result.metrics["rejected_rows"]) == (0, 6, {"all-tied": 1})
    # A list of three counts for two pairs, so a step of at most four pairs holds two lists.
    assert result.metrics["steps"] == 6 * 3
    model = RewardModel.load(result.path)
    for row in rows:
        context = [{"role": "user", "content": row["prompt"]}]
        scores = model.score_replies([Reply(context, reply) for reply in row["responses"]])
        assert scores == sorted(scores)


def test_soft_labels_of_a_file_are_learned(tiny, tmp_path):
    rows = [
        {"prompt": f"Say {word}.", "chosen": "yes", "rejected": "no", "p_chosen": 0.7} for word in ("red", "blue", "green", "tan")
    ]
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def margin(name, *settings):
        config = load_config(overrides=_overrides(tmp_path, "train.method=head", "head.l2=[1e-6]", *settings))
        result = train_file(path, tiny, tmp_path / name, config)
        model = RewardModel.load(result.path, dtype="float32")
        context = [{"role": "user", "content": "Say red."}]
        yes, no = model.score_replies([Reply(context, "yes"), Reply(context, "no")])
        return yes - no, result.metrics

    soft, metrics = margin("soft", "train.soft_labels=true")
    hard, _ = margin("hard")
    # The best fit of a probability of 0.7 is log-odds of log(7/3) = 0.85, shrunk a little by penalty and
    # temperature. Certainty has none, and gets about the log 5 of Laplace's rule for four pairs without an error.
    assert soft == pytest.approx(np.log(7 / 3), abs=0.3)
    assert hard > 1.5
    assert metrics["without_probability"] == 0


def test_a_context_that_fills_the_limit_leaves_no_reply_to_learn_from(pairs, tiny, tmp_path, reading):
    long = [{"role": "user", "content": "x" * 600}]
    blind = Pair.from_replies(long, "one", "two")
    right = reading.model_copy(update={"max_length": 64, "truncation_side": "right"})
    for config in (HEAD, FULL):
        metrics = _train([*pairs, blind], tiny, tmp_path / f"rm-{config.method}", config, right).metrics
        assert metrics["dropped"] == {"identical-after-truncation": 1}
        assert metrics["num_pairs"] == 12
        assert metrics["truncated_replies"] >= 2
    for config in (HEAD, FULL):
        with pytest.raises(UserError, match=r"same after they were cut; raise reward.max_length"):
            _train([blind], tiny, tmp_path / f"none-{config.method}", config, right)
    # Cut on the left, the reply stays.
    left = reading.model_copy(update={"max_length": 64})
    assert _train([*pairs, blind], tiny, tmp_path / "left", FULL, left).metrics["dropped"] == {}


def test_heads_for_uncertainty_stand_beside_the_checkpoint(pairs, tiny, tmp_path, reading):
    path = _train(pairs, tiny, tmp_path / "rm", HEAD, reading).path
    heads = HeadEnsemble.load(path, 32)
    assert heads is not None
    assert heads.weight.shape == (4, 32)
    replies = [Reply(pair.messages, content) for pair in pairs for content in (pair.chosen, pair.rejected)]
    vectors = FeatureStore(reading, None).features(replies, readout="last")
    np.testing.assert_allclose(heads.center, vectors.mean(0), rtol=1e-3, atol=1e-5)
    assert (heads.std(vectors) > 0).all()
    assert (
        HeadEnsemble.load(
            _train(pairs, tiny, tmp_path / "none", HEAD.model_copy(update={"bootstrap_heads": 0}), reading).path, 32
        )
        is None
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "head", "center_rewards": 0.1}, "train.center_rewards works with train.method lora and full"),
        ({"method": "head", "margins": "strength"}, "train.margins works with"),
        ({"sharding": "zero1"}, "train.sharding = zero1 needs several processes; start them with torchrun"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(pairs, tiny, tmp_path, reading, settings, message):
    with pytest.raises(UserError, match=message):
        _train(pairs, tiny, tmp_path / "rm", TrainConfig(**settings), reading)
    assert not list(tmp_path.glob(".rm*"))


def test_pad_bug_a_base_model_whose_pad_cannot_be_told_from_text_is_refused(pairs, tiny, tmp_path, reading):
    for name, pad, message in (("none", None, "has no pad token"), ("end", "<|im_end|>", "which its chat template emits")):
        folder = tmp_path / name
        shutil.copytree(tiny, folder)
        settings = json.loads((folder / "tokenizer_config.json").read_text())
        settings["pad_token"] = pad
        (folder / "tokenizer_config.json").write_text(json.dumps(settings))
        with pytest.raises(UserError, match=message):
            _train(pairs, folder, tmp_path / f"rm-{name}", FULL, reading)


def test_doubled_bos_bug_training_reads_the_ids_of_the_template(pairs, tiny):
    from transformers import AutoTokenizer

    from goldsmith.reward.render import Renderer
    from goldsmith.train.batches import make_units

    tokenizer = AutoTokenizer.from_pretrained(str(tiny))
    for unit in make_units(pairs, Renderer(tokenizer), 32, share=True):
        for reply, suffix in zip(unit.replies, unit.group.suffixes, strict=True):
            turns = [*reply.context, {"role": "assistant", "content": reply.content}]
            assert list(unit.group.prefix + suffix) == tokenizer.apply_chat_template(turns, tokenize=True, return_dict=False)


@pytest.mark.parametrize("precision", ["float32", "bf16-master32"])
def test_lost_head_bug_the_trained_head_is_in_the_file(pairs, tiny, tmp_path, reading, precision):
    config = TrainConfig(
        method="lora", epochs=2, batch_size=4, learning_rate=0.01, precision=precision, lora=LoraConfig(rank=4, last_layers=2)
    )
    path = _train(pairs, tiny, tmp_path / "rm", config, reading).path
    begun = load_file(_train(pairs, tiny, tmp_path / "head", HEAD, reading).path / "model.safetensors")["score.weight"]
    weights = load_file(path / "model.safetensors")
    assert weights["score.weight"].shape == (1, 32)
    assert not torch.equal(weights["score.weight"], begun)
    assert not any("lora" in name for name in weights)
    facts = json.loads((path / "config.json").read_text())
    assert facts["architectures"] == ["LlamaForSequenceClassification"]
    assert len(facts["id2label"]) == 1


def test_lost_head_bug_a_save_that_loses_the_head_is_refused_and_leaves_nothing(pairs, tiny, tmp_path, reading, monkeypatch):
    import transformers

    real = transformers.LlamaForSequenceClassification.save_pretrained

    def lossy(self, folder, *args, **options):
        kept = self.score.weight.detach().clone()
        with torch.no_grad():
            self.score.weight.normal_()
        real(self, folder, *args, **options)
        with torch.no_grad():
            self.score.weight.copy_(kept)

    monkeypatch.setattr(transformers.LlamaForSequenceClassification, "save_pretrained", lossy)
    with pytest.raises(GoldsmithError, match="the head in the saved model is another one"):
        _train(pairs, tiny, tmp_path / "rm", FULL, reading)
    assert not (tmp_path / "rm").exists()


@pytest.mark.parametrize("damage", ["another shape", "missing", "half a file"])
def test_a_base_model_with_damaged_weights_is_refused(pairs, tiny, tmp_path, reading, damage):
    from safetensors.torch import save_file

    folder = tmp_path / "base"
    shutil.copytree(tiny, folder)
    path, name = folder / "model.safetensors", "model.layers.0.mlp.up_proj.weight"
    weights = load_file(path)
    message = rf"{name}\)"
    if damage == "another shape":
        save_file({**weights, name: weights[name][:, :-1].contiguous()}, path, {"format": "pt"})
    elif damage == "missing":
        save_file({key: value for key, value in weights.items() if key != name}, path, {"format": "pt"})
    else:
        path.write_bytes(path.read_bytes()[:5000])
        message = "the weights cannot be loaded"
    with pytest.raises(UserError, match=message.replace("model.layers", "layers")):
        _train(pairs, folder, tmp_path / "rm", FULL, reading)


def test_a_tracker_that_is_not_installed_is_refused_before_anything_is_computed(pairs, tiny, tmp_path, reading, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"train.track names trackio, whose package is not installed; pip install trackio"):
        _train(pairs, tiny, tmp_path / "rm", FULL.model_copy(update={"track": ["trackio"]}), reading)
    assert not list(tmp_path.glob(".rm*"))


def test_tensorboard_gets_every_step(pairs, tiny, tmp_path, reading):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    result = _train(pairs, tiny, tmp_path / "rm", FULL.model_copy(update={"track": ["tensorboard"]}), reading)
    events = EventAccumulator(str(tmp_path / "rm.tensorboard"))
    events.Reload()
    rows = [json.loads(line) for line in (result.path / "metrics.jsonl").read_text().splitlines()]
    for name in ("loss", "accuracy"):
        assert [event.value for event in events.Scalars(f"train/{name}")] == pytest.approx([row[name] for row in rows])


def test_the_command_prints_its_result_and_nothing_of_the_libraries(pairs, tiny, tmp_path, capfd):
    from goldsmith.cli.main import goldsmith

    path = tmp_path / "pairs.jsonl"
    rows = [{"prompt": pair.messages, "chosen": pair.chosen, "rejected": pair.rejected} for pair in pairs]
    path.write_text("".join(json.dumps(row) + "\n" for row in [*rows, {**rows[0], "rejected": ""}]))
    held = tmp_path / "held.jsonl"
    told = {"prompt": "Say tan.", "chosen": "tan, please!", "rejected": "no"}
    held.write_text(json.dumps(told) + "\n" + json.dumps({**told, "chosen": "no"}) + "\n")
    options = ["--base", str(tiny), "--out", str(tmp_path / "rm"), "--validation", str(held), "--json"]
    for setting in _overrides(tmp_path, "train.method=lora", "train.epochs=2", "train.batch_size=4", "train.eval_steps=2"):
        options += ["--set", setting]
    done = CliRunner().invoke(goldsmith, ["train", str(path), *options], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert result["metrics"]["rejected_rows"] == {"empty-reply": 1}
    assert result["metrics"]["validation_pairs"] == 1
    assert result["metrics"]["rejected_validation_rows"] == {"identical-replies": 1}
    printed = done.stderr + "".join(capfd.readouterr())
    assert "loss'" not in printed
    assert "Warning" not in printed


def _labelled(count, origin, better):
    contexts = [[{"role": "user", "content": f"Say something, number {at}."}] for at in range(count)]
    return [Pair.from_replies(context, *better, label_origin=origin) for context in contexts]


def test_people_correct_what_the_other_labels_made(tiny, tmp_path, reading):
    judged, people = _labelled(30, "llm", ("yes", "no")), _labelled(60, "human", ("no", "yes"))[30:]
    base = HEAD.model_copy(update={"people": "correct"})
    pooled = _train(judged, tiny, tmp_path / "silver", HEAD, reading)
    found = _train([*judged, *people], tiny, tmp_path / "corrected", base, reading)
    assert found.metrics["people"] == 30
    assert found.metrics["num_pairs"] == 60
    # What the others say is what is expected, and 30 people of 30 say the opposite.
    context = [{"role": "user", "content": "Say something, number 99."}]
    by = {
        name: RewardModel.load(path, dtype="float32").score_replies([Reply(context, "yes"), Reply(context, "no")])
        for name, path in (("silver", pooled.path), ("corrected", found.path))
    }
    assert by["silver"][0] > by["silver"][1]
    assert by["corrected"][0] < by["corrected"][1]
    heads = HeadEnsemble.load(found.path, load_file(found.path / "model.safetensors")["score.weight"].shape[1])
    assert heads is not None
    assert len(heads.weight) == HEAD.bootstrap_heads


def test_a_correction_counts_a_soft_label_s_two_sides_as_one_pair(tiny, tmp_path, reading):
    judged, people = _labelled(30, "llm", ("yes", "no")), _labelled(60, "human", ("no", "yes"))[30:]
    config = HEAD.model_copy(update={"people": "correct", "soft_labels": True})
    context = [{"role": "user", "content": "Say something, number 99."}]

    def margin(name, share):
        p_first = {pair.pair_id: share if pair.label == "first" else 1.0 - share for pair in people}
        path = _train([*judged, *people], tiny, tmp_path / name, config, reading, p_first=p_first).path
        no, yes = RewardModel.load(path, dtype="float32").score_replies([Reply(context, "no"), Reply(context, "yes")])
        return no - yes

    # People who are less sure correct less; taken for certain on both sides they would correct nothing.
    assert margin("sure", 1.0) > margin("nearly", 0.9) > margin("barely", 0.6)
    assert margin("nearly", 0.9) > 0


def test_a_correction_refuses_a_head_to_begin_with(tiny, tmp_path, reading):
    judged, people = _labelled(30, "llm", ("yes", "no")), _labelled(60, "human", ("no", "yes"))[30:]
    head = Head(weight=np.zeros(1), l2=1.0, temperature=1.0, num_pairs=1)
    config = HEAD.model_copy(update={"people": "correct"})
    with pytest.raises(UserError, match="init_head"):
        _train([*judged, *people], tiny, tmp_path / "both", config, reading, init_head=head)


def test_a_correction_without_enough_people_or_others_is_refused(tiny, tmp_path, reading):
    config = HEAD.model_copy(update={"people": "correct"})
    judged, people = _labelled(30, "llm", ("yes", "no")), _labelled(60, "human", ("no", "yes"))[30:]
    with pytest.raises(UserError, match=r"at least 20 pairs that people labelled.*there are 19"):
        _train([*judged, *people[:19]], tiny, tmp_path / "few", config, reading)
    with pytest.raises(UserError, match="others of 0 contexts"):
        _train(people, tiny, tmp_path / "all", config, reading)
    with pytest.raises(ValueError, match='works with method = "head"'):
        TrainConfig(method="lora", people="correct")
