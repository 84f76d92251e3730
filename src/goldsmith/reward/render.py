"""The one way a conversation becomes token ids: for training, scoring, evaluation and serving alike.

Ids equal `apply_chat_template(tokenize=True)` of the whole conversation. Nothing is added to it: no system prompt, no
generation prompt, no second BOS. What the template inserts by itself stays, and `Renderer.inserted` tells what that is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from goldsmith.errors import DataError, UserError
from goldsmith.types import Content

LONGEST = 16_384
"""Tokens of a rendered conversation at most, unless set (spec 1)."""

TruncationSide = Literal["left", "right"]

_MARK = "goldsmithprobe"
_PROBES: tuple[tuple[dict[str, str], ...], ...] = (
    ({"role": "user", "content": _MARK}, {"role": "assistant", "content": _MARK}),
    (
        {"role": "user", "content": _MARK},
        {"role": "assistant", "content": _MARK},
        {"role": "user", "content": _MARK},
        {"role": "assistant", "content": _MARK},
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A rendered conversation.

    Attributes:
        ids: token ids; the reward is read at the last one.
        reply_start: index of the first token of the last reply, 1 <= reply_start < len(ids).
        cut: tokens that truncation took away, 0 when the conversation fitted.
    """

    ids: tuple[int, ...]
    reply_start: int
    cut: int = 0


class Renderer:
    """Renders conversations for one tokenizer, and counts what it had to cut.

    Attributes:
        max_length: tokens of a rendered conversation at most.
        truncation_side: which end is cut when a conversation is longer.
        pad_id: a token that the template never emits.
        rendered, truncated: conversations rendered so far, and those of them that were cut.
    """

    def __init__(
        self,
        tokenizer: Any,
        *,
        model_max_length: int | None = None,
        max_length: int | None = None,
        truncation_side: TruncationSide = "left",
        name: str = "the model",
        check_pad: bool = True,
    ) -> None:
        """Check the tokenizer and fix the length.

        Args:
            tokenizer: a transformers tokenizer with a chat template.
            model_max_length: positions the model was made for (`max_position_embeddings`).
            max_length: tokens at most; none: the smaller of 16,384 and the model's own maximum.
            truncation_side: the end of a too long conversation that is cut.
            name: the model's name in messages.
            check_pad: require a pad token that the template never emits; off only for `pooling="as-published"`.

        Raises:
            UserError: no chat template, no usable pad token, a template that begins with two BOS, or a length above the model's.
        """
        self.tokenizer, self.name, self.truncation_side = tokenizer, name, truncation_side
        self.max_length = _length(max_length, model_max_length, name)
        self.rendered = self.truncated = 0
        if not getattr(tokenizer, "chat_template", None):
            raise UserError(
                f"{name} has no chat template, so a conversation cannot be rendered; use the chat variant of the model, "
                "or put a chat_template.jinja into its folder"
            )
        probes = [self._template(list(probe)) for probe in _PROBES]
        bos = tokenizer.bos_token_id
        if bos is not None and probes[0][:2] == (bos, bos):
            raise UserError(
                f"the chat template of {name} begins with two BOS tokens ({tokenizer.bos_token}); take one out of chat_template.jinja"
            )
        self._checks_pad = check_pad
        self.pad_id = _checked_pad(tokenizer, probes, name) if check_pad else _pad_or_zero(tokenizer)
        self._keeps_bos = bos is not None and probes[0][0] == bos

    @property
    def inserted(self) -> str:
        """The text that the template itself puts before a first user message, for the model card."""
        text = self.tokenizer.apply_chat_template([dict(_PROBES[0][0])], tokenize=False)
        return str(text).split(_MARK, 1)[0]

    def render(self, context: Sequence[Mapping[str, Any]], reply: Content, *, where: str = "") -> Rendered:
        """Return the ids of `context` followed by one assistant reply.

        Args:
            context: messages with `role` and `content`, ending in a user turn.
            reply: the assistant's reply.
            where: name of the row in messages, a pair id for instance.

        Raises:
            DataError: a part that is no text, a conversation the template refuses, or one that ends in the pad token.
        """
        messages = [{"role": str(turn["role"]), "content": _text(turn["content"], where)} for turn in context]
        ids = self._render([*messages, {"role": "assistant", "content": _text(reply, where)}], where)
        start = _common(ids, self._render(messages, where, prompt=True))
        start = max(1, min(start, len(ids) - 1))
        if self._checks_pad and ids[-1] == self.pad_id:
            raise DataError(
                f"{where or 'conversation'}: ends in the pad token of {self.name}, so its reward would be read elsewhere; drop it"
            )
        self.rendered += 1
        if len(ids) <= self.max_length:
            return Rendered(ids=ids, reply_start=start)
        self.truncated += 1
        return self._truncate(ids, start)

    def _truncate(self, ids: tuple[int, ...], start: int) -> Rendered:
        cut = len(ids) - self.max_length
        if self.truncation_side == "right":
            return Rendered(ids=ids[: self.max_length], reply_start=min(start, self.max_length - 1), cut=cut)
        # Models lean on their first token (BOS) far more than on any other: it is kept when the left end is cut.
        head = ids[:1] if self._keeps_bos else ()
        kept = head + ids[len(ids) - self.max_length + len(head) :]
        return Rendered(ids=kept, reply_start=max(1, start - cut), cut=cut)

    def _render(self, messages: list[dict[str, str]], where: str, *, prompt: bool = False) -> tuple[int, ...]:
        from jinja2.exceptions import TemplateError

        try:
            return self._template(messages, prompt=prompt)
        except TemplateError as error:
            raise DataError(f"{where or 'conversation'}: the chat template of {self.name} refuses it: {error}") from None

    def _template(self, messages: list[dict[str, str]], *, prompt: bool = False) -> tuple[int, ...]:
        ids = self.tokenizer.apply_chat_template(messages, tokenize=True, add_generation_prompt=prompt, return_dict=False)
        return tuple(int(token) for token in ids)


