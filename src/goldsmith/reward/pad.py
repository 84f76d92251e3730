"""The pad token of a checkpoint: it must be one that the chat template never emits, so that every program pools the same place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from goldsmith.errors import UserError

_LIKELY = ("pad", "endoftext", "end_of_text", "reserved", "unused")


def checked_pad(tokenizer: Any, probes: Sequence[Sequence[int]], name: str) -> int:
    """Return the pad token's id.

    Args:
        tokenizer: with a chat template.
        probes: renderings of a few conversations.
        name: the model's, in messages.

    Raises:
        UserError: there is none, or the template emits it.
    """
    pad = tokenizer.pad_token_id
    if pad is None:
        raise UserError(f"{name} has no pad token; {_advice(tokenizer, probes)}")
    if not is_free(tokenizer, int(pad), probes):
        raise UserError(
            f"the pad token of {name} is {tokenizer.pad_token!r}, which its chat template emits: rewards would be read at "
            f"another place than the last token; {_advice(tokenizer, probes)}"
        )
    return int(pad)


def is_free(tokenizer: Any, token: int, probes: Sequence[Sequence[int]]) -> bool:
    """Whether neither the template's text nor any of its renderings has the token."""
    named = str(tokenizer.convert_ids_to_tokens(token)) in str(tokenizer.chat_template)
    return not named and not any(token in probe for probe in probes)


def free_pads(tokenizer: Any, probes: Sequence[Sequence[int]]) -> list[tuple[int, str]]:
    """Return special tokens (id, text) that could serve as padding, likely ones first."""
    special = sorted((int(index), str(token)) for index, token in tokenizer.added_tokens_decoder.items())
    free = [(index, text) for index, text in special if is_free(tokenizer, index, probes)]
    return sorted(free, key=lambda item: not any(word in item[1].lower() for word in _LIKELY))


def pad_or_zero(tokenizer: Any) -> int:
    """Return the pad token's id, 0 without one: what follows the last token read has no influence on it."""
    return int(tokenizer.pad_token_id) if tokenizer.pad_token_id is not None else 0


def _advice(tokenizer: Any, probes: Sequence[Sequence[int]]) -> str:
    free = free_pads(tokenizer, probes)
    hint = f", for example {free[0][1]!r}" if free else ""
    return (
        f"set another one{hint}: to train, `reward.pad_token`; for good, `pad_token` in tokenizer_config.json and its id as `pad_token_id` "
        "in config.json. "
        "A published reward model whose authors pooled so loads with `--pooling as-published`"
    )
