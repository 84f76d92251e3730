"""Does curation work? The paper's arms and their peers on noisy pools whose clean labels are behind an oracle wall.

    python benchmarks/curation.py --check                     made-up pairs with a known answer; a few minutes
    python benchmarks/curation.py --ci --features DIR         1,000 real pairs, two seeds
    python benchmarks/curation.py --full --features DIR       everything; resumable, one line of results.jsonl a cell
    python benchmarks/curation.py --pandalm --features DIR    real judges and real people instead of simulated ones

Features come from `python benchmarks/curation_features.py --out DIR` (needs GOLDSMITH_DATA; resumable, hours for 12,000 pairs). A cell is
a pool size, a noise kind and rate, a judge's accuracy, a budget of human labels and a seed; each arm of a cell is trained and measured on
held-out prompts, and on held-out prompts with held-out models. Differences are paired by pair, averaged over seeds, with intervals that
resample prompts. Recovered share = (arm - raw) / (clean - raw). Judges are simulated, and say so.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from curation_parts import pandalm
from curation_parts.arms import ARMS
from curation_parts.cells import measured
from curation_parts.data import READOUT, Data, read, synthetic
from curation_parts.figure import write_figures
from curation_parts.outcomes import Cell, cell_of, results_of
from curation_parts.potency import labels_needed
from curation_parts.summary import summarise
from curation_parts.table import retrieval_table, table
from goldsmith.store import atomic

KINDS = ("uniform", "length", "format")
ALL = 10**9


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, told in (
        ("check", "made-up pairs"),
        ("ci", "1,000 real pairs"),
        ("full", "everything"),
        ("pandalm", "real judges and people"),
    ):
        parser.add_argument(f"--{name}", action="store_true", help=told)
    parser.add_argument("--features", type=Path, help="folder of curation_features.py")
    parser.add_argument("--readout", nargs="+", default=list(READOUT), help="mean states after these layers")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--work", type=Path, default=Path(__file__).resolve().parents[1] / ".work" / "curation")
    parser.add_argument("--report", action="store_true", help="compute nothing, tell of what is there")
    parser.add_argument("--arms", nargs="*", default=list(ARMS), choices=list(ARMS))
    arguments = parser.parse_args()
    if (arguments.ci or arguments.full or arguments.pandalm) and arguments.features is None:
        parser.error("--ci, --full and --pandalm need --features DIR; curation_features.py makes it")
    data = read(arguments.features, tuple(arguments.readout)) if arguments.features else synthetic(3000, seed=1)
    name = (
        f"{arguments.features.name}-{'-'.join(arguments.readout)}-{int((data.group == 'pool').sum())}"
        if arguments.features
        else "synthetic"
    )
    if arguments.pandalm:
        found = pandalm.summarised(pandalm.outcomes(data, arguments.arms, 0.1, arguments.seeds), data)
        print("\n".join(pandalm.table(found)))
        atomic.write_json(arguments.work / f"pandalm-{name}.json", found)
        return 0
    cells = list(planned(arguments))
    path = arguments.work / f"results-{name}.jsonl"
    results = compared(results_of(path)) if arguments.report else run(data, cells, arguments.arms, path)
    summary = summarise(results, data)
    needed = labels_needed(results, data)
    lines = [*table(summary), *retrieval_table(needed)]
    print("\n".join(lines))
    atomic.write_text(arguments.work / f"table-{name}.md", "\n".join(lines) + "\n")
    atomic.write_text(arguments.work / f"summary-{name}.json", written(summary))
    atomic.write_json(arguments.work / f"retrieval-{name}.json", needed)
    write_figures(summary, arguments.work)
    return 0


def written(summary: dict[str, Any]) -> str:
    """Return a summary as JSON of a line for each setting, numbers to five places: far below what any interval leaves open."""
    settings = (f"{json.dumps(name)}: {json.dumps(_rounded(found))}" for name, found in summary.items())
    return "{\n" + ",\n".join(settings) + "\n}\n"


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_rounded(one) for one in value]
    return round(value, 5) if isinstance(value, float) else value


def planned(arguments: argparse.Namespace) -> Iterator[Cell]:
    """The cells of a run: the decisive ones first, each question varied from there."""
    seeds = range(1, arguments.seeds + 1)
    if not arguments.full:
        plan = [((kind, 0.4), 1000, 0.75, 0.05) for kind in ("uniform", "length")]
        seeds = range(1, 3)
    else:
        strengths = ((0.45, 0.05), (0.3, 0.05), (0.45, 0.02), (0.4, 0.05), (0.4, 0.02), (0.3, 0.02))
        main = [((kind, rate), ALL, 0.75, budget) for rate, budget in strengths for kind in KINDS]
        came = [(("as-they-came", 0.0), ALL, 0.75, 0.05)]
        judges = [((kind, 0.4), ALL, judge, 0.05) for judge in (0.65, 0.85) for kind in KINDS]
        sizes = [((kind, 0.4), size, 0.75, 0.05) for size in (1500, 5000) for kind in KINDS]
        budgets = [((kind, 0.4), ALL, 0.75, budget) for budget in (0.01, 0.1) for kind in KINDS]
        plan = main + came + judges + sizes + budgets
    for (kind, rate), size, judge, budget in plan:
        for seed in seeds:
            yield Cell(size=size, noise=kind, rate=rate, judge=judge, budget=budget, seed=seed)


def compared(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows that can be compared: of each setting the whole seeds, and the arms that all of these have."""
    arms: dict[str, dict[str, set[str]]] = {}
    for row in rows:
        arms.setdefault(cell_of(row).setting, {}).setdefault(row["cell"], set()).add(row["arm"])
    shared = {}
    for cells in arms.values():
        most = max(len(found) for found in cells.values())
        whole = {cell: found for cell, found in cells.items() if len(found) == most}
        for cell in whole:
            shared[cell] = set.intersection(*whole.values())
    return [row for row in rows if row["arm"] in shared.get(row["cell"], set())]


def run(data: Data, cells: list[Cell], arms: list[str], path: Path) -> list[dict[str, Any]]:
    """Return the results of every cell and arm; those that stand in the file are not computed again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    known = {(row["cell"], row["arm"]): row for row in results_of(path)}
    wanted = []
    for number, cell in enumerate(cells, 1):
        missing = [arm for arm in ["clean", *arms] if (cell.key, arm) not in known]
        if missing:
            print(f"cell {number} of {len(cells)}: {cell.key}", file=sys.stderr, flush=True)
        for arm, row in measured(data, cell, missing):
            known[(cell.key, arm)] = {"cell": cell.key, "arm": arm, **row}
            with path.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(known[(cell.key, arm)]) + "\n")
        wanted += [known[(cell.key, arm)] for arm in ["clean", *arms]]
    return wanted


if __name__ == "__main__":
    sys.exit(main())
