"""What an engine is: something that answers items, either text by text or item by item."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from goldsmith.benchdata.item import Item
from goldsmith.evaluate.result import ModelInfo

Progress = Callable[[int, int, str], None]
"""Called with (done, in all, what)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A reply to a context, and the id of both together."""

    text_id: str
    context_id: str
    context: Sequence[dict[str, Any]]
    reply: str
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rated:
    """A score, finite, or why there is none; `tokens` is None where the engine does not tell."""

    value: float | None
    failure: str = ""
    tokens: int | None = None
    cut: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a model says of one item: a score for each reply, or a judge's games for each comparison.

    `reason` says why a score or verdict is missing; empty where none is.
    """

    scores: list[float | None] = field(default_factory=list)
    games: list[list[int | None]] = field(default_factory=list)
    tokens: list[int | None] = field(default_factory=list)
    cut: list[int] = field(default_factory=list)
    reason: str = ""


class EngineBase:
    """What all engines share; a context manager. Every engine is a `TextEngine` or an `ItemEngine`."""

    info: ModelInfo
    is_cached = False
    """Scores are worth keeping on disk: they took a model to make."""

    def finish(self) -> None:
        """Look back after the last item.

        Raises:
            DataError: nothing that was asked concerned this engine.
        """

    def close(self) -> None:
        """Release what it holds."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class TextEngine(EngineBase, ABC):
    """Scores one text at a time, so that each distinct text is scored once."""

    @abstractmethod
    def rate(self, texts: Sequence[Text], progress: Progress | None = None) -> Iterator[list[tuple[Text, Rated]]]:
        """Yield the scores of distinct texts as they come, in any order.

        Raises:
            ProviderError: a server failed for good; what was yielded before is kept.
        """


class ItemEngine(EngineBase, ABC):
    """Answers whole items: it needs the rival, or the truth."""

    @abstractmethod
    def answer(self, items: Sequence[Item], progress: Progress | None = None) -> list[Answer]:
        """Return the answer to each item, in order."""


Engine = TextEngine | ItemEngine
