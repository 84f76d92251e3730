"""The pairs on which an export is compared with its original: the user's own, or the 200 that ship with the package."""

from __future__ import annotations

from pathlib import Path

from goldsmith.errors import UserError
from goldsmith.identity import unit_interval
from goldsmith.types import Pair

SHIPPED = "the 200 pairs that ship with Goldsmith"
SEED = 0


def parity_pairs(path: str | Path | None, at_most: int) -> tuple[list[Pair], str]:
    """Return pairs with two different replies, drawn by hash, and what to call them.

    Args:
        path: a file in any format that `pool add` reads; none: the shipped ones.
        at_most: pairs.

    Raises:
        UserError: the file holds no pair.
    """
    if path is None:
        from goldsmith.attributes.hand_labelled import load_hand_labelled

        return [row.pair for row in load_hand_labelled()][:at_most], SHIPPED
    from goldsmith.pool.sources import read_pairs

    found = {
        pair.pair_id: pair
        for pair in read_pairs(path)
        if isinstance(pair, Pair) and pair.first != pair.second and pair.label != "tie"
    }
    if not found:
        raise UserError(f"{path}: holds no pair with two different replies and a preference; name another file with --pairs")
    return sorted(found.values(), key=lambda pair: unit_interval(pair.pair_id, SEED))[:at_most], str(path)
