"""From items to token ids, in a thread of its own beside the event loop; no weights are loaded for it."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from goldsmith.errors import DataError
from goldsmith.reward.calibration import Calibration, read_calibration
from goldsmith.reward.card import read_card
from goldsmith.reward.checkpoint import locate
from goldsmith.reward.readout import Pooling, open_renderer, to_the_read_token
from goldsmith.reward.render import SHORTEST, Rendered
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

    def __init__(self, path_or_id: str | Path, *, max_length: int | None = None, pooling: Pooling | None = None) -> None:
        """Open tokenizer, template and configuration.

        Raises:
            UserError: see `RewardModel.load`.
        """
        from transformers import AutoConfig

        self.folder = locate(path_or_id)
        self.pooling: Pooling = pooling or read_card(self.folder).get("pooling", "last")
        self._config: Any = AutoConfig.from_pretrained(str(self.folder), trust_remote_code=False)
        self._renderer = open_renderer(
            self.folder, self._config, name=Path(path_or_id).name, pooling=self.pooling, max_length=max_length
        )
        self._templated = Templated(self._renderer)
        self.calibration: Calibration = read_calibration(self.folder)
        self.max_length = self._renderer.max_length
        # One thread: a renderer remembers the last prompt, and tokenising runs beside the event loop all the same.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="render")

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
                found.append(self._one(item, f"item {index}", plan, cuts))
            except DataError as error:
                found.append(error)
        return found

    def _one(self, item: Item, where: str, plan: Plan, cuts: bool) -> Rendered:
        limit = CHARACTERS_A_TOKEN * self.max_length
        if item.size > limit:
            raise DataError(f"{where}: {item.size} characters, above the {limit} that are read at most; shorten it")
        rendered = _shortened(self._ids(item, where), plan)
        if rendered.cut and not cuts and plan.max_tokens is None:
            raise DataError(
                f"{where}: {len(rendered.ids) + rendered.cut} tokens, above the model's maximum of {self.max_length}; shorten it, or ask "
                "for truncation"
            )
        return to_the_read_token(rendered, self._config, self.pooling, where)

    def _ids(self, item: Item, where: str) -> Rendered:
        if isinstance(item, Conversation):
            return self._renderer.render(item.context, item.reply, where=where)
        if isinstance(item, Text):
            return self._templated.render(item.text, where=where)
        return self._templated.ids(list(item.ids), where=where)


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
