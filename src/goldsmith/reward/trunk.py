"""The trunk of a reward model: hidden states of replies, the context they share computed once.

Shapes: C contexts, R replies of them, P tokens of the longest shared prefix, S of the longest rest, D hidden.
A batch is first one pass over the prefixes of C contexts, right-padded to [C, P]; then, on their key-value cache expanded to one row
a reply, passes over what is left of each reply, in parts of similar length, right-padded to [R, S]. Attention is causal, so padding
on the right changes nothing that is read. All of it is differentiable: training uses it too.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from goldsmith.reward.render import Rendered, common_prefix

if TYPE_CHECKING:
    import torch

SHARING_IS_SAFE = frozenset({"llama", "mistral", "qwen2", "qwen3", "smollm3"})
"""Model types with plain causal attention in every layer, on which prefix sharing is tested or equal by construction.
Others get length-sorted padded batches of whole sequences."""

WORTHWHILE = 256
"""Tokens of a pass below which a matrix product is bound by reading the weights: passes are not made smaller to save padding."""


@dataclass(frozen=True, slots=True)
class Group:
    """Replies to one context, and the tokens they share.

    Attributes:
        prefix: ids computed once; empty for a model on which sharing is not known to be safe.
        suffixes: the rest of each reply's conversation, at least one id each.
        starts: for each reply the index in its suffix where the reply itself begins.
        rows: the caller's names of the replies.
    """

    prefix: tuple[int, ...]
    suffixes: tuple[tuple[int, ...], ...]
    starts: tuple[int, ...]
    rows: tuple[int, ...]

    @property
    def tokens(self) -> int:
        """Tokens that are computed."""
        return len(self.prefix) + sum(map(len, self.suffixes))

    def only(self, chosen: Sequence[int]) -> Group:
        """Return the group of some of its replies, on the same prefix."""
        return Group(
            prefix=self.prefix,
            suffixes=tuple(self.suffixes[index] for index in chosen),
            starts=tuple(self.starts[index] for index in chosen),
            rows=tuple(self.rows[index] for index in chosen),
        )


def make_group(rendered: Sequence[Rendered], rows: Sequence[int], *, share: bool) -> Group:
    """Return the group of conversations that answer one context.

    The prefix ends where the first reply begins, at the latest, so that every token of every reply is in its suffix.
    """
    length = 0
    if share:
        length = min(common_prefix([item.ids for item in rendered]), min(item.reply_start for item in rendered))
    return Group(
        prefix=rendered[0].ids[:length],
        suffixes=tuple(item.ids[length:] for item in rendered),
        starts=tuple(item.reply_start - length for item in rendered),
        rows=tuple(rows),
    )


def plan_batches(groups: Sequence[Group], token_budget: int) -> Iterator[list[Group]]:
    """Yield batches of groups, longest prefix first, whose padded prefixes, and whose suffixes, stay within the budget.

    A batch also ends when its prefixes would be padded by more than `WORTHWHILE` tokens. A group is never split: a longer one is a batch
    of its own, and `collate` cuts its suffixes into parts on one prefix.
    """
    batch: list[Group] = []
    prefixes = suffixes = 0
    for group in sorted(groups, key=lambda group: (len(group.prefix), group.tokens, group.rows), reverse=True):
        rest = group.tokens - len(group.prefix)
        padded = len(batch[0].prefix) * (len(batch) + 1) if batch else 0
        is_full = padded > token_budget or suffixes + rest > token_budget
        if batch and (is_full or padded - prefixes - len(group.prefix) > WORTHWHILE):
            yield batch
            batch, prefixes, suffixes = [], 0, 0
        batch.append(group)
        prefixes, suffixes = prefixes + len(group.prefix), suffixes + rest
    if batch:
        yield batch


@dataclass(slots=True)
class Part:
    """Replies of similar length that are computed together.

    Attributes:
        ids_RS, mask_RS: token ids padded on the right; 1 for a token, 0 for padding (int64).
        owner_R: which of the batch's prefixes a reply continues.
        starts_R: index in the suffix where the reply itself begins.
        rows: the caller's names of the R replies, in order.
    """

    ids_RS: torch.Tensor
    mask_RS: torch.Tensor
    owner_R: torch.Tensor
    starts_R: torch.Tensor
    rows: list[int]

    @property
    def last_R(self) -> torch.Tensor:
        """Index of the last token of each suffix."""
        return self.mask_RS.sum(1) - 1


@dataclass(slots=True)
class Batch:
    """Padded tensors of several groups: C prefixes, and the suffixes in parts of similar length."""

    prefix_CP: torch.Tensor
    prefix_mask_CP: torch.Tensor
    parts: list[Part]

    @property
    def rows(self) -> list[int]:
        """Names of all replies, in the order in which the parts give them."""
        return [row for part in self.parts for row in part.rows]


def collate(groups: Sequence[Group], pad_id: int, token_budget: int, device: Any = None) -> Batch:
    """Return the padded tensors of a batch of groups."""
    import torch

    prefix, prefix_mask = _padded([group.prefix for group in groups], pad_id, device)
    replies = [
        (ids, owner, start, row)
        for owner, group in enumerate(groups)
        for ids, start, row in zip(group.suffixes, group.starts, group.rows, strict=True)
    ]
    parts = []
    for chosen in _by_length([len(reply[0]) for reply in replies], prefix.shape[1], token_budget):
        ids, mask = _padded([replies[index][0] for index in chosen], pad_id, device)
        parts.append(
            Part(
                ids_RS=ids,
                mask_RS=mask,
                owner_R=torch.tensor([replies[index][1] for index in chosen], device=device),
                starts_R=torch.tensor([replies[index][2] for index in chosen], device=device),
                rows=[replies[index][3] for index in chosen],
            )
        )
    return Batch(prefix_CP=prefix, prefix_mask_CP=prefix_mask, parts=parts)


def _by_length(lengths: Sequence[int], prefix: int, budget: int) -> Iterator[list[int]]:
    """Yield indices of sequences of similar length; the expanded cache (rows times whole length) stays within four budgets."""
    chosen: list[int] = []
    longest = 0
    for index in sorted(range(len(lengths)), key=lambda index: (-lengths[index], index)):
        rows = len(chosen) + 1
        too_many = rows * longest > budget or rows * (prefix + longest) > 4 * budget
        too_short = len(chosen) * longest >= WORTHWHILE and lengths[index] < 0.8 * longest
        if chosen and (too_many or too_short):
            yield chosen
            chosen = []
        longest = longest if chosen else lengths[index]
        chosen.append(index)
    if chosen:
        yield chosen


def _padded(sequences: Sequence[Sequence[int]], pad_id: int, device: Any) -> tuple[torch.Tensor, torch.Tensor]:
    import torch

    longest = max(map(len, sequences))
    ids = torch.full((len(sequences), longest), pad_id, dtype=torch.long)
    mask = torch.zeros((len(sequences), longest), dtype=torch.long)
    for row, sequence in enumerate(sequences):
        ids[row, : len(sequence)] = torch.tensor(sequence, dtype=torch.long)
        mask[row, : len(sequence)] = 1
    return ids.to(device), mask.to(device)


@dataclass(slots=True)
class States:
    """Hidden states of one batch, last layer: `prefix` [C, P, D] (None without one) and, for each part, [R, S, D]."""

    prefix: torch.Tensor | None
    parts: list[torch.Tensor]


def run_trunk(trunk: Any, batch: Batch, inputs: States | None = None) -> States:
    """Return the trunk's last hidden states of a batch.

    Args:
        trunk: a decoder without head (`LlamaModel` and its like), or a part of one made by `split_trunk`.
        batch: what to compute.
        inputs: hidden states to begin with instead of embeddings, for the upper part of a split trunk.
    """
    prefix, parts = None, []
    for index, (first, second) in enumerate(run_parts(trunk, batch, inputs)):
        prefix = prefix if index else (first.last_hidden_state if first is not None else None)
        parts.append(second.last_hidden_state)
    return States(prefix=prefix, parts=parts)


def run_parts(trunk: Any, batch: Batch, inputs: States | None = None, **options: Any) -> Iterator[tuple[Any, Any]]:
    """Yield for each part the trunk's output on the prefixes (the same one each time, None without prefixes) and on the part.

    Args:
        trunk: as for `run_trunk`.
        batch: likewise.
        inputs: likewise.
        options: passed on to the trunk, for example `output_hidden_states=True`.
    """
    import torch

    if batch.prefix_CP.shape[1] == 0:
        for index, part in enumerate(batch.parts):
            ids = _inputs(part.ids_RS, inputs.parts[index] if inputs else None)
            yield None, trunk(**ids, attention_mask=part.mask_RS, use_cache=False, **options)
        return
    cache = _new_cache(trunk)
    ids = _inputs(batch.prefix_CP, inputs.prefix if inputs else None)
    first = trunk(**ids, attention_mask=batch.prefix_mask_CP, past_key_values=cache, use_cache=True, **options)
    for index, part in enumerate(batch.parts):
        mask = batch.prefix_mask_CP.index_select(0, part.owner_R)
        second = trunk(
            **_inputs(part.ids_RS, inputs.parts[index] if inputs else None),
            attention_mask=torch.cat([mask, part.mask_RS], dim=1),
            position_ids=mask.sum(1, keepdim=True) + torch.arange(part.ids_RS.shape[1], device=mask.device),
            past_key_values=_expanded(trunk, cache, part.owner_R),
            use_cache=True,
            **options,
        )
        yield first, second


def _new_cache(trunk: Any) -> Any:
    from transformers import DynamicCache

    return DynamicCache(config=trunk.config)


def _expanded(trunk: Any, cache: Any, owner_R: torch.Tensor) -> Any:
    grown = _new_cache(trunk)
    for index, layer in enumerate(cache.layers):
        grown.update(layer.keys.index_select(0, owner_R), layer.values.index_select(0, owner_R), index)
    return grown


def _inputs(ids: torch.Tensor, states: torch.Tensor | None) -> dict[str, torch.Tensor]:
    return {"input_ids": ids} if states is None else {"inputs_embeds": states}


def last_token(states_RSD: torch.Tensor, part: Part) -> torch.Tensor:
    """Return the states at each reply's last token, float32 [R, D]."""
    import torch

    rows = torch.arange(states_RSD.shape[0], device=states_RSD.device)
    return states_RSD[rows, part.last_R].float()


