"""Checks where a result is to be written, before anything is computed or paid for."""

from __future__ import annotations

from pathlib import Path

from goldsmith.errors import UserError


def check_output(out: Path, *inputs: str | Path | None) -> None:
    """Refuse an output that is a folder, lies below a file, or is one of the files that are read.

    Raises:
        UserError: it is.
    """
    if out.is_dir():
        raise UserError(f"{out} is a folder; name the file to write with -o")
    above = next((folder for folder in out.absolute().parents if folder.exists()), None)
    if above is not None and not above.is_dir():
        raise UserError(f"{out} cannot be written: {above} is a file, not a folder; name another place with -o")
    taken = next(
        (item for item in inputs if item is not None and Path(item).exists() and Path(item).resolve() == out.resolve()), None
    )
    if taken is not None:
        raise UserError(f"{out} is read as well; name another file with -o")
