from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from goldsmith.config.reward import HeadConfig, RewardConfig
from goldsmith.config.train import LoraConfig, TrainConfig
from goldsmith.errors import GoldsmithError, StoreError, UserError
from goldsmith.reward import Reply, RewardModel
from goldsmith.reward.features import FeatureStore
from goldsmith.reward.head import fit_head
from goldsmith.train import train_reward_model
from goldsmith.train.export import check_round_trip
from goldsmith.types import Pair

LORA = TrainConfig(
    method="lora", epochs=3, batch_size=4, learning_rate=0.01, checkpoint_steps=2, lora=LoraConfig(rank=4, alpha=8, last_layers=2)
)
FULL = LORA.model_copy(update={"method": "full", "learning_rate": 1e-3})


@pytest.fixture
def reading(tiny: Path, tmp_path: Path) -> RewardConfig:
    return RewardConfig(base=str(tiny), feature_cache=tmp_path / "features", token_budget=256, dtype="float32")


def _train(pairs, tiny, out, config, reading, **more):
    return train_reward_model(pairs, tiny, out, config, reading, seed=0, **more)


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def test_head_export_scores_as_the_fitted_head(pairs, tiny, tmp_path, reading):
    held = [Pair.from_replies([{"role": "user", "content": "Say tan."}], "tan, please!", reply) for reply in ("tan", "no")]
    result = _train(pairs, tiny, tmp_path / "rm", TrainConfig(method="head"), reading, validation=held)
    store = FeatureStore(reading, None)
    replies = [Reply(pair.messages, content) for pair in pairs for content in (pair.chosen, pair.rejected)]
    vectors = store.features(replies, readout="last")
    # The pairs are in the order the draw by hash gives them, which decides nothing but rounding.
    head = fit_head(vectors[::2], vectors[1::2], [pair.context_id for pair in pairs], tuple(HeadConfig().l2))
    np.testing.assert_allclose(
        RewardModel.load(result.path, dtype="float32").score_replies(replies), head.score(vectors), rtol=1e-3, atol=1e-4
    )
    assert result.metrics["num_pairs"] == 12
    assert result.metrics["validation_pairs"] == 2
    card = json.loads((result.path / "goldsmith.json").read_text())
    assert (card["pooling"], card["max_length"], card["method"]) == ("last", 512, "head")
    assert "maximum length: 512" in (result.path / "README.md").read_text()
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("config", [LORA, FULL], ids=["lora", "full"])
def test_dropped_value_head_bug_training_learns_and_other_programs_read_the_same_scores(pairs, tiny, tmp_path, reading, config):
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    result = _train(pairs, tiny, tmp_path / "rm", config, reading)
    model = RewardModel.load(result.path, dtype="float32")
    wins = [
        first > second if pair.label == "first" else second > first
        for pair, (first, second) in zip(pairs, model.score_pairs(pairs), strict=True)
    ]
    assert all(wins)
    assert result.metrics["train_accuracy"] > 0.9
    plain = AutoModelForSequenceClassification.from_pretrained(str(result.path), dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(str(result.path))
    turns = [[*pair.messages, {"role": "assistant", "content": pair.chosen}] for pair in pairs[:3]]
    padded = tokenizer.apply_chat_template(turns, tokenize=True, padding=True, return_dict=True, return_tensors="pt")
    with torch.inference_mode():
        expected = plain(**padded).logits[:, 0].tolist()
    assert model.score(turns) == pytest.approx(expected, abs=1e-4)


def test_lora_touches_the_last_layers_and_the_head_alone(pairs, tiny, tmp_path, reading):
    before, after = _weights(tiny), _weights(_train(pairs, tiny, tmp_path / "rm", LORA, reading).path)
    changed = {name for name, value in after.items() if name in before and not torch.equal(value, before[name])}
    assert "score.weight" in after
    assert changed
    assert all(name.startswith(("model.layers.1.", "model.layers.2.")) for name in changed)


@pytest.mark.parametrize("config", [LORA, FULL], ids=["lora", "full"])
def test_killed_and_run_again_it_ends_where_an_unbroken_run_does(pairs, tiny, tmp_path, reading, config):
    whole = _weights(_train(pairs, tiny, tmp_path / "whole", config, reading).path)

    def kill_at_5(done, total, unit, detail):
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _train(pairs, tiny, tmp_path / "rm", config, reading, progress=kill_at_5)
    assert not (tmp_path / "rm").exists()
    torn = tmp_path / ".rm.work" / ".tmp-0-checkpoint-6"  # a checkpoint whose writing was cut off
    torn.mkdir()
    seen = []
    result = _train(pairs, tiny, tmp_path / "rm", config, reading, progress=lambda done, total, unit, detail: seen.append(done))
    assert seen[0] == 5  # from the checkpoint after step 4
    again = _weights(result.path)
    assert whole.keys() == again.keys()
    for name, value in whole.items():
        torch.testing.assert_close(again[name], value, rtol=0, atol=0)


def test_a_step_in_pieces_is_the_same_step(pairs, tiny, tmp_path, reading):
    whole = _weights(_train(pairs, tiny, tmp_path / "whole", LORA, reading).path)
    small = reading.model_copy(update={"token_budget": 64})
    pieces = _weights(_train(pairs, tiny, tmp_path / "pieces", LORA, small).path)
    for name, value in whole.items():
        torch.testing.assert_close(pieces[name], value, rtol=1e-3, atol=1e-4)


def test_kept_states_of_frozen_layers_change_nothing(pairs, tiny, tmp_path, reading, monkeypatch):
    kept = _weights(_train(pairs, tiny, tmp_path / "kept", LORA, reading).path)
    monkeypatch.setattr("goldsmith.train.frozen.MAX_BYTES", 0)
    computed = _weights(_train(pairs, tiny, tmp_path / "computed", LORA, reading).path)
    for name, value in kept.items():
        torch.testing.assert_close(computed[name], value, rtol=1e-3, atol=1e-4)


def test_a_weight_that_is_not_finite_is_refused_before_anything_is_computed(pairs, tiny, tmp_path, reading):
    bad = pairs[3]
    with pytest.raises(UserError, match=f"pair {bad.pair_id}: weight nan is not finite"):
        _train(
            pairs,
            tiny,
            tmp_path / "rm",
            LORA,
            reading,
            weights={bad.pair_id: float("nan")},
            init_head=_head(tiny, reading, pairs),
        )
    assert not (tmp_path / "rm").exists()


def test_a_step_of_pairs_that_weigh_nothing_does_not_end_the_training(pairs, tiny, tmp_path, reading):
    weights = dict.fromkeys([pair.pair_id for pair in pairs if pair.context_id == pairs[0].context_id], 0.0)
    single = LORA.model_copy(update={"batch_size": 1})
    metrics = _train(pairs, tiny, tmp_path / "rm", single, reading, weights=weights).metrics
    assert (metrics["num_pairs"], metrics["dropped"]) == (10, {"weight-zero": 2})


@pytest.fixture
def strict(tiny, tmp_path) -> Path:
    """The tiny model with a template that refuses system turns."""
    folder = shutil.copytree(tiny, tmp_path / "strict")
    template = (folder / "chat_template.jinja").read_text()
    (folder / "chat_template.jinja").write_text(
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system turns') }}{% endif %}" + template
    )
    return folder


def _with_system_turn(word: str, line: int) -> Pair:
    context = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": f"Say {word}."}]
    return Pair.from_replies(context, f"{word}, please!", word, source_ref=f"pool.jsonl:{line}")


@pytest.mark.parametrize("config", [LORA, TrainConfig(method="head")], ids=["lora", "head"])
def test_a_pair_that_the_template_refuses_is_counted_and_the_others_are_trained_on(pairs, strict, tmp_path, config, caplog):
    reading = RewardConfig(base=str(strict), feature_cache=tmp_path / "features", token_budget=256)
    bad = [_with_system_turn("red", 8), _with_system_turn("blue", 9)]
    found = _train([*bad, *pairs], strict, tmp_path / "rm", config, reading).metrics
    assert (found["num_pairs"], found["dropped"]) == (12, {"cannot-be-rendered": 2})
    assert "2 pairs and lists cannot be rendered and are left out; the first: pool.jsonl:" in caplog.text
    with pytest.raises(UserError, match=r"none of the 2 pairs.*pool\.jsonl:.*no system turns.*drop the row"):
        _train(bad, strict, tmp_path / "none", config, reading)


def test_a_validation_pair_that_the_template_refuses_is_counted_before_anything_is_trained(pairs, strict, tmp_path, caplog):
    reading = RewardConfig(base=str(strict), feature_cache=tmp_path / "features", token_budget=256)
    held = [Pair.from_replies([{"role": "user", "content": "Say tan."}], "tan, please!", "tan"), _with_system_turn("tan", 3)]
    found = _train(pairs, strict, tmp_path / "rm", LORA, reading, validation=held).metrics
    assert (found["validation_pairs"], found["validation_dropped"]) == (1, {"cannot-be-rendered": 1})
    assert "1 validation pairs cannot be rendered and are left out; the first: pool.jsonl:3" in caplog.text
    with pytest.raises(UserError, match="none of the 1 validation pairs can be rendered"):
        _train(pairs, strict, tmp_path / "none", LORA, reading, validation=held[1:])
    assert not list((tmp_path / ".none.work").glob("checkpoint-*"))


def test_pairs_that_stand_twice_and_become_the_same_are_counted_twice(pairs, tiny, tmp_path):
    # 60 tokens hold the template and the ends of the replies, which are the same.
    reading = RewardConfig(base=str(tiny), feature_cache=tmp_path / "features", token_budget=256, max_length=60)
    same = Pair.from_replies([{"role": "user", "content": "Say tan."}], "a" + "z" * 80, "b" + "z" * 80)
    found = _train([*pairs, same, same], tiny, tmp_path / "rm", TrainConfig(method="head"), reading).metrics
    assert found["dropped"]["identical-after-truncation"] == 2
    assert found["num_pairs"] == 12


def _head(tiny, reading, pairs):
    store = FeatureStore(reading, None)
    replies = [Reply(pair.messages, content) for pair in pairs for content in (pair.chosen, pair.rejected)]
    vectors = store.features(replies, readout="last")
    return fit_head(vectors[::2], vectors[1::2], [pair.context_id for pair in pairs])


def test_a_finished_run_returns_at_once_and_another_is_refused(pairs, tiny, tmp_path, reading, monkeypatch):
    config = TrainConfig(method="head")
    result = _train(pairs, tiny, tmp_path / "rm", config, reading)
    monkeypatch.setattr("goldsmith.train.run.FeatureStore", lambda *_: pytest.fail("trained again"))
    assert _train(pairs, tiny, tmp_path / "rm", config, reading) == result
    with pytest.raises(UserError, match=r"another training, which differs in data_digest \(pairs, labels.*name another --out"):
        _train(pairs[:6], tiny, tmp_path / "rm", config, reading)
    with pytest.raises(UserError, match=r"differs in head\.l2 \(\[1e-05.*, now \[5\.0\]\): name another --out"):
        _train(pairs, tiny, tmp_path / "rm", config, reading, head_config=HeadConfig(l2=[5.0]))


def _kill_at(step):
    def progress(done, total, unit, detail):
        if done == step:
            raise KeyboardInterrupt

    return progress


def test_an_unfinished_run_of_other_settings_is_refused_with_what_differs(pairs, tiny, tmp_path, reading):
    with pytest.raises(KeyboardInterrupt):
        _train(pairs, tiny, tmp_path / "rm", LORA, reading, progress=_kill_at(3))
    other = LORA.model_copy(update={"learning_rate": 0.5, "lora": LoraConfig(rank=2, alpha=8, last_layers=2)})
    with pytest.raises(
        UserError, match=r"differs in train\.learning_rate \(0\.01, now 0\.5\); train\.lora\.rank \(4, now 2\): run it"
    ):
        _train(pairs, tiny, tmp_path / "rm", other, reading)
    with pytest.raises(UserError, match=r"differs in data_digest \(pairs, labels"):
        _train(pairs[:6], tiny, tmp_path / "rm", LORA, reading)


def test_a_run_that_failed_before_its_first_checkpoint_may_be_mended(pairs, tiny, tmp_path, reading):
    with pytest.raises(UserError, match=r"train\.lora\.last_layers = 9"):
        _train(pairs, tiny, tmp_path / "rm", LORA.model_copy(update={"lora": LoraConfig(last_layers=9)}), reading)
    assert _train(pairs, tiny, tmp_path / "rm", LORA, reading).metrics["steps"] == 9


def test_one_process_trains_a_model_and_another_is_refused(pairs, tiny, tmp_path, reading):
    def second(done, total, unit, detail):
        for resume in ("last", "restart"):
            with pytest.raises(StoreError, match=r"rm is in use by another Goldsmith process .*; wait until it ends"):
                _train(pairs, tiny, tmp_path / "rm", LORA, reading, resume=resume)

    whole = _train(pairs, tiny, tmp_path / "whole", LORA, reading)
    assert _train(pairs, tiny, tmp_path / "rm", LORA, reading, progress=second).metrics == whole.metrics
    assert not list(tmp_path.glob(".rm*"))


def test_a_file_and_the_current_folder_are_no_places_for_a_model(pairs, tiny, tmp_path, reading, monkeypatch):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match="file is a file, and a model is a folder; name another --out"):
        _train(pairs, tiny, tmp_path / "file", LORA, reading)
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    with pytest.raises(UserError, match=r"--out \. is the folder you stand in"):
        _train(pairs, tiny, Path(), LORA, reading)


def test_nothing_to_train_on(tiny, tmp_path, reading):
    with pytest.raises(UserError, match="nothing to train on: 0 pairs"):
        _train([], tiny, tmp_path / "rm", LORA, reading)


def test_a_model_that_reloads_to_other_scores_is_refused(pairs, tiny, tmp_path, reading):
    path = _train(pairs, tiny, tmp_path / "rm", TrainConfig(method="head"), reading).path
    probe = [Reply(pairs[0].messages, "red", "probe")]
    score = RewardModel.load(path, dtype="float32").score_replies(probe)[0]
    check_round_trip(path, probe, [score])
    with pytest.raises(GoldsmithError, match="the saved model gives"):
        check_round_trip(path, probe, [score + 0.01])
