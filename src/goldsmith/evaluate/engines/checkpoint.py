"""A checkpoint or hub id, through the one scoring path of `goldsmith.reward`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from goldsmith.evaluate.engines.engine import Progress, Rated, Text, TextEngine
from goldsmith.evaluate.lineage import Lineage, lineage
from goldsmith.evaluate.result import ModelInfo
from goldsmith.reward.grouping import Reply
from goldsmith.reward.model import RewardModel

CHUNK = 256
"""Texts scored at once; a kill loses at most so many."""


class CheckpointEngine(TextEngine):
    """Scores conversations with a reward model.

    Attributes:
        num_tokens: computed so far; those that replies of one context share are computed once.
    """

    is_cached = True

    def __init__(self, model: RewardModel, spec: str, name: str = "", folder: Path | None = None) -> None:
        """Wrap a loaded model.

        Args:
            model: renders empty replies too from now on, as benchmarks hold some.
            spec: how the user named it.
            name: label in reports; empty: the last part of `spec`.
            folder: its files, which may tell what it was made from.
        """
        self.model, self.num_tokens = model, 0
        model.renderer.allows_empty = True
        made = lineage(folder) if folder else Lineage()
        self.info = ModelInfo(
            name=name or spec.rstrip("/").rsplit("/", 1)[-1],
            spec=spec,
            kind="checkpoint",
            digest=model.digest,
            base_model=made.base_model,
            training_data=list(made.training_data),
            facts=model.facts(),
        )

    def rate(self, texts: Sequence[Text], progress: Progress | None = None) -> Iterator[list[tuple[Text, Rated]]]:
        """See `TextEngine.rate`; replies to one context should stand together, as its tokens are then computed once."""
        for start in range(0, len(texts), CHUNK):
            chunk = texts[start : start + CHUNK]
            before = self.num_tokens

            def count(_done: int, _of: int, tokens: int, before: int = before) -> None:
                self.num_tokens = before + tokens

            rewards = self.model.rate([Reply(text.context, text.reply, text.where) for text in chunk], progress=count)
            yield [
                (text, Rated(value=reward.value, failure=reward.failure or "", tokens=reward.tokens or None, cut=reward.cut))
                for text, reward in zip(chunk, rewards, strict=True)
            ]
            if progress:
                progress(start + len(chunk), len(texts), "texts")
