"""What the flow hands to training beyond the pairs."""

from __future__ import annotations

from types import SimpleNamespace

from goldsmith.config.train import TrainConfig
from goldsmith.curate.decide import UNDECIDED
from goldsmith.curate.final import _people, _probabilities, _validation, planned_models
from goldsmith.store import to_row
from goldsmith.types import Pair


def _context(**tables):
    workspace = SimpleNamespace(table=lambda name: SimpleNamespace(rows=lambda columns=None: tables[name]))
    return SimpleNamespace(workspace=workspace)


def test_soft_labels_are_the_best_model_s_except_where_people_decided():
    rows = [
        {"pair_id": "one", "rule": "article-keep", "reason": "confident", "p_first": 0.8, "p_sources": None, "p_trusted": None},
        {"pair_id": "two", "rule": "human", "reason": "gold", "p_first": 0.2, "p_sources": 0.3, "p_trusted": 0.0},
        {
            "pair_id": "three",
            "rule": "article-keep",
            "reason": "confident",
            "p_first": None,
            "p_sources": None,
            "p_trusted": None,
        },
        {"pair_id": "four", "rule": "joint-keep", "reason": "likely right", "p_first": 0.9, "p_sources": 0.6, "p_trusted": 1.0},
        # Where gold carried no estimate, p_first is the best RM's own opinion, and the label stays as certain as it came.
        {"pair_id": "five", "rule": "joint-keep", "reason": UNDECIDED[0], "p_first": 0.9, "p_sources": None, "p_trusted": 1.0},
    ]
    context = _context(decisions=rows)
    assert _probabilities(context, TrainConfig()) == {"p_first": {"one": 0.8, "four": 0.9}}
    # A head that people correct learns what label and judges say, not what a head said of it before.
    told = _probabilities(context, TrainConfig(method="head", people="correct"))
    assert told == {"p_first": {"one": 0.8, "four": 0.6}, "p_trusted": {"four": 1.0}}


def test_gold_validation_alone_is_measured_on_and_only_when_asked():
    pairs = [Pair.from_replies([{"role": "user", "content": word}], "yes", "no", tie=word == "d") for word in "abcd"]
    splits = ["train", "validation", "audit", "validation"]
    gold = [{**to_row(pair), "split": split} for pair, split in zip(pairs, splits, strict=True)]
    context = _context(gold=gold)
    assert [pair.pair_id for pair in _validation(context, TrainConfig(eval_steps=5)) or []] == [pairs[1].pair_id]
    assert _validation(context, TrainConfig()) is None


def test_the_comparison_by_heads_leaves_out_what_only_the_final_method_can_do():
    train = TrainConfig(method="full", margins="strength", center_rewards=0.1, early_stopping_patience=3)
    config = SimpleNamespace(train=train, evaluate=SimpleNamespace(compare_raw="head"))
    planned = planned_models(SimpleNamespace(config=config))
    head = planned["raw"][1]
    assert (head.method, head.margins, head.center_rewards, head.early_stopping_patience) == ("head", "none", 0.0, None)
    assert planned["raw"][1] == planned["curated"][1]
    assert planned["final"][1] == train


def test_people_s_labels_correct_only_where_there_are_enough_and_never_the_raw_model():
    rows = [{"pair_id": f"p{at}"} for at in range(30)]
    gold = [{"pair_id": f"p{at}", "split": "train", "label": "first"} for at in range(25)]
    gold += [
        {"pair_id": "validation", "split": "validation", "label": "first"},
        {"pair_id": "p26", "split": "train", "label": "tie"},
    ]
    notes: list[str] = []
    context = _context(gold=gold)
    context.progress = SimpleNamespace(note=notes.append)
    settings = TrainConfig(method="head", people="correct")
    found, used = _people(context, "curated", rows, settings)
    assert found == {f"p{at}" for at in range(25)}
    assert used.people == "correct"
    assert _people(context, "raw", rows, settings) == (None, TrainConfig(method="head"))
    assert not notes
    assert _people(context, "curated", rows[:19], settings) == (None, TrainConfig(method="head"))
    assert "19 of 20" in notes[0]
    # Nothing is read where it makes no difference: the table may have millions of rows.
    assert _people(_context(), "curated", rows, TrainConfig(method="head")) == (None, TrainConfig(method="head"))
