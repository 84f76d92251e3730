from __future__ import annotations

import math

import pytest
import torch

from goldsmith.train.loss import bradley_terry_loss

LOG3 = math.log(3.0)


def test_plain_loss_by_hand():
    # Margins log 3 and 0: -log(3/4) = log(4/3) and log 2.
    out = bradley_terry_loss(torch.tensor([LOG3, 1.0]), torch.tensor([0.0, 1.0]))
    assert out.loss.item() == pytest.approx((math.log(4 / 3) + math.log(2)) / 2)
    assert out.metrics == pytest.approx({"accuracy": 0.5, "ties": 1.0, "margin_mean": LOG3 / 2, "reward_mean": (LOG3 + 2.0) / 4})


def test_required_margin_weights_soft_labels_and_centring_by_hand():
    chosen, rejected = torch.tensor([LOG3]), torch.tensor([0.0])
    # The margin must be log 3 and is: log 2.
    assert bradley_terry_loss(chosen, rejected, required_margin_B=torch.tensor([LOG3])).loss.item() == pytest.approx(math.log(2))
    # Target 3/4: 3/4 log(4/3) + 1/4 log 4, the entropy of the target, as the model says exactly 3/4.
    soft = bradley_terry_loss(chosen, rejected, target_B=torch.tensor([0.75])).loss.item()
    assert soft == pytest.approx(0.75 * math.log(4 / 3) + 0.25 * math.log(4))
    # Centring adds 0.1 (log 3 + 0)^2.
    assert bradley_terry_loss(chosen, rejected, center=0.1).loss.item() == pytest.approx(math.log(4 / 3) + 0.1 * LOG3**2)
    # Weights 3 and 1 on losses log(4/3) and log 4.
    both = bradley_terry_loss(torch.tensor([LOG3, 0.0]), torch.tensor([0.0, LOG3]), torch.tensor([3.0, 1.0])).loss.item()
    assert both == pytest.approx((3 * math.log(4 / 3) + math.log(4)) / 4)


def test_order_symmetry_and_shift_invariance():
    chosen, rejected = torch.tensor([0.3, -2.0]), torch.tensor([1.0, 0.5])
    flipped = bradley_terry_loss(rejected, chosen, target_B=torch.zeros(2)).loss
    torch.testing.assert_close(bradley_terry_loss(chosen, rejected).loss, flipped)
    torch.testing.assert_close(bradley_terry_loss(chosen + 7, rejected + 7).loss, bradley_terry_loss(chosen, rejected).loss)


def test_pieces_add_up_to_the_batch():
    chosen, rejected, weight = torch.randn(8), torch.randn(8), torch.rand(8)
    whole = bradley_terry_loss(chosen, rejected, weight, center=0.01).loss
    total = float(weight.sum())
    pieces = [
        bradley_terry_loss(chosen[i : i + 3], rejected[i : i + 3], weight[i : i + 3], center=0.01, total_weight=total).loss
        for i in (0, 3, 6)
    ]
    torch.testing.assert_close(sum(pieces), whole)


def test_extreme_margins_do_not_overflow():
    out = bradley_terry_loss(torch.tensor([-1e4]), torch.tensor([1e4]))
    assert out.loss.item() == pytest.approx(2e4)


def test_nothing_to_learn_from_is_refused():
    with pytest.raises(ValueError, match="0 pairs"):
        bradley_terry_loss(torch.empty(0), torch.empty(0))
    with pytest.raises(ValueError, match=r"total weight 0\.0"):
        bradley_terry_loss(torch.ones(1), torch.ones(1), torch.zeros(1))
