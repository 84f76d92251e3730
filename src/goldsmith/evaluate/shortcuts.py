"""Does a model decide by length, by formatting, by place? Its decisions and the labels against a difference of the replies.

One panel for each feature. "More" means that a reply is longer, more formatted, or listed first. A model that does not look at the
feature is right as often where the right reply has more as where it has less: the gap between the two is the shortcut. (How often the
reply with more is preferred is shown beside what the labels prefer, but says less: mistakes of any kind pull it towards one half.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from goldsmith.evaluate.resample import Figure, Prompts, bootstrap_all, share
from goldsmith.evaluate.statistics import Estimate

LENGTH_EDGES = (0.5, 0.8, 1.25, 2.0)
"""Ratios of the right reply's length to the wrong one's at which the bins of a length panel meet; a value on an edge goes up."""
LENGTH_BINS = ("less than half", "half to 4/5", "about the same", "5/4 to twice", "twice or more")
COUNT_BINS = ("fewer", "as many", "more")
PLACE_BINS = ("second", "first")


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """How decisions follow one feature of the replies."""

    feature: str
    """`length`, `format` or `position`."""
    prefers: Estimate
    """Share of decisions for the reply with more, where the two differ and the model decided."""
    label: Estimate
    """Share of labels for the reply with more, over the same comparisons."""
    accuracy_more: Estimate
    """Accuracy where the right reply has more; ties are wrong."""
    accuracy_less: Estimate
    """Accuracy where the right reply has less."""
    gap: Estimate
    """`accuracy_more` minus `accuracy_less`: above 0 the model leans to more, below to less; 1 for a rule that knows nothing else."""
    bins: dict[str, Estimate] = field(default_factory=dict)
    """Accuracy by how much more the right reply has."""
    num_even: int = 0
    """Comparisons whose replies have as much of it; they are in the bins only."""


def length_panel(signs: ArrayLike, right: ArrayLike, wrong: ArrayLike, contexts: Prompts, *, seed: int) -> Panel:
    """Return the panel of length.

    Args:
        signs: decisions: 1 the right reply, -1 the wrong one, 0 a tie; shape [N].
        right: length of the right reply, characters.
        wrong: length of the wrong reply.
        contexts: the prompts' ids, shape [N].
        seed: seed of the intervals.
    """
    longer, shorter = np.asarray(right, dtype=np.float64), np.asarray(wrong, dtype=np.float64)
    # An empty reply is shorter than anything but another empty one.
    ratio = np.where(longer == shorter, 1.0, longer / np.where(shorter > 0, shorter, 0.25))
    bins = np.digitize(ratio, LENGTH_EDGES)
    return _panel("length", signs, longer - shorter, bins, LENGTH_BINS, contexts, seed=seed)


def count_panel(feature: str, signs: ArrayLike, right: ArrayLike, wrong: ArrayLike, contexts: Prompts, *, seed: int) -> Panel:
    """Return the panel of a count, such as marks of formatting; arguments as of `length_panel`."""
    more = np.sign(np.asarray(right, dtype=np.float64) - np.asarray(wrong, dtype=np.float64))
    return _panel(feature, signs, more, (more + 1).astype(np.int64), COUNT_BINS, contexts, seed=seed)


def position_panel(signs: ArrayLike, right_is_first: ArrayLike, contexts: Prompts, *, seed: int) -> Panel:
    """Return the panel of the place in the file (a scalar model cannot know it, a judge may lean on it)."""
    first = np.asarray(right_is_first, dtype=bool)
    return _panel("position", signs, np.where(first, 1.0, -1.0), first.astype(np.int64), PLACE_BINS, contexts, seed=seed)


def _panel(
    feature: str, signs: ArrayLike, more: ArrayLike, bins: ArrayLike, names: Sequence[str], contexts: Prompts, *, seed: int
) -> Panel:
    """Return a panel; all its figures rest on the same resamples."""
    sign, toward, place = np.asarray(signs), np.sign(np.asarray(more, dtype=np.float64)), np.asarray(bins)
    differs, right, has_more = toward != 0, sign > 0, toward > 0
    decided = differs & (sign != 0)
    columns = [
        decided & (sign * toward > 0), decided & has_more, decided,
        right & has_more, has_more, right & (toward < 0), toward < 0,
    ]  # fmt: skip
    for number in range(len(names)):
        columns += [right & (place == number), place == number]
    figures: dict[str, Figure] = {
        "prefers": share(0, 2),
        "label": share(1, 2),
        "accuracy_more": share(3, 4),
        "accuracy_less": share(5, 6),
        "gap": lambda sums: sums[..., 3] / sums[..., 4] - sums[..., 5] / sums[..., 6],
        **{name: share(7 + 2 * number, 8 + 2 * number) for number, name in enumerate(names)},
    }
    found = bootstrap_all(figures, np.stack(columns, axis=1), contexts, seed=seed)
    return Panel(
        feature=feature,
        prefers=found["prefers"],
        label=found["label"],
        accuracy_more=found["accuracy_more"],
        accuracy_less=found["accuracy_less"],
        gap=found["gap"],
        bins={name: _counted(found[name], place == number, contexts) for number, name in enumerate(names)},
        num_even=int((~differs).sum()),
    )


def _counted(estimate: Estimate, chosen: Any, contexts: Any) -> Estimate:
    """Return the estimate with the pairs and prompts of its own bin."""
    prompts = len(set(np.asarray(contexts)[chosen].tolist()))
    return replace(estimate, num_pairs=int(chosen.sum()), num_contexts=prompts)
