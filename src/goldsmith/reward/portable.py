"""Checkpoints that programs with an older transformers read as they were meant.

Version 5 writes the rotary settings as `rope_parameters` and names a tokenizer class of its own. Version 4, which many servers and
evaluation packages still hold, does not know the first and rotates by its default base, silently: the scores of SmolLM2 (base
100,000) come out wrong. It refuses the second.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from goldsmith.store.atomic import write_json

MODERN_TOKENIZER, COMMON_TOKENIZER = "TokenizersBackend", "PreTrainedTokenizerFast"
READ_BY_DECODERS = ["input_ids", "attention_mask"]


def make_portable(folder: Path) -> None:
    """Add to a saved checkpoint's settings what transformers before version 5 looks for; version 5 reads the same as before.

    Args:
        folder: a decoder's `config.json`, and `tokenizer_config.json` where there is one.
    """
    _rewrite(folder / "config.json", _with_rotary)
    _rewrite(folder / "tokenizer_config.json", _with_common_tokenizer)


def _rewrite(path: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    if path.is_file():
        before = json.loads(path.read_text(encoding="utf-8"))
        after = change(before)
        if after != before:
            write_json(path, after)


def _with_rotary(config: dict[str, Any]) -> dict[str, Any]:
    rotary = config.get("rope_parameters") or {}
    if "rope_theta" not in rotary:
        # None at all, or settings by kind of layer, which version 4 cannot hold.
        return config
    older: dict[str, Any] = {"rope_theta": rotary["rope_theta"]}
    if rotary.get("rope_type", "default") != "default":
        older["rope_scaling"] = {name: value for name, value in rotary.items() if name != "rope_theta"}
    return {**older, **config}


def _with_common_tokenizer(config: dict[str, Any]) -> dict[str, Any]:
    if config.get("tokenizer_class") != MODERN_TOKENIZER:
        return config
    return {"model_input_names": READ_BY_DECODERS, **config, "tokenizer_class": COMMON_TOKENIZER}
