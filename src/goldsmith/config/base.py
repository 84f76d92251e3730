"""The base of every configuration section: frozen, and an unknown key is an error."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """One table of `goldsmith.toml`; a field's help is the string literal under it."""

    # No setting means anything at infinity, and a record of it would be no JSON.
    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, validate_default=True, allow_inf_nan=False
    )