def split_trunk(trunk: Any, depth: int) -> tuple[Any, Any]:
    """Return a trunk's lower `depth` layers (embeddings, no final norm) and the rest (final norm), sharing its parameters.

    The upper part takes the lower one's states as `inputs_embeds`. Its layers' cache indices count from its own first layer
    from now on; `join_trunk` makes the whole usable again.
    """
    import torch

    total = trunk.config.num_hidden_layers
    lower, upper = _shallow(trunk, range(depth)), _shallow(trunk, range(depth, total))
    lower.norm = torch.nn.Identity()
    for index, layer in enumerate(upper.layers):
        layer.self_attn.layer_idx = index
    return lower, upper


def join_trunk(trunk: Any) -> None:
    """Undo what `split_trunk` did to the layers of a trunk."""
    for index, layer in enumerate(trunk.layers):
        layer.self_attn.layer_idx = index


def _shallow(trunk: Any, chosen: range) -> Any:
    import torch

    part = copy.copy(trunk)
    part._modules = dict(trunk._modules)
    part.config = copy.deepcopy(trunk.config)
    part.config.num_hidden_layers = len(chosen)
    if getattr(part.config, "layer_types", None):
        part.config.layer_types = [trunk.config.layer_types[index] for index in chosen]
    part.layers = torch.nn.ModuleList(trunk.layers[index] for index in chosen)
    return part
