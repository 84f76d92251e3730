"""`goldsmith audit`: what is in any file of pairs, with coverage from the offline classifier."""

from __future__ import annotations

from collections.abc import Sequence
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
    from goldsmith.pool.audit import audit_lines

    return "\n".join(audit_lines(result))


def _classifier() -> Any:
    from goldsmith.attributes.classify import Classifier
    from goldsmith.attributes.taxonomy import load_taxonomy
    from goldsmith.retrieve.embed import Embedder
    from goldsmith.types import Message

    classifier = Classifier(load_taxonomy(), Embedder())

    def tasks(contexts: Sequence[list[dict[str, Any]]]) -> list[str]:
        messages = [[Message.model_validate(turn) for turn in context] for context in contexts]
        return [closed.task for closed in classifier.classify(messages)]

    return tasks
