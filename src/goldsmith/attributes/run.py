"""Writes the attributes of many pairs: closed fields by classifier, open fields by LLM within a budget."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from goldsmith.attributes.classify import MADE_BY, Classifier, Closed
from goldsmith.attributes.reply import AllFields, OpenFields
from goldsmith.attributes.taxonomy import Taxonomy
from goldsmith.config.attributes import AttributesConfig
from goldsmith.identity import unit_interval
from goldsmith.retrieve.embed import Embedder
from goldsmith.types import Attributes, Pair

if TYPE_CHECKING:
    from goldsmith.judge.foreseen import Foreseen
    from goldsmith.llm import LlmGroup

CLOSED_FIELDS = ("task", "objectivity", "controversiality")
LIKELY_TASKS = 10
"""Leaves described to an LLM that decides the task."""
UNSURE_BELOW = 0.2
"""A task confidence below this is counted in the facts."""


def label_attributes(
    pairs: Sequence[Pair],
    config: AttributesConfig,
    llm: LlmGroup | None,
    embedder: Embedder,
    taxonomy: Taxonomy,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
    *,
    announce: Callable[[Foreseen], None] | None = None,
    by_task: bool = True,
) -> tuple[list[Attributes], dict[str, Any]]:
    """Return one `Attributes` per pair, in order, and the stage's facts.

    Args:
        pairs: what to label.
        config: how many pairs the LLM reads, and whether it decides the closed fields there.
        llm: the group; only used when `config.llm_pairs` asks for it.
        embedder: of the classifier.
        taxonomy: of tasks.
        seed: of the choice of pairs for the LLM.
        progress: called with (done, total), first of the embedding, then of the LLM's calls.
        announce: told what the LLM's part will cost at most, about, before anything is sent; repairs come on top.
        by_task: the pairs for the LLM are drawn evenly over tasks; False where the classifier's tasks are not to be relied on.
    """
    classifier = Classifier(taxonomy, embedder)
    closed = classifier.classify([pair.context for pair in pairs], progress)
    attributes = [_from_classifier(pair, fields) for pair, fields in zip(pairs, closed, strict=True)]
    facts: dict[str, Any] = {
        "pairs": len(pairs),
        "taxonomy": taxonomy.digest,
        "tasks_present": len({item.task for item in attributes}),
        "unsure_task": sum(item.confidence["task"] < UNSURE_BELOW for item in attributes),
    }
    rows = stratified(attributes, config.llm_pairs, seed, by_task=by_task)
    if rows and llm is not None:
        facts["llm"] = _label_by_llm(rows, pairs, attributes, config, llm, classifier, progress, announce)
        facts["replies"] = facts["llm"].pop("replies")
    for name in CLOSED_FIELDS:
        facts[name] = dict(sorted(Counter(str(getattr(item, name)) for item in attributes).items()))
    return attributes, facts


def stratified(attributes: Sequence[Attributes], count: int, seed: int, *, by_task: bool = True) -> list[int]:
    """Return at most `count` rows, every task in turn (unless not `by_task`) and by hash within it, in ascending order."""
    groups: dict[str, list[int]] = defaultdict(list)
    draws = {item.pair_id: unit_interval(f"attributes:{item.pair_id}", seed) for item in attributes} if count else {}
    for row in sorted(range(len(attributes)), key=lambda row: (draws.get(attributes[row].pair_id, 0.0), attributes[row].pair_id)):
        groups[attributes[row].task if by_task else ""].append(row)
    turns = sorted((turn, task, row) for task, rows in groups.items() for turn, row in enumerate(rows))
    return sorted(row for _, _, row in turns[:count])


def _label_by_llm(
    rows: Sequence[int],
    pairs: Sequence[Pair],
    attributes: list[Attributes],
    config: AttributesConfig,
    llm: LlmGroup,
    classifier: Classifier,
    progress: Callable[[int, int], None] | None,
    announce: Callable[[Foreseen], None] | None,
) -> dict[str, Any]:
    """Put the LLM's fields into `attributes` and return the facts of its part."""
    from goldsmith.attributes.label import label_pairs, label_requests
    from goldsmith.judge.foreseen import foresee
    from goldsmith.judge.material import count_material

    chosen = [pairs[row] for row in rows]
    taxonomy = classifier.taxonomy if config.llm_closed_fields else None
    likely = classifier.likely_tasks([pair.context for pair in chosen], LIKELY_TASKS) if taxonomy is not None else None
    if announce:
        announce(foresee(llm, [label_requests(chosen, llm, taxonomy=taxonomy, likely_tasks=likely)]))
    labelled = label_pairs(chosen, llm, taxonomy=taxonomy, likely_tasks=likely, progress=progress)
    agreed: Counter[str] = Counter()
    for row, fields in zip(rows, labelled.fields, strict=True):
        if fields is not None:
            agreed.update(name for name in CLOSED_FIELDS if getattr(fields, name, None) == getattr(attributes[row], name))
            attributes[row] = _with_llm(attributes[row], fields, labelled.model)
    valid = sum(fields is not None for fields in labelled.fields)
    facts: dict[str, Any] = {
        "model": labelled.model,
        "counts": {"total": len(rows), "kept": valid, "dropped": {}, "failed": labelled.failed},
        "replies": {
            "total": len(rows),
            "usable": valid,
            "failed": labelled.failed,
            "shortened": labelled.shortened,
            "repaired": labelled.repaired,
            **count_material(chosen),
        },
    }
    if taxonomy is not None:
        facts["agrees_with_classifier"] = {name: agreed[name] for name in CLOSED_FIELDS}
    return facts


def _with_llm(before: Attributes, fields: OpenFields | AllFields, model: str) -> Attributes:
    source = f"llm:{model}"
    update: dict[str, Any] = {"desired": fields.desired, "guideline": fields.guideline}
    if isinstance(fields, AllFields):
        update |= {name: getattr(fields, name) for name in CLOSED_FIELDS}
    # The classifier's confidence says nothing of what the LLM wrote instead.
    confidence = {name: value for name, value in before.confidence.items() if name not in update}
    return before.model_copy(
        update={**update, "made_by": before.made_by | dict.fromkeys(update, source), "confidence": confidence}
    )


def _from_classifier(pair: Pair, closed: Closed) -> Attributes:
    return Attributes(
        pair_id=pair.pair_id,
        task=closed.task,
        objectivity=closed.objectivity,
        controversiality=closed.controversiality,
        made_by=dict.fromkeys(CLOSED_FIELDS, MADE_BY),
        confidence=closed.confidence,
    )
