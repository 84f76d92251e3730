"""Opening a checkpoint as a reward model: a decoder with one linear head of one output, exactly as it was saved, or a refusal.

What would load and score wrongly is refused with the reason and the remedy: a lost head, weights that nothing reads, several labels,
quantised weights, encoders, classes that need code from the checkpoint.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from goldsmith.errors import UserError
from goldsmith.reward.checkpoint import (
    Dtype,
    choose_device,
    choose_dtype,
    load_remedy,
    quiet_loading,
    read_config,
    read_tensor,
    settled,
    tensor_files,
    unloadable,
)
from goldsmith.reward.remote_code import trusts_code

HEAD = "score.weight"
TRAIN_REMEDY = "train a head with `goldsmith train PAIRS --base MODEL --out DIR`"
CONVERT_REMEDY = "bring it into the standard format with `goldsmith models convert SOURCE --out DIR`"

_VALUE_HEAD = re.compile(r"(^|\.)(v_head|value_head|reward_head|summary)\.|(^|\.)score\.(bias|modules_to_save|original_module)")
"""Names under which other programs keep a head."""
_HARMLESS = re.compile(r"(^|\.)lm_head\.|\.rotary_emb\.inv_freq$|\.attn\.(masked_)?bias$|\.embeddings\.position_ids$")
"""Left over in published checkpoints, and read by no classifier: the language model's head, constants."""


def load_classifier(folder: Path, dtype: Dtype, *, remote_code: Sequence[str] = ()) -> Any:
    """Return the classifier of a checkpoint folder, in evaluation mode; its head `score` is float32 whatever the trunk is.

    Args:
        folder: of the checkpoint.
        dtype: of the trunk.
        remote_code: digests of code that may run when a checkpoint comes with its class; see `trusts_code`.

    Raises:
        UserError: it is no decoder with a linear head of one label, or weights are missing, of another shape or left over.
    """
    model, config, names = open_classifier(folder, dtype, remote_code=remote_code)
    refuse_other_heads(folder, model, str(config["architectures"][0]))
    if HEAD in names:
        # Loading rounds the head to the trunk's arithmetic; its own is on disk.
        model.score.weight.data = read_tensor(names[HEAD], HEAD).float()
    model.score.float()
    return settled(model)


def open_classifier(
    folder: Path, dtype: Dtype, *, remote_code: Sequence[str] = ()
) -> tuple[Any, dict[str, Any], dict[str, Path]]:
    """Return a sequence classifier with one label, every weight of it read from the folder; its config.json; and where its tensors are.

    Raises:
        UserError: it is something else, or weights are missing, of another shape or left over.
    """
    import transformers

    config = read_config(folder)
    names = tensor_files(folder)
    check_config(folder, config, names, remote_code=remote_code)
    try:
        with quiet_loading():
            model, report = transformers.AutoModelForSequenceClassification.from_pretrained(
                str(folder),
                dtype=choose_dtype(dtype, choose_device()),
                # Else a pickle is read where the safetensors have a name that the library does not look for.
                use_safetensors=True,
                output_loading_info=True,
                # Reported below with their names; not ignored.
                ignore_mismatched_sizes=True,
                trust_remote_code=trusts_code(folder, config, remote_code),
            )
    except unloadable() as error:
        raise UserError(f"{folder}: the weights cannot be loaded ({_first_line(error)}); {load_remedy(error)}") from None
    _check_report(folder, report)
    named = str(config["architectures"][0])
    if type(model).__name__ != named:
        raise UserError(
            f"{folder}: config.json names {named}, and its model_type gives {type(model).__name__}; correct the wrong one"
        )
    return model, config, names


def check_config(folder: Path, config: dict[str, Any], names: dict[str, Path], *, remote_code: Sequence[str] = ()) -> None:
    """Refuse what config.json, and the names of the tensors, show to be no sequence classifier with one label.

    Raises:
        UserError: with the reason and the remedy.
    """
    refuse_quantised(folder, config)
    trusts_code(folder, config, remote_code)
    architecture = str((config.get("architectures") or ["?"])[0])
    odd = sorted(name for name in names if _VALUE_HEAD.search(name))
    if odd:
        raise UserError(f"{folder}: its head is kept in a format of its own ({', '.join(odd[:2])}); {CONVERT_REMEDY}")
    if not architecture.endswith("ForSequenceClassification"):
        remedy = CONVERT_REMEDY if HEAD in names else TRAIN_REMEDY
        raise UserError(f"{folder} is no sequence classifier with one label (its architecture is {architecture}); {remedy}")
    pad, vocabulary = config.get("pad_token_id"), config.get("vocab_size")
    if isinstance(pad, int) and isinstance(vocabulary, int) and pad >= vocabulary:
        raise UserError(
            f"{folder}: pad_token_id {pad} has no embedding (vocab_size {vocabulary}); set a special token that has one, in config.json and "
            "tokenizer_config.json alike"
        )
    labels = len(config.get("id2label") or {}) or int(config.get("num_labels") or 2)
    if labels != 1:
        raise UserError(
            f"{folder} is no sequence classifier with one label (it has {labels}): which of them, or which mixture, is the reward is "
            f"not written in a checkpoint; {TRAIN_REMEDY}"
        )


def refuse_quantised(folder: Path, config: dict[str, Any]) -> None:
    """Refuse weights of reduced precision.

    Raises:
        UserError: config.json has a `quantization_config`.
    """
    quantised = config.get("quantization_config")
    if quantised:
        method = quantised.get("quant_method", "an unnamed method") if isinstance(quantised, dict) else quantised
        raise UserError(
            f"{folder} is quantised ({method}): its rewards are not those of the model it was made from, and often worthless when the "
            "head was quantised too; use the original weights"
        )


def _check_report(folder: Path, report: dict[str, Any]) -> None:
    lacking = sorted({str(key) for key in report["missing_keys"]} | {_name(key) for key in report["mismatched_keys"]})
    if lacking:
        raise UserError(
            f"{folder}: weights are missing or have another shape ({', '.join(lacking[:4])}): they would be random numbers; "
            "fetch or train the model again"
        )
    unread = sorted(str(key) for key in report["unexpected_keys"] if not _HARMLESS.search(str(key)))
    if unread:
        raise UserError(
            f"{folder}: holds weights that its class does not read ({', '.join(unread[:4])}), so another class made it and its rewards "
            f"would be other ones; {CONVERT_REMEDY}, or use another model"
        )


def refuse_other_heads(folder: Path, model: Any, architecture: str) -> None:
    """Refuse a class whose head is not one linear layer on a causal decoder.

    Raises:
        UserError: with the class's name and the remedy.
    """
    import torch

    name, config = architecture, model.config.get_text_config()
    head = getattr(model, "score", None)
    if model.config.is_encoder_decoder or not isinstance(head, torch.nn.Linear) or head.out_features != 1:
        raise UserError(
            f"{folder}: {name} has no linear head `score` of one output on a decoder; Goldsmith reads that kind only, as encoders pool "
            "elsewhere; use a decoder, or evaluate it with its own program (BERT, RoBERTa and their like can be served)"
        )
    if getattr(config, "use_bidirectional_attention", None) or getattr(config, "is_causal", True) is False:
        raise UserError(f"{folder}: {name} attends in both directions, so padding and neighbours matter; use a causal decoder")


def _name(key: Any) -> str:
    return str(key[0]) if isinstance(key, tuple | list) else str(key)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
