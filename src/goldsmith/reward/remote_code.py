"""Models whose class comes with the checkpoint: their code runs only when the operator names exactly this code by its digest.

A digest of the files pins them wherever they came from, a commit of a hub or a folder; whoever changes one of them has to be read again.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from goldsmith.errors import UserError
from goldsmith.identity import combined_digest, file_digest

if TYPE_CHECKING:
    from goldsmith.reward.model import RewardModel

APART = 1e-3
"""How far the class's own logit may be from ours in float32, times max(1, |logit|)."""
ROUGHLY_APART = 0.1
"""The same in other arithmetic."""


def code_digest(folder: Path) -> str:
    """Return the SHA-256 over names and bytes of every Python file of a checkpoint."""
    files = sorted(folder.rglob("*.py"))
    return combined_digest(f"{path.relative_to(folder).as_posix()} {file_digest(path)}" for path in files)


def code_of(config: Mapping[str, Any]) -> list[str]:
    """Return the classes of a model's own that its config.json names; none for a model of transformers."""
    mapped = config.get("auto_map")
    if not isinstance(mapped, dict):
        return []
    return sorted(str(value) for key, value in mapped.items() if "Model" in key or key == "AutoConfig")


def trusts_code(folder: Path, config: Mapping[str, Any], allowed: Sequence[str] = ()) -> bool:
    """Return whether the code of a checkpoint may run: it has some, and its digest is among the allowed ones.

    Raises:
        UserError: it has code that was not allowed, or that is fetched from elsewhere when it runs.
    """
    custom = code_of(config)
    if not custom:
        return False
    elsewhere = [name for name in custom if "--" in name]
    if elsewhere:
        raise UserError(
            f"{folder} needs code from another repository ({elsewhere[0]}), which nobody can pin; download that code into the folder, "
            "and take the part before `--` out of `auto_map` in config.json"
        )
    digest = code_digest(folder)
    if any(hmac.compare_digest(digest, one) for one in allowed):
        return True
    known = "; the code that was allowed is another one" if allowed else ""
    raise UserError(
        f"{folder} needs code that comes with the checkpoint ({custom[0]}), which is never run unasked{known}. When the weights fit a class "
        f"of transformers, take `auto_map` out of config.json; else read its *.py files, and serve it with `--remote-code {digest}`"
    )


def check_forward(model: RewardModel) -> None:
    """Make sure that a class of its own gives the logits that we compute from its trunk and head.

    Raises:
        UserError: it computes something else.
    """
    import torch

    from goldsmith.reward.roundtrip import FIXED_PROBES

    is_exact = str(model.trunk.dtype) == "torch.float32"
    for reply in FIXED_PROBES:
        ids_1L = torch.tensor([model.render(reply).ids], device=model.classifier.score.weight.device)
        with torch.inference_mode():
            own = float(model.classifier(input_ids=ids_1L, attention_mask=torch.ones_like(ids_1L)).logits[0, 0])
            states_BLD = model.trunk(input_ids=ids_1L, attention_mask=torch.ones_like(ids_1L), use_cache=False).last_hidden_state
            ours = float(model.heads(states_BLD[:, -1].float())[0, 0]) - model.head_bias
        if not abs(own - ours) <= (APART if is_exact else ROUGHLY_APART) * max(1.0, abs(own)):
            raise UserError(
                f"{model.renderer.name}: its own class gives {own:.4f} where a linear head on the last token gives {ours:.4f}; such a model "
                "is not supported, as its scores would be other ones"
            )
