"""Who writes the five attributes of a pair."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from goldsmith.config.base import Section


class AttributesConfig(Section):
    """Closed fields by classifier, open fields by LLM within a budget."""

    taxonomy: Path | None = None
    """A taxonomy file to use instead of the built-in one."""
    llm_pairs: int = Field(default=0, ge=0)
    """For this many pairs the first endpoint writes the desired attributes and the guideline."""
    llm_closed_fields: bool = False
    """The LLM also decides task, objectivity and controversiality, where its reply is valid."""
    measure_llm: int = Field(default=50, ge=0, le=200)
    """With `llm_pairs`, the hand-labelled pairs on which the LLM is measured first, one call each. What it writes counts in quotas and retrieval only where it is clearly better than chance there; 0: not measured, and not counted."""
