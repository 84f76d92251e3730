"""Counts of parameters against transformers' own models on the meta device, and against published totals."""

import pytest
import torch
import transformers

from goldsmith.config.train import LoraConfig, TrainConfig
from goldsmith.errors import UserError
from goldsmith.train.estimate.parameters import count_parameters
from goldsmith.train.estimate.shapes import SHAPES, shape_of

FULL = TrainConfig(method="full")
CLASSES = {"llama": "Llama", "qwen3": "Qwen3", "qwen2": "Qwen2", "mistral": "Mistral"}


def _meta(shape, kind="ForSequenceClassification", **changes):
    settings = {
        "vocab_size": shape.vocab,
        "hidden_size": shape.hidden,
        "intermediate_size": shape.intermediate,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head_dim,
        "max_position_embeddings": shape.positions,
        "tie_word_embeddings": shape.tied,
        "num_labels": 1,
        "pad_token_id": 0,
        **changes,
    }
    prefix = CLASSES[shape.family]
    config = getattr(transformers, f"{prefix}Config")(**settings)
    with torch.device("meta"):
        return getattr(transformers, f"{prefix}{kind}")(config)


def _count(model, *parts):
    return sum(value.numel() for name, value in model.named_parameters() if not parts or any(part in name for part in parts))


@pytest.mark.parametrize("name", SHAPES)
def test_components_equal_those_of_a_model_on_the_meta_device(name):
    shape = SHAPES[name]
    counts, model = count_parameters(shape, FULL), _meta(SHAPES[name])
    assert counts.embedding == _count(model, "embed_tokens")
    assert counts.attention == _count(model, "self_attn")
    assert counts.feed_forward == _count(model, "mlp")
    assert counts.norms == _count(model, "layernorm", "model.norm")
    assert counts.head == _count(model, "score")
    assert counts.total == counts.trained == _count(model)


# Parameters of the causal language models as their safetensors files count them [memory]; their heads and ours are taken off.
PUBLISHED = {
    "Qwen/Qwen3-0.6B": 596_049_920,
    "Qwen/Qwen3-8B": 8_190_735_360,
    "meta-llama/Llama-3.2-1B-Instruct": 1_235_814_400,
    "meta-llama/Llama-3.2-3B-Instruct": 3_212_749_824,
    "meta-llama/Llama-3.1-8B-Instruct": 8_030_261_248,
    "embedded": 134_515_008,
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_totals_are_the_published_ones(name):
    shape = SHAPES[name]
    counts = count_parameters(shape, FULL)
    output = 0 if shape.tied else shape.vocab * shape.hidden
    assert counts.total - counts.head + output == PUBLISHED[name]


def test_biases_of_qwen2_are_counted():
    from dataclasses import replace

    shape = replace(SHAPES["embedded"], family="qwen2", layers=2)
    assert count_parameters(shape, FULL).total == _count(_meta(shape))


@pytest.mark.parametrize("last", [None, 2])
def test_adapters_equal_those_that_peft_makes(last):
    from dataclasses import replace

    from peft import LoraConfig as Adapters
    from peft import get_peft_model

    from goldsmith.train.fine_tune import TARGETS

    shape = replace(SHAPES["embedded"], layers=3)
    config = TrainConfig(method="lora", lora=LoraConfig(rank=8, last_layers=last))
    layers = list(range(3 - (last or 3), 3))
    model = get_peft_model(
        _meta(shape), Adapters(r=8, target_modules=list(TARGETS), layers_to_transform=layers, layers_pattern="layers")
    )
    adapters = sum(value.numel() for value in model.parameters() if value.requires_grad)
    counts = count_parameters(shape, config)
    assert counts.trained == adapters + shape.hidden  # the head is trained too
    assert counts.total == _count(_meta(shape))


def test_a_head_alone_has_as_many_parameters_as_the_model_is_wide():
    assert count_parameters(SHAPES["embedded"], TrainConfig(method="head")).trained == 576


def test_too_many_adapted_layers_are_refused():
    with pytest.raises(UserError, match="last_layers = 31, but the model has 30"):
        count_parameters(SHAPES["embedded"], TrainConfig(lora=LoraConfig(last_layers=31)))


def test_a_shape_is_read_from_a_folder_without_weights(tmp_path):
    _meta(SHAPES["Qwen/Qwen3-4B"]).config.save_pretrained(tmp_path)
    assert shape_of(str(tmp_path)) == SHAPES["Qwen/Qwen3-4B"]


def test_the_embedded_models_shape_is_its_checkpoints():
    from goldsmith.models import checkpoint_path, is_converted

    if not is_converted():
        pytest.skip("the embedded model is not installed")
    assert shape_of(checkpoint_path()) == SHAPES["embedded"]


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ('{"model_type": "gpt2"}', "model_type 'gpt2': its memory cannot be estimated"),
        ('{"model_type": "llama"}', "no 'hidden_size' in it"),
        ("{", "cannot be read as a model's configuration"),
        ("[]", "cannot be read as a model's configuration"),
    ],
)
def test_a_config_that_tells_no_shape_is_named(tmp_path, written, told):
    (tmp_path / "config.json").write_text(written)
    with pytest.raises(UserError, match=told):
        shape_of(str(tmp_path))


def test_an_unknown_model_is_refused_with_what_to_give():
    with pytest.raises(UserError, match=r"shape of someone/unknown-model is not known here.*give a folder"):
        shape_of("someone/unknown-model")
