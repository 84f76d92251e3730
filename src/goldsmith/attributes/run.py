"""Writes the attributes of many pairs: closed fields by classifier, open fields by LLM within a budget."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from goldsmith.attributes.classify import MADE_BY, Classifier, Closed
from goldsmith.attributes.taxonomy import Taxonomy
from goldsmith.config.attributes import AttributesConfig
from goldsmith.retrieve.embed import Embedder
from goldsmith.types import Attributes, Pair

CLOSED_FIELDS = ("task", "objectivity", "controversiality")


def label_attributes(
    pairs: Sequence[Pair],
    config: AttributesConfig,
    llm: Any,
    embedder: Embedder,
    taxonomy: Taxonomy,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[list[Attributes], dict[str, Any]]:
    """Return one `Attributes` per pair, in order, and the stage's facts."""
    closed = Classifier(taxonomy, embedder).classify([pair.context for pair in pairs], progress)
    attributes = [_from_classifier(pair, fields) for pair, fields in zip(pairs, closed, strict=True)]
    facts = {"pairs": len(pairs), "task": dict(Counter(item.task for item in attributes))}
    return attributes, facts


def _from_classifier(pair: Pair, closed: Closed) -> Attributes:
    return Attributes(
        pair_id=pair.pair_id,
        task=closed.task,
        objectivity=closed.objectivity,
        controversiality=closed.controversiality,
        made_by=dict.fromkeys(CLOSED_FIELDS, MADE_BY),
        confidence=closed.confidence,
    )
