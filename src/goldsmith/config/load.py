"""Read `goldsmith.toml`: defaults, then files left to right, then `--set a.b=c`."""

from __future__ import annotations

import copy
import difflib
import os
import tomllib
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from goldsmith.config.llm import HIDDEN_VALUE
from goldsmith.config.workspace import GoldsmithConfig
from goldsmith.errors import UserError

DATA_VARIABLE = "GOLDSMITH_DATA"


def load_config(
    paths: Sequence[Path] = (), overrides: Sequence[str] = (), *, below: Mapping[str, Any] | None = None
) -> GoldsmithConfig:
    """Return the configuration of files and overrides, later ones winning.

    Args:
        paths: TOML files.
        overrides: `section.key=value`, the value in TOML's syntax (a bare word is a string).
        below: sections that every file and override wins over, a recipe's for example.

    Raises:
        UserError: a file is missing or no TOML, a key is unknown (with the closest known one), a value is out of range.
    """
    merged: dict[str, Any] = {}
    merge(merged, below or {})
    for path in paths:
        merge(merged, _read_toml(path))
    for override in overrides:
        merge(merged, _parse_override(override))
    origin = ", ".join(str(path) for path in paths) or "--set"
    try:
        return GoldsmithConfig.model_validate(merged)
    except ValidationError as error:
        raise UserError(_explain(error, origin)) from None


def resolve_path(text: str, base: Path) -> str:
    """Return `text` with `$GOLDSMITH_DATA` filled in and a relative path made absolute against `base`; hub ids stay.

    Raises:
        UserError: the variable is needed and not set.
    """
    if text.startswith("hf:"):
        return text
    if f"${DATA_VARIABLE}" in text:
        folder = os.environ.get(DATA_VARIABLE)
        if not folder:
            raise UserError(
                f"'{text}' needs the environment variable {DATA_VARIABLE}, which is not set; "
                "point it at the folder of evaluation data (see docs/data.md)"
            )
        text = text.replace(f"${DATA_VARIABLE}", str(Path(folder).resolve()))
    path = Path(text).expanduser()
    return str(path if path.is_absolute() else (base / path).resolve())


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such configuration file; `goldsmith init DIR` writes a commented one") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not valid TOML: {error}") from None


def _parse_override(text: str) -> dict[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise UserError(f"--set {text}: expected section.key=value, for example --set rounds.count=3")
    try:
        parsed: Any = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value
    for part in reversed(key.strip().split(".")):
        parsed = {part: parsed}
    return typing.cast(dict[str, Any], parsed)


def merge(into: dict[str, Any], new: Mapping[str, Any]) -> None:
    """Put the keys of `new` into `into`, table by table; `new` wins and is not changed."""
    for key, value in new.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        else:
            into[key] = copy.deepcopy(value)


def _explain(error: ValidationError, origin: str) -> str:
    lines = []
    for item in error.errors():
        path = ".".join(str(part) for part in item["loc"])
        if item["type"] == "extra_forbidden":
            known = _known_keys(item["loc"])
            close = difflib.get_close_matches(str(item["loc"][-1]), known, n=1)
            hint = f"did you mean '{close[0]}'?" if close else f"known here: {', '.join(sorted(known))}"
            lines.append(f"{origin}: unknown key '{path}'; {hint}")
        elif item["type"] in (
            HIDDEN_VALUE,
            "missing",
        ):  # what is missing is missing from a section whose other keys may hold secrets
            lines.append(f"{origin}: {path}: {item['msg']}")
        else:
            lines.append(f"{origin}: {path} = {item['input']!r}: {item['msg']}")
    return "\n".join(lines)


def _known_keys(location: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] = GoldsmithConfig
    for part in location[:-1]:
        if isinstance(part, int):
            continue
        inner = _section_of(model.model_fields[str(part)].annotation)
        if inner is None:
            return []
        model = inner
    return list(model.model_fields)


def _section_of(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        return annotation if issubclass(annotation, BaseModel) else None
    for argument in typing.get_args(annotation):
        found = _section_of(argument)
        if found is not None:
            return found
    return None
