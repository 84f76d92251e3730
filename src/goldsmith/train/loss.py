"""The Bradley-Terry loss, with margins, soft labels, pair weights and reward centring.

Shapes: B pairs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor


class LossOut(NamedTuple):
    """A loss to minimise (scalar float32, nats) and what to log beside it."""

    loss: Tensor
    metrics: dict[str, float]


def bradley_terry_loss(
    chosen_B: Tensor,
    rejected_B: Tensor,
    weight_B: Tensor | None = None,
    *,
    required_margin_B: Tensor | None = None,
    target_B: Tensor | None = None,
    center: float = 0.0,
    total_weight: float | None = None,
) -> LossOut:
    """Return the weighted mean of -[t log s(m - g) + (1 - t) log s(g - m)] + center * (chosen + rejected)^2, with m = chosen - rejected.

    Args:
        chosen_B: rewards of the chosen replies, shape [B], unit: logits.
        rejected_B: rewards of the rejected replies, shape [B].
        weight_B: optional non-negative pair weights, shape [B]; none: 1 each.
        required_margin_B: g >= 0, by how much the chosen reply must win, shape [B]; none: 0.
        target_B: t in [0, 1], the probability that the chosen reply is the better one, shape [B]; none: 1.
        center: weight of the squared sum of a pair's rewards, which holds their mean near 0.
        total_weight: what to divide by; none: the sum of the weights. Give the whole batch's sum when the batch is computed in pieces,
            then the pieces' losses and gradients add up to the batch's.

    Returns:
        loss and metrics {accuracy (strict wins), ties, margin_mean, reward_mean}, unweighted means of these pairs.

    Raises:
        ValueError: B is 0, or the weights sum to 0.
    """
    import torch
    from torch.nn.functional import logsigmoid

    chosen_B, rejected_B = chosen_B.float(), rejected_B.float()
    weight_B = torch.ones_like(chosen_B) if weight_B is None else weight_B.float()
    total = float(weight_B.sum()) if total_weight is None else total_weight
    if not len(chosen_B) or total <= 0:
        raise ValueError(f"a loss needs pairs of positive weight; got {len(chosen_B)} pairs of total weight {total}")
    margin_B = chosen_B - rejected_B
    ahead_B = margin_B if required_margin_B is None else margin_B - required_margin_B
    each_B = -logsigmoid(ahead_B)
    if target_B is not None:
        each_B = target_B * each_B - (1.0 - target_B) * logsigmoid(-ahead_B)
    if center:
        each_B = each_B + center * (chosen_B + rejected_B) ** 2
    with torch.no_grad():
        metrics = {
            "accuracy": float((margin_B > 0).float().mean()),
            "ties": float((margin_B == 0).sum()),
            "margin_mean": float(margin_B.mean()),
            "reward_mean": float((chosen_B + rejected_B).mean() / 2),
        }
    return LossOut(loss=(weight_B * each_B).sum() / total, metrics=metrics)
