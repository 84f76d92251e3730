"""`goldsmith eval` as one call: models and benchmarks in, results and their folders out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from goldsmith.benchdata.suite import find_suite
from goldsmith.config import GoldsmithConfig
from goldsmith.config.evaluate import EvalModelConfig
from goldsmith.config.load import resolve_path
from goldsmith.errors import UserError
from goldsmith.evaluate.engines.open import JUDGE, SCORES, label_of, opener
from goldsmith.evaluate.engines.shipped import SHIPPED
from goldsmith.evaluate.runner import Evaluation, Progress, evaluate_engines, slug
from goldsmith.evaluate.scoring.rule import Settings


def evaluate_models(
    models: Sequence[str | EvalModelConfig],
    out: Path,
    *,
    suite: str | Path | None = None,
    benchmarks: Sequence[str] = (),
    only: Sequence[str] = (),
    config: GoldsmithConfig | None = None,
    cache: Path | None = None,
    answers: Path | None = None,
    report: bool = True,
    progress: Progress | None = None,
) -> Evaluation:
    """Evaluate models on every benchmark that is there, and write one folder for each below `out/models`.

    Args:
        models: what `EvalModelConfig.model` takes, also as `LABEL=MODEL`.
        out: the evaluation's folder; run again with the same one, nothing is computed twice.
        suite: folder in which benchmarks are found by the looks of their rows.
        benchmarks: NAME=PATH, or a benchmark's NAME alone, from the hub; any other NAME is that of a file of labelled pairs.
        only: ids of benchmarks; empty: all that are there.
        config: sections `evaluate` (models, suite, benchmarks, bootstrap), `llm`, and the seed.
        cache: SQLite file of scores; None: `scores.sqlite` in `out`.
        answers: SQLite file of judges' answers; None: `llm.sqlite` in `out`.
        report: write report.html and the other files of `goldsmith eval compare` into `out` too, over these models.
        progress: called with (done, in all, unit, what).

    Returns:
        The results; `num_failed` of each group counts items without score or verdict, which count as not right. Of several models,
        those that could not be evaluated are `failed`, each with its reason; the report names them.

    Raises:
        UserError: no model or benchmark, an unknown one, two models of one name; the only model cannot be loaded.
        DataError: a benchmark's file, or one of scores, does not have the layout it should have; the message names file and line.
        ProviderError: the only model's server failed for good; what came is kept, and the same call goes on.
    """
    settings = config or GoldsmithConfig()
    chosen = told_apart([*(labelled(model) for model in models), *settings.evaluate.models])
    if not chosen:
        raise UserError(
            "no model to evaluate: give a folder or hub id, or random, oracle, constant, longer, scores:FILE, judge:NAME, DIALECT:URL"
        )
    base = Path(settings.base_dir or ".").resolve()
    folder = suite if suite is not None else settings.evaluate.suite and resolve_path(settings.evaluate.suite, base)
    found = find_suite(folder, [*benchmarks, *settings.evaluate.benchmarks], only=only)
    names = [label_of(model) for model in chosen]
    _names_differ(names)
    openers = [opener(model, settings, out, answers, cache) for model in chosen]
    drawn = Settings(seed=settings.seed, resamples=settings.evaluate.bootstrap)
    evaluation = evaluate_engines(openers, found, out, drawn, labels=names, cache=cache, progress=progress)
    if report:
        from goldsmith.evaluate.compare import write_comparison

        write_comparison(evaluation.folders, out, failed=evaluation.failed)
    return evaluation


def _names_differ(names: Sequence[str]) -> None:
    """Refuse two models that would share a folder, before the first of them is evaluated; a name that is not known yet is passed over."""
    seen: dict[str, str] = {}
    for name in filter(None, names):
        other = seen.get(slug(name))
        if other is not None:
            told = (
                f"two models are called '{name}'" if other == name else f"the models '{other}' and '{name}' would share a folder"
            )
            raise UserError(f"{told}; give one another name: LABEL=MODEL")
        seen[slug(name)] = name


def labelled(model: str | EvalModelConfig) -> EvalModelConfig:
    """Return the model of `LABEL=MODEL`, or of a MODEL alone; a file or folder that is there is never cut at its `=`."""
    if isinstance(model, EvalModelConfig):
        return model
    label, equals, spec = model.partition("=")
    is_label = equals and label and spec and ":" not in label and not Path(model).exists()
    if is_label and ("/" not in label or not _is_path(label, spec)):
        return EvalModelConfig(model=spec, name=label)
    return EvalModelConfig(model=model)


def _is_path(label: str, spec: str) -> bool:
    """Whether `label=spec`, with a slash before the sign, rather is a path with a spelling mistake than a hub id as a label."""
    return Path(label).parent.is_dir() and not (":" in spec or spec in SHIPPED or Path(spec).exists())


def told_apart(models: Sequence[EvalModelConfig]) -> list[EvalModelConfig]:
    """Return the models; those without a label whose paths end alike are called by as much of the path as tells them apart."""
    names = [label_of(model) for model in models]
    found = []
    for model, name in zip(models, names, strict=True):
        parts = Path(model.model).parts
        rivals = [Path(other.model).parts for other in models if label_of(other) == name and other.model != model.model]
        if model.name or not _is_checkpoint(model) or not rivals:
            found.append(model)
            continue
        length = 1
        while length < len(parts) and any(parts[-length:] == other[-length:] for other in rivals):
            length += 1
        found.append(model.model_copy(update={"name": "/".join(parts[-length:]).replace("//", "/")}))
    return found


def _is_checkpoint(model: EvalModelConfig) -> bool:
    return model.model not in SHIPPED and not model.model.startswith((SCORES, JUDGE)) and "://" not in model.model
