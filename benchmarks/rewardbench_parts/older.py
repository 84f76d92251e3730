"""A checkpoint as an older release of transformers reads it."""

from __future__ import annotations

import json
from pathlib import Path

from goldsmith.reward.checkpoint import locate


def for_transformers_4(model: Path, copy: Path) -> Path:
    """Return a copy of a checkpoint that transformers 4 reads as it is meant.

    That release passes over `rope_parameters`, and would rotate by the default base without a word; it knows neither `dtype` nor the
    tokenizer's class of later releases, and its plain class would add token types, which no decoder takes.
    """
    source = locate(str(model))
    copy.mkdir(exist_ok=True)
    for file in source.iterdir():
        target = copy / file.name
        target.unlink(missing_ok=True)
        if file.is_file():
            target.symlink_to(file.resolve())
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    rope = config.pop("rope_parameters", None)
    if rope:
        config["rope_theta"] = rope["rope_theta"]
        if rope.get("rope_type", "default") != "default":
            config["rope_scaling"] = {name: value for name, value in rope.items() if name != "rope_theta"}
    config["torch_dtype"] = config.pop("dtype", "float32")
    tokenizer = json.loads((source / "tokenizer_config.json").read_text(encoding="utf-8"))
    if tokenizer.get("tokenizer_class") == "TokenizersBackend":
        tokenizer["tokenizer_class"] = "PreTrainedTokenizerFast"
        tokenizer["model_input_names"] = ["input_ids", "attention_mask"]
    template = source / "chat_template.jinja"
    if template.is_file():
        tokenizer["chat_template"] = template.read_text(encoding="utf-8")
    for name, content in (("config.json", config), ("tokenizer_config.json", tokenizer)):
        (copy / name).unlink(missing_ok=True)
        (copy / name).write_text(json.dumps(content, indent=1), encoding="utf-8")
    return copy
