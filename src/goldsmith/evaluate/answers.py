"""Answers of an engine to items: each distinct text is scored once, from the cache where it is known."""

from __future__ import annotations

from collections.abc import Sequence

from goldsmith.benchdata.item import Item
from goldsmith.evaluate.cache import ScoreCache
from goldsmith.evaluate.engines.engine import Answer, Engine, ItemEngine, Progress, Rated, Text, TextEngine

REMEMBERED = 2_000_000
"""Scores held in memory for one model at most, beside the cache on disk."""


class Answerer:
    """Asks one engine, and remembers.

    Attributes:
        num_texts: distinct texts so far.
        num_scored: those of them that the engine had to score.
    """

    def __init__(self, engine: Engine, cache: ScoreCache | None) -> None:
        """Use `cache` for engines whose scores are worth keeping."""
        self.engine = engine
        self._cache = cache if engine.is_cached else None
        self._known: dict[str, Rated] = {}
        self.num_texts = self.num_scored = 0

    def answer(self, items: Sequence[Item], progress: Progress | None = None) -> tuple[list[Answer], list[list[str]], list[str]]:
        """Return the answers, the text ids of each item's replies, and the ids of the contexts.

        Raises:
            ProviderError: a server failed for good; what came before is in the cache.
        """
        contexts = [item.context_id for item in items]
        ids = [item.text_ids(context) for item, context in zip(items, contexts, strict=True)]
        if isinstance(self.engine, ItemEngine):
            return self.engine.answer(items, progress), ids, contexts
        rated = self._rate(items, contexts, ids, progress)
        return [_joined([rated[name] for name in names]) for names in ids], ids, contexts

    def _rate(
        self, items: Sequence[Item], contexts: Sequence[str], ids: Sequence[Sequence[str]], progress: Progress | None
    ) -> dict[str, Rated]:
        texts = {
            name: Text(
                text_id=name, context_id=context, context=item.context, reply=reply, where=f"{item.benchmark} {item.item_id}"
            )
            for item, context, names in zip(items, contexts, ids, strict=True)
            for name, reply in zip(names, item.replies, strict=True)
        }
        found = {name: self._known[name] for name in texts if name in self._known}
        new = [name for name in texts if name not in found]
        self.num_texts += len(new)
        if self._cache is not None and new:
            found |= self._cache.get(self.engine.info.digest, new)
        missing = [texts[name] for name in new if name not in found]
        # Replies to one context stand together, so that an engine may compute the context once.
        missing.sort(key=lambda text: text.context_id)
        self.num_scored += len(missing)
        if missing:
            assert isinstance(self.engine, TextEngine)
            for part in self.engine.rate(missing, progress):
                scores = {text.text_id: rated for text, rated in part}
                if self._cache is not None:
                    self._cache.put(self.engine.info.digest, scores)
                found |= scores
        if len(self._known) < REMEMBERED:
            self._known |= {name: found[name] for name in new}
        return found


def _joined(rated: Sequence[Rated]) -> Answer:
    failures = list(dict.fromkeys(item.failure for item in rated if item.value is None))
    return Answer(
        scores=[item.value for item in rated],
        tokens=[item.tokens for item in rated],
        cut=[item.cut for item in rated],
        reason="; ".join(failures),
    )
