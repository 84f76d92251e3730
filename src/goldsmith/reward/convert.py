"""Reward models in other programs' formats, brought into the standard one: a sequence classifier with one label, exact or refused.

Value heads of TRL (`v_head.summary` in model.safetensors), LLaMA-Factory and ms-swift (the same in value_head.safetensors) and OpenRLHF
(`value_head` or `score`, with a normalisation in config.json) are one linear layer on the last hidden state, as the standard head is. Its
bias has no place in the standard format: it goes into goldsmith.json, where Goldsmith adds it; to other programs it is a constant that no
comparison sees. Everything that is not one linear layer on a whole decoder is refused.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goldsmith.errors import UserError
from goldsmith.reward.card import CARD
from goldsmith.reward.checkpoint import (
    load_tokenizer,
    locate,
    max_positions,
    quiet_loading,
    read_config,
    read_tensor,
    tensor_files,
)
from goldsmith.reward.classifier import HEAD, refuse_quantised
from goldsmith.reward.ensemble import FILE as ENSEMBLE
from goldsmith.reward.model import RewardModel
from goldsmith.reward.pad import free_pads, is_free
from goldsmith.reward.portable import make_portable
from goldsmith.reward.remote_code import trusts_code
from goldsmith.reward.render import PROBES, Renderer
from goldsmith.reward.roundtrip import FIXED_PROBES, check_head, check_round_trip
from goldsmith.store.atomic import write_directory, write_json

_WRAPPERS = ("pretrained_model.", "base_model.model.", "_orig_mod.", "module.")
"""What programs put before the names of a model they wrap, in any order and number."""
_HEAD_NAME = re.compile(r"^(v_head|value_head|reward_head|score|summary)\.(summary\.)?(weight|bias)$")
_HEAD_PART = re.compile(r"^(v_head|value_head|reward_head|score|summary|classifier|regression_layer|gating)\b")
_LM_HEAD = re.compile(r"^(model\.)*(lm_head|embed_out)\.")
_CONSTANT = re.compile(r"\.rotary_emb\.inv_freq$|\.attn\.(masked_)?bias$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A checkpoint taken apart.

    Attributes:
        trunk: our name of each tensor of the decoder (wrappers taken off) to its file and its name there.
        weight: of the head, float32 [1, D].
        bias: of the head.
        head_name: under which the head was found.
    """

    trunk: dict[str, tuple[Path, str]]
    weight: Any
    bias: float
    head_name: str


def convert_model(source: str | Path, out: Path, *, pad_token: str | None = None) -> dict[str, Any]:
    """Write a reward model of another format to the folder `out` as a standard checkpoint, which appears whole or not at all.

    Args:
        source: a folder or hub id with config.json, tokenizer and safetensors.
        out: the new folder.
        pad_token: padding to use; none: the checkpoint's own when its template never emits it, else a free special token.

    Returns:
        {out, architecture, head, head_bias, pad_token, notes}.

    Raises:
        UserError: the format is unknown, or cannot be converted exactly; says why.
    """
    if out.exists() and any(out.iterdir()):
        raise UserError(f"{out} holds something already; name another --out, or delete it")
    folder = locate(source)
    config = read_config(folder)
    refuse_quantised(folder, config)
    trusts_code(folder, config)
    taken = take_apart(folder)
    weight, bias = _normalised(folder, config, taken)
    tokenizer = load_tokenizer(folder)
    pad_id = _choose_pad(tokenizer, pad_token, int(config.get("vocab_size") or len(tokenizer)), str(source))
    classifier = _classifier(folder, taken, weight, pad_id)
    renderer = Renderer(tokenizer, model_max_length=max_positions(classifier.config), name=str(source))
    notes = _notes(tokenizer, renderer, bias)
    facts = {
        "schema_version": 1,
        "pooling": "last",
        "head_bias": bias,
        "converted_from": {"source": str(source), "head": taken.head_name},
        "template_inserts": renderer.inserted,
        "template_renders": renderer.example,
        "template_inserts_date": renderer.inserts_date,
    }
    with write_directory(out) as made:
        with quiet_loading():
            classifier.save_pretrained(made)
        tokenizer.save_pretrained(made)
        make_portable(made)
        write_json(made / CARD, facts)
        check_head(made, classifier)
        before = RewardModel(classifier.float(), renderer, "in memory", head_bias=bias).score_replies(FIXED_PROBES)
        check_round_trip(made, FIXED_PROBES, before)
    return {
        "out": str(out),
        "architecture": type(classifier).__name__,
        "head": taken.head_name,
        "head_bias": bias,
        "pad_token": tokenizer.pad_token,
        "notes": notes,
    }


