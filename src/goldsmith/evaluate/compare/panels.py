"""What the decisions of one model, or of one model on all benchmarks, say about shortcuts and about its confidence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from goldsmith.evaluate.compare.data import PanelRow, ReliabilityRow, ShownFirst
from goldsmith.evaluate.compare.decisions import UNKNOWN, Decisions
from goldsmith.evaluate.shortcuts import count_panel, length_panel, position_panel
from goldsmith.evaluate.statistics import wilson
from goldsmith.evaluate.win_probability import fitted_reliability, reliability

FEWEST = 20
"""Comparisons below which no panel is made."""


def panels_of(model: str, benchmark: str, decisions: Decisions, *, seed: int) -> list[PanelRow]:
    """Return the panels of length, formatting and position, as far as the items tell."""
    prompts = _numbers(decisions.prompts)
    found = []
    if len(prompts) >= FEWEST:
        found.append(length_panel(decisions.signs, decisions.chars_right, decisions.chars_wrong, prompts, seed=seed))
    marked = decisions.marks_right != UNKNOWN
    if marked.sum() >= FEWEST:
        marks = decisions.marks_right[marked], decisions.marks_wrong[marked]
        found.append(count_panel("format", decisions.signs[marked], *marks, prompts[marked], seed=seed))
    placed = decisions.right_first != UNKNOWN
    if placed.sum() >= FEWEST:
        found.append(position_panel(decisions.signs[placed], decisions.right_first[placed] == 1, prompts[placed], seed=seed))
    return [PanelRow(model=model, benchmark=benchmark, panel=panel) for panel in found]


def shown_first_of(model: str, benchmark: str, decisions: Decisions) -> list[ShownFirst]:
    """Return a judge's share of games for the reply shown first; nothing for models that see one reply at a time."""
    wins, games = decisions.shown_first
    ends = wilson(wins, games)
    return (
        [] if ends is None else [ShownFirst(model=model, benchmark=benchmark, wins=wins, games=games, low=ends[0], high=ends[1])]
    )


def reliability_of(model: str, decisions: Decisions, *, seed: int) -> list[ReliabilityRow]:
    """Return the calibration of a model with scores; nothing for one without."""
    known = np.isfinite(decisions.margins)
    if known.sum() < FEWEST or not decisions.margins[known].any():
        return []
    margins, prompts = decisions.margins[known], _numbers(decisions.prompts)[known]
    fitted = fitted_reliability(margins, prompts, seed=seed)
    return [ReliabilityRow(model=model, raw=reliability(margins, prompts, seed=seed), fitted=fitted)]


def joined(parts: Sequence[Decisions]) -> Decisions:
    """Return the decisions of several benchmarks as one."""
    return Decisions(
        items=[item for part in parts for item in part.items],
        prompts=[prompt for part in parts for prompt in part.prompts],
        subsets=[subset for part in parts for subset in part.subsets],
        signs=np.concatenate([part.signs for part in parts]),
        margins=np.concatenate([part.margins for part in parts]),
        chars_right=np.concatenate([part.chars_right for part in parts]),
        chars_wrong=np.concatenate([part.chars_wrong for part in parts]),
        marks_right=np.concatenate([part.marks_right for part in parts]),
        marks_wrong=np.concatenate([part.marks_wrong for part in parts]),
        right_first=np.concatenate([part.right_first for part in parts]),
        shown_first=(sum(part.shown_first[0] for part in parts), sum(part.shown_first[1] for part in parts)),
        num_failed=sum(part.num_failed for part in parts),
    )


def _numbers(prompts: Sequence[str]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return prompts as numbers: strings are sorted once, not for every figure."""
    return np.unique(np.asarray(prompts, dtype=np.str_), return_inverse=True)[1].astype(np.int64)
