"""Operations against torch's own counter, communication by hand, and what is known of the published run."""

from dataclasses import replace

import pytest
import torch
import transformers
from torch.utils.flop_counter import FlopCounterMode

from goldsmith.config import load_config
from goldsmith.config.recipe import read_recipe, recipe_names
from goldsmith.config.train import LoraConfig, TrainConfig
from goldsmith.train.estimate import estimate_text, estimate_training, hardware
from goldsmith.train.estimate.compute import communicated_bytes, forward_flops, num_steps, training_factor
from goldsmith.train.estimate.parameters import count_parameters
from goldsmith.train.estimate.shapes import Shape

FULL = TrainConfig(method="full")
SHAPE = Shape(
    family="llama",
    layers=2,
    hidden=64,
    intermediate=160,
    heads=4,
    kv_heads=2,
    head_dim=16,
    vocab=128,
    positions=512,
    tied=True,
)
PAPER = hardware(gpus=64, kind="h800")


def _model(attention):
    config = transformers.LlamaConfig(
        vocab_size=128,
        hidden_size=64,
        intermediate_size=160,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=512,
        pad_token_id=0,
        attn_implementation=attention,
    )
    return transformers.LlamaModel(config)


def test_operations_equal_torchs_count_of_a_forward_and_backward_pass():
    # The plain implementation multiplies the whole square of queries and keys; half of it is masked.
    model, tokens = _model("eager"), 96
    ids = torch.randint(1, 128, (1, tokens))
    with FlopCounterMode(display=False) as forward:
        out = model(input_ids=ids).last_hidden_state
    expected = forward_flops(SHAPE, count_parameters(SHAPE, FULL), tokens, tokens * tokens)
    # Rotary tables are a small product of their own.
    assert forward.get_total_flops() == pytest.approx(expected, rel=1e-3)
    with FlopCounterMode(display=False) as both:
        model(input_ids=ids).last_hidden_state.sum().backward()
    del out
    assert both.get_total_flops() == pytest.approx(training_factor(SHAPE, FULL) * expected, rel=1e-3)


def test_a_pass_of_each_method_by_hand():
    again = {"gradient_checkpointing": True}
    assert training_factor(SHAPE, TrainConfig(method="head")) == 1
    assert training_factor(SHAPE, TrainConfig(method="lora")) == 2
    assert training_factor(SHAPE, TrainConfig(method="lora", **again)) == 3
    assert training_factor(SHAPE, TrainConfig(method="full", **again)) == 4
    # One of two layers adapted: its gradient of the inputs comes on top of one forward pass of both.
    assert training_factor(SHAPE, TrainConfig(method="lora", lora=LoraConfig(last_layers=1))) == 1.5


def test_communication_by_hand():
    counts = replace(count_parameters(SHAPE, FULL), embedding=0, attention=600, feed_forward=300, norms=90, head=10, trained=1000)
    assert communicated_bytes(counts, "none", 1, 3) == 0
    # Reduce and spread: twice 4 bytes for each parameter, three quarters of it to others; under ZeRO-1 the new weights as well.
    assert communicated_bytes(counts, "none", 4, 3) == 0.75 * 8 * 1000
    assert communicated_bytes(counts, "zero1", 4, 3) == 0.75 * 12 * 1000
    # Three passes: weights in bfloat16 for forward and backward, float32 gradients.
    assert communicated_bytes(counts, "fsdp2", 4, 3) == 0.75 * 3 * (2 + 2 + 4) * 1000


@pytest.mark.parametrize(
    ("name", "steps"), [("llama-3.1-8b", 2540), ("llama-3.1-8b-40m", 3907), ("qwen3-8b/development", 101563)]
)
def test_steps_of_the_published_runs(name, steps):
    # 26 M / 10,240 = 2,539.1; 40 M / 10,240 = 3,906.25; 26 M / 256 = 101,562.5.
    recipe = read_recipe(name)
    assert num_steps(recipe.pairs, load_config(below=recipe.settings).train) == steps


