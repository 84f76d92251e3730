from __future__ import annotations

import math

import pytest
import torch

from goldsmith.train.loss import bradley_terry_loss, num_stages, plackett_luce_loss

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


@pytest.mark.parametrize("name", ["weight_B", "required_margin_B", "target_B"])
def test_margin_broadcast_bug_a_column_beside_a_row_is_refused(name):
    chosen, rejected, column = torch.zeros(3), torch.zeros(3), torch.ones(3, 1)
    with pytest.raises(ValueError, match=r"has shape \[3, 1\] where \[3\]"):
        bradley_terry_loss(chosen, rejected, **{name: column})
    with pytest.raises(ValueError, match=r"chosen has shape \[3, 1\]"):
        bradley_terry_loss(torch.zeros(3, 1), torch.zeros(3, 1))
    with pytest.raises(ValueError, match=r"rejected has shape \[2\]"):
        bradley_terry_loss(chosen, torch.zeros(2))


def test_margins_of_several_pairs_by_hand_are_not_mixed():
    # Differences log 3, 0, log 3 less the margins log 3, 0, 0: 0, 0, log 3. Losses log 2, log 2, log(4/3).
    # Broadcast to 3 x 3 the mean would run over all nine differences of a pair's margin and another's requirement.
    chosen, margin = torch.tensor([LOG3, 1.0, LOG3]), torch.tensor([LOG3, 0.0, 0.0])
    out = bradley_terry_loss(chosen, torch.tensor([0.0, 1.0, 0.0]), required_margin_B=margin)
    assert out.loss.item() == pytest.approx((2 * math.log(2) + math.log(4 / 3)) / 3)


def test_plackett_luce_by_hand():
    # exp(rewards) = 4, 2, 1, ranked in that order: (4 / 7) * (2 / 3).
    reward = torch.tensor([math.log(4), math.log(2), 0.0])
    out = plackett_luce_loss(reward, [1, 2, 3])
    assert out.loss.item() == pytest.approx((math.log(7 / 4) + math.log(3 / 2)) / 2)
    # Best minus the best below: log 4 - log 2 and log 2 - 0.
    assert out.metrics == pytest.approx(
        {"accuracy": 1.0, "ties": 0.0, "margin_mean": math.log(2), "reward_mean": math.log(8) / 3}
    )
    # The reverse ranking: 1/7, then 2/6.
    assert plackett_luce_loss(reward, [3, 2, 1]).loss.item() == pytest.approx((math.log(7) + math.log(3)) / 2)
    # Any numbers in that order are the same ranking; a list in another order too.
    assert plackett_luce_loss(reward, [-5, 0, 7.5]).loss.item() == pytest.approx(out.loss.item())
    assert plackett_luce_loss(reward.flip(0), [3, 2, 1]).loss.item() == pytest.approx(out.loss.item())


def test_equal_ranks_are_never_compared():
    # 4 and 2 share the first place over 1: 4/5 and 2/3; nothing is said of 4 against 2.
    reward = torch.tensor([math.log(4), math.log(2), 0.0])
    assert plackett_luce_loss(reward, [1, 1, 2]).loss.item() == pytest.approx((math.log(5 / 4) + math.log(3 / 2)) / 2)
    # 2 and 1 share the last place under 4: one stage, 4/7.
    assert plackett_luce_loss(reward, [1, 2, 2]).loss.item() == pytest.approx(math.log(7 / 4))
    with pytest.raises(ValueError, match="0 pairs"):
        plackett_luce_loss(reward, [1, 1, 1])
    assert [num_stages(ranks) for ranks in ([1, 2, 3], [1, 1, 2], [1, 2, 2], [1, 1, 1], [])] == [2, 2, 1, 0, 0]


def test_two_replies_are_bradley_and_terry_with_the_same_gradient():
    reward = torch.tensor([0.7, -1.2], requires_grad=True)
    twin = reward.detach().clone().requires_grad_(True)
    listed = plackett_luce_loss(reward, [2, 1]).loss
    paired = bradley_terry_loss(twin[1:], twin[:1]).loss
    torch.testing.assert_close(listed, paired)
    listed.backward()
    paired.backward()
    torch.testing.assert_close(reward.grad, twin.grad)


def test_gradient_of_a_list_by_hand():
    # d/dr of log(7/4) + log(3/2), halved: stage 1 gives softmax (4, 2, 1)/7 minus (1, 0, 0), stage 2 (0, 2, 1)/3 minus (0, 1, 0).
    reward = torch.tensor([math.log(4), math.log(2), 0.0], requires_grad=True)
    plackett_luce_loss(reward, [1, 2, 3]).loss.backward()
    torch.testing.assert_close(reward.grad, torch.tensor([4 / 7 - 1, 2 / 7 + 2 / 3 - 1, 1 / 7 + 1 / 3]) / 2)


def test_lists_and_pairs_add_up_to_a_batch_counted_in_pairs():
    # A list of two stages beside one pair: the mean over the three comparisons.
    reward, pair = torch.tensor([math.log(4), math.log(2), 0.0]), torch.tensor([0.0])
    whole = (math.log(7 / 4) + math.log(3 / 2) + math.log(2)) / 3
    pieces = plackett_luce_loss(reward, [1, 2, 3], total_weight=3.0).loss + bradley_terry_loss(pair, pair, total_weight=3.0).loss
    assert pieces.item() == pytest.approx(whole)


def test_a_list_of_another_length_than_its_ranks_is_refused():
    with pytest.raises(ValueError, match=r"reward has shape \[3\] where \[2\]"):
        plackett_luce_loss(torch.zeros(3), [1, 2])
