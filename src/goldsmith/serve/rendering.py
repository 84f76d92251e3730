"""From items to token ids, in a thread of its own beside the event loop; no weights are loaded for it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from goldsmith.errors import DataError
from goldsmith.reward.calibration import Calibration, read_calibration
from goldsmith.reward.card import read_card
from goldsmith.reward.checkpoint import file_states, locate, read_config, refuse_changed
from goldsmith.reward.encoder import PairRenderer, is_encoder
from goldsmith.reward.readout import Pooling, open_renderer, to_the_read_token
from goldsmith.reward.remote_code import trusts_code
from goldsmith.reward.render import SHORTEST, Rendered, Renderer
from goldsmith.reward.templated import Templated
from goldsmith.serve.items import Conversation, Item, Plan, Text

CHARACTERS_A_TOKEN = 64
"""A conversation of more characters for each token of the maximum is refused before it is tokenised."""


class Rendering:
    """Renders the items of requests for one model.

    Attributes:
        folder: of the checkpoint.
        calibration: of the model's card.
        max_length: tokens of a conversation at most.
    """

    def __init__(
        self,
        path_or_id: str | Path,
        *,
        max_length: int | None = None,
        pooling: Pooling | None = None,
        remote_code: Sequence[str] = (),
    ) -> None:
        """Open tokenizer, template and configuration.

        Raises:
            UserError: see `RewardModel.load`.
        """
        from transformers import AutoConfig

        self.folder = locate(path_or_id)
        self._read = file_states(self.folder)
        trusted = trusts_code(self.folder, read_config(self.folder), remote_code)
        self.pooling: Pooling = pooling or read_card(self.folder).get("pooling", "last")
        self._config: Any = AutoConfig.from_pretrained(str(self.folder), trust_remote_code=trusted)
        name = Path(path_or_id).name
        self._one: _Reads
        if is_encoder(self.folder):
            self._one = _Pairs(PairRenderer(self.folder, self._config, name=name, max_length=max_length))
        else:
            renderer = open_renderer(
                self.folder, self._config, name=name, pooling=self.pooling, max_length=max_length, trust_code=trusted
            )
            self._one = _Chats(renderer, self._config, self.pooling)
        self.calibration: Calibration = read_calibration(self.folder)
        self.max_length = self._one.max_length
        # One thread: a renderer remembers the last prompt, and tokenising runs beside the event loop all the same.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="render")

    def refuse_changed(self) -> None:
        """Make sure that workers which were started since read the same folder.

        Raises:
            UserError: its files are other ones than when tokenizer and template were read.
        """
        refuse_changed(self.folder, self._read)

    async def render(self, plan: Plan, *, truncate: bool) -> list[Rendered | DataError]:
        """Return each item's ids, or why it cannot be scored.

        Args:
            plan: of the request.
            truncate: whether what is too long is cut, where the plan does not say.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._all, plan, truncate)

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _all(self, plan: Plan, truncate: bool) -> list[Rendered | DataError]:
        cuts = truncate if plan.truncate is None else plan.truncate
        found: list[Rendered | DataError] = []
        for index, item in enumerate(plan.items):
            try:
                found.append(self._checked(item, f"item {index}", plan, cuts))
            except DataError as error:
                found.append(error)
        return found

    def _checked(self, item: Item, where: str, plan: Plan, cuts: bool) -> Rendered:
        limit = CHARACTERS_A_TOKEN * self.max_length
        if item.size > limit:
            raise DataError(f"{where}: {item.size} characters, above the {limit} that are read at most; shorten it")
        rendered = self._one.read(item, where, plan)
        if rendered.cut and not cuts and plan.max_tokens is None:
            raise DataError(
                f"{where}: {len(rendered.ids) + rendered.cut} tokens, above the model's maximum of {self.max_length}; shorten it, or ask "
                "for truncation"
            )
        return self._one.end(rendered, where)


class _Reads(Protocol):
    """How a kind of model reads an item, cut to its maximum and to the plan's."""

    @property
    def max_length(self) -> int: ...

    def read(self, item: Item, where: str, plan: Plan) -> Rendered: ...

    def end(self, rendered: Rendered, where: str) -> Rendered: ...


@dataclass(frozen=True, slots=True)
class _Chats:
    """Decoders: conversations rendered by the chat template."""

    renderer: Renderer
    config: Any
    pooling: Pooling
    templated: Templated = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "templated", Templated(self.renderer))

    @property
    def max_length(self) -> int:
        return self.renderer.max_length

    def read(self, item: Item, where: str, plan: Plan) -> Rendered:
        return _shortened(self._ids(item, where), plan)

    def end(self, rendered: Rendered, where: str) -> Rendered:
        return to_the_read_token(rendered, self.config, self.pooling, where)

    def _ids(self, item: Item, where: str) -> Rendered:
        if isinstance(item, Conversation):
            return self.renderer.render(item.context, item.reply, where=where)
        if isinstance(item, Text):
            return self.templated.render(item.text, where=where)
        return self.templated.ids(list(item.ids), where=where)


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Encoders: a prompt and its reply, or one text, as their tokenizer joins them."""

    renderer: PairRenderer

    @property
    def max_length(self) -> int:
        return self.renderer.max_length

    def read(self, item: Item, where: str, plan: Plan) -> Rendered:
        length, side = plan.max_tokens, plan.truncation_side
        if isinstance(item, Conversation):
            return self.renderer.pair(item.context, item.reply, max_length=length, side=side, where=where)
        if isinstance(item, Text):
            return self.renderer.text(item.text, max_length=length, side=side, where=where)
        return self.renderer.ids(item.ids, where=where)

    def end(self, rendered: Rendered, where: str) -> Rendered:
        return rendered


def _shortened(rendered: Rendered, plan: Plan) -> Rendered:
    """Cut to what the request asks for, where that is less than the model's maximum."""
    length = plan.max_tokens
    if length is None or len(rendered.ids) <= length:
        return rendered
    if length < SHORTEST:
        raise DataError(f"a truncation to {length} tokens leaves nothing of a conversation; ask for at least {SHORTEST}")
    ids, cut = rendered.ids, rendered.cut + len(rendered.ids) - length
    kept = ids[:length] if plan.truncation_side == "right" else ids[:1] + ids[len(ids) - length + 1 :]
    return Rendered(ids=kept, reply_start=1, cut=cut)
