"""The base of every piece of a report."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """A frozen piece of the report."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
