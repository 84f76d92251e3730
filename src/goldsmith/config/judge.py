"""How LLMs judge pairs."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from goldsmith.config.base import Section


class JudgeConfig(Section):
    """Samples, demonstrations, and the test a judge must pass."""

    samples: int = Field(default=2, ge=1)
    """Verdicts per model and pair, half in each order."""
    demonstrations: int = Field(default=8, ge=0, le=8)
    """Human-labelled examples shown at most."""
    probe_pairs: int = Field(default=60, ge=1)
    """Gold pairs (train and validation) on which every judge is tested before any verdict of it is used."""
    insist: bool = False
    """Use judges that do not beat chance. The report then says so."""
    recorded: list[Path] = Field(default_factory=list)
    """Files of recorded verdicts (`Verdict` records); each model in them is one more judge."""
    max_pairs_per_round: int = Field(default=200, ge=0)
    """Pairs the LLMs judge in one round at most; the rest keep their original label."""
    max_pairs_stage2: int = Field(default=1000, ge=0)
    """Unsure pairs the LLMs judge in stage 2 at most."""
