"""Text that somebody else rendered with the model's chat template, read as the conversation it is.

Programs that send such text differ at its ends: some take the BOS token off because their server adds one, some add a second one, and a
policy's reply comes without what the template writes after a turn. The ids are those of the messages all the same: one BOS where the
template puts one, and the end of the last turn completed. Text that no template rendered is refused, as its score would mean nothing.
"""

from __future__ import annotations

from goldsmith.errors import DataError
from goldsmith.reward.render import PROBES, Rendered, Renderer


class Templated:
    """Reads text rendered by one model's chat template."""

    def __init__(self, renderer: Renderer) -> None:
        """Learn from the template how a reply begins and how it ends."""
        self._renderer = renderer
        self._end = renderer.frame[2]
        tokenizer, question = renderer.tokenizer, [dict(PROBES[0][0])]
        asked = str(tokenizer.apply_chat_template(question, tokenize=False))
        prompted = str(tokenizer.apply_chat_template(question, tokenize=False, add_generation_prompt=True))
        self._begin = prompted[len(asked) :] if prompted.startswith(asked) else ""

    def render(self, text: str, *, where: str = "text") -> Rendered:
        """Return the ids of a rendered conversation.

        Args:
            text: rendered by the model's chat template, its last turn the reply to score.
            where: its name in messages.

        Raises:
            DataError: no template rendered it, its last turn is no reply or an empty one, or it ends in the pad token.
        """
        before, begin, reply = text.rpartition(self._begin.strip()) if self._begin.strip() else ("", "", text)
        if self._begin.strip() and not begin:
            raise DataError(
                f"{where}: this is no text rendered by the chat template of {self._renderer.name}, in which a reply follows "
                f"{self._begin.strip()!r}; send messages, or text rendered by it"
            )
        whole = before + begin + self._completed(reply, where)
        return self._fit(self._renderer.tokenizer.encode(whole, add_special_tokens=False), where)

    def ids(self, ids: list[int], *, where: str = "tokens") -> Rendered:
        """Return a conversation that came as token ids, which are taken as they are but for the BOS.

        Raises:
            DataError: fewer than two, a negative one, or the pad token at the end.
        """
        if len(ids) < 2 or min(ids) < 0:
            raise DataError(f"{where}: a conversation has at least two token ids, none of them negative")
        return self._fit(ids, where)

    def _completed(self, reply: str, where: str) -> str:
        """Return the text after the beginning of the last turn, ending as the template ends one."""
        mark = self._end.rstrip()
        ended = reply.rstrip()
        body = ended[: -len(mark)] if mark and ended.endswith(mark) else reply
        if not body.strip():
            raise DataError(f"{where}: the reply is empty, and nothing in it can be judged; drop it")
        if mark and mark in body:
            raise DataError(
                f"{where}: its last turn is not the assistant's; the reply to score is the last turn of a conversation"
            )
        return body + self._end

    def _fit(self, ids: list[int], where: str) -> Rendered:
        bos = self._renderer.leading_bos
        if bos is not None:
            start = next((index for index, token in enumerate(ids) if token != bos), len(ids))
            ids = [bos, *ids[start:]]
        found = tuple(ids)
        self._renderer.check_ends(found, where)
        return self._renderer.fit(found, len(found) - 1)
