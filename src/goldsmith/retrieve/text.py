"""The text of a pair that is embedded: attributes first, then the conversation, its last user turn first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from goldsmith.errors import UserError
from goldsmith.types import Attributes, Content, Message

NO_PROMPT = "(no user turn)"


def plain_text(content: Content) -> str:
    """Return a content's text.

    Raises:
        UserError: a part is no text.
    """
    if isinstance(content, str):
        return content
    return "\n".join(_part_text(part) for part in content)


def _part_text(part: dict[str, Any]) -> str:
    if part.get("type") != "text":
        raise UserError(
            f"a message has a part of type {part.get('type')!r}; this step reads text only: take such pairs out of the pool"
        )
    return str(part.get("text", ""))


def last_user_turn(context: Sequence[Message]) -> str:
    """Return what the user asked last: the turn both replies answer."""
    for message in reversed(context):
        if message.role == "user":
            return plain_text(message.content)
    return NO_PROMPT


def context_text(context: Sequence[Message]) -> str:
    """Return the conversation as one text; the last user turn stands first, as embedders cut at the end."""
    last = max((at for at, message in enumerate(context) if message.role == "user"), default=None)
    earlier = [plain_text(message.content) for at, message in enumerate(context) if at != last]
    return "\n".join([last_user_turn(context), *earlier])


def attributes_text(attributes: Attributes) -> str:
    """Return the attributes as a short phrase that an embedder reads as words, not as ids."""
    task = attributes.task.replace("/", " ").replace("-", " ")
    words = [f"{task}, {attributes.objectivity}, {attributes.controversiality} controversy"]
    if attributes.desired:
        words.append("wants " + ", ".join(attributes.desired))
    if attributes.guideline:
        words.append(attributes.guideline)
    return ". ".join(words) + "."


def pair_text(context: Sequence[Message], attributes: Attributes | None = None) -> str:
    """Return the text that stands for a pair in retrieval: `(context, attributes)` of spec 4.2."""
    conversation = context_text(context)
    return conversation if attributes is None else f"{attributes_text(attributes)}\n{conversation}"
