"""Tiny random encoders with a classification head, in the format of real ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, processors


def write_tiny_encoder(folder: Path, *, family: str = "bert", seed: int = 1, num_labels: int = 1, positions: int = 128) -> Path:
    """Write a BERT, whose tokenizer marks the second text, a DistilBERT, which reads no marks, or a RoBERTa without any; return its folder."""
    is_bert = family != "roberta"
    pad, cls, sep, unk = ("[PAD]", "[CLS]", "[SEP]", "[UNK]") if is_bert else ("<pad>", "<s>", "</s>", "<unk>")
    marks = family == "bert"
    tokenizer = _tokenizer(pad, cls, sep, unk, is_bert, marks)
    common: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "max_position_embeddings": positions,
        "initializer_range": 0.3,
        "pad_token_id": tokenizer.pad_token_id,
        "num_labels": num_labels,
    }
    usual = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    prefix, own = {
        "bert": ("Bert", {**usual, "type_vocab_size": 2}),
        "distilbert": ("DistilBert", {"dim": 32, "hidden_dim": 64, "n_layers": 2, "n_heads": 4}),
        "roberta": ("Roberta", {**usual, "type_vocab_size": 1}),
    }[family]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = getattr(transformers, prefix + "ForSequenceClassification")(
            getattr(transformers, prefix + "Config")(**common, **own)
        )
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _tokenizer(pad: str, cls: str, sep: str, unk: str, is_bert: bool, marks: bool) -> Any:
    special = [pad, unk, cls, sep]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(models.BPE(vocab={text: index for index, text in enumerate([*special, *alphabet])}, merges=[]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    inner.add_special_tokens([AddedToken(text, special=True) for text in special])
    pair = f"{cls} $A {sep} $B:1 {sep}:1" if is_bert else f"{cls} $A {sep} {sep} $B {sep}"
    inner.post_processor = processors.TemplateProcessing(
        single=f"{cls} $A {sep}", pair=pair, special_tokens=[(cls, special.index(cls)), (sep, special.index(sep))]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token=pad,
        unk_token=unk,
        cls_token=cls,
        sep_token=sep,
        model_max_length=100,
        model_input_names=["input_ids", *(["token_type_ids"] if marks else []), "attention_mask"],
    )
