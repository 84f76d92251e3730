"""Results in the shapes that others accept: RewardBench's stored results, and the `model-index` of a model card.

RewardBench keeps one JSON file a model: `model`, `model_type`, `chat_template`, and the accuracy of each subset as a fraction; beside
it one with the score of every row. Both are written without texts. https://huggingface.co/datasets/allenai/reward-bench-results
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from goldsmith.benchdata.catalogue import BENCHMARKS
from goldsmith.evaluate.compare.data import Model, Score
from goldsmith.evaluate.report import text as say
from goldsmith.evaluate.result import ItemRecord

REWARDBENCH = {"rewardbench": "reward-bench-results", "rewardbench-2": "reward-bench-2-results"}
"""Benchmark to the data set that its leaderboard reads."""
_TYPES = {"judge": "Generative RM", "scores": "Custom Classifier"}


def subset_results(model: Model, benchmark: str) -> dict[str, Any]:
    """Return the file of `eval-set/`: the accuracy of each official subset, by its name."""
    score = model.scores[benchmark]
    subsets = {row.name: row.accuracy for row in score.subsets if row.level == "subset" and row.accuracy is not None}
    return {"model": model.name, "model_type": model_type(model), "chat_template": "tokenizer", **subsets}


def row_results(model: Model, benchmark: str, items: Iterable[ItemRecord]) -> dict[str, Any]:
    """Return the file of `eval-set-scores/`, columns of equal length, a row an item; a failed score is null, and not right."""
    columns: dict[str, list[Any]] = {"results": [], "subset": [], "id": []}
    scores: dict[str, list[Any]] = (
        {"scores": [], "num_correct": []} if benchmark == "rewardbench-2" else {"scores_chosen": [], "scores_rejected": []}
    )
    for item in items:
        is_pair = benchmark == "rewardbench"
        columns["results"].append(int(item.points) if is_pair else item.points)
        columns["subset"].append(item.subset)
        columns["id"].append(_number(item.item_id))
        if is_pair:
            right, wrong = item.comparisons[0]
            scores["scores_chosen"].append(item.scores[right] if item.scores else None)
            scores["scores_rejected"].append(item.scores[wrong] if item.scores else None)
        else:
            scores["scores"].append(item.scores)
            scores["num_correct"].append(sum(item.good))
    return {"model": model.name, "model_type": model_type(model), "chat_template": "tokenizer", **columns, **scores}


def _number(item_id: str) -> int | str:
    """Return RewardBench's own id, which is a number; a row that occurs again keeps the name it got here."""
    return int(item_id) if item_id.isdecimal() else item_id


def model_type(model: Model) -> str:
    """Return how RewardBench calls this kind of model."""
    return _TYPES.get(model.kind, "Seq. Classifier")


def file_name(model: str) -> str:
    """Return `organisation/name.json` for a hub id, `goldsmith/name.json` else; nothing of a name can leave the folder."""
    parts = [re.sub(r"[^A-Za-z0-9._-]+", "-", part).strip(".-") for part in say.clean(model).split("/")]
    parts = [part for part in parts if part] or ["model"]
    organisation, name = (parts[0], "-".join(parts[1:])) if len(parts) > 1 else ("goldsmith", parts[0])
    return f"{organisation[:80]}/{name[:120]}.json"


def file_names(models: Iterable[str]) -> dict[str, str]:
    """Return `file_name` of each model, numbered where two would write one file, on disks that know no case too."""
    taken: set[str] = set()
    found = {}
    for model in models:
        stem = file_name(model).removesuffix(".json")
        number, own = 1, stem
        while own.lower() in taken:
            number += 1
            own = f"{stem}-{number}"
        taken.add(own.lower())
        found[model] = f"{own}.json"
    return found


def model_index(model: Model, titles: dict[str, str]) -> str:
    """Return front matter for a model card: `model-index` with one result a benchmark, values as fractions.

    Written as JSON inside the YAML block, which is YAML, so that no name can break out of it.
    """
    results = [
        _result(name, score, titles.get(name, name)) for name, score in model.scores.items() if score.official.value is not None
    ]
    body = json.dumps([{"name": say.clean(model.name), "results": results}], ensure_ascii=True, indent=2)
    return f"---\nmodel-index: {body}\n---\n"


def _result(benchmark: str, score: Score, title: str) -> dict[str, Any]:
    known = BENCHMARKS.get(benchmark)
    # A score over several datasets is that of none of them.
    hub = known.hub[0].removeprefix("hf:").split(":") if known is not None and len(known.hub) == 1 else []
    dataset = {"name": say.clean(title), "type": hub[0] if hub else re.sub(r"[^A-Za-z0-9._-]+", "-", benchmark)}
    if len(hub) > 1:
        dataset["split"] = hub[1]
    task = {"type": "text-classification", "name": "reward modelling"}
    return {"task": task, "dataset": dataset, "metrics": _metrics(score)}


def _metrics(score: Score) -> Sequence[dict[str, Any]]:
    whole = "" if score.is_complete else " (not the official number of rows)"
    found = [{"type": "accuracy", "name": f"official score{whole}", "value": round(score.official.value or 0.0, 6)}]
    if score.paper is not None and score.paper.value is not None:
        found.append(
            {"type": "accuracy", "name": f"by the rule of Skywork-Reward-V2{whole}", "value": round(score.paper.value, 6)}
        )
    return found
