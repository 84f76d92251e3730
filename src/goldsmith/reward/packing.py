"""Packing: replies to one context as a group whose shared tokens are computed once, and groups as rows of one forward pass.

A packed row holds, for each group, the prefix and then each reply's suffix, one after the other and without padding; positions continue
from the prefix. Models on which that is not known to be exact get padded batches of whole sequences instead.

Shapes: T tokens of a packed row; B sequences of L tokens of a padded batch; N tokens that count (T, or all that is no padding);
R replies; D hidden.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from goldsmith.reward.render import Rendered, common_prefix

if TYPE_CHECKING:
    import torch

    from goldsmith.reward.attention import Layout, PrefixCache, Segment


@dataclass(frozen=True, slots=True)
class Group:
    """Replies to one context, and the tokens they share.

    Attributes:
        prefix: ids computed once; empty where nothing is shared.
        suffixes: the rest of each reply's conversation, at least one id each.
        starts: for each reply the index in its suffix where the reply itself begins.
        rows: the caller's names of the replies.
        cache: keys and values of the prefix, when the group was too long for one row and was cut.
    """

    prefix: tuple[int, ...]
    suffixes: tuple[tuple[int, ...], ...]
    starts: tuple[int, ...]
    rows: tuple[int, ...]
    cache: PrefixCache | None = None

    @property
    def tokens(self) -> int:
        """Tokens that are computed."""
        return len(self.prefix) + sum(map(len, self.suffixes))

    def only(self, chosen: Sequence[int]) -> Group:
        """Return the group of some of its replies, on the same prefix."""
        return replace(
            self,
            suffixes=tuple(self.suffixes[index] for index in chosen),
            starts=tuple(self.starts[index] for index in chosen),
            rows=tuple(self.rows[index] for index in chosen),
        )


def make_group(rendered: Sequence[Rendered], rows: Sequence[int], *, share: bool) -> Group:
    """Return the group of conversations that answer one context.

    The prefix ends where the first reply begins, at the latest, so that every token of every reply is in its suffix. It is found on
    the token ids, so it is exact for every tokenizer.
    """
    length = 0
    if share and len(rendered) > 1:
        length = min(common_prefix([item.ids for item in rendered]), min(item.reply_start for item in rendered))
    return Group(
        prefix=rendered[0].ids[:length],
        suffixes=tuple(item.ids[length:] for item in rendered),
        starts=tuple(item.reply_start - length for item in rendered),
        rows=tuple(rows),
    )


def plan_batches(groups: Sequence[Group], token_budget: int, *, packed: bool) -> Iterator[list[Group]]:
    """Yield batches within the budget, longest first; a reply that is longer alone is a batch of its own.

    Args:
        groups: what is to be computed without a gradient.
        token_budget: tokens of a packed row, or area of a padded batch.
        packed: rows; a group of more tokens is cut, its prefix computed with the first piece and kept for the others.
    """
    longest_first = sorted(groups, key=lambda group: (-group.tokens, group.rows))
    # Lazily, so that a cache is freed when its group is done.
    pieces = (piece for group in longest_first for piece in _cut(group, token_budget)) if packed else iter(_apart(groups))
    batch: list[Group] = []
    used = 0
    for piece in pieces:
        after = used + piece.tokens if packed else (len(batch) + 1) * (batch or [piece])[0].tokens
        if batch and after > token_budget:
            yield batch
            batch, after = [], piece.tokens
        batch.append(piece)
        used = after
    if batch:
        yield batch


def _cut(group: Group, budget: int) -> Iterator[Group]:
    """Yield a group whole, or in pieces on one cached prefix."""
    if group.tokens <= budget or len(group.rows) == 1:
        yield group
        return
    from goldsmith.reward.attention import PrefixCache

    shared = replace(group, cache=PrefixCache()) if group.prefix else group
    chosen: list[int] = []
    used = len(group.prefix)
    for index, suffix in enumerate(group.suffixes):
        if chosen and used + len(suffix) > budget:
            yield shared.only(chosen)
            chosen, used = [], 0
        chosen.append(index)
        used += len(suffix)
    yield shared.only(chosen)


def _apart(groups: Sequence[Group]) -> list[Group]:
    """Return every reply as a group of its own, longest first."""
    single = [group.only([index]) for group in groups for index in range(len(group.rows))]
    return sorted(single, key=lambda group: (-group.tokens, group.rows))


@dataclass(frozen=True, slots=True)
class Batch:
    """What one forward pass computes: a packed row [1, T], or padded sequences [B, L].

    Attributes:
        ids_BL: token ids (int64).
        positions_BL: positions of a packed row; None: the model's own.
        mask_BL: 1 for a token, 0 for padding; None for a packed row, which has none.
        layout: segments of a packed row.
        rows: the caller's names of the R replies, group by group.
        spans: for each reply where its own tokens begin and end, as indices into the flattened [B * L] tokens.
        tokens_N: flat indices of all that is no padding, group by group: prefix, then suffixes.
    """

    ids_BL: torch.Tensor
    positions_BL: torch.Tensor | None
    mask_BL: torch.Tensor | None
    layout: Layout | None
    rows: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]
    tokens_N: torch.Tensor

    @property
    def last_R(self) -> torch.Tensor:
        """Flat index of each reply's last token, where the reward is read."""
        import torch

        return torch.tensor([stop - 1 for _, stop in self.spans], device=self.ids_BL.device)

    def spread(self, states_ND: torch.Tensor) -> torch.Tensor:
        """Return the states of all tokens in the batch's shape [B, L, D], zero at padding."""
        count = self.ids_BL.numel()
        flat = states_ND if len(states_ND) == count else states_ND.new_zeros((count, states_ND.shape[1]))
        if flat is not states_ND:
            flat = flat.index_copy(0, self.tokens_N, states_ND)
        return flat.reshape(*self.ids_BL.shape, -1)

    def gather(self, states_BLD: torch.Tensor) -> torch.Tensor:
        """Return the states of all that is no padding, [N, D]."""
        return states_BLD.flatten(0, 1)[self.tokens_N]


