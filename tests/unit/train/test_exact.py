"""One step's gradient against an independent computation: plain sequences, one at a time, the library's own model with eager attention."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import logsigmoid
from transformers import AutoModelForSequenceClassification, AutoTokenizer, TrainingArguments

from goldsmith.pool.sources.lists import RankedList
from goldsmith.reward.render import Renderer
from goldsmith.reward.tiny import write_tiny_model
from goldsmith.train.batches import Labels, make_units
from goldsmith.train.export import new_classifier
from goldsmith.train.model import PairModel
from goldsmith.train.trainer import PairTrainer
from goldsmith.types import Pair

CENTER, SCALE = 0.05, 0.5
WORDS = ["red", "blue", "green", "black", "white", "pink", "grey", "gold"]


@pytest.fixture(scope="module", params=["llama", "qwen3"])
def folder(request, tmp_path_factory):
    return write_tiny_model(tmp_path_factory.mktemp(request.param), seed=5, family=request.param)


@pytest.fixture(scope="module")
def head():
    return torch.randn(32, generator=torch.Generator().manual_seed(1))


def _eight():
    """Eight pairs of eight contexts, each with a weight, a probability and a strength of its own."""
    pairs = [
        Pair.from_replies([{"role": "user", "content": f"Say {word}."}], f"{word}, please!", "no" * (1 + at), strength=at / 4)
        for at, word in enumerate(WORDS)
    ]
    weights = {pair.pair_id: 0.25 + at / 4 for at, pair in enumerate(pairs)}
    p_first = {pair.pair_id: 0.3 + at / 12 for at, pair in enumerate(pairs)}
    return pairs, Labels(weights=weights, p_first=p_first, margin_scale=SCALE)


def _lists():
    context = [{"role": "user", "content": "Say tan."}]
    return [RankedList.of(context, ["tan", "tan, please!", "no", "tan tan"], [2, 1, 3, 2])]


def _trainer(folder, head, units, budget, tmp_path, **options):
    renderer = Renderer(AutoTokenizer.from_pretrained(str(folder)))
    model = PairModel(new_classifier(folder, renderer.pad_id, head), 0, **options)
    arguments = TrainingArguments(output_dir=str(tmp_path), use_cpu=True, report_to=[], max_steps=1, disable_tqdm=True)
    trainer = PairTrainer(
        model, units, [list(range(len(units)))], pad_id=renderer.pad_id, token_budget=budget, center=CENTER, args=arguments
    )
    trainer.create_optimizer_and_scheduler(1)
    return trainer


def _step(folder, head, units, budget, tmp_path, **options):
    trainer = _trainer(folder, head, units, budget, tmp_path, **options)
    loss = trainer.training_step(trainer.model, list(range(len(units))))
    return loss, {name: value.grad for name, value in trainer.model.named_parameters()}


def _units(folder, lists=True):
    pairs, labels = _eight()
    renderer = Renderer(AutoTokenizer.from_pretrained(str(folder)))
    return make_units(pairs, renderer, 8, share=True, labels=labels, lists=_lists() if lists else ())


def _independent(folder, head):
    """The same loss written out: every conversation alone, without padding; stages of the list by hand."""
    tokenizer = AutoTokenizer.from_pretrained(str(folder))
    model = AutoModelForSequenceClassification.from_pretrained(
        str(folder), num_labels=1, dtype=torch.float32, attn_implementation="eager", pad_token_id=tokenizer.pad_token_id
    )
    with torch.no_grad():
        model.score.weight.copy_(head[None])

    def reward(context, reply):
        turns = [*context, {"role": "assistant", "content": reply}]
        ids = tokenizer.apply_chat_template(turns, tokenize=True, return_dict=False, return_tensors="pt")
        return model(input_ids=ids).logits[0, 0]

    pairs, labels = _eight()
    total, loss = 0.0, torch.zeros(())
    for pair in pairs:
        chosen, rejected = reward(pair.messages, pair.chosen), reward(pair.messages, pair.rejected)
        p_first = labels.p_first[pair.pair_id]
        target = p_first if pair.label == "first" else 1 - p_first
        ahead = chosen - rejected - SCALE * pair.strength
        each = -(target * logsigmoid(ahead) + (1 - target) * logsigmoid(-ahead)) + CENTER * (chosen + rejected) ** 2
        loss = loss + labels.weights[pair.pair_id] * each
        total += labels.weights[pair.pair_id]
    tan, please, no, twice = (reward(_lists()[0].context, reply) for reply in _lists()[0].replies)
    # Best: "please" over the other three; then both seconds, each over "no" alone.
    stages = [(please, [tan, no, twice]), (tan, [no]), (twice, [no])]
    for best, below in stages:
        loss = loss + torch.log(sum(torch.exp(other) for other in [best, *below])) - best
    (loss / (total + len(stages))).backward()
    return (loss / (total + len(stages))).detach(), {f"classifier.{name}": value.grad for name, value in model.named_parameters()}


def test_pad_bos_and_attention_kernel_bugs_a_step_has_the_loss_and_gradient_of_single_sequences(folder, head, tmp_path):
    loss, gradients = _step(folder, head, _units(folder), 10_000, tmp_path)
    expected, by_hand = _independent(folder, head)
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-6)
    assert gradients.keys() == by_hand.keys()
    for name, value in by_hand.items():
        assert torch.linalg.vector_norm(gradients[name] - value) <= 1e-4 * torch.linalg.vector_norm(value), name


def test_batch_size_bug_a_batch_of_eight_is_eight_of_one(folder, head, tmp_path):
    units = _units(folder)
    loss, whole = _step(folder, head, units, 10_000, tmp_path)
    in_pieces, pieces = _step(folder, head, units, 1, tmp_path)
    torch.testing.assert_close(in_pieces, loss)
    for name, value in whole.items():
        torch.testing.assert_close(pieces[name], value, rtol=1e-4, atol=1e-6)


def test_recomputed_layers_give_the_same_gradient_and_keep_less(folder, head, tmp_path):
    units = _units(folder)
    kept: list[int] = []

    def step(**options):
        kept.append(0)

        def count(tensor):
            kept[-1] += tensor.numel()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            return _step(folder, head, units, 10_000, tmp_path, **options)

    loss, plain = step()
    again, recomputed = step(recompute=True)
    assert torch.equal(loss, again)
    assert all(torch.equal(recomputed[name], value) for name, value in plain.items())
    assert kept[1] < kept[0] / 2


def test_bfloat16_moves_float32_weights(folder, head, tmp_path):
    units = _units(folder)
    _, exact = _step(folder, head, units, 10_000, tmp_path)
    trainer = _trainer(folder, head, units, 1, tmp_path, mixed=True)
    loss = trainer.training_step(trainer.model, list(range(len(units))))
    assert loss.dtype == torch.float32
    working = dict(trainer.model.working.named_parameters())
    assert {name: value.dtype for name, value in working.items() if "score" not in name} == dict.fromkeys(
        (name for name in working if "score" not in name), torch.bfloat16
    )
    assert trainer.model.working.model.rotary_emb.inv_freq.dtype == torch.float32
    for name, value in trainer.model.named_parameters():
        assert value.dtype == value.grad.dtype == torch.float32, name
        # bfloat16 keeps 8 bits: errors of a few hundredths of the gradient's length.
        assert torch.linalg.vector_norm(value.grad - exact[name]) < 0.1 * torch.linalg.vector_norm(exact[name]), name
    weight = trainer.model.classifier.model.layers[0].mlp.up_proj.weight
    with torch.no_grad():
        before = weight.clone()
        weight += 1e-5 * weight  # far below the 1/256 that bfloat16 resolves: only float32 keeps it
    trainer.model.refresh()
    assert not torch.equal(weight, before)
    copied = working["model.layers.0.mlp.up_proj.weight"]
    assert torch.equal(copied, weight.to(torch.bfloat16))


def test_padding_bug_a_reward_does_not_move_with_its_neighbours(folder, head, tmp_path):
    units = _units(folder)
    from goldsmith.train.trainer import unit_rewards

    trainer = _trainer(folder, head, units, 10_000, tmp_path)
    with torch.no_grad():
        together = unit_rewards(trainer.model, units, range(len(units)), None, trainer.pad_id)
        for number, unit in enumerate(units):
            alone = unit_rewards(trainer.model, [unit], [number], None, trainer.pad_id)[0]
            torch.testing.assert_close(alone, together[number], rtol=1e-5, atol=1e-5)


def test_the_loss_that_is_not_finite_stops_before_the_step_and_names_the_pairs(folder, head, tmp_path, monkeypatch):
    from goldsmith.errors import UserError
    from goldsmith.train import trainer as module

    units = _units(folder)
    real = module.unit_rewards

    def broken(model, piece, numbers, frozen, pad_id):
        rewards = real(model, piece, numbers, frozen, pad_id)
        return [reward * float("nan") if number in (2, 8) else reward for number, reward in zip(numbers, rewards, strict=True)]

    monkeypatch.setattr(module, "unit_rewards", broken)
    trainer = _trainer(folder, head, units, 10_000, tmp_path)
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    names = f"{units[2].pair_ids[0]}, {units[8].pair_ids[0]}; nothing was updated"
    with pytest.raises(UserError, match=f"the loss is nan at step 1, from pairs {names}"):
        trainer.train()
    assert all(torch.equal(value, before[name]) for name, value in trainer.model.state_dict().items())
