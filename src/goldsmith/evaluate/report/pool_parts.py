"""Pieces of the report about single decisions: how often opinions agree, pairs to look at, and the map of the pool."""

from __future__ import annotations

from pydantic import Field

from goldsmith.evaluate.report.part import Part


class Agreement(Part):
    """Two opinions on the same pairs."""

    one: str
    other: str
    num_pairs: int
    """Pairs on which both prefer one reply."""
    num_same: int
    """Those of them on which it is the same reply."""


class DecidedPair(Part):
    """A pair with its decision, its texts shortened and cleaned."""

    pair_id: str
    action: str
    reason: str = ""
    p_label: float | None = None
    """`decisions.p_first` on the side of the label before: the best RM's, or everything together under `stack` and `joint`."""
    prompt: str


class ExamplePair(DecidedPair):
    """A pair to look at."""

    rule: str
    chosen: str
    """The reply the label names before the decision."""
    rejected: str


class MapPoint(DecidedPair):
    """A pair on the map."""

    x: float
    """Place from left to right, in [0, 1]."""
    y: float
    """Place from top to bottom, in units of the map's width."""
    label_before: str
    label_after: str
    first: str
    second: str


class PoolMap(Part):
    """The pool in two dimensions; without points `reason` says why."""

    points: list[MapPoint] = Field(default_factory=list)
    """From left to right."""
    reason: str = ""
    num_decided: int = 0
    """Pairs with a decision, of which the points are a sample."""
    by_action: dict[str, int] = Field(default_factory=dict)
    """Points by action."""
    num_without_vector: int = 0
    """Sampled pairs whose embedding is not in the workspace's cache."""
    variance: float | None = None
    """Share of the sample's variance that two dimensions show, in [0, 1]; None where nothing varies."""
    prompt_characters: int = 0
    reply_characters: int = 0
    """Characters after which texts are cut."""
