"""Datasets of the Hugging Face hub, by `hf:org/name` or `hf:org/name:split`, through the `datasets` library."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from goldsmith.errors import DataError
from goldsmith.pool.sources.containers import Record

HUB_PREFIX = "hf:"
_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")


def load_hub(reference: str) -> Any:
    """Return the dataset a reference names; without a split, `train` or the only one there is.

    Raises:
        DataError: `datasets` is not installed, the hub cannot be reached, no such dataset or split.
    """
    name, _, split = reference.removeprefix(HUB_PREFIX).partition(":")
    if not _ID.fullmatch(name):
        raise DataError(f"{reference}: no dataset's id; write hf:org/name, or hf:org/name:split")
    try:
        import datasets
    except ImportError:
        raise DataError(f"{reference}: reading the hub needs the package datasets; `pip install 'goldsmith[hub]'`") from None
    try:
        loaded = datasets.load_dataset(name)
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error).split("\n")[0]
        raise DataError(
            f"{reference}: cannot be loaded ({reason}); check the id and the connection, or download it and add the files"
        ) from None
    splits = list(loaded)
    chosen = split or ("train" if "train" in splits else (splits[0] if len(splits) == 1 else ""))
    if chosen not in splits:
        raise DataError(
            f"{reference}: split {chosen or '?'!r} not found; write hf:{name}:SPLIT with one of {', '.join(map(str, splits))}"
        )
    return loaded[chosen]


def hub_rows(reference: str) -> Iterator[Record]:
    """Yield the rows of a hub dataset, numbered from 1."""
    yield from enumerate(iter(load_hub(reference)), start=1)
