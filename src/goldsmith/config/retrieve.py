"""The embedding that finds similar pairs."""

from __future__ import annotations

from pydantic import Field

from goldsmith.config.base import Section


class RetrieveConfig(Section):
    """Embedder and index."""

    embedder: str = "embedded"
    """`embedded` (all-MiniLM-L6-v2 from a package) or any sentence-transformers id or folder."""
    exact_below: int = Field(default=100_000, ge=1)
    """Pools smaller than this are searched exactly; larger ones through a LanceDB index."""
    batch_size: int = Field(default=64, ge=1)
    """Texts embedded at once."""
