"""Which picture shows what: one function for each section of the report, data in, picture out (None without data)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from goldsmith.evaluate.report.charts import BLUE, GREEN, GREY, ORANGE, PURPLE, RED, SKY, Picture, ordered, picture, rows_height
from goldsmith.evaluate.report.data import ACTIONS, Batch, Coverage, Final, Gold, Judges, Margins, Round, Stage2, Step
from goldsmith.evaluate.report.shapes import forest, histogram_figure, marked_line, stacked
from goldsmith.evaluate.statistics import Estimate

MODEL_TITLES = {
    "curated": "trained on curated pairs",
    "raw": "trained on the raw pool",
    "final": "final model",
    "best RM": "best RM of stage 1",
    "longer": "the longer reply wins",
}
_MODEL_COLOURS = {"final": RED, "curated": BLUE, "raw": ORANGE, "best RM": GREEN, "gold RM": PURPLE, "longer": GREY}
_MODEL_SHAPES = {
    "final": "triangle-right", "curated": "circle", "raw": "square", "best RM": "triangle-up", "gold RM": "diamond", "longer": "cross",
}  # fmt: skip
_SPARE = [SKY, "#F0E442", GREY]
ACTION_TITLES = {"keep": "kept", "relabel": "relabelled", "flip": "turned round", "drop": "dropped"}
_ACTION_COLOURS = {"keep": BLUE, "relabel": GREEN, "flip": ORANGE, "drop": GREY}
MAX_TASKS = 18
"""Tasks shown one by one; the rest are summed up in one row."""


def model_title(name: str) -> str:
    """Return how a model is called in words."""
    return MODEL_TITLES.get(name, name)


def accuracy_figure(final: Final | None) -> Picture | None:
    """Every model on every set, with intervals, beside the longer reply."""
    if final is None or not final.sets:
        return None
    rows = [row for result in final.sets for row in _accuracy_rows(result.name, {**result.models, "longer": result.longer})]
    if not rows:
        return None
    names = ordered([row["key"] for row in rows])
    titles = [model_title(name) for name in names]
    spare = iter(_SPARE * len(names))
    colours = [_MODEL_COLOURS.get(name) or next(spare) for name in names]
    shapes = [_MODEL_SHAPES.get(name, "cross") for name in names]

    def make(alt: Any, is_narrow: bool) -> Any:
        base = alt.Chart(alt.InlineData(rows)).encode(
            y=alt.Y("set:N", sort=ordered([row["set"] for row in rows]), title=None, axis=alt.Axis(grid=False)),
            yOffset=alt.YOffset("model:N", sort=titles),
            color=alt.Color("model:N", scale=alt.Scale(domain=titles, range=colours)),
        )
        scale = alt.Scale(zero=False, nice=True)
        bars = base.mark_rule(strokeWidth=2.5).encode(
            x=alt.X("low:Q", scale=scale, title="accuracy, %", axis=alt.Axis(tickCount=5 if is_narrow else 9)), x2="high:Q"
        )
        dots = base.mark_point(size=75, filled=True, opacity=1).encode(
            x=alt.X("value:Q", scale=scale), shape=alt.Shape("model:N", scale=alt.Scale(domain=titles, range=shapes))
        )
        num_sets = len({row["set"] for row in rows})
        return (marked_line(alt, 50.0) + bars + dots).properties(height=rows_height(num_sets, 14 * len(names) + 14))

    alternative = "; ".join(f"{row['set']}, {row['model']}: {row['value']:.1f} %" for row in rows)
    return picture(make, f"Accuracy of each model on each set. {alternative}.")


def _accuracy_rows(name: str, models: dict[str, Estimate]) -> list[dict[str, Any]]:
    """Chart rows, in percent; a model without a value has none."""
    order = {"final": -1, "curated": 0, "raw": 1, "longer": 9}
    return [
        {"set": name, "key": key, "model": model_title(key), **_interval_row(estimate)}
        for key, estimate in sorted(models.items(), key=lambda item: (order.get(item[0], 5), item[0]))
        if estimate.value is not None
    ]


def _interval_row(estimate: Estimate) -> dict[str, float]:
    value = 100 * (estimate.value or 0.0)
    return {
        "value": value,
        "low": value if estimate.low is None else 100 * estimate.low,
        "high": value if estimate.high is None else 100 * estimate.high,
    }


def difference_figure(final: Final | None) -> Picture | None:
    """Curated minus raw on each set and over all, against the line of no gain."""
    if final is None:
        return None
    named = [(result.name, result.difference) for result in final.sets] + [("all sets", final.pooled_difference)]
    rows = [
        {"set": name, "all": name == "all sets", **_interval_row(e)} for name, e in named if e is not None and e.value is not None
    ]
    if not rows:
        return None
    return forest(
        rows, "set", "curated minus raw, points of accuracy", 0.0,
        "Difference between the model trained on curated pairs and the one trained on the raw pool, with 95 % intervals. "
        + "; ".join(f"{row['set']}: {row['value']:+.1f} points ({row['low']:+.1f} to {row['high']:+.1f})" for row in rows) + ".",
    )  # fmt: skip


def funnel_figure(steps: Sequence[Step]) -> Picture | None:
    """What each step kept, dropped and failed on."""
    if not steps:
        return None
    fates = ("kept", "dropped", "failed")
    numbers = [(step.name, (step.kept, sum(step.dropped.values()), sum(step.failed.values()))) for step in steps]
    rows = [
        {"step": name, "fate": fate, "order": place, "pairs": value}
        for name, values in numbers
        for place, (fate, value) in enumerate(zip(fates, values, strict=True))
        if value
    ]
    alternative = "; ".join(f"{name}: {v[0]:,} kept, {v[1]:,} dropped, {v[2]:,} failed" for name, v in numbers)
    return stacked(
        rows, "step", [s.name for s in steps], "fate", list(fates), [BLUE, ORANGE, RED], "pairs", f"Pairs by step. {alternative}."
    )


def coverage_figure(coverage: Coverage | None) -> Picture | None:
    """Pairs by task, objectivity and controversiality."""
    if coverage is None or not coverage.cells:
        return None
    tasks = top_tasks(_by_task(coverage))
    cells: dict[tuple[str, str], int] = {}
    for cell in coverage.cells:
        key = (
            cell.task if cell.task in tasks else "all other tasks",
            f"{cell.objectivity.removesuffix('-ended')}|{cell.controversiality}",
        )
        cells[key] = cells.get(key, 0) + cell.num_pairs
    labels = tasks + (["all other tasks"] if any(task == "all other tasks" for task, _ in cells) else [])
    kinds = [f"{o}|{c}" for o in ("factual", "opinion", "open") for c in ("low", "medium", "high")]
    rows = [{"task": task, "kind": kind, "pairs": num} for (task, kind), num in cells.items()]

    def make(alt: Any, is_narrow: bool) -> Any:
        base = alt.Chart(alt.InlineData(rows)).encode(
            y=alt.Y("task:N", sort=labels, title=None),
            x=alt.X(
                "kind:N", sort=kinds, scale=alt.Scale(domain=kinds), title=None,
                axis=alt.Axis(labelExpr="replace(datum.label, '|', ', ')" if is_narrow else "split(datum.label, '|')",
                              labelAngle=-90 if is_narrow else 0, orient="top", domain=False, ticks=False, labelLimit=140,
                              labelFontSize=11, labelPadding=6 if is_narrow else 22),
            ),
        )  # fmt: skip
        cell = base.mark_rect(cornerRadius=2).encode(
            color=alt.Color("pairs:Q", scale=alt.Scale(type="sqrt", scheme="blues", domainMin=0), legend=None)
        )
        most = max(cells.values())
        number = base.mark_text(fontSize=8 if is_narrow else 11).encode(
            text=alt.Text("pairs:Q", format="~s" if is_narrow else ","),
            color=alt.condition(f"sqrt(datum.pairs) > {0.55 * most**0.5}", alt.value("#ffffff"), alt.value("#12263a")),
        )
        return (cell + number).properties(height=rows_height(len(labels), 22))

    most_common = ", ".join(f"{task} {num:,}" for task, num in sorted(_by_task(coverage).items(), key=lambda item: -item[1])[:5])
    return picture(
        make, f"Pairs by task, objectivity and controversiality; {coverage.num_tasks} tasks. Most common: {most_common}."
    )


def _by_task(coverage: Coverage) -> dict[str, int]:
    totals: dict[str, int] = {}
    for cell in coverage.cells:
        totals[cell.task] = totals.get(cell.task, 0) + cell.num_pairs
    return totals


def top_tasks(totals: dict[str, int]) -> list[str]:
    """Return the most frequent tasks, at most `MAX_TASKS`, ties by name."""
    return [task for task, _ in sorted(totals.items(), key=lambda item: (-item[1], item[0]))[:MAX_TASKS]]


def agreement_figure(gold: Gold | None) -> Picture | None:
    """Krippendorff's alpha over all, of the retest and of each batch, against the gate."""
    if gold is None:
        return None
    all_batches = [("first round, all", gold.alpha_first), ("blind retest", gold.alpha_retest)]
    named: list[tuple[str, Batch | None]] = all_batches + [
        (f"batch {batch.batch}", batch) for batch in gold.batches if len(gold.batches) > 1
    ]
    rows = [
        {"batch": name, "all": name == "first round, all", "value": b.alpha, "low": b.alpha if b.low is None else b.low, "high": b.alpha if b.high is None else b.high}
        for name, b in named
        if b is not None and b.alpha is not None
    ]  # fmt: skip
    if not rows:
        return None
    told = "; ".join(f"{row['batch']}: {row['value']:.3f} ({row['low']:.3f} to {row['high']:.3f})" for row in rows)
    return forest(
        rows, "batch", "Krippendorff's alpha", gold.min_alpha, f"Agreement against the gate's {gold.min_alpha:g}. {told}."
    )


