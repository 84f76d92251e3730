"""A comparison written out: the page, the record, tables, Markdown, and files that other tools accept, each whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from goldsmith.benchdata.prompts import first_turn
from goldsmith.benchdata.suite import find_suite
from goldsmith.errors import UserError
from goldsmith.evaluate.compare.data import ComparisonData, Contamination, ContaminationRow
from goldsmith.evaluate.compare.gather import gather
from goldsmith.evaluate.compare.html import render
from goldsmith.evaluate.compare.leaderboard import REWARDBENCH, file_names, model_index, row_results, subset_results
from goldsmith.evaluate.compare.load import Evaluated, load
from goldsmith.evaluate.compare.markdown import markdown
from goldsmith.evaluate.compare.tables import tables
from goldsmith.evaluate.compare.words import comparison_words
from goldsmith.evaluate.contamination import pool_overlap
from goldsmith.evaluate.correlation import read_downstream
from goldsmith.evaluate.result import FailedModel
from goldsmith.store import atomic

HTML, JSON, MARKDOWN, FILES = "report.html", "report.json", "report.md", "report-files"
TABLES, REWARDBENCH_FILES, MODEL_INDEX = "tables", "rewardbench", "model-index"
"""Folders in `report-files`, which is replaced as a whole: nothing of an earlier report stays behind."""


def write_comparison(
    folders: Sequence[str | Path],
    out_dir: str | Path,
    *,
    title: str | None = None,
    downstream: str | Path | None = None,
    pool: str | Path | None = None,
    suite: str | Path | None = None,
    benchmarks: Sequence[str] = (),
    published: bool = True,
    seed: int | None = None,
    failed: Sequence[FailedModel] = (),
) -> Path:
    """Compare earlier results and write the report.

    Args:
        folders: what `goldsmith eval` wrote: evaluations, or single models in them.
        out_dir: where report.html, report.json, report.md and report-files/ go.
        title: of the report; None: from the folders' names.
        downstream: file of `model,value` lines: a measure of real use to correlate the benchmarks with.
        pool: training pairs to look for the benchmarks' prompts in; needs `suite` or `benchmarks`.
        suite: folder of the benchmarks' files.
        benchmarks: `NAME=PATH` of single benchmarks.
        published: show the paper's own rows, marked as such.
        seed: of all intervals; None: that of the first result.
        failed: models that were to be in it and could not be evaluated; the report names them.

    Returns:
        The page's path.

    Raises:
        UserError: no results, or a pool without benchmarks.
        DataError: a file cannot be used; the message names it.
    """
    paths = [Path(folder) for folder in folders]
    models = load(paths)
    measure = read_downstream(Path(downstream)) if downstream is not None else None
    found = gather(
        models,
        title=title or _title(models),
        downstream=measure,
        downstream_name=Path(downstream).stem if downstream is not None else "",
        show_published=published,
        seed=seed,
    )
    overlap = None if pool is None else _contamination(str(pool), suite, benchmarks)
    notes = [*found.notes, *_unmatched(models, measure)]
    found = found.model_copy(update={"contamination": overlap, "notes": notes, "failed_models": list(failed)})
    return write(found.model_copy(update={"words": comparison_words(found)}), models, Path(out_dir))


def write(data: ComparisonData, models: Sequence[Evaluated], out_dir: Path) -> Path:
    """Write a comparison that has been computed, and return the page's path.

    Raises:
        StoreError: the disk is full or the folder cannot be written.
    """
    page = render(data)
    with atomic.write_directory(out_dir / FILES) as folder:
        for name, text in tables(data).items():
            _put(folder / TABLES / name, text)
        for name, text in _for_others(data, models):
            _put(folder / name, text)
    atomic.write_json(out_dir / JSON, data.model_dump(mode="json"))
    atomic.write_text(out_dir / MARKDOWN, markdown(data))
    atomic.write_text(out_dir / HTML, page)
    return out_dir / HTML


def _put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _for_others(data: ComparisonData, models: Sequence[Evaluated]) -> Iterator[tuple[str, str]]:
    """Yield the files for RewardBench's leaderboard and for model cards; rules are no models, and get none."""
    titles = {benchmark.id: benchmark.title for benchmark in data.benchmarks}
    given = {model.name: model for model in models}
    models_given = [model for model in data.models if not model.is_baseline]
    names = file_names(model.name for model in models_given)
    for model in models_given:
        name = names[model.name]
        yield f"{MODEL_INDEX}/{name.replace('/', '--').removesuffix('.json')}.md", model_index(model, titles)
        for benchmark, target in REWARDBENCH.items():
            if benchmark in model.scores and model.scores[benchmark].total.accuracy is not None:
                place, rows = f"{REWARDBENCH_FILES}/{target}", row_results(model, benchmark, given[model.name].items(benchmark))
                yield (
                    f"{place}/eval-set/{name}",
                    json.dumps(subset_results(model, benchmark), ensure_ascii=False, indent=1) + "\n",
                )
                yield f"{place}/eval-set-scores/{name}", _without_infinity(rows)


def _without_infinity(rows: Mapping[str, object]) -> str:
    """Return columns as JSON; an infinite score of a stored file has no number in JSON, and becomes null."""

    def finite(value: object) -> object:
        if isinstance(value, list):
            return [finite(inner) for inner in value]
        return None if isinstance(value, float) and value - value != 0 else value

    return json.dumps({key: finite(value) for key, value in rows.items()}, ensure_ascii=False, allow_nan=False) + "\n"


def _contamination(pool: str, suite: str | Path | None, benchmarks: Sequence[str]) -> Contamination:
    if suite is None and not benchmarks:
        raise UserError(f"{pool}: a training pool is held against the benchmarks' files; name them with --suite or --benchmark")
    found = find_suite(suite, benchmarks)
    prompts = {data.id: [first_turn(item.context) for item in data.items()] for data in found.data}
    overlap = pool_overlap(pool, prompts)
    return Contamination(
        pool=Path(pool).name,
        num_pairs=overlap.num_pairs,
        num_rejected=overlap.num_rejected,
        rows=[
            ContaminationRow(benchmark=name, num_prompts=overlap.num_prompts[name], pairs=dict(counts))
            for name, counts in overlap.by_benchmark.items()
        ],
    )


def _unmatched(models: Sequence[Evaluated], measure: Mapping[str, float] | None) -> list[str]:
    """Say which names of the downstream file are no model given: a spelling mistake must not vanish."""
    names = {model.name for model in models}
    unknown = [name for name in measure or {} if name not in names]
    return [f"The downstream file names models that were not given: {', '.join(unknown)}."] if unknown else []


def _title(models: Sequence[Evaluated]) -> str:
    """Return what the report is of; rules are named as such, as their names are half sentences."""
    names = [model.name for model in models if not model.is_baseline]
    start = "Evaluation of"
    if not names:
        start, names = "Evaluation of rules, no model:", [model.name for model in models]
    return f"{start} {', '.join(names[:3])}" + (f" and {len(names) - 3} more" if len(names) > 3 else "")
