"""The text of a pair that is embedded: attributes first, then the conversation, its last user turn first."""

from __future__ import annotations

from collections.abc import Collection, Sequence
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


def attributes_text(attributes: Attributes, leave_out: Collection[str] = ()) -> str:
    """Return the attributes as a short phrase that an embedder reads as words, not as ids.

    Args:
        attributes: of the pair.
        leave_out: names of attributes that are not to be relied on; empty text when nothing remains.
    """
    task = attributes.task.replace("/", " ").replace("-", " ")
    closed = {
        "task": task,
        "objectivity": attributes.objectivity,
        "controversiality": f"{attributes.controversiality} controversy",
    }
    words = [", ".join(text for name, text in closed.items() if name not in leave_out)]
    if attributes.desired and "desired" not in leave_out:
        words.append("wants " + ", ".join(attributes.desired))
    if attributes.guideline and "guideline" not in leave_out:
        words.append(attributes.guideline)
    said = ". ".join(word for word in words if word)
    return f"{said}." if said else ""


def pair_text(context: Sequence[Message], attributes: Attributes | None = None, leave_out: Collection[str] = ()) -> str:
    """Return the text that stands for a pair in retrieval: `(context, attributes)` of spec 4.2.

    Args:
        context: the conversation.
        attributes: of the pair, where known.
        leave_out: names of attributes that are not to be relied on.
    """
    conversation = context_text(context)
    said = "" if attributes is None else attributes_text(attributes, leave_out)
    return f"{said}\n{conversation}" if said else conversation
