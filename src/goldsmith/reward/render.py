"""The one way a conversation becomes token ids: for training, scoring, evaluation and serving alike.

Ids equal `apply_chat_template(tokenize=True)` of the whole conversation. Nothing is added to it: no system prompt, no
generation prompt, no second BOS. What the template inserts by itself stays, and `Renderer.inserted` tells what that is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from goldsmith.errors import DataError, UserError
from goldsmith.reward.pad import checked_pad, pad_or_zero
from goldsmith.types import Content

LONGEST = 16_384
"""Tokens of a rendered conversation at most, unless set (spec 1)."""
SHORTEST = 16
"""A smaller limit would leave nothing of a conversation."""

ROLES = frozenset({"system", "user", "assistant", "tool"})
"""Roles that every chat model may have; others only where its template names them."""

TruncationSide = Literal["left", "right"]

_MARK, _OTHER_MARK = "goldsmithprobe", "anotherprobe"
PROBES: tuple[tuple[dict[str, str], ...], ...] = (
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
        allows_empty: render a reply without any text too; only benchmarks, which hold such replies, ask for that.
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
            UserError: no chat template, one that fails, begins with two BOS or leaves texts out, no usable pad token, or a length above the
                model's.
        """
        self.tokenizer, self.name, self.truncation_side = tokenizer, name, truncation_side
        self.max_length = _length(max_length, model_max_length, name)
        self.rendered = self.truncated = 0
        self.allows_empty = False
        if not getattr(tokenizer, "chat_template", None):
            raise UserError(
                f"{name} has no chat template, so a conversation cannot be rendered; use the chat variant of the model, "
                "or put a chat_template.jinja into its folder"
            )
        probes = self.probes()
        bos = tokenizer.bos_token_id
        if bos is not None and probes[0][:2] == (bos, bos):
            raise UserError(
                f"the chat template of {name} begins with two BOS tokens ({tokenizer.bos_token}); take one out of chat_template.jinja"
            )
        self._refuse_lost_texts(probes[0])
        self._checks_pad = check_pad
        self.pad_id = checked_pad(tokenizer, probes, name) if check_pad else pad_or_zero(tokenizer)
        self._bos = bos
        self._keeps_bos = bos is not None and probes[0][0] == bos
        self._prompt: tuple[list[dict[str, Any]], tuple[int, ...]] | None = None

    @property
    def inserted(self) -> str:
        """The text that the template itself puts before a first user message, for the model card."""
        text = self.tokenizer.apply_chat_template([dict(PROBES[0][0])], tokenize=False)
        return str(text).split(_MARK, 1)[0]

    @property
    def frame(self) -> tuple[str, str, str]:
        """What the template puts before a question, between it and its reply, and after that."""
        text = str(self.tokenizer.apply_chat_template([dict(turn) for turn in PROBES[0]], tokenize=False))
        before, _, rest = text.partition(_MARK)
        between, _, after = rest.partition(_MARK)
        return before, between, after

    @property
    def example(self) -> str:
        """How the template renders a question and a reply, `{user}` and `{reply}` in their places, for the model card."""
        before, between, after = self.frame
        return f"{before}{{user}}{between}{{reply}}{after}"

    @property
    def leading_bos(self) -> int | None:
        """The BOS token with which every rendering begins; None when the template puts none."""
        return self._bos if self._keeps_bos else None

    @property
    def inserts_date(self) -> bool:
        """The template writes the day of rendering into the prompt, so a score may change from one day to the next."""
        return "strftime_now" in str(self.tokenizer.chat_template)

    def render(self, context: Sequence[Mapping[str, Any]], reply: Content, *, where: str = "") -> Rendered:
        """Return the ids of `context` followed by one assistant reply.

        Args:
            context: messages with `role` and `content`, ending in a user turn; what else they hold is the template's to read.
            reply: the assistant's reply.
            where: name of the row in messages, a pair id for instance.

        Raises:
            DataError: an empty reply, a part that is no text, a role that is not known, a conversation the template refuses, one that
                begins with two BOS because its text does, or one that ends in the pad token.
        """
        where = where or "conversation"
        messages = [_message(turn, where) for turn in context]
        self._check_roles(messages, where)
        text = plain_text(reply, where)
        if not text.strip() and not self.allows_empty:
            raise DataError(f"{where}: the reply is empty ({text!r}), and nothing in it can be judged; drop it")
        ids = self._render([*messages, {"role": "assistant", "content": text}], where)
        self.check_ends(ids, where)
        return self.fit(ids, max(1, min(_common(ids, self._prompt_ids(messages, where)), len(ids) - 1)))

    def fit(self, ids: tuple[int, ...], start: int) -> Rendered:
        """Return a rendered conversation, cut to the maximum and counted.

        Args:
            ids: of the whole conversation, at least two.
            start: index of the first token of its last reply.
        """
        self.rendered += 1
        if len(ids) <= self.max_length:
            return Rendered(ids=ids, reply_start=start)
        self.truncated += 1
        return self._truncate(ids, start)

    def check_ends(self, ids: tuple[int, ...], where: str) -> None:
        """Refuse a conversation that begins with two BOS, or ends in the pad token.

        Raises:
            DataError: it does.
        """
        if self._bos is not None and ids[:2] == (self._bos, self._bos):
            raise DataError(
                f"{where}: begins with two BOS tokens, as its text holds {self.tokenizer.bos_token!r} where the template puts one; "
                "take it out of the text"
            )
        if self._checks_pad and ids[-1] == self.pad_id:
            raise DataError(f"{where}: ends in the pad token of {self.name}, so its reward would be read elsewhere; drop it")

    def probes(self) -> list[tuple[int, ...]]:
        """Return the renderings of `PROBES`; of the first alone where the template takes a single question and reply.

        Raises:
            UserError: the template fails on that too.
        """
        found: list[tuple[int, ...]] = []
        for probe in PROBES:
            try:
                found.append(self._template(list(probe)))
            except _failures() as error:
                if not found:
                    raise UserError(
                        f"the chat template of {self.name} is broken, or not made for a question and its reply ({error}); put that of the "
                        "chat model into chat_template.jinja"
                    ) from None
        return found

    def _refuse_lost_texts(self, probe: tuple[int, ...]) -> None:
        """Refuse a template that renders all questions, or all replies, alike."""
        for place, what in enumerate(("question", "reply")):
            changed = [{**turn, "content": _OTHER_MARK} if at == place else turn for at, turn in enumerate(PROBES[0])]
            if self._template(changed) == probe:
                raise UserError(
                    f"the chat template of {self.name} leaves out the text of the {what}, so every {what} would score the same (some "
                    "templates write lists of parts alone); put one that writes texts into chat_template.jinja"
                )

    def _check_roles(self, messages: list[dict[str, Any]], where: str) -> None:
        for role in {turn["role"] for turn in messages} - ROLES:
            # Most templates write any role into the text; the model has learnt those that its template or everybody knows.
            if not re.search(rf"""['"]{re.escape(role)}\\?['"]""", str(self.tokenizer.chat_template)):
                raise DataError(
                    f"{where}: a turn has the role {role[:40]!r}, which {self.name} does not know; use {', '.join(sorted(ROLES))}"
                )

    def _prompt_ids(self, messages: list[dict[str, Any]], where: str) -> tuple[int, ...]:
        # The replies to one context come one after the other: its prompt is rendered once.
        if self._prompt is None or self._prompt[0] != messages:
            self._prompt = (messages, self._render(messages, where, prompt=True))
        return self._prompt[1]

    def _truncate(self, ids: tuple[int, ...], start: int) -> Rendered:
        cut = len(ids) - self.max_length
        if self.truncation_side == "right":
            return Rendered(ids=ids[: self.max_length], reply_start=min(start, self.max_length - 1), cut=cut)
        # Models lean on their first token (BOS) far more than on any other: it is kept when the left end is cut.
        head = ids[:1] if self._keeps_bos else ()
        kept = head + ids[len(ids) - self.max_length + len(head) :]
        return Rendered(ids=kept, reply_start=max(1, start - cut), cut=cut)

    def _render(self, messages: list[dict[str, Any]], where: str, *, prompt: bool = False) -> tuple[int, ...]:
        try:
            return self._template(messages, prompt=prompt)
        except _failures() as error:
            raise DataError(
                f"{where}: the chat template of {self.name} refuses it: {error}; change its turns to what the template knows, or drop the row"
            ) from None

    def _template(self, messages: list[dict[str, Any]], *, prompt: bool = False) -> tuple[int, ...]:
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


