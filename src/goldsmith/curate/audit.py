"""`goldsmith audit`: what is in any file of pairs, with coverage from the offline classifier."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from goldsmith.pool.audit import Audit


def audit_file(path: Path, benchmarks: list[Path], *, coverage: bool = True) -> Audit:
    """Return the audit of a file.

    Args:
        path: pairs in any known format.
        benchmarks: evaluation sets to test contamination against.
        coverage: classify every prompt by task.
    """
    from goldsmith.pool.audit import audit

    return audit(path, benchmarks=benchmarks, classify=_classifier() if coverage else None)


def audit_text(result: Audit) -> str:
    """Return an audit as text for people."""
    from goldsmith.pool.audit import as_text

    return as_text(result)


def _classifier() -> Any:
    from goldsmith.attributes.classify import Classifier
    from goldsmith.attributes.taxonomy import load_taxonomy
    from goldsmith.retrieve.embed import Embedder

    classifier = Classifier(load_taxonomy(), Embedder())
    return lambda contexts: [closed.task for closed in classifier.classify(contexts)]
