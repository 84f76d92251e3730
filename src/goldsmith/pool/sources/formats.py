"""The known formats, most telling columns first: the first that matches a row reads it."""

from __future__ import annotations

from goldsmith.pool.sources.canonical import CANONICAL
from goldsmith.pool.sources.draft import Format, Row
from goldsmith.pool.sources.helpsteer import HELPSTEER
from goldsmith.pool.sources.hh import HH
from goldsmith.pool.sources.instruction import INSTRUCTION
from goldsmith.pool.sources.own import OWN
from goldsmith.pool.sources.ranked import RANKED
from goldsmith.pool.sources.rewardbench import REWARDBENCH, REWARDBENCH_2
from goldsmith.pool.sources.rmb import RMB_BON, RMB_PAIRWISE
from goldsmith.pool.sources.rmbench import RMBENCH
from goldsmith.pool.sources.sharegpt import SHAREGPT
from goldsmith.pool.sources.trl import EXPLICIT, IMPLICIT
from goldsmith.pool.sources.twochoice import PANDALM, PPE_CORRECTNESS, TWO_CHOICE

FORMATS: tuple[Format, ...] = (
    OWN,
    CANONICAL,
    RMB_PAIRWISE,
    RMB_BON,
    HELPSTEER,
    PANDALM,
    PPE_CORRECTNESS,
    *TWO_CHOICE,
    SHAREGPT,
    RMBENCH,
    REWARDBENCH_2,
    REWARDBENCH,
    RANKED,
    EXPLICIT,
    HH,
    INSTRUCTION,
    IMPLICIT,
)


def format_of(row: Row) -> Format | None:
    """Return the format a row is written in, or None when it is none of the known."""
    return next((known for known in FORMATS if known.matches(row)), None)


def format_named(name: str) -> Format:
    """Return the known format of that name."""
    return next(known for known in FORMATS if known.name == name)


def describe_formats() -> str:
    """Return one line for each known format: its name and its columns."""
    return "\n".join(f"  {known.name}: {known.columns}" for known in FORMATS)
