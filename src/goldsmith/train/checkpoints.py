"""Checkpoints from which a killed training goes on: whole or absent, durable, and refused when a byte of them changed.

A checkpoint is a folder `checkpoint-<step>`: tensors in `state.safetensors`, JSON beside it, and `manifest.json` with the SHA-256 of
every file. It is written under another name, flushed to the disk and renamed, so a full disk or a kill leaves the one before as it was.
No file of it can carry code.
"""

from __future__ import annotations

import errno
import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from goldsmith.errors import UserError
from goldsmith.identity import file_digest
from goldsmith.store.atomic import clean_temporary, explained, write_directory, write_json

if TYPE_CHECKING:
    from torch import Tensor

Resume = Literal["last", "intact", "restart"]
"""Which checkpoint to go on from: the newest (a corrupt one is refused), the newest that is intact, or none."""

TENSORS, FACTS, MANIFEST, BEST = "state.safetensors", "facts.json", "manifest.json", "best"


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What a checkpoint holds."""

    tensors: dict[str, Tensor]
    facts: dict[str, Any]


def write_checkpoint(
    folder: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], rows: Sequence[Mapping[str, Any]] = ()
) -> None:
    """Write a checkpoint to `folder`, which appears whole or not at all.

    Args:
        folder: for example `checkpoint-20`; one of that name is replaced.
        tensors: by name.
        facts: JSON values; the library's own state stands under `trainer_state`, and in a file of that name.
        rows: of the loss series so far.

    Raises:
        StoreError: the disk is full or cannot be written; what was there is untouched.
    """
    with write_directory(folder) as temporary:
        _save_tensors(tensors, temporary / TENSORS)
        write_json(temporary / FACTS, dict(facts))
        if "trainer_state" in facts:
            (temporary / "trainer_state.json").write_text(json.dumps(facts["trainer_state"]), encoding="utf-8")
        (temporary / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        files = {path.name: file_digest(path) for path in sorted(temporary.iterdir())}
        write_json(temporary / MANIFEST, {"schema_version": 1, "files": files})


def read_checkpoint(folder: Path) -> Saved:
    """Return what a checkpoint holds.

    Raises:
        UserError: it is corrupt.
    """
    from safetensors.torch import load_file

    trouble = check_checkpoint(folder)
    if trouble:
        raise UserError(
            f"{folder}: the checkpoint is corrupt ({trouble}); nothing was read from it. `--resume intact` goes on from the newest one that "
            "is whole, `--resume restart` begins anew"
        )
    return Saved(tensors=load_file(folder / TENSORS), facts=json.loads((folder / FACTS).read_text(encoding="utf-8")))


def read_rows(folder: Path) -> list[dict[str, Any]]:
    """Return the loss series up to a checkpoint."""
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]


def check_checkpoint(folder: Path) -> str:
    """Return what is wrong with a checkpoint, empty when nothing is."""
    try:
        files = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"{MANIFEST}: {type(error).__name__}"
    if not isinstance(files, dict) or TENSORS not in files:
        return f"{MANIFEST} does not name {TENSORS}"
    for name, expected in files.items():
        path = folder / Path(str(name)).name
        if not path.is_file():
            return f"{name} is missing"
        if file_digest(path) != expected:
            return f"{name} is not what was written"
    return ""


def choose_checkpoint(work: Path, resume: Resume) -> Path | None:
    """Return the checkpoint to go on from, None to begin; what a killed writer left is removed.

    Raises:
        UserError: the newest is corrupt and `resume` is `last`, or all are and it is `intact`.
    """
    clean_temporary(work)
    found = list_checkpoints(work)
    if resume == "restart":
        for path in found:
            shutil.rmtree(path)
        return None
    if resume == "last" or not found:
        return found[-1] if found else None
    intact = next((path for path in reversed(found) if not check_checkpoint(path)), None)
    if intact is None:
        raise UserError(f"{work}: none of its {len(found)} checkpoints is intact; `--resume restart` begins anew")
    return intact


def list_checkpoints(work: Path, name: str = "checkpoint") -> list[Path]:
    """Return the folders `<name>-<step>`, oldest step first."""
    found = [path for path in work.glob(f"{name}-*") if re.fullmatch(rf"{name}-\d+", path.name) and path.is_dir()]
    return sorted(found, key=step_of)


def step_of(folder: Path) -> int:
    """Return the step in a checkpoint's name."""
    return int(folder.name.rsplit("-", 1)[1])


def rotate(work: Path, keep: int, best_step: int | None) -> None:
    """Remove all but the newest `keep` checkpoints, and all best states but one."""
    for path in list_checkpoints(work)[:-keep]:
        shutil.rmtree(path, ignore_errors=True)
    for path in list_checkpoints(work, BEST):
        if step_of(path) != best_step:
            shutil.rmtree(path, ignore_errors=True)


def _save_tensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    from safetensors.torch import save_file

    with explained(path), system_errors():
        save_file({name: value.detach().contiguous() for name, value in tensors.items()}, path)


@contextmanager
def system_errors() -> Iterator[None]:
    """Turn what safetensors raises when the system refuses to write into the OSError that it was."""
    from safetensors import SafetensorError

    try:
        yield
    except SafetensorError as error:
        # The library tells the system's error number in its text alone.
        number = re.search(r"os error (\d+)", str(error))
        raise OSError(int(number.group(1)) if number else errno.EIO, str(error)) from error
