"""Earlier results, found and read: which models were given, in what order, and where their items lie."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from goldsmith.errors import UserError
from goldsmith.evaluate.items import read_items, read_result
from goldsmith.evaluate.result import ITEMS, MODELS, RESULT, EvalResult, ItemRecord

RULES = {
    "longer": "the longer reply wins",
    "random": "random scores",
    "constant": "one score for all",
    "oracle": "the truth as the score",
}
BASELINES = tuple(RULES)
"""Kinds of engines that are no models: rows to compare with, and in no figure about the models given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """One model's result and the folder it lies in."""

    name: str
    """Unique among the results given."""
    folder: Path
    result: EvalResult

    @property
    def is_baseline(self) -> bool:
        """Whether it is a rule and no model."""
        return self.result.model.kind in BASELINES

    def items(self, benchmark: str) -> Iterator[ItemRecord]:
        """Yield the items of a benchmark.

        Raises:
            DataError: the table is broken.
        """
        return read_items(self.folder, benchmark)


def load(paths: Sequence[Path]) -> list[Evaluated]:
    """Return the models of evaluations, each once, models before baselines, in the order given.

    Args:
        paths: folders that `goldsmith eval` wrote, or folders of single models in them.

    Raises:
        UserError: a folder holds no result, or no items; or nothing was given.
    """
    folders = list(dict.fromkeys(folder.resolve() for path in paths for folder in _folders(path)))
    if not folders:
        raise UserError("no results to compare; name folders that `goldsmith eval` wrote")
    found, seen = [], set()
    for folder in folders:
        result = read_result(folder)
        if not (folder / ITEMS).is_file():
            raise UserError(f"{folder / ITEMS}: absent, so {folder} is half of a result; run `goldsmith eval` again")
        # A baseline belongs to every evaluation; over the same data it is the same one.
        key = (result.model.digest, *(file.digest for item in result.benchmarks for file in item.files))
        if result.model.kind in BASELINES and key in seen:
            continue
        seen.add(key)
        found.append((folder, result))
    names = numbered([_title(result) for _, result in found])
    models = [Evaluated(name=name, folder=folder, result=result) for name, (folder, result) in zip(names, found, strict=True)]
    return sorted(models, key=lambda model: BASELINES.index(model.result.model.kind) + 1 if model.is_baseline else 0)


def _folders(path: Path) -> list[Path]:
    if (path / RESULT).is_file():
        return [path]
    inside = path / MODELS if (path / MODELS).is_dir() else path
    if not inside.is_dir():
        raise UserError(f"{path}: no such folder; name one that `goldsmith eval` wrote")
    found = sorted(folder for folder in inside.iterdir() if (folder / RESULT).is_file())
    if not found:
        raise UserError(f"{path}: no result in it ({RESULT} of a model); name a folder that `goldsmith eval` wrote")
    return found


def _title(result: EvalResult) -> str:
    """Return a model's name; a rule that was given none of its own is called by what it does."""
    kind, name = result.model.kind, result.model.name
    return RULES[kind] if kind in RULES and name == kind else name


def numbered(names: Sequence[str]) -> list[str]:
    """Number what occurs again: two results of one model are two rows."""
    taken: set[str] = set()
    found = []
    for name in names:
        number, own = 1, name
        while own in taken or (number > 1 and own in names):
            number += 1
            own = f"{name} ({number})"
        taken.add(own)
        found.append(own)
    return found