def take_apart(folder: Path) -> Source:
    """Return the decoder and the head of a checkpoint in any known format.

    Raises:
        UserError: adapters that are not merged, no head, two heads, or a head that is not one linear layer of one output.
    """
    files = {name: path for name, path in tensor_files(folder).items() if path.name != ENSEMBLE}
    if any(".lora_" in name for name in files):
        raise UserError(
            f"{folder}: holds adapters that are not merged; merge them where they were trained (peft: `merge_and_unload()`), then convert"
        )
    pickled = sorted(path.name for path in folder.glob("value_head.*") if path.suffix != ".safetensors")
    if pickled and not any(_HEAD_PART.match(_bare(name, path)) for name, path in files.items()):
        raise UserError(
            f"{folder}: the head is in {pickled[0]}, a pickle, which can run code and is never read; load it where you trust it, and write "
            "value_head.safetensors with `safetensors.torch.save_file`"
        )
    heads: dict[str, tuple[Path, str]] = {}
    trunk: dict[str, tuple[Path, str]] = {}
    for name, path in files.items():
        bare = _bare(name, path)
        place = heads if _HEAD_PART.match(bare) else trunk
        if bare in place:
            raise UserError(
                f"{folder}: {name} and {place[bare][1]} both are the model's {bare}; delete the one that was not trained"
            )
        place[bare] = (path, name)
    weight, bias, head_name = _head(folder, heads)
    return Source(trunk=trunk, weight=weight, bias=bias, head_name=head_name)


def _bare(name: str, path: Path) -> str:
    """Return a tensor's name without wrappers; a head's without the copies that peft makes of it."""
    if path.name.startswith("value_head") and name in ("weight", "bias", "summary.weight", "summary.bias"):
        return f"value_head.{name}"
    while wrapper := next((known for known in _WRAPPERS if name.startswith(known)), None):
        name = name.removeprefix(wrapper)
    return re.sub(r"\.modules_to_save\.[^.]+\.", ".", name)


def _head(folder: Path, heads: dict[str, tuple[Path, str]]) -> tuple[Any, float, str]:
    # peft keeps the head as it was before training beside the trained one.
    heads = {bare: found for bare, found in heads.items() if ".original_module." not in bare}
    odd = sorted(bare for bare in heads if not _HEAD_NAME.match(bare))
    weights = sorted(bare for bare in heads if bare.endswith(".weight"))
    if odd:
        raise UserError(
            f"{folder}: its head is not one linear layer ({', '.join(odd[:3])}), so no standard checkpoint scores the same"
        )
    if len(weights) != 1:
        found = (
            f"has {len(weights)} heads ({', '.join(weights)}); delete all but the trained one"
            if weights
            else ("has no head (v_head, value_head, score): it was lost when the model was saved, or this is a language model")
        )
        raise UserError(f"{folder} {found}")
    weight = read_tensor(*heads[weights[0]]).float()
    if weight.ndim == 1:
        weight = weight[None]
    if weight.ndim != 2 or weight.shape[0] != 1:
        raise UserError(f"{folder}: the head {weights[0]} has shape {list(weight.shape)}, expected one output; {_WHICH_OUTPUT}")
    bias_name = weights[0].removesuffix("weight") + "bias"
    bias = float(read_tensor(*heads[bias_name]).float().reshape(())) if bias_name in heads else 0.0
    if not bool(weight.isfinite().all()) or not math.isfinite(bias):
        raise UserError(f"{folder}: the head {weights[0]} holds numbers that are not finite; its training failed")
    return weight, bias, heads[weights[0]][1]


_WHICH_OUTPUT = "which output, or which mixture, is the reward is not written in a checkpoint"


def _normalised(folder: Path, config: dict[str, Any], taken: Source) -> tuple[Any, float]:
    """Return weight and bias with OpenRLHF's normalisation, (r - mean) / std, multiplied in."""
    if not config.get("normalize_reward"):
        return taken.weight, taken.bias
    mean, std = config.get("mean", 0.0), config.get("std", 1.0)
    if not all(isinstance(value, int | float) and math.isfinite(value) for value in (mean, std)) or std <= 0:
        raise UserError(
            f"{folder / 'config.json'}: normalize_reward is on with mean {mean!r} and std {std!r}; std must be positive"
        )
    return taken.weight / std, (taken.bias - mean) / std


