"""Finding, naming and opening a checkpoint: folder or hub id, content digest, arithmetic, tokenizer."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from goldsmith.errors import UserError
from goldsmith.identity import combined_digest, file_digest
from goldsmith.models import base_model_path

Dtype = Literal["auto", "float32", "bfloat16"]

_CONTENT = (
    *("*.safetensors", "config.json", "*.jinja"),
    *("tokenizer*.json", "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt", "vocab.txt", "*.model"),
)


def locate(name: str | Path) -> Path:
    """Return the folder of a checkpoint: `embedded`, a folder, or a hub id that is in the cache or can be fetched.

    Raises:
        UserError: there is no such folder or id, the hub cannot be reached, or the folder holds no config.json or weights.
    """
    found = base_model_path(name)
    folder = found if isinstance(found, Path) else _fetched(found)
    if not (folder / "config.json").is_file() and (folder / "adapter_config.json").is_file():
        raise UserError(
            f"{folder}: an adapter alone, not a model; merge it into its base first (peft: `merge_and_unload()`, then `save_pretrained`), "
            "and mind that the head is saved with it"
        )
    if not (folder / "config.json").is_file():
        raise UserError(
            f"{folder}: no config.json, so this is no model folder; give the folder that `goldsmith train --out` made, or a hub id"
        )
    if not any(folder.glob("*.safetensors")):
        raise UserError(f"{folder}: no *.safetensors file; the weights are missing{_pickle_advice(folder)}")
    return folder


def _pickle_advice(folder: Path) -> str:
    """Say what to do about weights in a format that runs code when it is read; empty when there are none."""
    pickles = sorted(path.name for pattern in ("*.bin", "*.pt", "*.pth") for path in folder.glob(pattern))
    if not pickles:
        return ""
    return (
        f" ({pickles[0]} is a pickle, which can run code and is never read: load it where you trust it and save it again with "
        "`model.save_pretrained(DIR, safe_serialization=True)`)"
    )


def tensor_files(folder: Path) -> dict[str, Path]:
    """Return the name of every tensor in a folder's safetensors files, with its file.

    Of two tensors of one name, that of the files which the library reads counts: a folder may hold weights of an earlier training too.

    Raises:
        UserError: a file is broken, or an index names one that is not there.
    """
    from safetensors import SafetensorError, safe_open

    read = _read_by_library(folder)
    found: dict[str, Path] = {}
    for path in sorted(folder.glob("*.safetensors"), key=lambda path: (path.name in read, path.name)):
        try:
            with safe_open(path, framework="pt") as tensors:
                found.update({str(name): path for name in tensors.keys()})  # noqa: SIM118 - the handle is no mapping
        except (OSError, SafetensorError) as error:
            raise UserError(f"{path}: the weights cannot be loaded ({error}); fetch or train the model again") from None
    return found


def _read_by_library(folder: Path) -> set[str]:
    """Return the names of the files that transformers reads.

    An index whose weights lie elsewhere is refused: they would be read, and the digest would know nothing of them.
    """
    index, present = folder / "model.safetensors.index.json", {path.name for path in folder.glob("*.safetensors")}
    if not index.is_file() or "model.safetensors" in present:
        return {"model.safetensors"}
    try:
        named = sorted({str(name) for name in json.loads(index.read_bytes())["weight_map"].values()})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{index}: is no index of weights ({type(error).__name__}: {error}); fetch the model again") from None
    for name in named:
        if name not in present:
            raise UserError(f"{index}: names the weights {name!r}, which are not in this folder; fetch the model again")
    return set(named)


def read_tensor(path: Path, name: str) -> Any:
    """Return one tensor of a safetensors file in its own arithmetic."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as tensors:
        return tensors.get_tensor(name)


