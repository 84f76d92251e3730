"""Verdicts that were made before, from files: one more judge for each model named in them."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import ValidationError

from goldsmith.errors import DataError
from goldsmith.types import Verdict


def read_verdicts(paths: Sequence[Path]) -> list[Verdict]:
    """Return the verdicts of JSON Lines files (`.jsonl`, `.jsonl.gz`), in order.

    Raises:
        DataError: a file is missing or broken, a line is no `Verdict`, or one model has two verdicts of one sample number.
    """
    verdicts: list[Verdict] = []
    seen: dict[tuple[str, str, int], str] = {}
    for path in paths:
        for number, line in enumerate(_lines(path), 1):
            if not line.strip():
                continue
            verdict = _parse(line, f"{path}:{number}")
            key = (verdict.pair_id, verdict.model, verdict.sample)
            if key in seen:
                raise DataError(
                    f"{path}:{number}: model '{verdict.model}' has sample {verdict.sample} of pair {verdict.pair_id} already at "
                    f"{seen[key]}; give every sample its own number"
                )
            seen[key] = f"{path}:{number}"
            verdicts.append(verdict)
    return verdicts


def _parse(line: str, where: str) -> Verdict:
    try:
        verdict = Verdict.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "line"
        raise DataError(f"{where}: {field}: {first['msg']}; a recorded verdict has the fields of contracts' Verdict") from None
    if (verdict.choice is None) != (verdict.failure is not None):
        raise DataError(f"{where}: choice = {verdict.choice!r} with failure = {verdict.failure!r}; exactly one of them is null")
    return verdict


def _lines(path: Path) -> Iterator[str]:
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as stream:
            yield from stream
    except FileNotFoundError:
        raise DataError(f"judge.recorded: {path}: no such file") from None
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read: {error}; write it anew as UTF-8 JSON Lines") from None
