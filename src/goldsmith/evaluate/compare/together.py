"""What only several models can show: whether benchmarks agree with each other and with real use, and whether the models differ at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from goldsmith.evaluate.compare.curves import ALL
from goldsmith.evaluate.compare.data import CorrelationRow, CurveRow, Homogeneity, Model, Shared
from goldsmith.evaluate.compare.decisions import Decisions
from goldsmith.evaluate.correlation import both, matrix
from goldsmith.evaluate.homogeneity import all_pairs, alpha

CORRECTNESS = "ppe-correctness"
CORRECTNESS_NAME = "PPE Correctness, best of N"
"""The end of the best-of-N curve: how right the answer is that the model would pick, the benchmark's own measure of use."""


def official(models: Sequence[Model]) -> dict[str, dict[str, float]]:
    """Return benchmark -> model -> official score, of models only: rules such as "longer wins" would make any two benchmarks correlate."""
    figures: dict[str, dict[str, float]] = {}
    for model in models:
        if not model.is_baseline:
            for name, score in model.scores.items():
                if score.headline.value is not None:
                    figures.setdefault(name, {})[model.name] = score.headline.value
    return figures


def correlations(models: Sequence[Model]) -> list[CorrelationRow]:
    """Return every two benchmarks over the models that have both."""
    return [
        CorrelationRow(one=one, other=other, pearson=found["pearson"], spearman=found["spearman"])
        for (one, other), found in matrix(official(models)).items()
    ]


def downstream_correlations(
    models: Sequence[Model], curves: Sequence[CurveRow], measure: Mapping[str, float] | None, name: str
) -> list[CorrelationRow]:
    """Return each benchmark with the user's measure, and with the quality of the picked answers of PPE Correctness where it is there."""
    figures = official(models)
    targets = {name: dict(measure)} if measure else {}
    real = {model.name for model in models if not model.is_baseline}
    picked = {row.model: row.curve.quality[-1] for row in curves if row.benchmark == CORRECTNESS and row.group == ALL}
    own = {model: value for model, value in picked.items() if model in real}
    if own:
        targets[CORRECTNESS_NAME] = own
    rows = []
    for target, values in targets.items():
        for benchmark, column in figures.items():
            if (target, benchmark) != (CORRECTNESS_NAME, CORRECTNESS):
                found = both(column, values)
                rows.append(CorrelationRow(one=benchmark, other=target, pearson=found["pearson"], spearman=found["spearman"]))
    return rows


def homogeneity(decisions: Mapping[str, Mapping[str, Decisions]], models: Sequence[Model], *, seed: int) -> Homogeneity:
    """Return how far the models given agree beyond chance, and what they were made from.

    Args:
        decisions: model -> benchmark -> decisions.
        models: the same models' rows.
        seed: of intervals and of the orientation.
    """
    signs, prompts = _columns(decisions)
    known = {model.name: [model.base_model, *model.training_data] for model in models}
    return Homogeneity(
        agreements=all_pairs(signs, prompts, seed=seed) if len(signs) > 1 else [],
        alpha=alpha(signs, seed=seed) if len(signs) > 1 else None,
        shared=shared(models),
        unknown=[name for name, facts in known.items() if not any(facts)],
    )


def shared(models: Sequence[Model]) -> list[Shared]:
    """Return the base models and data sets that more than one card names, names compared without regard to case."""
    found: dict[tuple[str, str], list[str]] = {}
    spelt: dict[str, str] = {}
    for model in models:
        named = [("base model", name) for name in model.base_model.split(", ")]
        for what, name in dict.fromkeys((*named, *(("training data", name) for name in model.training_data))):
            if name:
                spelt.setdefault(name.casefold(), name)
                found.setdefault((what, name.casefold()), []).append(model.name)
    return [
        Shared(
            what="base model" if what == "base model" else "training data", name=spelt[name], models=list(dict.fromkeys(names))
        )
        for (what, name), names in found.items()
        if len(set(names)) > 1
    ]


def _columns(decisions: Mapping[str, Mapping[str, Decisions]]) -> tuple[dict[str, dict[str, int]], dict[str, str]]:
    """Return model -> comparison -> sign, and comparison -> prompt, comparisons named with their benchmark."""
    signs: dict[str, dict[str, int]] = {}
    prompts: dict[str, str] = {}
    for model, by_benchmark in decisions.items():
        column = signs.setdefault(model, {})
        for benchmark, found in by_benchmark.items():
            for item, prompt, sign in zip(found.items, found.prompts, found.signs.tolist(), strict=True):
                key = f"{benchmark}:{item}"
                column[key] = sign
                prompts.setdefault(key, prompt)
    return signs, prompts