def _fetched(hub_id: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        # Code is fetched to be read; whether it runs is decided elsewhere.
        return Path(snapshot_download(hub_id, allow_patterns=[*_CONTENT, "*.json", "*.py"]))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise UserError(
            f"model {hub_id!r}: there is no such folder, and the hub does not give it ({type(error).__name__}); check the name or the network"
        ) from None


def checkpoint_digest(folder: Path) -> str:
    """Return the SHA-256 over names and bytes of everything that decides a score: weights, configuration, tokenizer, template."""
    names = sorted({path.name for pattern in _CONTENT for path in folder.glob(pattern)})
    return combined_digest(f"{name} {file_digest_of(folder / name)}" for name in names)


FileState = tuple[str, int, int]
"""Path, size and time of the last change (ns) of a file."""
_known: dict[FileState, str] = {}


def known_digests() -> dict[FileState, str]:
    """Return the digests of all files that this process has read for `checkpoint_digest`, for another process to trust."""
    return dict(_known)


def trust_digests(known: Mapping[FileState, str]) -> None:
    """Take digests over from another process, so that files that have not changed since are not read again."""
    _known.update(known)


def file_states(folder: Path) -> frozenset[FileState]:
    """Return the states of a folder's files, for `refuse_changed`."""
    return frozenset(_state(path) for path in folder.iterdir() if path.is_file())


def refuse_changed(folder: Path, before: frozenset[FileState]) -> None:
    """Refuse a folder whose files are not those of `before`: what was read since may be parts of two models.

    Raises:
        UserError: a file was changed, added or taken away.
    """
    changed = sorted({path for path, _, _ in file_states(folder) ^ before})
    if changed:
        raise UserError(
            f"{changed[0]} changed while the model was loaded, so parts of two models may have been read; load it again once its folder "
            "is written"
        )


def _state(path: Path) -> FileState:
    status = path.stat()
    return (str(path), status.st_size, status.st_mtime_ns)


def file_digest_of(path: Path) -> str:
    """Return the SHA-256 of a file, which is read once as long as it does not change."""
    state = _state(path)
    if state not in _known:
        _known[state] = file_digest(path)
    return _known[state]


def read_config(folder: Path) -> dict[str, Any]:
    """Return config.json of a checkpoint as it stands on disk.

    Raises:
        UserError: it is no JSON object.
    """
    try:
        value = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise UserError(f"{folder / 'config.json'}: not valid JSON ({error}); fetch the model again") from None
    if not isinstance(value, dict):
        raise UserError(f"{folder / 'config.json'}: expected a JSON object; fetch the model again")
    return value


def load_tokenizer(folder: Path, pad_token: str | None = None, *, trust_code: bool = False) -> Any:
    """Return the checkpoint's tokenizer.

    Args:
        folder: of the checkpoint.
        pad_token: a token of its vocabulary to pad with instead of its own; none: its own.
        trust_code: run a tokenizer class that comes with the checkpoint; see `trusts_code`.

    Raises:
        UserError: it is missing or broken, or has no such token.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder), trust_remote_code=trust_code)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError) as error:
        raise UserError(
            f"{folder}: the tokenizer cannot be loaded ({error}); copy tokenizer.json and tokenizer_config.json of the base model into it"
        ) from None
    if pad_token is not None:
        if pad_token not in tokenizer.get_vocab():
            raise UserError(f"reward.pad_token = {pad_token!r}: {folder} has no such token; name one of its vocabulary")
        tokenizer.pad_token = pad_token
    return tokenizer


@contextmanager
def quiet_loading() -> Iterator[None]:
    """Silence transformers' bars and its table of weights that are missing on purpose (a head) or not needed (an LM head)."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def unloadable() -> tuple[type[Exception], ...]:
    """Return what transformers raises about files and settings of a checkpoint, values of the wrong type in config.json among them."""
    from huggingface_hub.errors import StrictDataclassError
    from safetensors import SafetensorError

    kinds = (OSError, ValueError, TypeError, AttributeError, RuntimeError, KeyError, AssertionError, ImportError)
    return (*kinds, SafetensorError, StrictDataclassError)


def load_remedy(error: Exception) -> str:
    """Return what to do about a checkpoint that cannot be loaded."""
    if isinstance(error, ImportError):
        return "install that package; for an attention kernel, take `attn_implementation` and `_attn_implementation` out of config.json"
    return "fetch or train the model again"


def load_weights(kind: Any, folder: Path, dtype: Any, *, replaced: Collection[str] = (), **options: Any) -> Any:
    """Return the model of a checkpoint folder, every weight of it read from there.

    Args:
        kind: a transformers auto class.
        folder: the checkpoint.
        dtype: of the weights in memory.
        replaced: weights that the caller sets himself, which need not be there.
        options: passed on to the library.

    Raises:
        UserError: weights are missing, broken or of another shape.
    """
    try:
        with quiet_loading():
            model, report = kind.from_pretrained(
                str(folder), dtype=dtype, use_safetensors=True, output_loading_info=True, ignore_mismatched_sizes=True, **options
            )
    except unloadable() as error:
        raise UserError(f"{folder}: the weights cannot be loaded ({error}); {load_remedy(error)}") from None
    # A mismatch comes with both shapes.
    found = {*report["missing_keys"], *(key if isinstance(key, str) else key[0] for key in report["mismatched_keys"])}
    lost = sorted(found - set(replaced))
    if lost:
        raise UserError(f"{folder}: weights are missing or have another shape ({', '.join(lost[:4])}); fetch the model again")
    return model


def settled(model: Any) -> Any:
    """Return a loaded model on its device and in evaluation mode, its weights in memory of its own.

    As they are loaded, weights may be parts of the mapped file: who writes over it in place, as `cp` does, would change a model in use.
    """
    device = choose_device()
    model = model.to(device).eval()
    if device.type == "cpu":
        for tensor in (*model.parameters(), *model.buffers()):
            tensor.data = tensor.data.clone()
    return model


def choose_device() -> Any:
    """Return the CUDA device where there is one, else the CPU."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def choose_dtype(wanted: Dtype, device: Any) -> Any:
    """Return the torch dtype of `wanted`; `auto` is bfloat16 only where the processor multiplies it natively.

    A CPU without such instructions emulates bfloat16 about a hundred times slower than float32.
    """
    import torch

    if wanted != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16}[wanted]
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    return torch.bfloat16 if _cpu_multiplies_bfloat16() else torch.float32


def _cpu_multiplies_bfloat16() -> bool:
    import torch

    # Private names, so their absence counts as "no": slower at worst on a processor that could.
    tests = [getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")]
    return any(bool(test()) for test in tests if test is not None)


def max_positions(config: Any) -> int | None:
    """Return the positions a model was made for, None when its configuration does not say."""
    value = getattr(config.get_text_config(), "max_position_embeddings", None)
    return int(value) if value else None
