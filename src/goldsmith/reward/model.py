"""A reward model: a standard sequence-classification checkpoint with one label, loaded strictly and read at the last token."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from goldsmith.errors import DataError, UserError
from goldsmith.reward.checkpoint import (
    Dtype,
    checkpoint_digest,
    choose_device,
    choose_dtype,
    load_tokenizer,
    locate,
    max_positions,
    quiet_loading,
    read_config,
)
from goldsmith.reward.grouping import Progress, Reply, group_replies
from goldsmith.reward.packing import Group, collate, plan_batches
from goldsmith.reward.render import Rendered, Renderer, TruncationSide
from goldsmith.reward.trunk import last_token, run_trunk, supports_packing
from goldsmith.types import Pair

if TYPE_CHECKING:
    import torch

Pooling = Literal["last", "as-published"]

CARD = "goldsmith.json"
"""File beside the weights that says how Goldsmith made the model: maximum length, pooling, data."""


class RewardModel:
    """Scores conversations; the reward is a raw logit, higher is better, and only differences within one context mean something.

    Attributes:
        digest: SHA-256 of everything that decides a score: weights, tokenizer, template, length, truncation, pooling.
        renderer: the rendering; `renderer.truncated` counts conversations that were cut.
        pooling: `last`, or `as-published`: the last token that is not the checkpoint's pad token.
    """

    def __init__(
        self, classifier: Any, renderer: Renderer, content_digest: str, *, pooling: Pooling = "last", token_budget: int = 4096
    ):
        """Wrap a loaded classifier; `load` is the usual way.

        Args:
            classifier: a transformers decoder with a linear `score` head of one label, in evaluation mode.
            renderer: of its tokenizer.
            content_digest: digest of the checkpoint's files.
            pooling: where the reward is read.
            token_budget: tokens of a forward pass.
        """
        from goldsmith.identity import digest

        self.classifier, self.renderer, self.pooling, self.token_budget = classifier, renderer, pooling, token_budget
        self.trunk = getattr(classifier, classifier.base_model_prefix)
        self.digest = digest([content_digest, renderer.max_length, renderer.truncation_side, pooling])
        self._packs = supports_packing(self.trunk.config)

    @classmethod
    def load(
        cls,
        path_or_id: str | Path,
        *,
        max_length: int | None = None,
        dtype: Dtype = "auto",
        pooling: Pooling | None = None,
        truncation_side: TruncationSide | None = None,
        token_budget: int = 4096,
    ) -> RewardModel:
        """Return the reward model of a folder or hub id.

        Args:
            path_or_id: folder that `goldsmith train` made, or any decoder with a sequence-classification head of one label.
            max_length: tokens of a conversation at most; none: what the model was trained with, else the smaller of 16,384 and its maximum.
            dtype: of the trunk; the head is always float32.
            pooling: none: what the model was made with (`last`).
            truncation_side: which end is cut; none: what the model was made with (`left`).
            token_budget: tokens of a forward pass.

        Raises:
            UserError: no such model, no classifier with one label, no head among the weights, no chat template, no usable pad.
        """
        folder = locate(path_or_id)
        made = read_card(folder)
        pooling = pooling or made.get("pooling", "last")
        classifier = load_classifier(folder, dtype)
        renderer = Renderer(
            load_tokenizer(folder),
            model_max_length=max_positions(classifier.config),
            max_length=max_length or made.get("max_length"),
            truncation_side=truncation_side or made.get("truncation_side", "left"),
            name=str(path_or_id),
            check_pad=pooling == "last",
        )
        _check_pad_agrees(classifier.config, renderer, pooling, folder)
        return cls(classifier, renderer, checkpoint_digest(folder), pooling=pooling, token_budget=token_budget)

    def score(self, conversations: Sequence[Sequence[Mapping[str, Any]]], *, progress: Progress | None = None) -> list[float]:
        """Return the reward of each conversation's last message, in order.

        Args:
            conversations: lists of messages that end in an assistant turn.
            progress: called with (replies done, replies in all, tokens computed).

        Raises:
            DataError: a conversation does not end in an assistant turn, cannot be rendered, or its reward is not finite.
        """
        return self.score_replies([_as_reply(turns, index) for index, turns in enumerate(conversations)], progress=progress)

    def score_pairs(self, pairs: Sequence[Pair], *, progress: Progress | None = None) -> list[tuple[float, float]]:
        """Return the rewards of each pair's `first` and `second`, in order."""
        replies = [Reply(pair.messages, content, pair.pair_id) for pair in pairs for content in (pair.first, pair.second)]
        scores = self.score_replies(replies, progress=progress)
        return list(zip(scores[::2], scores[1::2], strict=True))

    def score_replies(self, replies: Sequence[Reply], *, progress: Progress | None = None) -> list[float]:
        """Return the reward of each reply, in order; equal conversations are computed once."""
        rendered = [self.render(reply) for reply in replies]
        groups, copies = group_replies(rendered, replies, share=self._packs)
        scores: dict[int, float] = {}
        tokens = 0
        for batch in plan_batches(groups, self.token_budget, packed=self._packs):
            scores.update(self._forward(batch))
            tokens += sum(group.tokens for group in batch)
            if progress:
                progress(len(scores), len(set(copies)), tokens)
        for row, score in scores.items():
            if not math.isfinite(score):
                raise DataError(
                    f"{replies[row].name or f'conversation {row}'}: the reward is {score}; try dtype float32, or drop the row"
                )
        return [scores[original] for original in copies]

    def render(self, reply: Reply) -> Rendered:
        """Return the token ids whose last one the reward is read at."""
        item = self.renderer.render(reply.context, reply.content, where=reply.name)
        pad = self.trunk.config.get_text_config().pad_token_id
        if self.pooling == "last" or pad is None:
            return item
        # What follows the token that is read has no influence on it, as attention is causal: it need not be computed.
        length = max((index for index, token in enumerate(item.ids) if token != pad), default=0) + 1
        return Rendered(ids=item.ids[: max(2, length)], reply_start=min(item.reply_start, max(1, length - 1)), cut=item.cut)

    def _forward(self, groups: Sequence[Group]) -> Iterable[tuple[int, float]]:
        import torch

        weight = self.classifier.score.weight
        batch = collate(groups, self.renderer.pad_id, packed=self._packs, device=weight.device)
        with torch.inference_mode():
            states_BLD = run_trunk(self.trunk, batch).last_hidden_state
            return zip(batch.rows, head_scores(last_token(states_BLD, batch), weight).tolist(), strict=True)