def judges_figure(judges: Judges | None) -> Picture | None:
    """Each judge's accuracy on gold against chance."""
    if judges is None:
        return None
    rows = [
        {"judge": t.model, "all": t.used, "value": 100 * t.accuracy, "low": 100 * (t.accuracy if t.low is None else t.low), "high": 100 * (t.accuracy if t.high is None else t.high)}
        for t in judges.tests
        if t.accuracy is not None
    ]  # fmt: skip
    if not rows:
        return None
    told = "; ".join(f"{row['judge']}: {row['value']:.1f} % ({row['low']:.1f} to {row['high']:.1f} %)" for row in rows)
    return forest(rows, "judge", "agreement with gold, %", 50.0, f"Judges against chance (50 %). {told}.")


def rounds_figure(rounds: Sequence[Round], best: int | None) -> Picture | None:
    """Accuracy on gold validation by round."""
    rows = [
        {"round": f"round {r.round}" + (" (best)" if r.round == best else ""), "all": r.round == best, "value": 100 * r.accuracy_validation,
         "low": 100 * (r.accuracy_validation if r.low is None else r.low), "high": 100 * (r.accuracy_validation if r.high is None else r.high)}
        for r in rounds
        if r.accuracy_validation is not None
    ]  # fmt: skip
    if not rows:
        return None
    told = "; ".join(f"{row['round']}: {row['value']:.1f} % ({row['low']:.1f} to {row['high']:.1f} %)" for row in rows)
    return forest(
        rows, "round", "accuracy on gold validation, %", 50.0, f"Accuracy on gold by round; the line is chance. {told}."
    )