def collate(groups: Sequence[Group], pad_id: int, *, packed: bool, device: Any = None) -> Batch:
    """Return the tensors of a batch of groups.

    Args:
        groups: in the order in which their rows come out.
        pad_id: fills padded batches.
        packed: one row; else one padded sequence a reply.
        device: where the tensors go.
    """
    return _pack(groups, device) if packed else _pad(groups, pad_id, device)


def _pack(groups: Sequence[Group], device: Any) -> Batch:
    import torch

    from goldsmith.reward.attention import Layout

    ids: list[int] = []
    positions: list[int] = []
    segments: list[Segment] = []
    spans: list[tuple[int, int]] = []
    for group in groups:
        before = len(group.prefix)
        for part, segment in _segments(group, len(segments)):
            first = before if segment.parent is not None or segment.reads is not None else 0
            ids += part
            positions += range(first, first + len(part))
            segments.append(segment)
        offset = len(ids) - sum(map(len, group.suffixes))
        for suffix, start in zip(group.suffixes, group.starts, strict=True):
            spans.append((offset + start, offset + len(suffix)))
            offset += len(suffix)
    return Batch(
        ids_BL=torch.tensor([ids], device=device),
        positions_BL=torch.tensor([positions], device=device),
        mask_BL=None,
        layout=Layout(tuple(segments)),
        rows=tuple(row for group in groups for row in group.rows),
        spans=tuple(spans),
        tokens_N=torch.arange(len(ids), device=device),
    )


def _segments(group: Group, number: int) -> Iterator[tuple[tuple[int, ...], Segment]]:
    """Yield a group's tokens with their segments, the first of which gets `number`."""
    from goldsmith.reward.attention import Segment

    before = len(group.prefix)
    is_cached = group.cache is not None and bool(group.cache.layers)
    if before and not is_cached:
        yield group.prefix, Segment(before, fills=group.cache)
    parent = number if before and not is_cached else None
    for suffix in group.suffixes:
        yield suffix, Segment(len(suffix), parent=parent, reads=group.cache if is_cached else None, before=before)


def _pad(groups: Sequence[Group], pad_id: int, device: Any) -> Batch:
    import torch

    sequences = [group.prefix + suffix for group in groups for suffix in group.suffixes]
    starts = [len(group.prefix) + start for group in groups for start in group.starts]
    longest = max(map(len, sequences))
    ids = torch.full((len(sequences), longest), pad_id, dtype=torch.long)
    mask = torch.zeros((len(sequences), longest), dtype=torch.long)
    for row, sequence in enumerate(sequences):
        ids[row, : len(sequence)] = torch.tensor(sequence, dtype=torch.long)
        mask[row, : len(sequence)] = 1
    return Batch(
        ids_BL=ids.to(device),
        positions_BL=None,
        mask_BL=mask.to(device),
        layout=None,
        rows=tuple(row for group in groups for row in group.rows),
        spans=tuple(
            (row * longest + start, row * longest + len(sequence))
            for row, (start, sequence) in enumerate(zip(starts, sequences, strict=True))
        ),
        tokens_N=mask.flatten().nonzero().squeeze(1).to(device),
    )
