"""Pre-verification: what models say of single replies before people read them."""

from __future__ import annotations

from pydantic import Field

from goldsmith.config.base import Section


class VerifyConfig(Section):
    """Which objective pairs are checked, and by whom."""

    max_pairs: int = Field(default=0, ge=0)
    """Factual pairs of each batch for people whose two replies are checked, one by one, at most; 0: none. A very small model guesses here."""
    answer_field: str = ""
    """Field of a pair's `meta` that holds the known answer: the final answer that a reply marks is compared with it exactly, in all factual pairs and without a call. Empty: no such check."""
    models: list[str] = Field(default_factory=list)
    """Names of the endpoints that check; none: all of `llm.endpoints`."""
    run_code: bool = False
    """Whether the programs of factual coding pairs are run in the sandbox against the tests of their prompts, where these have any."""