def _failures() -> tuple[type[Exception], ...]:
    """Return what a template raises: it is a program of the model's authors, and fails as programs do on what it was not made for."""
    from jinja2.exceptions import TemplateError

    return (TemplateError, TypeError, ValueError, LookupError)


def _length(wanted: int | None, model_maximum: int | None, name: str) -> int:
    if wanted is not None and wanted < SHORTEST:
        raise UserError(f"max_length {wanted} leaves nothing of a conversation; set at least {SHORTEST}, or leave it unset")
    if wanted is not None and model_maximum is not None and wanted > model_maximum:
        raise UserError(f"max_length {wanted} is above the {model_maximum} positions of {name}; lower it, or leave it unset")
    return wanted or min(LONGEST, model_maximum or LONGEST)


def _message(turn: Any, where: str) -> dict[str, Any]:
    if not isinstance(turn, Mapping) or not isinstance(turn.get("role"), str):
        raise DataError(f"{where}: a turn is no message with `role` and `content`; mend the row")
    if turn.get("content") is None and turn.get("tool_calls"):
        return dict(turn)
    return {**turn, "content": plain_text(turn.get("content"), where)}


def plain_text(content: Any, where: str) -> str:
    """Return a text, or the joined parts of one.

    Raises:
        DataError: it is neither, or holds a part that is no text, or half of a character.
    """
    if isinstance(content, str):
        return _whole(content, where)
    if not isinstance(content, list | tuple):
        raise DataError(
            f"{where}: a turn's `content` is {type(content).__name__}, neither text nor a list of parts; mend the row"
        )
    kinds = {part.get("type") if isinstance(part, Mapping) else type(part).__name__ for part in content} - {"text"}
    if kinds:
        raise DataError(
            f"{where}: holds a part of type '{sorted(map(str, kinds))[0]}', and this reward model reads text only; "
            "drop the row, or replace the part by a description"
        )
    texts = [part.get("text") for part in content]
    odd = [type(text).__name__ for text in texts if not isinstance(text, str)]
    if odd:
        raise DataError(f"{where}: holds a part of type 'text' whose `text` is {odd[0]}, and no text; mend the row")
    return _whole("".join(texts), where)


def _whole(text: str, where: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise DataError(
            f"{where}: holds {text[error.start]!r}, half of a character that was cut in two, which no tokenizer can read; "
            "take it out of the text, or drop the row"
        ) from None
    return text
