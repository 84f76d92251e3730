"""How models look in pictures: one colour and one shape each, the same on the whole page; baselines are grey."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from goldsmith.evaluate.compare.data import Model
from goldsmith.evaluate.report.charts import BLUE, GREEN, GREY, ORANGE, PURPLE, RED, SKY, SLATE, WIDE_PX

MOST = 6
"""Models in one picture; more cannot be told apart."""
_CHARACTER_PX, _SYMBOL_PX = 8, 60
"""Room a legend's entry takes: for each character of the longest name, and for its symbol and the gap."""
_COLOURS = (BLUE, ORANGE, GREEN, RED, PURPLE, SKY)
_SHAPES = ("circle", "square", "triangle-up", "diamond", "triangle-right", "triangle-down")
_BASELINES = {
    "longer": (GREY, "cross"),
    "random": (SLATE, "stroke"),
    "constant": (SLATE, "cross"),
    "oracle": (SLATE, "triangle-down"),
}


@dataclass(frozen=True, slots=True)
class Look:
    """The models of one picture, in order, with their colours and shapes."""

    names: list[str]
    colours: list[str]
    shapes: list[str]

    def only(self, names: Collection[str]) -> Look:
        """Return the look of some of the models, each as it was."""
        kept = [place for place, name in enumerate(self.names) if name in names]
        return Look(*([column[place] for place in kept] for column in (self.names, self.colours, self.shapes)))

    def colour(self, alt: Any, is_narrow: bool) -> Any:
        """Return the colour channel; its legend has as many columns as the names leave room for."""
        longest = max((len(name) for name in self.names), default=0)
        columns = 1 if is_narrow else max(1, min(4, WIDE_PX // (longest * _CHARACTER_PX + _SYMBOL_PX)))
        scale = alt.Scale(domain=self.names, range=self.colours)
        return alt.Color("model:N", scale=scale, legend=alt.Legend(symbolOpacity=1, columns=columns))

    def shape(self, alt: Any) -> Any:
        """Return the shape channel."""
        return alt.Shape("model:N", scale=alt.Scale(domain=self.names, range=self.shapes))


def look_of(models: Sequence[Model], *, baselines: Sequence[str] = ("longer",)) -> Look:
    """Return the look of the first models, and of baselines of the given kinds."""
    real = [model for model in models if not model.is_baseline][:MOST]
    rules = [model for model in models if model.is_baseline and model.kind in baselines]
    return Look(
        [model.name for model in real + rules],
        [*_COLOURS[: len(real)], *(_BASELINES[model.kind][0] for model in rules)],
        [*_SHAPES[: len(real)], *(_BASELINES[model.kind][1] for model in rules)],
    )
