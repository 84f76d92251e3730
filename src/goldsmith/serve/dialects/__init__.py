"""Every dialect the server speaks, and whose a path is when several have it."""

from __future__ import annotations

from goldsmith.serve.dialects import cohere, goldsmith, llamafactory, openrlhf, sglang, tei, verl, vllm
from goldsmith.serve.dialects.base import Dialect, Route

DIALECTS: dict[str, Dialect] = {
    module.DIALECT.name: module.DIALECT for module in (goldsmith, vllm, sglang, tei, cohere, openrlhf, verl, llamafactory)
}


def paths(preferred: str) -> dict[str, tuple[Dialect, Route]]:
    """Return every path with its dialect and route.

    Each dialect is under its prefix, `/vllm/classify`. Without a prefix a path belongs to the preferred dialect, else to the first that
    has it; the own API is under its prefix alone.
    """
    found: dict[str, tuple[Dialect, Route]] = {}
    others = [dialect for name, dialect in DIALECTS.items() if name not in (preferred, "goldsmith")]
    for dialect in [DIALECTS[preferred], *others] if preferred != "goldsmith" else others:
        for route in dialect.routes:
            found.setdefault(route.path, (dialect, route))
    for dialect in DIALECTS.values():
        found.update({f"/{dialect.name}{route.path}": (dialect, route) for route in dialect.routes})
    return found
