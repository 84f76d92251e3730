"""The formats of votes by name, and how a file is told from the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from goldsmith.errors import DataError, UserError
from goldsmith.gold.exchange.item import Held, Item, Read
from goldsmith.gold.exchange.rows import json_rows

HOMES = {
    "jsonl": "jsonl",
    "csv": "csv_file",
    "parquet": "parquet_file",
    "label-studio": "label_studio",
    "argilla": "argilla",
    "potato": "potato",
}


@dataclass(frozen=True, slots=True)
class Format:
    """How votes are written and read; `write` takes items, a path and the seed of the order in which pairs are shown."""

    name: str
    write: Callable[[Iterable[Item], Path, int], Held]
    read: Callable[[Path], Read]


def format_named(name: str) -> Format:
    """Return a format.

    Raises:
        UserError: there is none of that name.
    """
    if name not in HOMES:
        raise UserError(f"unknown format '{name}'; there are {', '.join(HOMES)}")
    module = import_module(f"goldsmith.gold.exchange.{HOMES[name]}")
    return Format(name, module.write, module.read)


def recognised(path: Path) -> str:
    """Return the name of a file's or folder's format; `recorded` for JSON lines of votes, whichever of their layouts.

    Raises:
        DataError: there is no such file, or a folder is of no known tool.
    """
    if path.is_dir():
        if (path / "records.json").is_file():
            return "argilla"
        if (path / "data").is_dir():
            return "potato"
        raise DataError(f"{path}: neither a folder of Argilla (records.json) nor of Potato (config.yaml, data)")
    suffix = path.name.removesuffix(".gz").rpartition(".")[2]
    if suffix in ("csv", "parquet"):
        return suffix
    first = next((row for _, row in json_rows(path)), {})
    if isinstance(first.get("data"), dict):
        return "label-studio"
    if "fields" in first or any(key.endswith(".responses") for key in first):
        return "argilla"
    return "recorded"
