"""A reward model: a standard sequence-classification checkpoint with one label, loaded strictly and read at the last token."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from goldsmith.errors import DataError
from goldsmith.reward.calibration import Calibration, read_calibration
from goldsmith.reward.card import CARD, read_card
from goldsmith.reward.checkpoint import Dtype, checkpoint_digest, locate, read_config
from goldsmith.reward.classifier import load_classifier
from goldsmith.reward.ensemble import HeadEnsemble
from goldsmith.reward.grouping import Progress, Reply, group_replies
from goldsmith.reward.manifest import read_manifest
from goldsmith.reward.packing import Group, collate, plan_batches
from goldsmith.reward.readout import Pooling, open_renderer, to_the_read_token
from goldsmith.reward.remote_code import check_forward, trusts_code
from goldsmith.reward.render import Rendered, Renderer, TruncationSide
from goldsmith.reward.rewards import Reward, Rewards
from goldsmith.reward.sharing import describe_batching, say_once, why_not_packed
from goldsmith.reward.trunk import last_token, run_trunk
from goldsmith.types import Content, Pair

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

LOG = logging.getLogger(__name__)

__all__ = ["CARD", "Pooling", "RewardModel", "head_scores", "load_classifier", "read_card"]


class RewardModel:
    """Scores conversations; the reward is a raw logit, higher is better, and only differences within one context mean something.

    Attributes:
        digest: SHA-256 of everything that decides a score: weights, tokenizer, template, length, truncation, pooling.
        renderer: the rendering; `renderer.truncated` counts conversations that were cut.
        pooling: `last`, or `as-published`: the last token that is not the checkpoint's pad token.
        calibration: how differences of rewards become win probabilities.
        batching: how batches are made: packed with shared prefixes, or why not.
    """

    def __init__(
        self,
        classifier: Any,
        renderer: Renderer,
        content_digest: str,
        *,
        pooling: Pooling = "last",
        token_budget: int = 4096,
        head_bias: float = 0.0,
        ensemble: HeadEnsemble | None = None,
        calibration: Calibration | None = None,
    ):
        """Wrap a loaded classifier; `load` is the usual way.

        Args:
            classifier: a transformers decoder with a linear `score` head of one label, in evaluation mode.
            renderer: of its tokenizer.
            content_digest: digest of the checkpoint's files.
            pooling: where the reward is read.
            token_budget: tokens of a forward pass.
            head_bias: added to every reward; only converted value heads have one.
            ensemble: heads fitted to resampled contexts.
            calibration: none: win probabilities are uncalibrated.
        """
        from goldsmith.identity import digest

        self.classifier, self.renderer, self.pooling, self.token_budget = classifier, renderer, pooling, token_budget
        self.head_bias, self.ensemble, self.calibration = head_bias, ensemble, calibration or Calibration()
        self.trunk = getattr(classifier, classifier.base_model_prefix)
        facts = [content_digest, renderer.max_length, renderer.truncation_side, pooling, *([head_bias] if head_bias else [])]
        self.digest = digest(facts)
        reason = why_not_packed(self.trunk.config)
        self._packs, self.batching = reason is None, describe_batching(reason)
        self._has_told_of_cuts = False

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
        remote_code: Sequence[str] = (),
    ) -> RewardModel:
        """Return the reward model of a folder or hub id.

        Args:
            path_or_id: folder that `goldsmith train` or `goldsmith export` made, or any decoder with a sequence-classification head of
                one label. An exported graph computes in its own arithmetic and pools as it was exported; `dtype` and `pooling` are not read.
            max_length: tokens of a conversation at most; none: what the model was trained with, else the smaller of 16,384 and its maximum.
            dtype: of the trunk; the head is always float32.
            pooling: none: what the model was made with (`last`).
            truncation_side: which end is cut; none: what the model was made with (`left`).
            token_budget: tokens of a forward pass.
            remote_code: digests of code that may run when a checkpoint comes with its class; see `trusts_code`.

        Raises:
            UserError: no such model, no classifier with one label, no head among the weights, no chat template, no usable pad.
        """
        folder = locate(path_or_id)
        manifest = read_manifest(folder)
        if manifest is not None and manifest.target != "hf":
            from goldsmith.reward.exported import ExportedModel

            return ExportedModel.open(
                folder, manifest, max_length=max_length, truncation_side=truncation_side, token_budget=token_budget
            )
        made = read_card(folder)
        pooling = pooling or made.get("pooling", "last")
        classifier = load_classifier(folder, dtype, remote_code=remote_code)
        has_code = trusts_code(folder, read_config(folder), remote_code)
        renderer = open_renderer(
            folder,
            classifier.config,
            name=str(path_or_id),
            pooling=pooling,
            max_length=max_length,
            truncation_side=truncation_side,
            trust_code=has_code,
        )
        reason = why_not_packed(classifier.config)
        if reason is not None:
            say_once(reason)
        model = cls(
            classifier,
            renderer,
            checkpoint_digest(folder),
            pooling=pooling,
            token_budget=token_budget,
            head_bias=float(made.get("head_bias", 0.0)),
            ensemble=HeadEnsemble.load(folder, classifier.score.in_features),
            calibration=read_calibration(folder),
        )
        if has_code:
            check_forward(model)
        return model

    def score(self, conversations: Sequence[Sequence[Mapping[str, Any]]], *, progress: Progress | None = None) -> Rewards:
        """Return the reward of each conversation's last message, in order.

        Args:
            conversations: lists of messages that end in an assistant turn.
            progress: called with (replies done, replies in all, tokens computed).

        Raises:
            DataError: a conversation does not end in an assistant turn, cannot be rendered, or its reward is not finite.
        """
        return self._all([as_reply(turns, f"conversation {index}") for index, turns in enumerate(conversations)], progress)

    @overload
    def score_replies(
        self, context: Sequence[Mapping[str, Any]], replies: Sequence[Content], *, progress: Progress | None = None
    ) -> Rewards: ...

    @overload
    def score_replies(self, context: Sequence[Reply], replies: None = None, *, progress: Progress | None = None) -> Rewards: ...

    def score_replies(
        self,
        context: Sequence[Mapping[str, Any]] | Sequence[Reply],
        replies: Sequence[Content] | None = None,
        *,
        progress: Progress | None = None,
    ) -> Rewards:
        """Return the reward of each reply to one context, in order; equal replies are computed once.

        Args:
            context: messages with `role` and `content`, ending in a user turn; or, without `replies`, a list of `Reply`, each with a
                context of its own.
            replies: the replies' contents.
            progress: called with (replies done, replies in all, tokens computed).

        Raises:
            DataError: a reply cannot be rendered, or its reward is not finite.
        """
        if replies is None:
            return self._all([item for item in context if isinstance(item, Reply)], progress)
        turns = [turn for turn in context if not isinstance(turn, Reply)]
        return self._all([Reply(turns, content, f"reply {index}") for index, content in enumerate(replies)], progress)

    def score_pairs(self, pairs: Sequence[Pair], *, progress: Progress | None = None) -> list[tuple[float, float]]:
        """Return the rewards of each pair's `first` and `second`, in order."""
        replies = [Reply(pair.messages, content, pair.pair_id) for pair in pairs for content in (pair.first, pair.second)]
        scores = self._all(replies, progress)
        return list(zip(scores[::2], scores[1::2], strict=True))

    def rate(self, replies: Sequence[Reply], *, progress: Progress | None = None) -> list[Reward]:
        """Return for each reply, in order, its reward or the reason why it has none; the others are scored all the same."""
        rendered: list[Rendered | None] = []
        found: dict[int, Reward] = {}
        for row, reply in enumerate(replies):
            try:
                rendered.append(self.render(reply))
            except DataError as error:
                rendered.append(None)
                found[row] = Reward(value=None, failure=str(error))
        sound = [row for row, item in enumerate(rendered) if item is not None]
        items = [item for item in rendered if item is not None]
        for row, item, logits in zip(sound, items, self._logits(items, [replies[row] for row in sound], progress), strict=True):
            found[row] = self._reward(logits, item, replies[row].name or f"conversation {row}")
        return [found[row] for row in range(len(replies))]

    def render(self, reply: Reply) -> Rendered:
        """Return the token ids whose last one the reward is read at.

        Raises:
            DataError: see `Renderer.render`, or a token that the model has no embedding for.
        """
        item = self.renderer.render(reply.context, reply.content, where=reply.name)
        return to_the_read_token(item, self.trunk.config, self.pooling, reply.name or "conversation")

    @property
    def packs(self) -> bool:
        """Replies are packed into rows, and share the tokens of their context."""
        return self._packs

    def facts(self) -> dict[str, Any]:
        """Return what decides the scores, and how they are computed, for the record of a run (JSON values)."""
        from goldsmith.reward.attention import NAME as KERNEL

        return {
            "model_digest": self.digest,
            "dtype": str(self.trunk.dtype).removeprefix("torch."),
            "pooling": self.pooling,
            "max_length": self.renderer.max_length,
            "truncation_side": self.renderer.truncation_side,
            "batching": self.batching,
            "attention": KERNEL if self._packs else str(getattr(self.trunk.config, "_attn_implementation", None)),
            "template_inserts": self.renderer.inserted,
            "heads": 0 if self.ensemble is None else len(self.ensemble.weight),
            "calibrated": self.calibration.is_fitted,
            "temperature": self.calibration.temperature,
        }

    def _all(self, replies: Sequence[Reply], progress: Progress | None) -> Rewards:
        rewards = self.rate(replies, progress=progress)
        for reward in rewards:
            if reward.failure is not None:
                raise DataError(reward.failure)
        self._tell_of_cuts(rewards)
        return Rewards(rewards, self.calibration)

    def _tell_of_cuts(self, rewards: Sequence[Reward]) -> None:
        """Log the first time that conversations were cut; a loop over thousands of batches says it once."""
        num_cut = sum(reward.cut > 0 for reward in rewards)
        if num_cut and not self._has_told_of_cuts:
            self._has_told_of_cuts = True
            LOG.warning(
                "%d of %d conversations were longer than max_length %d and lost tokens at the %s end; `.cut` of the scores says how many, "
                "`renderer.truncated` of the model counts these and later ones",
                num_cut, len(rewards), self.renderer.max_length, self.renderer.truncation_side,
            )  # fmt: skip

    def _reward(self, logits: NDArray[np.float32], item: Rendered, name: str) -> Reward:
        import numpy as np

        value = float(logits[0])
        if not np.isfinite(value):
            return Reward(value=None, failure=f"{name}: the reward is {value}; try dtype float32, or drop the row", cut=item.cut)
        return Reward(value=value, by_head=logits[1:] if len(logits) > 1 else None, cut=item.cut, tokens=len(item.ids) + item.cut)

    def _logits(
        self, rendered: Sequence[Rendered], replies: Sequence[Reply], progress: Progress | None
    ) -> list[NDArray[np.float32]]:
        """Return the logits of each conversation, its own head's first: float32 [1 + K]; equal conversations are computed once."""
        groups, copies = group_replies(rendered, replies, share=self._packs)
        found: dict[int, NDArray[np.float32]] = {}
        tokens = 0
        for batch in plan_batches(groups, self.token_budget, packed=self._packs):
            found.update(self._forward(batch))
            tokens += sum(group.tokens for group in batch)
            if progress:
                progress(len(found), len(set(copies)), tokens)
        return [found[original] for original in copies]

    def _forward(self, groups: Sequence[Group]) -> Iterator[tuple[int, NDArray[np.float32]]]:
        import torch

        device = self.classifier.score.weight.device
        batch = collate(groups, self.renderer.pad_id, packed=self._packs, device=device)
        with torch.inference_mode():
            states_BLD = run_trunk(self.trunk, batch).last_hidden_state
            logits_RH = self.heads(last_token(states_BLD, batch)).cpu().numpy()
        return zip(batch.rows, logits_RH, strict=True)

    def heads(self, last_RD: torch.Tensor) -> torch.Tensor:
        """Return raw logits, float32 [R, 1 + K]: the model's own head's, then those of its K bootstrap heads.

        Args:
            last_RD: the trunk's states at each reply's last token.
        """
        import torch

        own_R1 = head_scores(last_RD, self.classifier.score.weight)[:, None] + self.head_bias
        if self.classifier.score.bias is not None:
            own_R1 = own_R1 + self.classifier.score.bias.float()
        if self.ensemble is None:
            return own_R1
        weight_KD, center_D = (
            torch.as_tensor(values, device=last_RD.device) for values in (self.ensemble.weight, self.ensemble.center)
        )
        return torch.cat([own_R1, (last_RD.float() - center_D) @ weight_KD.T], dim=1)


def head_scores(last_RD: torch.Tensor, weight_1D: torch.Tensor) -> torch.Tensor:
    """Return rewards, float32 [R], whatever the arithmetic of the trunk."""
    return last_RD.float() @ weight_1D.float().squeeze(0)


def as_reply(turns: Any, name: str) -> Reply:
    """Return the last message of a conversation as a reply to those before it.

    Raises:
        DataError: it is no list of at least two messages, or does not end in an assistant turn.
    """
    if not isinstance(turns, list | tuple) or not all(isinstance(turn, Mapping) for turn in turns):
        raise DataError(f"{name} is no list of at least two turns with `role` and `content`")
    if len(turns) < 2 or turns[-1].get("role") != "assistant":
        raise DataError(f"{name} does not end in an assistant turn after another one; its last message is what gets scored")
    return Reply(list(turns[:-1]), turns[-1].get("content"), name)