def silver_figure(rounds: Sequence[Round]) -> Picture | None:
    """Silver by round and origin of its labels."""
    origins = sorted({origin for item in rounds for origin in item.silver_by_origin})
    palette = dict(zip(origins, [BLUE, ORANGE, GREEN, PURPLE, SKY, GREY] * len(origins), strict=False))
    rows = [
        {"round": f"round {item.round}", "origin": origin, "order": origins.index(origin), "pairs": num}
        for item in rounds
        for origin, num in item.silver_by_origin.items()
    ]
    told = "; ".join(f"{row['round']}, {row['origin']}: {row['pairs']:,}" for row in rows)
    return stacked(
        rows, "round", ordered([f"round {item.round}" for item in rounds]), "origin", origins, list(palette.values()), "silver pairs", f"Silver by round and origin of the label. {told}."
    )  # fmt: skip


def curated_margins_figure(margins: Margins | None) -> Picture | None:
    """How sure the best RM is of the labels that stage 2 left."""
    if margins is None or margins.curated is None:
        return None
    titled = {ACTION_TITLES.get(name, name): counts for name, counts in margins.curated.series.items()}
    return histogram_figure(margins.curated.model_copy(update={"series": titled}), "curated pairs", margins.pool)


def decisions_figure(stage2: Stage2 | None) -> Picture | None:
    """Decisions by task, or over all when tasks are not known."""
    if stage2 is None or not stage2.by_action:
        return None
    by_task = stage2.by_task or {"all pairs": stage2.by_action}
    tasks = top_tasks({task: sum(actions.values()) for task, actions in by_task.items()})
    rest = [actions for task, actions in by_task.items() if task not in tasks]
    shown = {task: by_task[task] for task in tasks}
    if rest:
        shown["all other tasks"] = {action: sum(actions.get(action, 0) for actions in rest) for action in ACTIONS}
    rows = [
        {"task": task, "action": ACTION_TITLES[action], "order": ACTIONS.index(action), "pairs": actions[action]}
        for task, actions in shown.items()
        for action in ACTIONS
        if actions.get(action)
    ]
    told = "; ".join(f"{ACTION_TITLES.get(action, action)} {num:,}" for action, num in stage2.by_action.items())
    titles, colours = [ACTION_TITLES[action] for action in ACTIONS], [_ACTION_COLOURS[action] for action in ACTIONS]
    return stacked(
        rows,
        "task",
        list(shown),
        "action",
        titles,
        colours,
        "pool pairs",
        f"Decisions by task. Over all: {told}.",
        with_totals=True,
    )
