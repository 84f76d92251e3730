"""How much there is to train on: pairs, their tokens, and how many tokens each token attends to.

Tokens are counted twice: `separate`, each conversation by itself, as most trainers do, and `shared`, the context that two replies
have in common once, as Goldsmith does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from goldsmith.errors import UserError
from goldsmith.types import Content, Pair

BYTES_PER_TOKEN = 4.0
"""UTF-8 bytes of a token, where no tokenizer is at hand: about right for English and Chinese prose, too many for code."""
TEMPLATE_TOKENS = 5
"""Tokens that a chat template adds to each message, about."""
TOKENS_PER_PAIR = 2000
"""Assumed without a file: two conversations of 1,000 tokens. No figure is published for the authors' pool."""
CONTEXT_SHARE = 0.5
"""Assumed without a file: the part of a conversation that both replies share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairLength:
    """Tokens of a pair: of its context, and of each reply."""

    context: int
    chosen: int
    rejected: int

    @property
    def separate(self) -> int:
        """Tokens of both conversations."""
        return 2 * self.context + self.chosen + self.rejected

    @property
    def shared(self) -> int:
        """Tokens with the context counted once."""
        return self.context + self.chosen + self.rejected


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A pool of pairs as sums.

    Attributes:
        pairs: number of pairs that are trained on, in one epoch.
        separate, shared: tokens in all.
        attended_separate, attended_shared: (query, key) pairs under causal attention in all.
        mean: a pair of average length.
        longest: the pair with most tokens.
        cut: conversations that are longer than the maximum, and are counted at the maximum.
        left_out: ties, and rows that are no pairs.
        source: where the numbers come from.
    """

    pairs: int
    separate: int
    shared: int
    attended_separate: int
    attended_shared: int
    mean: PairLength
    longest: PairLength
    cut: int
    left_out: int
    source: str


def attended(length: PairLength, *, share: bool) -> int:
    """Return the (query, key) pairs of a pair under causal attention."""
    parts = [(length.context, reply) for reply in (length.chosen, length.rejected)]
    if not share:
        return sum((context + reply) * (context + reply + 1) // 2 for context, reply in parts)
    rest = sum(reply * context + reply * (reply + 1) // 2 for context, reply in parts)
    return length.context * (length.context + 1) // 2 + rest


def assumed_workload(pairs: int, tokens_per_pair: int | None, max_length: int) -> Workload:
    """Return a workload of equal pairs, whose longest is of the maximum length.

    Args:
        pairs: number of pairs.
        tokens_per_pair: tokens of a pair's two conversations together; none: `TOKENS_PER_PAIR`.
        max_length: tokens of a conversation at most.

    Raises:
        UserError: a pair of so many tokens does not fit twice the maximum.
    """
    tokens = tokens_per_pair or TOKENS_PER_PAIR
    if tokens > 2 * max_length:
        raise UserError(f"--tokens-per-pair {tokens} is more than two conversations of {max_length} tokens (reward.max_length)")
    mean, longest = _split(tokens // 2), _split(max_length)
    return Workload(
        pairs=pairs,
        separate=pairs * mean.separate,
        shared=pairs * mean.shared,
        attended_separate=pairs * attended(mean, share=False),
        attended_shared=pairs * attended(mean, share=True),
        mean=mean,
        longest=longest,
        cut=0,
        left_out=0,
        source=f"assumed: {tokens:,} tokens a pair, half of each conversation shared",
    )


def file_workload(path: str | Path, max_length: int, *, max_pairs: int | None, base: str | Path, max_line_mb: int) -> Workload:
    """Return the workload of a file of pairs in any known format, read once, row by row.

    Args:
        path: as for `goldsmith train`.
        max_length: tokens of a conversation at most.
        max_pairs: train on so many at most; the sums are scaled to them.
        base: whose tokenizer tells the bytes of a token, when it is on this machine.
        max_line_mb: longest line that is read.

    Raises:
        UserError: the file cannot be read, or holds no pair with a preferred reply.
    """
    from goldsmith.pool.sources import Rejected, read_pairs
    from goldsmith.train.estimate.tokens import bytes_per_token

    ratio = bytes_per_token(base, path, max_line_mb)
    sums, left_out, longest = _Sums(), 0, PairLength(context=0, chosen=0, rejected=0)
    for row in read_pairs(path, max_line_mb=max_line_mb):
        if isinstance(row, Rejected) or row.label == "tie":
            left_out += 1
            continue
        length, cut = pair_length(row, ratio or BYTES_PER_TOKEN, max_length)
        sums.add(length, cut)
        longest = max(longest, length, key=lambda each: each.separate)
    if not sums.pairs:
        raise UserError(f"{path}: nothing to train on: no pair with a preferred reply ({left_out} rows left out)")
    rule = (
        f"{ratio:.2f} bytes a token, measured with the tokenizer of {base}"
        if ratio
        else f"{BYTES_PER_TOKEN} bytes a token, assumed"
    )
    return sums.workload(longest, left_out, max_pairs, f"{path}, {rule}")


def pair_length(pair: Pair, ratio: float, max_length: int) -> tuple[PairLength, int]:
    """Return a pair's tokens at so many UTF-8 bytes a token, conversations cut at the maximum, and how many were cut."""
    context = sum(_tokens(turn["content"], ratio) for turn in pair.messages)
    chosen, rejected = _tokens(pair.chosen, ratio), _tokens(pair.rejected, ratio)
    cut = sum(context + reply > max_length for reply in (chosen, rejected))
    chosen, rejected = min(chosen, max_length - 1), min(rejected, max_length - 1)
    return PairLength(context=min(context, max_length - max(chosen, rejected)), chosen=chosen, rejected=rejected), cut


def _split(conversation: int) -> PairLength:
    context = round(CONTEXT_SHARE * conversation)
    return PairLength(context=context, chosen=conversation - context, rejected=conversation - context)


def _tokens(content: Content, ratio: float) -> int:
    text = content if isinstance(content, str) else "".join(str(part.get("text", "")) for part in content)
    return math.ceil(len(text.encode()) / ratio) + TEMPLATE_TOKENS


class _Sums:
    """Running sums over pairs."""

    def __init__(self) -> None:
        self.pairs = self.context = self.replies = self.attended_separate = self.attended_shared = self.cut = 0

    def add(self, length: PairLength, cut: int) -> None:
        self.pairs += 1
        self.context += length.context
        self.replies += length.chosen + length.rejected
        self.attended_separate += attended(length, share=False)
        self.attended_shared += attended(length, share=True)
        self.cut += cut

    def workload(self, longest: PairLength, left_out: int, max_pairs: int | None, source: str) -> Workload:
        chosen = min(self.pairs, max_pairs or self.pairs)
        scale = chosen / self.pairs
        reply = math.ceil(self.replies / self.pairs / 2)
        return Workload(
            pairs=chosen,
            separate=round(scale * (2 * self.context + self.replies)),
            shared=round(scale * (self.context + self.replies)),
            attended_separate=round(scale * self.attended_separate),
            attended_shared=round(scale * self.attended_shared),
            mean=PairLength(context=math.ceil(self.context / self.pairs), chosen=reply, rejected=reply),
            longest=longest,
            cut=self.cut,
            left_out=left_out,
            source=source,
        )
