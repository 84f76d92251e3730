"""Readings of request fields that several dialects share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from goldsmith.serve.items import Activation, Item, Text, Tokens
from goldsmith.serve.problem import bad_request


def items_of(value: str | Sequence[int] | Sequence[str] | Sequence[Sequence[int]] | None, field: str) -> list[Item]:
    """Return the items of a field that holds one text or one list of token ids, or a list of either.

    Raises:
        Refusal: there is nothing in it.
    """
    if isinstance(value, str):
        return [Text(value)]
    if not value:
        raise bad_request("no-input", f"`{field}` is missing or empty")
    found: list[Item] = []
    for entry in [value] if isinstance(value[0], int) else value:
        found.append(Text(entry) if isinstance(entry, str) else Tokens(list(entry)))  # type: ignore[arg-type]
    return found


def activation_of(wanted: bool | None) -> Activation:
    """Return the sigmoid when it is asked for; a field that is absent asks for nothing."""
    return "sigmoid" if wanted else "none"


def refuse_fields(values: Mapping[str, Any], allowed: Mapping[str, Sequence[Any]]) -> None:
    """Refuse fields that would change what is scored, and that are not supported.

    Args:
        values: of the request, by name.
        allowed: for each name the values besides null that change nothing.

    Raises:
        Refusal: one has another value.
    """
    for name, value in values.items():
        if value is not None and value not in allowed.get(name, ()):
            raise bad_request("unsupported", f"`{name}` would change what is scored, and is not supported; leave it out")
