"""Ways of scoring the same conversations: Goldsmith's `RewardModel`, alone or through an evaluation, and the padded loop of the model cards."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from goldsmith.benchdata.item import Item, text_id
from goldsmith.identity import context_id
from speed.contender import Gate
from speed.data import renderer_of

BATCH = 8
"""Conversations of a padded batch."""


def goldsmith(
    gate: Gate, model: Path, steps: Sequence[Sequence[tuple[list[dict[str, Any]], str]]], max_length: int, dtype: str
) -> None:
    """Each step is a list of (context, reply)."""
    from goldsmith.reward import Reply, RewardModel

    loaded = RewardModel.load(model, max_length=max_length, dtype=dtype)  # type: ignore[arg-type]
    for step in steps:
        gate.wait()
        gate.done([float(score) for score in loaded.score_replies([Reply(context, reply) for context, reply in step])])


def evaluation(gate: Gate, model: Path, steps: Sequence[Sequence[Item]], max_length: int, dtype: str) -> None:
    """Each step is a list of benchmark items; gives the score of every text by `key_of`, what was scored before from memory."""
    from goldsmith.evaluate.answers import Answerer
    from goldsmith.evaluate.engines.checkpoint import CheckpointEngine, described
    from goldsmith.reward import RewardModel

    loaded = RewardModel.load(model, max_length=max_length, dtype=dtype)  # type: ignore[arg-type]
    answerer = Answerer(CheckpointEngine(lambda: loaded, described(loaded, str(model))), None)
    for step in steps:
        gate.wait()
        answers, ids, _ = answerer.answer(step)
        gate.done(
            {
                name: score
                for answer, names in zip(answers, ids, strict=True)
                for name, score in zip(names, answer.scores, strict=True)
            }
        )


def key_of(context: list[dict[str, Any]], reply: str) -> str:
    """The name of a text in what `evaluation` gives."""
    return text_id(context_id(context), reply)


def padded(
    gate: Gate, model: Path, steps: Sequence[Sequence[tuple[list[dict[str, Any]], str]]], max_length: int, dtype: str
) -> None:
    """What a model card shows, a batch at a time: template, padding, `logits[:, 0]`; cut where Goldsmith cuts, so that scores compare."""
    import torch
    from transformers import AutoModelForSequenceClassification

    renderer = renderer_of(str(model), max_length)
    loaded = AutoModelForSequenceClassification.from_pretrained(model, dtype=getattr(torch, dtype)).eval()
    pad = loaded.config.pad_token_id
    for step in steps:
        gate.wait()
        scores: list[float] = []
        for begin in range(0, len(step), BATCH):
            rows = [list(renderer.render(context, reply, where="").ids) for context, reply in step[begin : begin + BATCH]]
            ids = torch.full((len(rows), max(map(len, rows))), pad, dtype=torch.long)
            for row, sequence in enumerate(rows):
                ids[row, : len(sequence)] = torch.tensor(sequence)
            with torch.inference_mode():
                scores += loaded(input_ids=ids, attention_mask=(ids != pad).long()).logits[:, 0].float().tolist()
        gate.done(scores)
