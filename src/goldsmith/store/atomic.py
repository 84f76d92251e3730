"""Writes that are either whole or absent: a temporary name beside the target, fsync, one rename."""

from __future__ import annotations

import errno
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from goldsmith.errors import StoreError

TEMPORARY = ".tmp-"
"""Prefix of every unfinished file or folder; what carries it is never read, and may be removed."""


def write_text(path: Path, text: str) -> None:
    """Replace the file `path` by `text`."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Replace the file `path` by `value` as indented JSON; NaN is refused."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False) + "\n")


def write_bytes(path: Path, data: bytes) -> None:
    """Replace the file `path` by `data`.

    Raises:
        StoreError: the disk is full or the folder cannot be written; the old file is untouched.
    """
    write_together({path: data})


def write_together(files: Mapping[Path, bytes]) -> None:
    """Replace several files that belong together; none is replaced before all are on disk.

    Only a kill between two renames leaves some of them old; what makes them runs again.

    Raises:
        StoreError: the disk is full or the folder cannot be written; the old files are untouched.
    """
    aside: dict[Path, Path] = {}
    try:
        for path, data in files.items():
            with explained(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                aside[path] = path.with_name(f"{TEMPORARY}{uuid.uuid4().hex[:12]}-{path.name}")
                _write_synced(aside[path], data)
        for path, temporary in aside.items():
            with explained(path):
                os.replace(temporary, path)
    finally:
        for temporary in aside.values():
            temporary.unlink(missing_ok=True)
    for folder in {path.parent for path in files}:
        with explained(folder):
            sync_folder(folder)


def _write_synced(path: Path, data: bytes) -> None:
    with path.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


@contextmanager
def write_directory(path: Path) -> Iterator[Path]:
    """Give a temporary folder that becomes `path` when the block ends normally, and vanishes when it does not.

    An existing `path` is moved aside first: a kill between the two renames leaves no `path`, and what makes it runs again.
    """
    temporary = path.with_name(f"{TEMPORARY}{uuid.uuid4().hex[:12]}-{path.name}")
    with explained(path):
        temporary.mkdir(parents=True)
        try:
            yield temporary
            sync_tree(temporary)
            if path.exists():
                aside = path.with_name(f"{TEMPORARY}old-{uuid.uuid4().hex[:12]}-{path.name}")
                os.rename(path, aside)
                os.rename(temporary, path)
                shutil.rmtree(aside, ignore_errors=True)
            else:
                os.rename(temporary, path)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        sync_folder(path.parent)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn the system's refusal to write into a StoreError that names the place and the remedy."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreError(
                f"{path}: no space left on the disk; nothing that was there is lost. Free some space and run the same command again"
            ) from error
        if error.errno == errno.EFBIG:
            raise StoreError(
                f"{path}: the file would be larger than this process or disk allows (`ulimit -f`); nothing that was there is lost. Raise "
                "the limit and run the same command again"
            ) from error
        if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
            raise StoreError(f"{path}: cannot be written ({error.strerror}); check the folder's owner and permissions") from error
        raise


def sync_folder(folder: Path) -> None:
    """Make renames inside `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Make every file below `folder`, and the folders themselves, durable."""
    for parent, _, names in os.walk(folder):
        for name in names:
            descriptor = os.open(os.path.join(parent, name), os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        sync_folder(Path(parent))


def clean_temporary(folder: Path) -> None:
    """Remove what a killed process left unfinished directly inside `folder`."""
    if not folder.is_dir():
        return
    for entry in folder.iterdir():
        if entry.name.startswith(TEMPORARY):
            shutil.rmtree(entry, ignore_errors=True) if entry.is_dir() else entry.unlink(missing_ok=True)
