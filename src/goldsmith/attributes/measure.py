"""Asks every source of attributes that is in use about the hand-labelled pairs, and measures its answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from goldsmith.attributes.classify import MADE_BY, Classifier
from goldsmith.attributes.hand_labelled import HandLabelled, load_hand_labelled
from goldsmith.attributes.quality import Degrees, Quality, measure_degrees, measure_labels, shared
from goldsmith.attributes.reply import AllFields, OpenFields
from goldsmith.attributes.run import CLOSED_FIELDS, LIKELY_TASKS, stratified
from goldsmith.attributes.taxonomy import Taxonomy
from goldsmith.config.attributes import AttributesConfig
from goldsmith.retrieve.embed import Embedder

if TYPE_CHECKING:
    from goldsmith.llm import LlmGroup

Progress = Callable[[int, int], None]
OPEN_FIELDS = ("desired", "guideline")


def measure_sources(
    config: AttributesConfig,
    llm: LlmGroup | None,
    embedder: Embedder,
    taxonomy: Taxonomy,
    seed: int,
    progress: Progress | None = None,
) -> list[Quality]:
    """Return the quality of each source for each attribute it writes under this configuration.

    Args:
        config: whether an LLM writes attributes, which ones, and on how many pairs it is measured.
        llm: the group; its first model is asked, through the same cache and budget as all other calls.
        embedder: of the classifier, and of guidelines that are compared.
        taxonomy: of tasks; one that lacks leaves of the hand-labelled set leaves `task` unmeasured, and used.
        seed: of the sample for the LLM and of the bootstrap.
        progress: called with (done, total) of the embedding, then of the LLM's calls.

    Raises:
        ProviderError: the server cannot be reached.
    """
    classifier, items = Classifier(taxonomy, embedder), load_hand_labelled()
    found = classifier.classify([item.prompt for item in items], progress)
    measured = [
        _closed(MADE_BY, name, items, [str(getattr(closed, name)) for closed in found], taxonomy, seed=seed)
        for name in CLOSED_FIELDS
    ]
    if config.llm_pairs and llm is not None and llm.config.endpoints:
        measured += _of_llm(config, llm, classifier, seed, progress)
    return measured


def sample_for_llm(count: int, seed: int) -> list[HandLabelled]:
    """Return `count` pairs, every task in turn; those with all five labels before any other."""
    items = load_hand_labelled()
    whole = [item for item in items if item.attributes.guideline is not None]
    rest = [item for item in items if item.attributes.guideline is None]
    rows = stratified([item.labels for item in whole], count, seed)
    more = stratified([item.labels for item in rest], max(0, count - len(whole)), seed)
    return [whole[row] for row in rows] + [rest[row] for row in more]


def settings_for(config: AttributesConfig, measured: Sequence[Quality]) -> AttributesConfig:
    """Return the configuration to label with: an LLM that is unproven on every closed field leaves them to the classifier."""
    decided = [row for row in measured if row.source.startswith("llm:") and row.attribute in CLOSED_FIELDS]
    if decided and not any(row.used for row in decided):
        return config.model_copy(update={"llm_closed_fields": False})
    return config


def _of_llm(
    config: AttributesConfig, llm: LlmGroup, classifier: Classifier, seed: int, progress: Progress | None
) -> list[Quality]:
    from goldsmith.attributes.label import label_pairs

    source = f"llm:{llm.config.endpoints[0].name}"
    names = (*CLOSED_FIELDS, *OPEN_FIELDS) if config.llm_closed_fields else OPEN_FIELDS
    if not config.measure_llm:
        reason = "attributes.measure_llm is 0, so it was not measured"
        return [Quality(source=source, attribute=name, used=False, reason=reason) for name in names]
    items = sample_for_llm(config.measure_llm, seed)
    taxonomy = classifier.taxonomy if config.llm_closed_fields else None
    likely = classifier.likely_tasks([item.prompt for item in items], LIKELY_TASKS) if taxonomy else None
    labelled = label_pairs([item.pair for item in items], llm, taxonomy=taxonomy, likely_tasks=likely, progress=progress)
    answered = [(item, fields) for item, fields in zip(items, labelled.fields, strict=True) if fields is not None]
    failed = len(items) - len(answered)
    measured = []
    for name in names:
        if name in OPEN_FIELDS:
            measured.append(_open(source, name, answered, classifier.embedder, failed=failed, seed=seed))
        else:
            answers = [str(getattr(fields, name)) for _, fields in answered]
            told = [item for item, _ in answered]
            measured.append(_closed(source, name, told, answers, classifier.taxonomy, failed=failed, seed=seed))
    return measured


def _closed(
    source: str, name: str, items: Sequence[HandLabelled], answers: list[str], taxonomy: Taxonomy, *, failed: int = 0, seed: int
) -> Quality:
    unknown = {item.attributes.task for item in load_hand_labelled()} - taxonomy.by_id.keys()
    if name == "task" and unknown:
        reason = (
            f"not measured: the taxonomy in use lacks {len(unknown)} of the tasks that the hand-labelled pairs have "
            f"({min(unknown)}, ...); tasks are used as they are"
        )
        return Quality(source=source, attribute=name, used=True, reason=reason)
    truth = [str(getattr(item.attributes, name)) for item in items]
    return measure_labels(source, name, truth, answers, num_failed=failed, seed=seed)


def _open(
    source: str,
    name: str,
    answered: Sequence[tuple[HandLabelled, OpenFields | AllFields]],
    embedder: Embedder,
    *,
    failed: int,
    seed: int,
) -> Quality:
    """Measure an open attribute on the pairs for which somebody wrote it by hand."""
    rows = [(item.attributes, fields) for item, fields in answered if item.attributes.guideline is not None]
    if name == "desired":
        truth, answers = [labels.desired or [] for labels, _ in rows], [fields.desired for _, fields in rows]
        agreement, among = (_degrees(truth, others) for others in (answers, truth))
    else:
        texts = [labels.guideline or "" for labels, _ in rows] + [fields.guideline for _, fields in rows]
        vectors = embedder.embed(texts).vectors.astype(np.float64)
        hand, told = vectors[: len(rows)], vectors[len(rows) :]
        agreement, among = (np.clip(hand @ others.T, 0.0, 1.0) for others in (told, hand))
    return measure_degrees(source, name, agreement, among, num_failed=failed, seed=seed)


def _degrees(truth: Sequence[Sequence[str]], others: Sequence[Sequence[str]]) -> Degrees:
    return np.asarray([[shared(one, other) for other in others] for one in truth], dtype=np.float64).reshape(
        len(truth), len(others)
    )
