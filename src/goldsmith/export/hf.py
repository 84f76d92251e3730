"""Standard checkpoints: rounded weights, or W8A8 integers in the compressed-tensors layout that vLLM reads.

W8A8: int8 weights with one scale an output channel, int8 activations with one scale a token, found while computing. The layout is written
by us and its structure is tested; it was never loaded on a GPU. What the parity report compares is the same arithmetic, emulated in float32.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from goldsmith.export.quantize import kept_float, quantize

if TYPE_CHECKING:
    import torch

    from goldsmith.reward.model import RewardModel

_ROUNDED = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16", "int8": "bfloat16"}
"""What is no integer: norms, embeddings, and everything of a rounded checkpoint; the head alone is always float32."""
_MOST = 127.0


def linear_names(model: RewardModel) -> list[str]:
    """Return the names of the trunk's linear maps, as a checkpoint has them."""
    return [f"{model.classifier.base_model_prefix}.{name}" for name, _ in _linears(model)]


def write_hf(model: RewardModel, folder: Path, dtype: str, ignore: tuple[str, ...] = ()) -> list[str]:
    """Write the weights and config.json of a checkpoint.

    Args:
        model: loaded in float32; it is left with the rounded weights, and computes as the checkpoint would.
        folder: of the checkpoint.
        dtype: `fp32`, `bf16`, `fp16` or `int8`.
        ignore: patterns of linear maps that stay in float.

    Returns:
        The names of the linear maps that stayed in float.

    Raises:
        UserError: a pattern matches none, or a weight has no number in the type.
    """
    import torch
    from safetensors.torch import save_file

    kind = getattr(torch, _ROUNDED[dtype])
    names = linear_names(model)
    keep = sorted(kept_float(names, ignore))
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.classifier.state_dict().items()}
    written: dict[str, torch.Tensor] = {}
    for name, tensor in tensors.items():
        if dtype == "int8" and name.removesuffix(".weight") in names and name.removesuffix(".weight") not in keep:
            small = quantize(tensor.float().numpy(), bits=8)
            written[name] = torch.from_numpy(small.values[:, 0].copy())
            written[f"{name}_scale"] = torch.from_numpy(small.scale)
        else:
            written[name] = tensor.float() if name.startswith("score.") else _rounded(name, tensor, kind)
    save_file(written, folder / "model.safetensors", metadata={"format": "pt"})
    config = model.classifier.config
    config.dtype = kind
    if dtype == "int8":
        config.quantization_config = compressed_tensors(keep)
    config.save_pretrained(folder)
    _compute_as_written(model, written, set(names) - set(keep) if dtype == "int8" else set())
    return keep


def compressed_tensors(keep: list[str]) -> dict[str, Any]:
    """Return the `quantization_config` of W8A8 integers; `keep` names linear maps that stay in float, beside the head."""
    common = {"num_bits": 8, "type": "int", "symmetric": True, "group_size": None, "block_structure": None, "actorder": None}
    return {
        "quant_method": "compressed-tensors",
        "format": "int-quantized",
        "quantization_status": "compressed",
        "kv_cache_scheme": None,
        "global_compression_ratio": None,
        "ignore": ["score", *keep],
        "config_groups": {
            "group_0": {
                "targets": ["Linear"],
                "weights": {**common, "strategy": "channel", "dynamic": False, "observer": "minmax", "observer_kwargs": {}},
                "input_activations": {**common, "strategy": "token", "dynamic": True, "observer": None, "observer_kwargs": {}},
                "output_activations": None,
            }
        },
    }


def _linears(model: RewardModel) -> list[tuple[str, Any]]:
    import torch

    return [(name, module) for name, module in model.trunk.named_modules() if isinstance(module, torch.nn.Linear)]


def _rounded(name: str, tensor: torch.Tensor, kind: Any) -> torch.Tensor:
    from goldsmith.errors import UserError

    found = tensor.to(kind)
    if not bool(found.isfinite().all()):
        raise UserError(f"{name} holds numbers that {kind} has not, or that are not finite; export with --dtype fp32")
    return found


def _compute_as_written(model: RewardModel, written: dict[str, torch.Tensor], quantised: set[str]) -> None:
    import torch

    prefix = model.classifier.base_model_prefix
    with torch.no_grad():
        for name, parameter in model.classifier.named_parameters():
            values = written[name].float()
            if f"{name}_scale" in written:
                values = values * written[f"{name}_scale"]
            parameter.copy_(values)
    for name, module in _linears(model):
        if f"{prefix}.{name}" in quantised:
            module.register_forward_pre_hook(_by_token)


def _by_token(_: Any, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    """Round activations to 8 bits with one scale a token."""
    states = inputs[0]
    scale = states.abs().amax(dim=-1, keepdim=True).clamp_min(1e-12) / _MOST
    return ((states / scale).round().clamp(-_MOST, _MOST) * scale, *inputs[1:])
