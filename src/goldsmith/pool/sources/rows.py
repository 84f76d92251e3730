"""From a draft to a pair: the structural check, the orientation, the ids, and the stored row."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import orjson

from goldsmith.identity import ID_LENGTH, canonical_json
from goldsmith.pool.sources.draft import Draft, Reject
from goldsmith.store.pairs import PAIR_COLUMNS, from_row, text_of
from goldsmith.types import Pair

StoredRow = tuple[Any, ...]


def store_row(draft: Draft, default_source: str, source_ref: str) -> StoredRow:
    """Return the stored row of a draft (`PAIR_COLUMNS`); equal to `store.to_row(Pair.from_replies(...))`, only faster.

    Raises:
        Reject: `empty-reply`, `identical-replies`, `no-user-turn`, `last-turn-not-user`, `empty-turn`, `lone-surrogate`,
            `nested-too-deeply`, `wrong-pair-id`, `wrong-type`.
    """
    check(draft)
    try:
        return _row(draft, default_source, source_ref)
    except UnicodeEncodeError as error:
        raise Reject(
            "lone-surrogate",
            f"{error.object[error.start]!r} is half of a character; no UTF-8 file can hold it; take it out of the text, or drop the row",
        ) from None
    except RecursionError:
        raise Reject("nested-too-deeply", "lists or objects within each other, hundreds deep") from None


def pair_of(draft: Draft, default_source: str, source_ref: str) -> Pair:
    """Return a draft as a Pair; raises as `store_row`."""
    return from_row(dict(zip(PAIR_COLUMNS, store_row(draft, default_source, source_ref), strict=True)))


def check(draft: Draft) -> None:
    """Refuse a draft that is structurally no pair (spec 2).

    Raises:
        Reject: the first thing that is wrong.
    """
    chosen, rejected, context = draft.chosen, draft.rejected, draft.context
    for side, reply in (("chosen", chosen), ("rejected", rejected)):
        if not reply or (isinstance(reply, str) and not reply.strip()):
            raise Reject("empty-reply", f"the {side} reply is {reply!r}")
        if not isinstance(reply, (str, list)):
            raise Reject("wrong-type", f"the {side} reply is {type(reply).__name__}")
        if isinstance(reply, list) and not all(isinstance(part, dict) and isinstance(part.get("type"), str) for part in reply):
            raise Reject("wrong-type", f"the {side} reply is a list, but not of parts with a type: {str(reply)[:80]}")
    if chosen == rejected:
        raise Reject("identical-replies", str(chosen)[:80])
    if not any(message["role"] == "user" and message["content"] and not _is_blank(message["content"]) for message in context):
        raise Reject("no-user-turn", f"roles {[message['role'] for message in context]}")
    if context[-1]["role"] != "user":
        raise Reject("last-turn-not-user", f"the context ends with a turn of {context[-1]['role']}")
    if any(not message["content"] and message["role"] != "assistant" for message in context):
        raise Reject("empty-turn", f"a turn of the context has no content, roles {[message['role'] for message in context]}")


def _is_blank(content: Any) -> bool:
    return isinstance(content, str) and not content.strip()


def _row(draft: Draft, default_source: str, source_ref: str) -> StoredRow:
    context = fast_json(draft.context)
    chosen_key, rejected_key = _sort_key(draft.chosen), _sort_key(draft.rejected)
    swapped = rejected_key < chosen_key
    first, second = (draft.rejected, draft.chosen) if swapped else (draft.chosen, draft.rejected)
    whole = b"[%b,[%b,%b]]" % (context, fast_json(first), fast_json(second))
    name = hashlib.sha256(whole).hexdigest()[:ID_LENGTH]
    source = draft.source or default_source
    if not source.isascii():
        source.encode("utf-8")
    meta = draft.meta
    if "_pair_id" in meta:
        meta = {key: value for key, value in meta.items() if key != "_pair_id"}
        if draft.meta["_pair_id"] != name:
            raise Reject("wrong-pair-id", f"the row says {draft.meta['_pair_id']!r}, its content gives {name!r}")
    lists = {side: content for side, content in (("first", first), ("second", second)) if not isinstance(content, str)}
    return (
        name,
        hashlib.sha256(context).hexdigest()[:ID_LENGTH],
        context.decode(),
        text_of(first) if lists else first,
        text_of(second) if lists else second,
        canonical_json(lists) if lists else None,
        "tie" if draft.tie else ("second" if swapped else "first"),
        draft.label_origin,
        draft.strength,
        source,
        source_ref,
        _meta_json(meta) if meta else "{}",
    )


def _meta_json(meta: dict[str, Any]) -> str:
    """The meta as sorted JSON; it names nothing, so the form of its floats does not matter."""
    return fast_json(meta).decode() if (found := _by_orjson(meta)) is None else found.decode()


def _by_orjson(value: Any) -> bytes | None:
    """Sorted JSON; None when there is something orjson does not write: a number of more than 64 bits, a lone surrogate.

    Raises:
        RecursionError: nested more than 254 deep. Python's own encoder goes further, but what reads it again may not.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError as error:
        if "Recursion" in str(error):
            raise RecursionError(str(error)) from None
        return None


def _sort_key(content: Any) -> str:
    return content if isinstance(content, str) else canonical_json(content)


def fast_json(value: Any) -> bytes:
    """Return `canonical_json(value)` in UTF-8.

    orjson writes the same bytes for texts, integers, lists and string-keyed dicts; only floats differ in form (1e16), so what
    holds one, or anything orjson refuses, goes the slow way.

    Raises:
        UnicodeEncodeError: a lone surrogate.
    """
    found = _by_orjson(value)
    if found is not None and (isinstance(value, str) or _is_plain(value)):
        return found
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str).encode("utf-8")


def _is_plain(value: Any) -> bool:
    """Whether a list of messages or a flat object holds texts and whole numbers alone."""
    items = value if isinstance(value, list) else [value]
    return all(
        type(item) is dict and all(type(field) in (str, int, bool, type(None)) for field in item.values()) for item in items
    )