def common_prefix(sequences: Sequence[tuple[int, ...]]) -> int:
    """Return the number of leading tokens that all sequences share; 0 for no sequences."""
    if not sequences:
        return 0
    # The common prefix of a set is that of its smallest and largest member in lexicographic order.
    return _common(min(sequences), max(sequences))


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    length = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        length += 1
    return length


def _length(wanted: int | None, model_maximum: int | None, name: str) -> int:
    if wanted is not None and model_maximum is not None and wanted > model_maximum:
        raise UserError(f"max_length {wanted} is above the {model_maximum} positions of {name}; lower it, or leave it unset")
    return wanted or min(LONGEST, model_maximum or LONGEST)


def _text(content: Content, where: str) -> str:
    if isinstance(content, str):
        return content
    for part in content:
        if part.get("type") != "text":
            raise DataError(
                f"{where or 'conversation'}: holds a part of type '{part.get('type')}', and this reward model reads text only; "
                "drop the row, or replace the part by a description"
            )
    return "\n".join(str(part.get("text", "")) for part in content)


def _checked_pad(tokenizer: Any, probes: Sequence[Sequence[int]], name: str) -> int:
    pad = tokenizer.pad_token_id
    if pad is None:
        raise UserError(f"{name} has no pad token; {_pad_advice(tokenizer, probes)}")
    named = tokenizer.pad_token in str(tokenizer.chat_template)
    if named or any(pad in probe for probe in probes):
        raise UserError(
            f"the pad token of {name} is {tokenizer.pad_token!r}, which its chat template emits: rewards would be read at "
            f"another place than the last token; {_pad_advice(tokenizer, probes)}"
        )
    return int(pad)


def _pad_or_zero(tokenizer: Any) -> int:
    return int(tokenizer.pad_token_id) if tokenizer.pad_token_id is not None else 0


def _pad_advice(tokenizer: Any, probes: Sequence[Sequence[int]]) -> str:
    emitted = {token for probe in probes for token in probe}
    special = sorted((index, str(token)) for index, token in tokenizer.added_tokens_decoder.items() if index not in emitted)
    likely = [
        text
        for _, text in special
        if any(word in text.lower() for word in ("pad", "endoftext", "end_of_text", "reserved", "unused"))
    ]
    names = likely or [text for _, text in special]
    hint = f", for example {names[0]!r}" if names else ""
    return (
        f"set another one{hint}: to train, `reward.pad_token`; for good, `pad_token` in tokenizer_config.json and its id as `pad_token_id` in config.json. "
        "A published reward model whose authors pooled so loads with `--pooling as-published`"
    )
