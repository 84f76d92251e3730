"""The losses: Bradley-Terry on pairs (margins, soft labels, weights, centring) and Plackett-Luce on ranked lists.

Shapes: B pairs, N replies of a list, S stages of it (replies that stand above at least one other). Every argument named `_B` has shape
[B] exactly: a [B, 1] column beside a [B] row would broadcast to [B, B] and mix every pair with every other, so it is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

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
        ValueError: B is 0, the weights sum to 0, or an argument is not of shape [B].
    """
    import torch
    from torch.nn.functional import logsigmoid

    check_shapes(
        chosen_B.shape,
        chosen=chosen_B,
        rejected=rejected_B,
        weight=weight_B,
        required_margin=required_margin_B,
        target=target_B,
    )
    chosen_B, rejected_B = chosen_B.float(), rejected_B.float()
    weight_B = torch.ones_like(chosen_B) if weight_B is None else weight_B.float()
    total = _positive_total(len(chosen_B), float(weight_B.sum()) if total_weight is None else total_weight)
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


def plackett_luce_loss(
    reward_N: Tensor, ranks: Sequence[float], weight: float = 1.0, *, total_weight: float | None = None
) -> LossOut:
    """Return the mean over stages of -log P(a reply is chosen among itself and all that rank below it), times `weight`.

    A list without equal ranks of n replies has n - 1 stages, and the sum over them is Plackett and Luce's likelihood of the ranking;
    with n = 2 it is Bradley and Terry's. Replies of equal rank are never compared: each is held against those strictly below alone.

    Args:
        reward_N: rewards of the replies, shape [N], unit: logits.
        ranks: of the replies, 1 is best; only their order matters.
        weight: of the list.
        total_weight: what to divide by; none: stages times weight. A list counts as so many pairs as it has stages, so a batch of
            lists and pairs divides by the sum of both.

    Returns:
        loss and metrics {accuracy (share of stages won strictly), ties, margin_mean (over the best of those below), reward_mean}.

    Raises:
        ValueError: the rewards and ranks are not [N] each, or no reply ranks above another.
    """
    import torch

    check_shapes(torch.Size([len(ranks)]), reward=reward_N)
    reward_N = reward_N.float()
    rank_N = torch.tensor(ranks, dtype=torch.float64, device=reward_N.device)
    below_NN = rank_N[None, :] > rank_N[:, None]
    stages = below_NN.any(1)
    total = _positive_total(int(stages.sum()), num_stages(ranks) * weight if total_weight is None else total_weight)
    reward_S, below_SN = reward_N[stages], below_NN[stages]
    rival_SN = reward_N[None, :].expand(below_SN.shape).masked_fill(~below_SN, float("-inf"))
    each_S = torch.logaddexp(torch.logsumexp(rival_SN, 1), reward_S) - reward_S
    with torch.no_grad():
        margin_S = reward_S - rival_SN.max(1).values
        metrics = {
            "accuracy": float((margin_S > 0).float().mean()),
            "ties": float((margin_S == 0).sum()),
            "margin_mean": float(margin_S.mean()),
            "reward_mean": float(reward_N.mean()),
        }
    return LossOut(loss=weight * each_S.sum() / total, metrics=metrics)


def num_stages(ranks: Sequence[float]) -> int:
    """Return how many replies rank above at least one other: what a list counts for beside pairs."""
    return sum(rank < max(ranks) for rank in ranks) if len(ranks) else 0


def check_shapes(shape: Sequence[int], **tensors: Tensor | None) -> None:
    """Refuse tensors that are not all of one shape [B].

    Raises:
        ValueError: naming the tensor and both shapes.
    """
    for name, tensor in tensors.items():
        if tensor is not None and (tensor.ndim != 1 or tuple(tensor.shape) != tuple(shape)):
            raise ValueError(
                f"{name} has shape {list(tensor.shape)} where [{', '.join(map(str, shape))}] with one dimension is needed; "
                "squeeze a column to a row, or pairs would be mixed with each other"
            )


def _positive_total(count: int, total: float) -> float:
    if not count or total <= 0:
        raise ValueError(f"a loss needs pairs of positive weight; got {count} pairs of total weight {total}")
    return total