def _published(name, tokens_per_pair, **settings):
    recipe = read_recipe(name)
    overrides = ["train.sharding=zero1", *(f"{key}={value}" for key, value in settings.items())]
    config = load_config(overrides=overrides, below=recipe.settings)
    return estimate_training(config, PAPER, num_pairs=recipe.pairs, tokens_per_pair=tokens_per_pair)


def test_the_larger_batch_saves_what_the_paper_says_it_did():
    # The paper: batches of 10,240 instead of 256 took 35 % less on 64 GPUs. Its lengths and network are not published: the saving
    # must come out on both sides of 35 % for pairs between 1,000 and 8,000 tokens.
    savings = {}
    for tokens in (1000, 8000):
        small, large = (_published(f"llama-3.1-8b{stage}", tokens).cost_separate for stage in ("/development", ""))
        assert small.flops == large.flops
        assert large.communication_s < 0.1 * large.compute_s
        savings[tokens] = 1 - large.gpu_hours / small.gpu_hours
    assert savings[8000] < 0.35 < savings[1000]


def test_time_by_hand():
    estimate = _published("llama-3.1-8b", 2000)
    # Two conversations of 1,000 tokens a pair; 6,979,321,856 matrix parameters; a checkpointed training pass is 4 forward passes.
    matrices = 32 * (2 * 4096 * 4096 + 2 * 4096 * 1024 + 3 * 4096 * 14336)
    assert matrices == 6_979_321_856
    flops = 4 * 26e6 * (2 * matrices * 2000 + 4 * 32 * 4096 * 2 * (1000 * 1001 / 2))
    assert estimate.cost_separate.flops == pytest.approx(flops, rel=1e-12)
    assert estimate.cost_separate.compute_s == pytest.approx(flops / (64 * 989e12 * 0.4), rel=1e-12)
    hours = (estimate.cost_separate.compute_s + estimate.cost_separate.communication_s) * 64 / 3600
    assert estimate.cost_separate.gpu_hours == pytest.approx(hours)


def test_the_features_of_the_first_head_are_counted_once():
    from goldsmith.reward.features import MEAN_DEPTHS

    estimate = _published("llama-3.1-8b", 2000)
    assert estimate.cost.feature_bytes == 2 * 26_000_000 * (1 + len(MEAN_DEPTHS)) * 4096 * 4
    forward = forward_flops(estimate.shape, estimate.parameters, estimate.workload.shared, estimate.workload.attended_shared)
    assert estimate.cost.flops == (4 + 1) * forward  # a checkpointed training pass, and the pass for the features


def test_the_report_names_what_does_not_fit_and_what_does():
    recipe = read_recipe("llama-3.1-8b")
    config = load_config(overrides=["train.sharding=none"], below=recipe.settings)
    estimate = estimate_training(config, PAPER, num_pairs=recipe.pairs)
    assert not estimate.fits(estimate.chosen)
    told = estimate_text(estimate)
    assert "do not fit a GPU of 80 GiB; this does: --set train.sharding=fsdp2" in told
    mended = load_config(overrides=["train.sharding=fsdp2"], below=recipe.settings)
    again = estimate_training(mended, PAPER, num_pairs=recipe.pairs)
    assert again.fits(again.chosen)
    assert "do not fit" not in estimate_text(again)


def test_few_steps_in_large_batches_are_warned_of():
    recipe = read_recipe("qwen3-0.6b")
    config = load_config(below=recipe.settings)
    assert any("10 optimizer steps only" in line for line in estimate_training(config, PAPER, num_pairs=100_000).warnings())
    assert not estimate_training(config, PAPER, num_pairs=recipe.pairs).warnings()


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_fits_the_papers_gpus_as_it_stands(name):
    recipe = read_recipe(name)
    estimate = estimate_training(load_config(below=recipe.settings), PAPER, num_pairs=recipe.pairs)
    assert estimate.fits(estimate.chosen)
    assert not estimate.warnings()
