"""Memory formulas against what autograd really keeps, and against sums by hand."""

from dataclasses import replace

import pytest
import torch
import transformers

from goldsmith.config.train import TrainConfig
from goldsmith.reward.packing import Group, collate
from goldsmith.reward.trunk import run_trunk
from goldsmith.train.estimate.memory import Pass, activation_bytes, layer_bytes, pass_of, peak_memory, state_bytes
from goldsmith.train.estimate.parameters import Parameters, count_parameters
from goldsmith.train.estimate.shapes import SHAPES, Shape
from goldsmith.train.estimate.workload import PairLength

LLAMA = Shape(
    family="llama",
    layers=3,
    hidden=64,
    intermediate=160,
    heads=4,
    kv_heads=2,
    head_dim=24,
    vocab=512,
    positions=512,
    tied=True,
)
QWEN3 = replace(LLAMA, family="qwen3")


def _trunk(shape, layers, dtype=torch.float32):
    prefix = {"llama": "Llama", "qwen3": "Qwen3"}[shape.family]
    config = getattr(transformers, f"{prefix}Config")(
        vocab_size=shape.vocab,
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_hidden_layers=layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        head_dim=shape.head_dim,
        max_position_embeddings=shape.positions,
        pad_token_id=0,
    )
    model = getattr(transformers, f"{prefix}Model")(config).float()
    for value in model.parameters():  # as the computing copy of a float32 model: parameters alone, no buffers
        value.data = value.data.to(dtype)
    return model


def _kept_bytes(trunk, batch):
    """Bytes of the storages that autograd keeps for the backward pass of a trunk, parameters not counted."""
    weights = {value.untyped_storage()._cdata for value in trunk.parameters()}
    kept = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage._cdata not in weights:
            kept[storage._cdata] = (tensor, storage.nbytes())  # held, so that no address is used twice
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        run_trunk(trunk, batch)
    return sum(size for _, size in kept.values())


def _layer_kept(shape, batch, precision):
    dtype = torch.float32 if precision == "float32" else torch.bfloat16
    return _kept_bytes(_trunk(shape, 3, dtype), batch) - _kept_bytes(_trunk(shape, 2, dtype), batch)


def _batch(*groups, packed=True):
    """A packed row, or padded whole sequences, of groups given as (prefix length, suffix lengths)."""
    made = [
        Group(
            prefix=tuple(range(1, prefix + 1)),
            suffixes=tuple(tuple(range(2, 2 + length)) for length in suffixes),
            starts=(0,) * len(suffixes),
            rows=tuple(range(len(suffixes))),
        )
        for prefix, suffixes in groups
    ]
    return collate(made, 0, packed=packed)


@pytest.mark.parametrize("precision", ["float32", "bf16-master32"])
@pytest.mark.parametrize("shape", [LLAMA, QWEN3], ids=["llama", "qwen3"])
def test_a_layer_keeps_what_the_formula_says_to_the_byte(shape, precision):
    # Whole sequences of one length: the plain attention kernel, which like the one on CUDA keeps keys and values as they are.
    kept = _layer_kept(shape, _batch((0, [200, 200]), packed=False), precision)
    assert kept == 400 * layer_bytes(shape, precision)


@pytest.mark.parametrize("precision", ["float32", "bf16-master32"])
@pytest.mark.parametrize("groups", [[(0, [200])], [(100, [50, 60])], [(100, [50, 60]), (30, [7, 9])]], ids=str)
def test_a_packed_row_on_a_cpu_keeps_what_the_formula_says_to_the_byte(groups, precision):
    tokens = sum(prefix + sum(suffixes) for prefix, suffixes in groups)
    kept = _layer_kept(LLAMA, _batch(*groups), precision)
    assert kept == tokens * layer_bytes(LLAMA, precision)


def test_a_pass_by_hand():
    pairs = [PairLength(context=100, chosen=50, rejected=60), PairLength(context=0, chosen=5, rejected=6)]
    assert pass_of(pairs, share=True) == Pass(tokens=221, replies=4)
    assert pass_of(pairs, share=False) == Pass(tokens=321, replies=4)


