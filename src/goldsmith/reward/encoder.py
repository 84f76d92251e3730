"""Encoders with a classification head of one label (BERT, RoBERTa and their like): a prompt and its reply as a pair of texts.

They have no chat template: what they read is what their tokenizer makes of one text or two, and the library's own class pools it. The
server answers for them as other programs do; training and evaluation are for decoders.

Shapes: [B, L] tokens of a padded batch, R conversations.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from goldsmith.errors import DataError, UserError
from goldsmith.identity import digest
from goldsmith.reward.checkpoint import (
    Dtype,
    checkpoint_digest,
    load_tokenizer,
    locate,
    read_config,
    settled,
)
from goldsmith.reward.classifier import open_classifier
from goldsmith.reward.render import SHORTEST, Rendered, plain_text
from goldsmith.types import Content

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ENCODERS = frozenset(
    {"bert", "camembert", "deberta-v2", "distilbert", "electra", "modernbert", "mpnet", "roberta", "xlm-roberta"}
)
"""Model types whose class keeps its head under `classifier`."""
OFFSET = frozenset({"camembert", "mpnet", "roberta", "xlm-roberta"})
"""Those that count positions from after the pad token's id, so that they have as many fewer."""
LONGEST = 1 << 20
"""Tokenizers that were given no maximum say a larger one."""
Side = Literal["left", "right"]


def is_encoder(folder: Path) -> bool:
    """Whether a checkpoint folder holds an encoder with a classification head.

    Raises:
        UserError: config.json is no JSON object.
    """
    config = read_config(folder)
    named = str((config.get("architectures") or ["?"])[0])
    return config.get("model_type") in ENCODERS and named.endswith("ForSequenceClassification")


class PairRenderer:
    """One text or two as an encoder's tokenizer joins them.

    Attributes:
        max_length: tokens at most.
        pad_id: the tokenizer's pad token.
    """

    def __init__(self, folder: Path, config: Any, *, name: str, max_length: int | None = None) -> None:
        """Open the tokenizer.

        Args:
            folder: of the checkpoint.
            config: its transformers configuration.
            name: the model's name in messages.
            max_length: tokens at most; none: the smaller of the tokenizer's maximum and the model's.

        Raises:
            UserError: it has no pad token, marks the second text in a way that token ids do not tell, or has fewer positions.
        """
        self._tokenizer, self._name = load_tokenizer(folder), name
        if self._tokenizer.pad_token_id is None or not self._tokenizer.is_fast:
            raise UserError(f"{name}: its tokenizer has no pad token, or no tokenizer.json; copy both from the base model")
        self.pad_id, self._vocabulary = int(self._tokenizer.pad_token_id), int(config.vocab_size)
        self.max_length = _length(max_length, self._tokenizer, config, name)
        self._separator = self._tokenizer.sep_token_id
        self.marks_second = self._marks_second()

    def pair(
        self,
        context: Sequence[Mapping[str, Any]],
        reply: Content,
        *,
        max_length: int | None = None,
        side: Side | None = None,
        where: str = "",
    ) -> Rendered:
        """Return the ids of a prompt and its reply.

        Args:
            context: one user turn.
            reply: to it.
            max_length: tokens at most, where that is less than the model's maximum.
            side: which end of a text is cut; none: the tokenizer's own.
            where: name in messages.

        Raises:
            DataError: more turns, a part that is no text, an empty reply, or a special token in a text.
        """
        if len(context) != 1 or context[0].get("role") != "user":
            raise DataError(
                f"{where}: {self._name} reads one prompt and one reply to it, and not {len(context)} turns before a reply"
            )
        return self._encoded((plain_text(context[0].get("content"), where), plain_text(reply, where)), max_length, side, where)

    def text(self, text: str, *, max_length: int | None = None, side: Side | None = None, where: str = "") -> Rendered:
        """Return the ids of one text; see `pair`."""
        return self._encoded((text,), max_length, side, where)

    def ids(self, ids: Sequence[int], *, where: str = "") -> Rendered:
        """Return a sequence that came as token ids, taken as it is.

        Raises:
            DataError: it is empty, too long, or has an id that the model has no embedding for.
        """
        if not ids or min(ids) < 0 or max(ids) >= self._vocabulary or len(ids) > self.max_length:
            raise DataError(
                f"{where}: expected 1 to {self.max_length} token ids from 0 to {self._vocabulary - 1}, found {len(ids)} of them or others"
            )
        return Rendered(ids=tuple(ids), reply_start=0)

    def types(self, ids: Sequence[int]) -> list[int]:
        """Return which of the two texts each token belongs to, 0 or 1: the second begins after the first separator."""
        end = ids.index(self._separator) + 1 if self._separator in ids else len(ids)
        return [0] * end + [1] * (len(ids) - end)

    def _encoded(self, texts: tuple[str, ...], max_length: int | None, side: Side | None, where: str) -> Rendered:
        if not texts[-1].strip():
            raise DataError(f"{where}: the reply is empty, and nothing in it can be judged; drop it")
        limit = min(self.max_length, max_length or self.max_length)
        if limit < SHORTEST:
            raise DataError(f"{where}: a truncation to {limit} tokens leaves nothing; ask for at least {SHORTEST}")
        found = self._tokenizer(*texts, return_special_tokens_mask=True)
        ids = list(found["input_ids"])
        special = set(self._tokenizer.all_special_ids) - {self._tokenizer.unk_token_id}
        if any(token in special and not put for token, put in zip(ids, found["special_tokens_mask"], strict=True)):
            raise DataError(f"{where}: a text holds a special token of {self._name}, such as its separator; take it out")
        cut = max(0, len(ids) - limit)
        if cut:
            self._tokenizer.truncation_side = side or "right"
            ids = list(self._tokenizer(*texts, truncation="longest_first", max_length=limit)["input_ids"])
        return Rendered(ids=tuple(ids), reply_start=0, cut=cut)

    def _marks_second(self) -> bool:
        marks = False
        for texts in (("one two", "three"), ("one",)):
            # As everybody calls it: some mark the second text only when they are asked to, and then their models were trained without.
            found = self._tokenizer(*texts)
            kinds, ids = list(found.get("token_type_ids", [])), list(found["input_ids"])
            if any(kinds) and kinds != self.types(ids):
                raise UserError(f"{self._name}: its tokenizer marks a second text in a way of its own, which is not supported")
            marks |= any(kinds)
        return marks


