"""The engine gives what the model itself gives, whatever is batched with what, and whatever earlier requests left behind."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

import goldsmith.serve.engines
from goldsmith.errors import UserError
from goldsmith.reward.golden import golden_scores, write_golden
from goldsmith.reward.model import RewardModel
from goldsmith.reward.tiny import write_tiny_model
from goldsmith.serve.engines import Engine, EngineSpec, open_engine
from goldsmith.serve.engines.check import score_sequences
from goldsmith.serve.engines.torch_engine import TorchEngine
from goldsmith.serve.prefix_cache import PrefixTree
from goldsmith.serve.share import Ids
from tiny_encoder import write_tiny_encoder

CLOSE = 1e-4


def _spec(folder: Path, **settings: object) -> EngineSpec:
    return EngineSpec(**{"engine": "torch", "path": str(folder), "dtype": "float32", "prefix_cache_mb": 1, **settings})  # type: ignore[arg-type]


def _alone(model: RewardModel, ids: Ids) -> float:
    """One conversation through transformers' own class."""
    import torch

    with torch.inference_mode():
        return float(model.classifier(input_ids=torch.tensor([ids])).logits[0, 0])


def _random(random: Random, length: int) -> Ids:
    return tuple(random.randrange(3, 250) for _ in range(length))


def _requests(random: Random) -> list[list[Ids]]:
    """Batches as they come: best of several, conversations that grow, one prompt again and again, strangers."""
    prompts = [_random(random, length) for length in (90, 150, 40)]
    replies = [[_random(random, random.randrange(1, 40)) for _ in range(5)] for _ in prompts]
    grown = prompts[0] + replies[0][0]
    return [
        [prompts[0] + reply for reply in replies[0]],
        [prompts[0] + replies[0][1], prompts[1] + replies[1][0], prompts[2] + replies[2][0]],
        [prompts[1] + reply for reply in replies[1][1:]],
        [grown + _random(random, 30), grown + _random(random, 70), _random(random, 20)],
        [grown + prompts[1] + reply for reply in replies[2]],
        [prompts[0][:60] + _random(random, 50) + reply for reply in replies[1]],
        [prompts[0], prompts[0][:-1]],
    ]


@pytest.mark.parametrize("cache_mb", [0, 1, 64])
def test_every_score_is_the_models_own(tiny_rm: Path, model: RewardModel, cache_mb: int) -> None:
    engine = TorchEngine(_spec(tiny_rm, prefix_cache_mb=cache_mb))
    for _ in range(2):
        for batch in _requests(Random(1)):
            for ids, score in zip(batch, score_sequences(engine, batch), strict=True):
                assert score == pytest.approx(_alone(model, ids), abs=CLOSE)


def test_a_cache_of_a_few_tokens_forgets_and_stays_right(tiny_rm: Path, model: RewardModel) -> None:
    engine = TorchEngine(_spec(tiny_rm))
    engine._tree = PrefixTree(170)
    for batch in _requests(Random(2)) * 2:
        for ids, score in zip(batch, score_sequences(engine, batch), strict=True):
            assert score == pytest.approx(_alone(model, ids), abs=CLOSE)
        assert engine._tree.num_tokens <= 170


def test_a_shared_prompt_is_computed_once_and_not_again_for_later_requests(tiny_rm: Path) -> None:
    engine = TorchEngine(_spec(tiny_rm, prefix_cache_mb=64))
    random = Random(3)
    prompt = _random(random, 100)
    score_sequences(engine, [(*prompt, 3, 4), (*prompt, 4, 5), (*prompt, 5, 6)])
    # The prompt once, and three times two tokens.
    assert (engine.computed, engine.reused) == (106, 0)
    score_sequences(engine, [(*prompt, 6, 7)])
    assert (engine.computed, engine.reused) == (108, 100)


def test_a_model_that_cannot_share_is_computed_padded(tmp_path: Path) -> None:
    import json

    folder = write_tiny_model(tmp_path / "window", seed=6, family="qwen3", num_labels=1)
    config = json.loads((folder / "config.json").read_text())
    layers = ["sliding_attention"] * config["num_hidden_layers"]
    (folder / "config.json").write_text(
        json.dumps({**config, "use_sliding_window": True, "sliding_window": 16, "layer_types": layers})
    )
    model = RewardModel.load(folder, dtype="float32")
    engine = TorchEngine(_spec(folder))
    assert not engine.shares
    batch = _requests(Random(4))[0]
    for ids, score in zip(batch, score_sequences(engine, batch), strict=True):
        assert score == pytest.approx(_alone(model, ids), abs=CLOSE)


def test_weights_that_give_no_numbers_are_refused(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    folder = write_tiny_model(tmp_path / "nan", seed=7, num_labels=1)
    weights = load_file(folder / "model.safetensors")
    weights["model.layers.0.mlp.up_proj.weight"][0, 0] = torch.nan
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match="gives nan for an ordinary conversation"):
        open_engine(_spec(folder))


def test_a_lost_head_is_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = write_tiny_model(tmp_path / "zeros", seed=7, num_labels=1)
    weights = load_file(folder / "model.safetensors")
    weights["score.weight"].zero_()
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match="its head is lost"):
        open_engine(_spec(folder))


def test_a_model_that_does_not_give_its_golden_scores_is_refused(tmp_path: Path, model: RewardModel) -> None:
    own = write_tiny_model(tmp_path / "own", seed=8, num_labels=1)
    write_golden(own, golden_scores(RewardModel.load(own, dtype="float32")))
    assert open_engine(_spec(own)).facts["dtype"] == "float32"
    # The golden scores of another model.
    write_golden(own, golden_scores(model))
    with pytest.raises(UserError, match=r"golden_scores\.jsonl:1: the golden score is"):
        open_engine(_spec(own))


def _write_over(folder: Path, other: Path) -> None:
    """Give a folder another one's files, each in its place on the disk, as `cp` does."""
    for path in other.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())


@pytest.mark.parametrize("kind", ["decoder", "encoder"])
def test_a_folder_that_is_written_over_does_not_change_a_model_in_use(tmp_path: Path, kind: str) -> None:
    def write(name: str, seed: int) -> Path:
        if kind == "encoder":
            return write_tiny_encoder(tmp_path / name, seed=seed)
        return write_tiny_model(tmp_path / name, seed=seed, num_labels=1)

    folder, other = write("one", 4), write("other", 5)
    engine = open_engine(_spec(folder))
    before = score_sequences(engine, [(5, 6, 7, 8)])
    _write_over(folder, other)
    assert score_sequences(engine, [(5, 6, 7, 9), (5, 6, 7, 8)])[1] == pytest.approx(before[0], abs=CLOSE)
    assert score_sequences(open_engine(_spec(folder)), [(5, 6, 7, 8)]) != pytest.approx(before, abs=CLOSE)


def test_a_folder_that_changes_while_it_is_loaded_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_tiny_model(tmp_path / "one", seed=4, num_labels=1)
    other = write_tiny_model(tmp_path / "other", seed=5, num_labels=1)
    opened = goldsmith.serve.engines._opened

    def slowly(spec: EngineSpec) -> Engine:
        engine = opened(spec)
        _write_over(folder, other)
        return engine

    monkeypatch.setattr(goldsmith.serve.engines, "_opened", slowly)
    with pytest.raises(UserError, match="changed while the model was loaded"):
        open_engine(_spec(folder))


def test_an_unknown_engine_is_refused(tiny_rm: Path) -> None:
    with pytest.raises(UserError, match="engine 'abacus'"):
        open_engine(_spec(tiny_rm, engine="abacus"))
