"""A tiny random chat model in the format of a real one, written in a moment: for tests, examples and dry runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

PAD, BEGIN, END = "<pad>", "<|im_start|>", "<|im_end|>"

TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def write_tiny_model(
    folder: Path,
    *,
    seed: int,
    family: Literal["llama", "qwen3"] = "llama",
    num_layers: int = 3,
    hidden: int = 32,
    max_positions: int = 512,
    num_labels: int | None = None,
) -> Path:
    """Write a random checkpoint with a byte tokenizer and a chat template, and return its folder.

    Args:
        folder: where to write; made when absent.
        seed: of the weights.
        family: architecture.
        num_layers: decoder layers.
        hidden: width, a multiple of 8.
        max_positions: positions.
        num_labels: write a sequence classifier with so many labels; none: a causal language model.
    """
    import torch
    import transformers

    tokenizer = _byte_tokenizer()
    settings: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "hidden_size": hidden,
        "intermediate_size": 2 * hidden,
        "num_hidden_layers": num_layers,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": hidden // 4,
        "max_position_embeddings": max_positions,
        # Ten times the usual spread: with it, attention and position matter in a network this small.
        "initializer_range": 0.2,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }
    if num_labels is not None:
        settings["num_labels"] = num_labels
    prefix, kind = (
        {"llama": "Llama", "qwen3": "Qwen3"}[family],
        "ForCausalLM" if num_labels is None else "ForSequenceClassification",
    )
    config = getattr(transformers, f"{prefix}Config")(**settings)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = getattr(transformers, prefix + kind)(config)
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _byte_tokenizer() -> Any:
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(models.BPE(vocab={text: index for index, text in enumerate([PAD, BEGIN, END, *alphabet])}, merges=[]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    inner.decoder = decoders.ByteLevel()
    inner.add_special_tokens([AddedToken(text, special=True) for text in (PAD, BEGIN, END)])
    return PreTrainedTokenizerFast(tokenizer_object=inner, pad_token=PAD, bos_token=BEGIN, eos_token=END, chat_template=TEMPLATE)
