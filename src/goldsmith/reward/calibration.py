"""From differences of raw rewards to win probabilities: one temperature, fitted on pairs that people judged.

P(one reply beats another) = sigmoid((r_one - r_other) / T). A reward model's raw logits have no fixed scale, so T = 1 says nothing about
how often it is right; until T is fitted, probabilities are marked as uncalibrated.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from goldsmith.errors import DataError, UserError
from goldsmith.reward.card import CARD, read_card, update_card

if TYPE_CHECKING:
    from goldsmith.reward.model import RewardModel
    from goldsmith.types import Pair

FEWEST_PAIRS = 10
"""Pairs with a preference below which no temperature is fitted: it would be noise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How differences of rewards are turned into probabilities.

    Attributes:
        temperature: by which a difference is divided; 1 when nothing was fitted.
        num_pairs: pairs it was fitted on; 0: not fitted, so probabilities are uncalibrated.
        log_loss: mean negative log-likelihood of those pairs at this temperature, nats.
        log_loss_raw: the same at temperature 1.
        data: what the pairs were.
    """

    temperature: float = 1.0
    num_pairs: int = 0
    log_loss: float | None = None
    log_loss_raw: float | None = None
    data: str = ""

    @property
    def is_fitted(self) -> bool:
        """Probabilities are calibrated."""
        return self.num_pairs > 0

    def probability(self, margin: float) -> float:
        """Return the probability that the reply which scores `margin` higher wins, in [0, 1]."""
        return 0.5 * (1.0 + math.tanh(0.5 * margin / self.temperature))

    def best_of(self, scores: Sequence[float]) -> list[float]:
        """Return each reply's probability to be the best of all (Plackett-Luce), summing to 1; `probability` for two."""
        top = max(scores, default=0.0)
        weights = [math.exp((score - top) / self.temperature) for score in scores]
        return [weight / sum(weights) for weight in weights]


def fit_calibration(margins: Sequence[float], data: str) -> Calibration:
    """Return the temperature under which the margins of pairs predict people's choices best.

    Args:
        margins: reward of the preferred reply minus that of the other; pairs that the model was not trained on.
        data: what the pairs are, for the card.

    Raises:
        UserError: fewer than `FEWEST_PAIRS`, or margins that are all 0 or not finite.
    """
    import numpy as np

    from goldsmith.reward.logistic import best_temperature, log_loss

    margin_N = np.asarray(margins, dtype=np.float64)
    weight_N = np.ones(len(margin_N))
    if len(margin_N) < FEWEST_PAIRS:
        raise UserError(f"{data}: {len(margin_N)} pairs with a preference; a temperature needs at least {FEWEST_PAIRS}")
    # The search has bounds; scaled margins keep them far away whatever the scale of the logits.
    scale = float(np.sqrt(np.mean(margin_N**2)))
    if not math.isfinite(scale) or scale == 0.0:
        raise UserError(f"{data}: the margins are {'all 0' if scale == 0.0 else 'not finite'}, so they predict nothing")
    temperature = scale * best_temperature(margin_N / scale, weight_N)
    return Calibration(
        temperature=temperature,
        num_pairs=len(margin_N),
        log_loss=log_loss(margin_N / temperature, weight_N),
        log_loss_raw=log_loss(margin_N, weight_N),
        data=data,
    )


def store_calibration(folder: Path, calibration: Calibration) -> None:
    """Write a calibration into the card of a model folder."""
    update_card(folder, calibration=asdict(calibration))


def read_calibration(folder: Path) -> Calibration:
    """Return the calibration in a model's card, the unfitted one when there is none.

    Raises:
        UserError: it is there and cannot be used.
    """
    stored: Any = read_card(folder).get("calibration")
    if stored is None:
        return Calibration()
    try:
        found = Calibration(**stored)
        if found.num_pairs >= 1 and math.isfinite(found.temperature) and found.temperature > 0:
            return found
    except TypeError:
        pass
    raise UserError(
        f"{folder / CARD}: `calibration` is {stored!r}, not a positive temperature with its number of pairs; "
        "fit it again with `goldsmith models calibrate MODEL PAIRS`"
    )


def calibrate(model: RewardModel, pairs: Sequence[Pair], data: str) -> Calibration:
    """Return the temperature of a model on pairs that people judged; ties are left out.

    Args:
        model: a loaded reward model.
        pairs: judged pairs, none of which it was trained on.
        data: what they are, for the card.

    Raises:
        UserError: see `fit_calibration`.
        DataError: a pair cannot be scored.
    """
    decided = [pair for pair in pairs if pair.label != "tie"]
    return fit_calibration(
        [
            first - second if pair.label == "first" else second - first
            for pair, (first, second) in zip(decided, model.score_pairs(decided), strict=True)
        ],
        data,
    )


def calibrate_file(folder: Path, path: str | Path) -> tuple[Calibration, int]:
    """Fit the temperature of a model folder on a file of judged pairs, and store it in the folder's card.

    Args:
        folder: a model on this disk.
        path: pairs in any format that `pool add` reads.

    Returns:
        The calibration, and the number of rows that are no pairs or that the model cannot render.

    Raises:
        UserError: no such folder, or see `fit_calibration`.
        DataError: the file cannot be used, or a reward in it is not finite.
    """
    from goldsmith.pool.sources import Rejected, read_pairs
    from goldsmith.reward.model import RewardModel

    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; a model of the hub must be copied to a folder first, as its card is changed")
    pairs, rejected = [], 0
    for row in read_pairs(path):
        if isinstance(row, Rejected):
            rejected += 1
        else:
            pairs.append(row)
    model = RewardModel.load(folder)
    usable = [pair for pair in pairs if _is_rendered(model, pair)]
    found = calibrate(model, usable, Path(path).name)
    store_calibration(folder, found)
    return found, rejected + len(pairs) - len(usable)


def _is_rendered(model: RewardModel, pair: Pair) -> bool:
    from goldsmith.reward.grouping import Reply

    try:
        for content in (pair.first, pair.second):
            model.render(Reply(pair.messages, content, pair.pair_id))
    except DataError:
        return False
    return True
