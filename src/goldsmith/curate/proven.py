"""Which attributes of which source may count: those that were measured as clearly better than chance on the hand-labelled pairs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from goldsmith.curate.context import Context

TABLE = "attribute_quality"
_FIGURES = ("accuracy", "low", "high", "baseline", "kappa", "kappa_low", "kappa_high")
SCHEMA = pa.schema(
    [("source", pa.string()), ("attribute", pa.string()), ("num_pairs", pa.int64()), ("num_failed", pa.int64())]
    + [(name, pa.float64()) for name in _FIGURES]
    + [("used", pa.bool_()), ("reason", pa.string())]
)


class Proven:
    """The sources and attributes that the step `attributes` found fit for use.

    Args:
        rows: of the table `attribute_quality`: source, attribute, used.
    """

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self._used = {(row["source"], row["attribute"]) for row in rows if row["used"]}

    def leave_out(self, made_by: Mapping[str, str]) -> frozenset[str]:
        """Return the attributes of a pair that must not count, from who made each."""
        return frozenset(name for name, source in made_by.items() if (source, name) not in self._used)


def read_proven(context: Context) -> Proven:
    """Return what the workspace's last step `attributes` measured."""
    return Proven(context.workspace.table(TABLE).rows(["source", "attribute", "used"]))