def head_scores(last_RD: torch.Tensor, weight_1D: torch.Tensor) -> torch.Tensor:
    """Return rewards, float32 [R], whatever the arithmetic of the trunk."""
    return last_RD.float() @ weight_1D.float().squeeze(0)


def load_classifier(folder: Path, dtype: Dtype) -> Any:
    """Return the classifier of a checkpoint folder, in evaluation mode.

    Raises:
        UserError: it is no decoder with a linear head of one label, or weights are missing.
    """
    import transformers
    from safetensors import SafetensorError

    config = read_config(folder)
    name = str((config.get("architectures") or ["?"])[0])
    remedy = "train a head with `goldsmith train PAIRS --base MODEL --out DIR`"
    if not name.endswith("ForSequenceClassification"):
        raise UserError(f"{folder} is no sequence classifier with one label (its architecture is {name}); {remedy}")
    labels = len(config.get("id2label") or {}) or int(config.get("num_labels") or 2)
    if labels != 1:
        raise UserError(f"{folder} is no sequence classifier with one label (it has {labels}); {remedy}")
    device = choose_device()
    try:
        with quiet_loading():
            model, report = transformers.AutoModelForSequenceClassification.from_pretrained(
                str(folder), dtype=choose_dtype(dtype, device), output_loading_info=True
            )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise UserError(f"{folder}: the weights cannot be loaded ({error}); fetch or train the model again") from None
    if report["missing_keys"] or report["mismatched_keys"]:
        keys = sorted(map(str, [*report["missing_keys"], *report["mismatched_keys"]]))
        raise UserError(
            f"{folder}: weights are missing or have another shape ({', '.join(keys[:4])}); fetch or train the model again"
        )
    if getattr(getattr(model, "score", None), "out_features", None) != 1:
        raise UserError(f"{folder}: {name} has no linear head `score` of one output on a decoder; Goldsmith reads that kind only")
    return model.to(device).eval()


def read_card(folder: Path) -> dict[str, Any]:
    """Return goldsmith.json of a model folder, empty when the model was made elsewhere."""
    path = folder / CARD
    if not path.is_file():
        return {}
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise UserError(
            f"{path}: not valid JSON ({error}); train the model again, or delete this file and pass --max-length"
        ) from None


def _check_pad_agrees(config: Any, renderer: Renderer, pooling: Pooling, folder: Path) -> None:
    pad = config.get_text_config().pad_token_id
    if pooling == "last" and pad != renderer.pad_id:
        raise UserError(
            f"{folder}: config.json says pad_token_id {pad}, the tokenizer {renderer.pad_id}: other programs would read the reward at "
            f"another token; set pad_token_id to {renderer.pad_id} in config.json, or load with `--pooling as-published`"
        )


def _as_reply(turns: Sequence[Mapping[str, Any]], index: int) -> Reply:
    if len(turns) < 2 or turns[-1].get("role") != "assistant":
        raise DataError(
            f"conversation {index} does not end in an assistant turn after another one; its last message is what gets scored"
        )
    return Reply(list(turns[:-1]), turns[-1]["content"], f"conversation {index}")
