"""Keys and values of earlier conversations, kept as a tree of token runs: what begins as one of them is computed from there on.

Best-of-N asked one reply at a time, and conversations that grow by a turn, then cost what is new alone. The tree is bounded; what was
used longest ago goes first, leaves before what they stand on. Its states lie in one block of memory, token by token in places that are
used again: pieces of their own, of every size, come and go until the heap is half as large again as what it holds.

Shapes: L layers, 2 (keys, values), G key-value heads, N tokens, E numbers a head.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from goldsmith.serve.share import Ids, common_length

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(slots=True, eq=False)
class _Node:
    ids: Ids
    places: list[int]
    """Of its tokens' states in the block."""
    parent: _Node | None
    used: int = 0
    children: dict[int, _Node] = field(default_factory=dict)


class PrefixTree:
    """A bounded radix tree over token ids.

    Attributes:
        max_tokens: tokens kept at most.
        num_tokens: tokens kept.
    """

    def __init__(self, max_tokens: int) -> None:
        """Make an empty tree."""
        self.max_tokens, self.num_tokens = max_tokens, 0
        self._root = _Node((), [], None)
        self._clock = 0
        self._block: Tensor | None = None
        """[L, 2, G, max_tokens, E], made with the first states."""
        self._free = list(range(max_tokens))

    def match(self, ids: Ids) -> tuple[int, Tensor | None]:
        """Return how many leading tokens are kept, and a copy of their states [L, 2, G, n, E], None for none; touches what it finds."""
        self._clock += 1
        places: list[int] = []
        node, at = self._root, 0
        while at < len(ids) and (child := node.children.get(ids[at])) is not None:
            shared = common_length(child.ids, ids[at : at + len(child.ids)])
            child.used = self._clock
            places += child.places[:shared]
            at += shared
            if shared < len(child.ids):
                break
            node = child
        if self._block is None or not places:
            return 0, None
        return at, self._block.index_select(3, self._index(places))

    def insert(self, ids: Ids, begin: int, states: Tensor) -> None:
        """Keep a sequence.

        Args:
            ids: the whole sequence.
            begin: its first `begin` tokens were given to an earlier call, or found by `match`; when they are gone by now, nothing is kept.
            states: of the tokens from `begin` on, [L, 2, G, len(ids) - begin, E]; copied.
        """
        if len(ids) > self.max_tokens:
            return
        self._clock += 1
        node, at = self._root, 0
        while at < len(ids) and (child := node.children.get(ids[at])) is not None:
            shared = common_length(child.ids, ids[at : at + len(child.ids)])
            if shared < len(child.ids):
                child = self._split(child, shared)
            child.used = self._clock
            node, at = child, at + shared
        if begin <= at < len(ids):
            leaf = _Node(ids[at:], [], node, used=self._clock)
            node.children[ids[at]] = leaf
            self.num_tokens += len(leaf.ids)
            self._shrink(leaf)
            leaf.places, self._free = self._free[: len(leaf.ids)], self._free[len(leaf.ids) :]
            block = self._block_for(states)
            block.index_copy_(3, self._index(leaf.places), states[:, :, :, at - begin :])

    def _split(self, node: _Node, length: int) -> _Node:
        """Cut a node in two and return the upper part."""
        assert node.parent is not None
        upper = _Node(node.ids[:length], node.places[:length], node.parent, used=node.used)
        node.parent.children[upper.ids[0]] = upper
        node.ids, node.places, node.parent = node.ids[length:], node.places[length:], upper
        upper.children[node.ids[0]] = node
        return upper

    def _shrink(self, kept: _Node) -> None:
        while self.num_tokens > self.max_tokens:
            oldest = min((leaf for leaf in self._leaves() if leaf is not kept), key=lambda leaf: leaf.used)
            assert oldest.parent is not None
            del oldest.parent.children[oldest.ids[0]]
            self.num_tokens -= len(oldest.ids)
            self._free += oldest.places

    def _leaves(self) -> list[_Node]:
        stack, leaves = [self._root], []
        while stack:
            node = stack.pop()
            stack += node.children.values()
            if not node.children and node is not self._root:
                leaves.append(node)
        return leaves

    def _block_for(self, states: Tensor) -> Tensor:
        if self._block is None:
            layers, two, heads, _, width = states.shape
            self._block = states.new_empty((layers, two, heads, self.max_tokens, width))
        return self._block

    def _index(self, places: list[int]) -> Tensor:
        import torch

        assert self._block is not None
        return torch.tensor(places, device=self._block.device)