def test_a_whole_trunk_keeps_its_layers_and_little_else():
    work = pass_of([PairLength(context=0, chosen=200, rejected=200)], share=False)
    parts = activation_bytes(LLAMA, "float32", work, layers=3, checkpointing=False)
    kept = _kept_bytes(_trunk(LLAMA, 3), _batch((0, [200, 200]), packed=False))
    assert kept == pytest.approx(parts["activations"], rel=0.03)


def test_checkpointing_keeps_one_layer_and_the_inputs_of_all():
    work = Pass(tokens=1000, replies=2)
    kept, again = (
        activation_bytes(LLAMA, "float32", work, layers=3, checkpointing=checkpointing)["activations"]
        for checkpointing in (False, True)
    )
    # Two layers less, and three float32 inputs of width 64 more.
    assert kept - again == 1000 * (2 * layer_bytes(LLAMA, "float32") - 3 * 64 * 4)


def test_a_head_alone_keeps_no_layer():
    parts = activation_bytes(LLAMA, "float32", Pass(tokens=10, replies=2), layers=0, checkpointing=True)
    assert parts["activations"] == 10 * 4 * (3 * 64 + 2 * 24)  # the last norm and the rotary tables
    assert parts["packing"] == 16  # one block of the mask


# 8 layers of 1,000 parameters, 2,000 more: 10,000 in all.
SMALL = Parameters(embedding=1500, attention=3000, feed_forward=5000, norms=400, head=100, trained=10_000)
EIGHT = replace(LLAMA, layers=8)


def test_states_by_hand():
    assert state_bytes(EIGHT, SMALL, "float32", "none", 4) == {
        "weights": 40_000,
        "float32 master weights": 0,
        "gradients": 40_000,
        "optimizer state": 80_000,
    }
    assert state_bytes(EIGHT, SMALL, "bf16-master32", "zero1", 4) == {
        "weights": 20_000,
        "float32 master weights": 40_000,
        "gradients": 40_000,
        "optimizer state": 20_000,
    }
    assert state_bytes(EIGHT, SMALL, "bf16-master32", "fsdp2", 4) == {
        "weights": 2 * (2 * 1000 + 1500),  # two layers and the embedding, gathered
        "float32 master weights": 10_000,
        "gradients": 10_000 + 4000,  # and one layer's before it is spread
        "optimizer state": 20_000,
    }


def test_one_gpu_gains_nothing_from_sharding():
    states = [state_bytes(EIGHT, SMALL, "bf16-master32", sharding, 1) for sharding in ("none", "zero1", "fsdp2")]
    assert states[0] == states[1] == states[2]


def test_the_published_figure_of_fully_sharded_states():
    # Rajbhandari et al. 2019 (ZeRO), figure 1: 7.5 B parameters in mixed precision on 64 GPUs, all states sharded: 1.9 GB each.
    # Theirs are 2 + 2 + 12 bytes a parameter, ours 4 + 4 + 8: the same sum.
    counts = replace(SMALL, trained=7_500_000_000, embedding=7_500_000_000 - 8_500)
    parts = state_bytes(EIGHT, counts, "bf16-master32", "fsdp2", 64)
    total = parts["float32 master weights"] + parts["gradients"] + parts["optimizer state"]
    assert total / 1e9 == pytest.approx(1.9, abs=0.05)


def test_eight_billion_parameters_need_sharding_on_80_gb():
    # Why the paper's run had to shard: Adam's averages alone are 56 GiB of float32, with weights and gradients 112.
    counts = count_parameters(SHAPES["meta-llama/Llama-3.1-8B-Instruct"], TrainConfig(method="full"))
    parts = state_bytes(SHAPES["meta-llama/Llama-3.1-8B-Instruct"], counts, "bf16-master32", "none", 64)
    assert parts["optimizer state"] == 8 * 7_504_928_768
    assert sum(parts.values()) > 80 * 2**30
    assert (
        sum(state_bytes(SHAPES["meta-llama/Llama-3.1-8B-Instruct"], counts, "bf16-master32", "zero1", 64).values()) < 80 * 2**30
    )


def test_all_components_together_by_hand():
    config = TrainConfig(method="full")
    parts = peak_memory(EIGHT, SMALL, config, "bf16-master32", "none", 1, [Pass(tokens=0, replies=0)], checkpointing=True)
    # States 20,000 + 40,000 + 40,000 + 80,000; 7 bytes for each of the embedding's 1,500 gradients.
    assert sum(parts.values()) - parts["runtime"] == 180_000 + 10_500