def _choose_pad(tokenizer: Any, wanted: str | None, vocabulary: int, name: str) -> int:
    """Set the tokenizer's pad token to one that the template never emits and the model has an embedding for; return its id."""
    probes = Renderer(tokenizer, name=name, check_pad=False).probes()
    free = [text for token, text in free_pads(tokenizer, probes) if token < vocabulary]
    own = tokenizer.pad_token_id
    if wanted is not None:
        if wanted not in free:
            raise UserError(
                f"{name}: --pad-token {wanted!r} is no special token of it, or its chat template emits it; free ones: "
                f"{', '.join(map(repr, free[:4])) or 'none; add one to the tokenizer'}"
            )
        tokenizer.pad_token = wanted
    elif own is None or own >= vocabulary or not is_free(tokenizer, int(own), probes):
        if not free:
            raise UserError(
                f"{name}: has no special token that its template never emits, so none can pad; add one to the tokenizer"
            )
        tokenizer.pad_token = free[0]
    return int(tokenizer.pad_token_id)


def _classifier(folder: Path, taken: Source, weight: Any, pad_id: int) -> Any:
    """Return the standard classifier of a source's decoder and head; every tensor must find its place."""
    import torch
    import transformers

    try:
        config = transformers.AutoConfig.from_pretrained(str(folder), trust_remote_code=False)
        config.num_labels = 1
        config.pad_token_id = config.get_text_config().pad_token_id = pad_id
        with quiet_loading(), torch.device("meta"):
            model = transformers.AutoModelForSequenceClassification.from_config(config, trust_remote_code=False)
    except (OSError, ValueError, KeyError, AssertionError) as error:
        raise UserError(f"{folder}: transformers has no sequence classifier for it ({error})") from None
    if not isinstance(getattr(model, "score", None), torch.nn.Linear) or model.config.is_encoder_decoder:
        raise UserError(f"{folder}: {type(model).__name__} is no decoder with a linear head `score`; only those are converted")
    if weight.shape[1] != model.score.in_features:
        raise UserError(f"{folder}: the head is {weight.shape[1]} wide and the decoder {model.score.in_features}")
    wanted = {name for name in model.state_dict() if name != HEAD}
    places = _placed(folder, taken, wanted, bool(getattr(config.get_text_config(), "tie_word_embeddings", False)))
    tensors = {name: read_tensor(*place) for name, place in places.items()}
    kinds = {tensor.dtype for tensor in tensors.values() if tensor.is_floating_point()}
    dtype = kinds.pop() if len(kinds) == 1 else torch.float32
    with quiet_loading():
        filled = transformers.AutoModelForSequenceClassification.from_config(config, dtype=dtype, trust_remote_code=False)
    try:
        filled.load_state_dict({**tensors, HEAD: weight.to(dtype)}, strict=True)
    except RuntimeError as error:
        raise UserError(
            f"{folder}: weights of another shape than config.json says ({str(error).strip().splitlines()[-1].strip()})"
        ) from None
    # The head stays float32, whatever the decoder is.
    filled.score.weight.data = weight
    filled.config.architectures = [type(filled).__name__]
    return filled.eval()


def _placed(folder: Path, taken: Source, wanted: set[str], is_tied: bool) -> dict[str, tuple[Path, str]]:
    """Return the place of every wanted tensor; names may carry a wrapper's `model.` too often, or lack it."""
    trunk = {name: place for name, place in taken.trunk.items() if not _LM_HEAD.match(name) and not _CONSTANT.search(name)}
    tied = next((place for name, place in taken.trunk.items() if _LM_HEAD.match(name)), None)
    if tied is not None and is_tied and not any(name.endswith("embed_tokens.weight") for name in trunk):
        # Of two tensors that are one, the file holds either; here it is the language model's head.
        trunk["model.embed_tokens.weight"] = tied
    candidates = [trunk]
    for prefix in ("model.", "model.model."):
        candidates.append({name.removeprefix(prefix): place for name, place in trunk.items()})
    candidates.append({f"model.{name}": place for name, place in trunk.items()})
    best = min(candidates, key=lambda names: len(wanted ^ names.keys()))
    missing, left = sorted(wanted - best.keys()), sorted(best.keys() - wanted)
    if missing or left:
        told = [f"lacks {', '.join(missing[:3])}"] if missing else []
        told += [f"has {', '.join(left[:3])} beside"] if left else []
        raise UserError(
            f"{folder}: is no whole decoder of the kind config.json names: it {' and '.join(told)}; nothing was written"
        )
    return best


def _notes(tokenizer: Any, renderer: Renderer, bias: float) -> list[str]:
    last = tokenizer.apply_chat_template(list(PROBES[0]), tokenize=True, return_dict=False)[-1]
    notes = []
    if bias:
        notes.append(
            f"the head's bias {bias:.6g} is in {CARD}: other programs give scores that are lower by it, and the same differences"
        )
    if last != tokenizer.eos_token_id:
        notes.append(
            f"the template ends in {tokenizer.decode([last])!r}, where the reward is read; some programs train on texts that end in the "
            f"end-of-text token {tokenizer.eos_token!r} instead: compare accuracies on pairs you know"
        )
    return notes
