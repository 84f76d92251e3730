from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModel

from goldsmith.reward import trunk as trunks
from goldsmith.reward.render import Rendered
from goldsmith.reward.tiny import write_tiny_model


def _group(prefix_length: int, lengths: list[int], rows: list[int], seed: int, *, share: bool = True) -> trunks.Group:
    generator = torch.Generator().manual_seed(seed)
    prefix = torch.randint(3, 250, (prefix_length,), generator=generator).tolist()
    rendered = [
        Rendered(
            ids=(*prefix, 10 + index, *torch.randint(3, 250, (length,), generator=generator).tolist()),
            reply_start=prefix_length,
        )
        for index, length in enumerate(lengths)
    ]
    return trunks.make_group(rendered, rows, share=share)


def _alone(model, group: trunks.Group) -> dict[int, torch.Tensor]:
    return {
        row: model(torch.tensor([group.prefix + suffix])).last_hidden_state[0, -1]
        for row, suffix in zip(group.rows, group.suffixes, strict=True)
    }


def _together(model, groups: list[trunks.Group], budget: int) -> dict[int, torch.Tensor]:
    found = {}
    for batch_groups in trunks.plan_batches(groups, budget):
        batch = trunks.collate(batch_groups, 0, budget)
        for part, state in zip(batch.parts, trunks.run_trunk(model, batch).parts, strict=True):
            found.update(zip(part.rows, trunks.last_token(state, part), strict=True))
    return found


@pytest.mark.parametrize("family", ["llama", "qwen3"])
@pytest.mark.parametrize("budget", [64, 4096])
def test_shared_prefixes_give_the_states_of_single_sequences(tmp_path: Path, family, budget):
    model = AutoModel.from_pretrained(str(write_tiny_model(tmp_path, seed=1, family=family))).eval()
    groups = [_group(20, [3, 30, 7, 3], [0, 1, 2, 3], 1), _group(5, [60], [4], 2), _group(90, [1, 2], [5, 6], 3)]
    with torch.inference_mode():
        found = _together(model, groups, budget)
        expected = {row: state for group in groups for row, state in _alone(model, group).items()}
    assert found.keys() == expected.keys()
    for row, state in expected.items():
        torch.testing.assert_close(found[row], state, atol=1e-5, rtol=1e-5)


def test_without_sharing_the_states_are_the_same(tiny: Path):
    model = AutoModel.from_pretrained(str(tiny)).eval()
    shared, whole = _group(20, [3, 30, 7], [0, 1, 2], 1), _group(20, [3, 30, 7], [0, 1, 2], 1, share=False)
    assert whole.prefix == ()
    with torch.inference_mode():
        for row, state in _together(model, [whole], 4096).items():
            torch.testing.assert_close(state, _together(model, [shared], 4096)[row], atol=1e-5, rtol=1e-5)


def test_gradients_flow_through_the_shared_prefix(tiny: Path):
    model = AutoModel.from_pretrained(str(tiny)).eval()
    group = _group(12, [3, 9], [0, 1], 4)
    torch.stack(list(_together(model, [group], 4096).values())).pow(2).sum().backward()
    shared = model.layers[0].self_attn.k_proj.weight.grad.clone()
    model.zero_grad()
    torch.stack(list(_alone(model, group).values())).pow(2).sum().backward()
    torch.testing.assert_close(shared, model.layers[0].self_attn.k_proj.weight.grad, atol=1e-4, rtol=1e-4)


def test_the_prefix_ends_where_the_reply_begins():
    # Both replies begin with token 7: it belongs to the replies although they share it.
    group = trunks.make_group(
        [Rendered(ids=(1, 2, 7, 8), reply_start=2), Rendered(ids=(1, 2, 7, 9, 9), reply_start=2)], [0, 1], share=True
    )
    assert group.prefix == (1, 2)
    assert group.suffixes == ((7, 8), (7, 9, 9))
    assert group.starts == (0, 0)
    assert group.tokens == 7


def test_batches_hold_every_reply_once_within_the_budget():
    groups = [_group(10 + seed, [seed % 9 + 1] * 3, [3 * seed, 3 * seed + 1, 3 * seed + 2], seed) for seed in range(20)]
    rows = []
    for batch_groups in trunks.plan_batches(groups, 100):
        batch = trunks.collate(batch_groups, 0, 100)
        assert batch.prefix_CP.numel() <= 100
        assert all(part.ids_RS.numel() <= 100 for part in batch.parts)
        rows += batch.rows
    assert sorted(rows) == list(range(60))


def test_a_split_trunk_computes_what_the_whole_does(tiny: Path):
    model = AutoModel.from_pretrained(str(tiny)).eval()
    batch = trunks.collate([_group(20, [3, 30, 7], [0, 1, 2], 1)], 0, 4096)
    with torch.inference_mode():
        whole = trunks.run_trunk(model, batch)
        lower, upper = trunks.split_trunk(model, 2)
        split = trunks.run_trunk(upper, batch, trunks.run_trunk(lower, batch))
        trunks.join_trunk(model)
        again = trunks.run_trunk(model, batch)
    for one, two, three in zip(whole.parts, split.parts, again.parts, strict=True):
        torch.testing.assert_close(one, two)
        torch.testing.assert_close(one, three, rtol=0, atol=0)