class EncoderModel:
    """Scores token sequences with an encoder; the reward is the raw logit of its only label.

    Attributes:
        digest: SHA-256 of everything that decides a score.
        renderer: of its tokenizer.
    """

    def __init__(self, classifier: Any, renderer: PairRenderer, content_digest: str) -> None:
        """Wrap a loaded classifier; `load` is the usual way."""
        self.classifier, self.renderer = classifier, renderer
        self.digest = digest([content_digest, renderer.max_length, "encoder"])
        self.device = next(classifier.parameters()).device
        self._takes_types = renderer.marks_second and "token_type_ids" in inspect.signature(classifier.forward).parameters

    @classmethod
    def load(cls, path_or_id: str | Path, *, max_length: int | None = None, dtype: Dtype = "auto") -> EncoderModel:
        """Return the encoder of a folder or hub id.

        Raises:
            UserError: no such model, several labels, weights that are missing or left over, or no usable tokenizer.
        """
        folder = locate(path_or_id)
        classifier, _, _ = open_classifier(folder, dtype)
        # The head computes in float32 whatever the trunk does.
        classifier.classifier.float().register_forward_pre_hook(lambda head, given: tuple(states.float() for states in given))
        renderer = PairRenderer(folder, classifier.config, name=str(path_or_id), max_length=max_length)
        return cls(settled(classifier), renderer, checkpoint_digest(folder))

    def logits(self, sequences: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Return the raw logits of some sequences in one padded batch, float32 [R]."""
        import torch

        longest = max(map(len, sequences))
        padded = [[*ids, *[self.renderer.pad_id] * (longest - len(ids))] for ids in sequences]
        given = {"input_ids": torch.tensor(padded, device=self.device)}
        lengths_B = torch.tensor([len(ids) for ids in sequences], device=self.device)
        if min(map(len, sequences)) < longest:
            given["attention_mask"] = (torch.arange(longest, device=self.device) < lengths_B[:, None]).long()
        if self._takes_types:
            kinds = [[*self.renderer.types(ids), *[0] * (longest - len(ids))] for ids in sequences]
            given["token_type_ids"] = torch.tensor(kinds, device=self.device)
        with torch.inference_mode():
            found: NDArray[np.float32] = self.classifier(**given).logits[:, 0].float().cpu().numpy()
        return found


def _length(wanted: int | None, tokenizer: Any, config: Any, name: str) -> int:
    positions = getattr(config, "max_position_embeddings", None) or LONGEST
    if config.model_type in OFFSET:
        positions -= int(config.pad_token_id) + 1
    if wanted is not None and not SHORTEST <= wanted <= positions:
        raise UserError(
            f"max_length {wanted}: {name} has {positions} positions; set {SHORTEST} to {positions}, or leave it unset"
        )
    own = tokenizer.model_max_length if tokenizer.model_max_length < LONGEST else positions
    return wanted or int(min(own, positions))
