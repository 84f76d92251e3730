"""What `goldsmith annotate docs` does: add documents, list them, take them out; each is one call."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from goldsmith.annotate.documents.index import DocumentIndex
from goldsmith.annotate.documents.passages import passages_of
from goldsmith.annotate.documents.reading import files_in, read_document
from goldsmith.errors import DataError, UserError
from goldsmith.identity import file_digest
from goldsmith.store import Workspace

FILE = "documents.db"
AT_ONCE = 200
"""Files that are written together; who is stopped in between adds these again."""


def add_documents(
    workspace: Workspace, paths: Sequence[Path], *, told: Callable[[str], None] = lambda _text: None
) -> dict[str, Any]:
    """Add files, and folders with all text, Markdown and HTML in them; a file that has changed since takes its own place again.

    Args:
        workspace: whose room it is.
        paths: files and folders.
        told: is called with what could not be read and why.

    Returns:
        {"files", "added", "changed", "unchanged", "empty", "failed": [reason, ...]}; files = the sum of the others.

    Raises:
        UserError: a path is not there, or there is nothing to read in any.
        StoreError: the index cannot be written.
    """
    counts: dict[str, Any] = {"files": 0, "added": 0, "changed": 0, "unchanged": 0, "empty": 0, "failed": []}
    with DocumentIndex(workspace.root / FILE, make=True) as index:
        known, files = index.digests(), iter(files_in(paths))
        while group := list(islice(files, AT_ONCE)):
            counts["files"] += len(group)
            with index.together():
                for file in group:
                    try:
                        counts[_add(index, file, known)] += 1
                    except (DataError, OSError) as error:
                        counts["failed"].append(str(error))
                        told(str(error))
    if not counts["files"]:
        raise UserError(f"{', '.join(map(str, paths))}: no text, Markdown or HTML files in there")
    assert counts["files"] == sum(counts[name] for name in ("added", "changed", "unchanged", "empty")) + len(counts["failed"])
    return counts


def list_documents(workspace: Workspace) -> list[dict[str, Any]]:
    """Return `path`, `title`, `digest`, `passages`, `characters` and `added_at` of every document; none when nothing was ever added."""
    if not (workspace.root / FILE).is_file():
        return []
    with DocumentIndex(workspace.root / FILE) as index:
        return index.documents()


def remove_documents(workspace: Workspace, paths: Sequence[Path]) -> dict[str, int]:
    """Take documents out of the index, those of a folder with it, and return {"removed"}; the files themselves stay.

    Raises:
        UserError: a path names no document of the index.
        StoreError: there is no index, or it cannot be written.
    """
    with DocumentIndex(workspace.root / FILE) as index:
        known = index.digests()
        doomed: set[str] = set()
        for path in map(Path.absolute, paths):
            inside = [name for name in known if Path(name).is_relative_to(path.resolve()) or Path(name).is_relative_to(path)]
            if not inside:
                raise UserError(f"{path}: no document of the index; `goldsmith annotate docs list` shows what is there")
            doomed.update(inside)
        return {"removed": sum(index.remove(name) for name in sorted(doomed))}


def _add(index: DocumentIndex, file: Path, known: dict[str, str]) -> str:
    name, digest = str(file.resolve()), file_digest(file)
    if known.get(name) == digest:
        return "unchanged"
    title, text = read_document(file)
    passages = list(passages_of(text))
    if not passages:
        return "empty"
    index.put(name, title, digest, passages, time.time())
    return "changed" if name in known else "added"
