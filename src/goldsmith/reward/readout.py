"""Where a reward is read: the renderer of a checkpoint, and the token ids up to the one whose state the head sees.

No weights are needed for it, so a server renders in one process and computes in others.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from goldsmith.errors import DataError, UserError
from goldsmith.reward.card import read_card
from goldsmith.reward.checkpoint import load_tokenizer, max_positions
from goldsmith.reward.render import Rendered, Renderer, TruncationSide
from goldsmith.reward.sharing import check_positions

Pooling = Literal["last", "as-published"]


def open_renderer(
    folder: Path,
    config: Any,
    *,
    name: str,
    pooling: Pooling,
    max_length: int | None = None,
    truncation_side: TruncationSide | None = None,
    trust_code: bool = False,
) -> Renderer:
    """Return the renderer of a checkpoint folder.

    Args:
        folder: of the checkpoint.
        config: its transformers configuration.
        name: the model's name in messages.
        pooling: where the reward is read.
        max_length: tokens of a conversation at most; none: what the model was trained with, else the smaller of 16,384 and its maximum.
        truncation_side: which end is cut; none: what the model was made with (`left`).
        trust_code: run a tokenizer class that comes with the checkpoint.

    Raises:
        UserError: no chat template, no usable pad, two different ones, or a length the model cannot have.
    """
    made = read_card(folder)
    renderer = Renderer(
        load_tokenizer(folder, trust_code=trust_code),
        model_max_length=max_positions(config),
        max_length=made.get("max_length") if max_length is None else max_length,
        truncation_side=truncation_side or made.get("truncation_side", "left"),
        name=name,
        check_pad=pooling == "last",
    )
    _check_pad_agrees(config, renderer, pooling, folder)
    check_positions(config, renderer.max_length, name)
    return renderer


def to_the_read_token(item: Rendered, config: Any, pooling: Pooling, name: str) -> Rendered:
    """Return a rendered conversation up to the token that is read.

    Args:
        item: the whole conversation.
        config: the model's transformers configuration.
        pooling: `last`, or `as-published`: the last token that is not the checkpoint's pad token.
        name: of the conversation, in messages.

    Raises:
        DataError: it holds a token that the model has no embedding for.
    """
    text = config.get_text_config()
    pad, largest = text.pad_token_id, max(item.ids)
    if largest >= text.vocab_size:
        raise DataError(
            f"{name}: its tokenizer gives token {largest}, and the model has embeddings for {text.vocab_size}; "
            "take that special token out of the text"
        )
    if pooling == "last" or pad is None:
        return item
    # What follows the token that is read has no influence on it, as attention is causal: it need not be computed.
    length = max((index for index, token in enumerate(item.ids) if token != pad), default=0) + 1
    return Rendered(ids=item.ids[: max(2, length)], reply_start=min(item.reply_start, max(1, length - 1)), cut=item.cut)


def _check_pad_agrees(config: Any, renderer: Renderer, pooling: Pooling, folder: Path) -> None:
    pad = config.get_text_config().pad_token_id
    if pooling == "last" and pad != renderer.pad_id:
        raise UserError(
            f"{folder}: config.json says pad_token_id {pad}, the tokenizer {renderer.pad_id}: other programs would read the reward at "
            f"another token; set pad_token_id to {renderer.pad_id} in config.json, or load with `--pooling as-published`"
        )
