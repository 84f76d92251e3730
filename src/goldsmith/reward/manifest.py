"""export.json, the record of an exported model's folder: what computes it, which files belong to it, how far its scores may be off."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from goldsmith.errors import UserError
from goldsmith.identity import combined_digest
from goldsmith.reward.checkpoint import checkpoint_digest, file_digest_of
from goldsmith.reward.runtimes import FILES

MANIFEST = "export.json"
HEAD_FILE = "head.safetensors"

_GRAPHS = ("*.onnx", "*.onnx.data", "*.xml", "*.bin", "*.pt", "*.pth", "*.pkl", "*.safetensors")


class Manifest(BaseModel):
    """What an export is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    target: Literal["hf", "onnx", "openvino"]
    """What computes it."""
    dtype: Literal["fp32", "bf16", "fp16", "int8", "int4"]
    """Of the linear maps' weights; the head is float32."""
    source_digest: str
    """Of the model that was exported."""
    files: dict[str, str] = Field(min_length=1)
    """SHA-256 of every file of weights or structure."""
    ignored: list[str] = Field(default_factory=list)
    """Linear maps that stayed in float."""
    prefix: list[int] = Field(default_factory=list)
    """Tokens the template puts before every first user message."""
    largest: FiniteFloat = Field(ge=0)
    """Largest difference of a score from the original's, in the parity report and on the golden conversations."""
    made_with: dict[str, str] = Field(default_factory=dict)
    """Versions."""


def read_manifest(folder: Path) -> Manifest | None:
    """Return the record of an exported model, None for a folder that is none.

    Raises:
        UserError: it cannot be read.
    """
    path = folder / MANIFEST
    if not path.is_file():
        return None
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise UserError(
            f"{path}: no record of an export ({'.'.join(map(str, first['loc']))}: {first['msg']}); export the model again"
        ) from None


def check_files(folder: Path, manifest: Manifest) -> None:
    """Refuse a folder whose weights are not those that were exported and compared.

    Raises:
        UserError: a file is missing, was changed, or was added.
    """
    present = {path.name for pattern in _GRAPHS for path in folder.glob(pattern)}
    for name, digest in manifest.files.items():
        if not (folder / name).is_file():
            raise UserError(f"{folder}: {name} is missing; export the model again")
        if file_digest_of(folder / name) != digest:
            raise UserError(f"{folder / name}: is not the file that was exported and compared (digest); export the model again")
    extra = sorted(present - set(manifest.files))
    if extra:
        raise UserError(f"{folder}: {extra[0]} does not belong to this export; take it out, or export the model again")


def export_digest(folder: Path, manifest: Manifest) -> str:
    """Return the SHA-256 over everything that decides a score of an exported model."""
    graphs = FILES.get(manifest.target, ())
    return combined_digest([checkpoint_digest(folder), *(manifest.files.get(name, "") for name in graphs)])
