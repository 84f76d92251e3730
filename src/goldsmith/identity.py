"""Canonical JSON and the content hashes that name things: a pair, a context, a file, a configuration."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ID_LENGTH = 32
"""Hexadecimal characters of a pair or context id: 128 bits of a SHA-256."""


def canonical_json(value: Any) -> str:
    """Return `value` as JSON with sorted keys, no spaces and no ASCII escapes: equal values, equal text."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def digest(value: Any) -> str:
    """Return the SHA-256 of `canonical_json(value)`, 64 hexadecimal characters.

    Raises:
        UnicodeEncodeError: a string holds a lone surrogate, which no UTF-8 file can carry.
    """
    return hashlib.sha256(canonical_json(value).encode("utf-8")).hexdigest()


def pair_id(context: Any, reply: Any, other: Any) -> str:
    """Return the id of the pair of two replies to a context, whichever comes first.

    Args:
        context: the messages as plain lists and dicts (`role`, `content` only).
        reply: a reply's content, text or a list of parts.
        other: the other reply's content.
    """
    # Text sorts by code point; lists of parts sort by their canonical JSON, as no order is defined on dicts.
    replies = sorted([reply, other], key=lambda content: content if isinstance(content, str) else canonical_json(content))
    return digest([context, replies])[:ID_LENGTH]


def context_id(context: Any) -> str:
    """Return the id of a context; gold is split by it, and folds and clusters are formed by it."""
    return digest(context)[:ID_LENGTH]


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def combined_digest(parts: Iterable[str]) -> str:
    """Return one SHA-256 over several digests or names, in the given order."""
    return hashlib.sha256("\n".join(parts).encode("utf-8")).hexdigest()


def unit_interval(key: str, seed: int) -> float:
    """Return a number in [0, 1) that depends on `key` and `seed` alone: sampling that survives reordering."""
    return int(hashlib.sha256(f"{seed}:{key}".encode()).hexdigest()[:13], 16) / 16**13
