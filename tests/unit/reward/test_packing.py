from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoModel, MistralConfig, Qwen2Config

from goldsmith.reward import attention
from goldsmith.reward.packing import Group, collate, make_group, plan_batches
from goldsmith.reward.render import Rendered
from goldsmith.reward.tiny import write_tiny_model
from goldsmith.reward.trunk import join_trunk, last_token, run_trunk, split_trunk, supports_packing


def _group(prefix_length: int, lengths: Sequence[int], rows: Sequence[int], seed: int, *, share: bool = True) -> Group:
    generator = torch.Generator().manual_seed(seed)
    prefix = torch.randint(3, 250, (prefix_length,), generator=generator).tolist()
    rendered = [
        Rendered(
            ids=(*prefix, 10 + index, *torch.randint(3, 250, (length,), generator=generator).tolist()),
            reply_start=prefix_length,
        )
        for index, length in enumerate(lengths)
    ]
    return make_group(rendered, rows, share=share)


def _alone(model, group: Group) -> dict[int, torch.Tensor]:
    return {
        row: model(torch.tensor([group.prefix + suffix])).last_hidden_state[0, -1]
        for row, suffix in zip(group.rows, group.suffixes, strict=True)
    }


def _together(model, groups: list[Group], budget: int, *, packed: bool = True) -> dict[int, torch.Tensor]:
    found = {}
    for planned in plan_batches(groups, budget, packed=packed):
        batch = collate(planned, 0, packed=packed)
        found.update(zip(batch.rows, last_token(run_trunk(model, batch).last_hidden_state, batch), strict=True))
    return found


GROUPS = [_group(20, [3, 30, 7, 3], [0, 1, 2, 3], 1), _group(5, [60], [4], 2), _group(90, [1, 2], [5, 6], 3)]


@pytest.mark.parametrize("family", ["llama", "qwen3"])
@pytest.mark.parametrize("budget", [40, 64, 130, 4096])
@pytest.mark.parametrize("packed", [True, False])
def test_rows_give_the_states_of_single_sequences(tmp_path: Path, family, budget, packed):
    model = AutoModel.from_pretrained(str(write_tiny_model(tmp_path, seed=1, family=family))).eval()
    with torch.inference_mode():
        found = _together(model, GROUPS, budget, packed=packed)
        expected = {row: state for group in GROUPS for row, state in _alone(model, group).items()}
    assert found.keys() == expected.keys()
    for row, state in expected.items():
        torch.testing.assert_close(found[row], state, atol=1e-5, rtol=1e-5)


def test_replies_longer_than_a_block_of_queries_are_exact_up_to_the_models_maximum(tmp_path: Path):
    model = AutoModel.from_pretrained(str(write_tiny_model(tmp_path, seed=1, max_positions=2048))).eval()
    group = _group(300, [attention.BLOCK + 700, 2 * attention.BLOCK, 2047 - 300], [0, 1, 2], 5)
    with torch.inference_mode():
        found, expected = _together(model, [group], 8192), _alone(model, group)
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
    shared = {name: value.grad.clone() for name, value in model.named_parameters()}
    model.zero_grad()
    torch.stack(list(_alone(model, group).values())).pow(2).sum().backward()
    for name, value in model.named_parameters():
        torch.testing.assert_close(shared[name], value.grad, atol=1e-4, rtol=1e-4, msg=name)


def test_a_cut_group_computes_its_prefix_once(tiny: Path):
    batches = list(plan_batches([_group(90, [20] * 6, range(6), 3)], 140, packed=True))
    model = AutoModel.from_pretrained(str(tiny)).eval()
    tokens = []
    for planned in batches:
        batch = collate(planned, 0, packed=True)
        run_trunk(model, batch)
        tokens.append(batch.ids_BL.shape[1])
    assert tokens == [90 + 2 * 21, 4 * 21]


def test_flex_attention_computes_what_the_segments_do(tiny: Path, monkeypatch: pytest.MonkeyPatch):
    model = AutoModel.from_pretrained(str(tiny)).eval()
    with torch.inference_mode():
        expected = _together(model, GROUPS, 130)
        monkeypatch.setattr(attention, "joined_attention", lambda *arguments: attention._flex(*arguments[:5], 0.0, arguments[5]))
        found = _together(model, GROUPS, 130)
    for row, state in expected.items():
        torch.testing.assert_close(found[row], state, atol=1e-5, rtol=1e-5)


def test_a_model_that_ran_packed_rows_still_answers_ordinary_calls(tiny: Path):
    model = AutoModel.from_pretrained(str(tiny)).eval()
    ids, mask = torch.tensor([[5, 6, 7, 0], [8, 9, 10, 11]]), torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1]])
    with torch.inference_mode():
        before = model(ids, attention_mask=mask).last_hidden_state
        _together(model, GROUPS, 4096)
        after = model(ids, attention_mask=mask).last_hidden_state
    torch.testing.assert_close(after, before)


def test_a_packed_model_is_saved_without_our_attention(tiny: Path, tmp_path: Path):
    model = AutoModel.from_pretrained(str(tiny)).eval()
    _together(model, GROUPS, 4096)
    model.save_pretrained(tmp_path / "saved")
    assert attention.NAME not in (tmp_path / "saved" / "config.json").read_text()


def test_the_prefix_ends_where_the_reply_begins():
    # Both replies begin with token 7: it belongs to the replies although they share it.
    group = make_group(
        [Rendered(ids=(1, 2, 7, 8), reply_start=2), Rendered(ids=(1, 2, 7, 9, 9), reply_start=2)], [0, 1], share=True
    )
    assert group.prefix == (1, 2)
    assert group.suffixes == ((7, 8), (7, 9, 9))
    assert group.starts == (0, 0)
    assert group.tokens == 7


@pytest.mark.parametrize("packed", [True, False])
def test_batches_hold_every_reply_once_within_the_budget(packed):
    groups = [_group(10 + seed, [seed % 9 + 1] * 3, [3 * seed, 3 * seed + 1, 3 * seed + 2], seed) for seed in range(20)]
    rows = []
    for planned in plan_batches(groups, 100, packed=packed):
        batch = collate(planned, 0, packed=packed)
        assert batch.ids_BL.numel() <= 100
        assert [stop - start for start, stop in batch.spans] == [len(s) for group in planned for s in group.suffixes]
        rows += batch.rows
    assert sorted(rows) == list(range(60))


@pytest.mark.parametrize("packed", [True, False])
def test_a_split_trunk_computes_what_the_whole_does(tiny: Path, packed):
    model = AutoModel.from_pretrained(str(tiny)).eval()
    batch = collate([_group(20, [3, 30, 7], [0, 1, 2], 1, share=packed)], 0, packed=packed)
    with torch.inference_mode():
        whole = run_trunk(model, batch).last_hidden_state
        lower, upper = split_trunk(model, 2)
        kept = batch.gather(run_trunk(lower, batch).last_hidden_state)
        split = run_trunk(upper, batch, batch.spread(kept)).last_hidden_state
        join_trunk(model)
        again = run_trunk(model, batch).last_hidden_state
    torch.testing.assert_close(batch.gather(whole), batch.gather(split))
    torch.testing.assert_close(whole, again, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (Qwen2Config(), True),
        (Qwen2Config(use_sliding_window=True, sliding_window=64, max_window_layers=1, num_hidden_layers=3), False),
        (MistralConfig(sliding_window=4096), False),
        (MistralConfig(sliding_window=None), True),
        (AutoConfig.for_model("gemma2"), False),
    ],
)
def test_models_with_windows_or_of_unknown_kinds_are_not_packed(config, expected):
    assert supports_packing(config) is expected
