"""Writing a reward model as a standard checkpoint with its card, and proving that what was written scores the same."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from goldsmith.reward.card import CARD
from goldsmith.reward.checkpoint import load_weights, quiet_loading
from goldsmith.reward.grouping import Reply
from goldsmith.reward.model import RewardModel
from goldsmith.reward.portable import make_portable
from goldsmith.reward.render import Renderer
from goldsmith.reward.roundtrip import TOLERANCE, check_head, check_round_trip, with_fixed_probes
from goldsmith.store.atomic import write_directory, write_json
from goldsmith.train.checkpoints import system_errors

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from goldsmith.reward.ensemble import HeadEnsemble

__all__ = ["ROUND_TRIP_TEXTS", "TOLERANCE", "check_round_trip", "new_classifier", "save_reward_model"]

ROUND_TRIP_TEXTS = 4
METRICS = "metrics.jsonl"
"""The loss series, one JSON object a line: a step's loss and metrics, or a validation's."""


def new_classifier(folder: Path, pad_id: int, weight: ArrayLike | None = None) -> Any:
    """Return a float32 sequence classifier of one label on the trunk of a checkpoint.

    Args:
        folder: a causal language model or a reward model.
        pad_id: the token that other programs take for padding.
        weight: of the head, [D]; none: zeros, under which every reward is 0.

    Raises:
        UserError: weights other than the head's are missing, broken or of another shape.
    """
    import torch
    import transformers

    kind = transformers.AutoModelForSequenceClassification
    model = load_weights(kind, folder, torch.float32, replaced={"score.weight"}, num_labels=1)
    model.config.pad_token_id = model.config.get_text_config().pad_token_id = pad_id
    with torch.no_grad():
        values = torch.zeros(model.score.in_features) if weight is None else torch.as_tensor(weight, dtype=torch.float32)
        model.score.weight.copy_(values.reshape(1, -1))
    return model


def save_reward_model(
    classifier: Any,
    renderer: Renderer,
    out: Path,
    card: dict[str, Any],
    probes: Sequence[Reply],
    *,
    rows: Sequence[Mapping[str, Any]] = (),
    ensemble: HeadEnsemble | None = None,
) -> None:
    """Write a classifier to the folder `out`, which appears whole or not at all, after checking that it reloads to the same scores.

    Args:
        classifier: float32, without adapters.
        renderer: how it was trained to read.
        out: the new folder.
        card: facts for goldsmith.json and the model card.
        probes: a few conversations to compare.
        rows: the loss series, for metrics.jsonl.
        ensemble: heads that tell how uncertain a score is.

    Raises:
        GoldsmithError: the head is lost or all zeros, or the reloaded model scores differently.
    """
    facts = {
        "schema_version": 1,
        "max_length": renderer.max_length,
        "truncation_side": renderer.truncation_side,
        "pooling": "last",
        "template_inserts": renderer.inserted,
        "template_renders": renderer.example,
        "template_inserts_date": renderer.inserts_date,
        **card,
    }
    chosen = with_fixed_probes(probes[:ROUND_TRIP_TEXTS])
    before = RewardModel(classifier.eval(), renderer, "in memory").score_replies(chosen)
    with write_directory(out) as folder:
        with quiet_loading(), system_errors():
            classifier.save_pretrained(folder)
        renderer.tokenizer.save_pretrained(folder)
        make_portable(folder)
        write_json(folder / CARD, facts)
        (folder / "README.md").write_text(_readme(facts), encoding="utf-8")
        (folder / METRICS).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        if ensemble is not None:
            ensemble.save(folder)
        check_head(folder, classifier)
        check_round_trip(folder, chosen, before)


def _readme(facts: dict[str, Any]) -> str:
    lines = [
        "---",
        "library_name: transformers",
        "pipeline_tag: text-classification",
        "tags: [reward-model, goldsmith]",
        "---",
        "# Reward model",
        "",
        "A decoder with a linear head of one output, trained with the Bradley-Terry loss: `P(chosen wins) = sigmoid(r_chosen - r_rejected)`.",
        "",
        f"- base: `{facts['base']}`, method: `{facts['method']}`, pairs: {facts['num_pairs']}, seed: {facts['seed']}",
        f"- data digest: `{facts['data_digest']}`",
        f"- maximum length: {facts['max_length']} tokens; longer conversations lose their {facts['truncation_side']} end",
        "- pooling: the reward is read at the last token of the rendered conversation",
        "- rendering: the model's chat template, no system prompt added, no generation prompt. The template itself puts before the first "
        f"user message: `{facts['template_inserts']!r}`; a question and a reply become `{facts['template_renders']!r}`",
        *(
            ["- the template writes the current date into the prompt, so a score may differ from one day to the next"]
            if facts["template_inserts_date"]
            else []
        ),
        "- scores are raw logits: only differences within one context mean something. `calibration` in goldsmith.json, where it is fitted, "
        "holds the temperature T of `P(first wins) = sigmoid((r_first - r_second) / T)`",
        "",
        "```python",
        "from goldsmith import RewardModel",
        "",
        'model = RewardModel.load("this folder")',
        'model.score([[{"role": "user", "content": "2 + 2?"}, {"role": "assistant", "content": "4"}]])',
        "```",
        "",
    ]
    return "\n".join(lines)
