"""The tables of a run, in Markdown."""

from __future__ import annotations

from typing import Any

from curation_parts.data import MAIN_TEST
from curation_parts.outcomes import LONGER


def table(summary: dict[str, Any]) -> list[str]:
    """Return the tables in Markdown."""
    lines = []
    for setting, found in summary.items():
        tests = list(found["longer"])
        lines += [f"## {setting}", "", _power_line(found["power"][MAIN_TEST]), ""]
        lines += [
            "| arm | " + " | ".join(tests) + " | from raw | recovered share | median | labels |",
            "|---|" + "---|" * (len(tests) + 4),
        ]
        lines.append(f"| {LONGER} | " + " | ".join(_percent(found["longer"][test]) for test in tests) + " | | | | |")
        for arm, one in found["arms"].items():
            cells = " | ".join(_percent(one["accuracy"][test]) for test in tests)
            share = one["share"]
            told = "| |" if share is None else f"{_interval(share)} | {_or_dash(share['median'])} |"
            lines.append(f"| {arm} | {cells} | {_points(one['from_raw'])} | {told} {one['labels']} |")
        lines += ["", *_versus_lines(found), *_quality_lines(found), ""]
    return lines


def retrieval_table(needed: dict[str, dict[str, dict[str, float | None]]]) -> list[str]:
    """Return what asking elsewhere than at random spares, in Markdown; empty where no setting has enough budgets."""
    if not needed:
        return []
    lines = ["## Human labels for the accuracy that labels at random reach", ""]
    lines += ["| setting | way of asking | labels for each label at random | points for twice the labels |", "|---|---|---|---|"]
    return lines + [
        f"| {setting} | {arm} | {_labels(one)} | {100 * (one['gain'] or 0.0):+.1f} |"
        for setting, arms in needed.items()
        for arm, one in arms.items()
    ]


def _labels(one: dict[str, float | None]) -> str:
    value, low, high = ("no bound" if one[name] is None else f"{one[name]:.2f}" for name in ("value", "low", "high"))
    return f"{value} ({low} to {high})"


def _power_line(power: dict[str, float]) -> str:
    told = (
        ""
        if power["to_recover"] > power["detectable"]
        else "; what there is to recover is smaller, so this setting answers nothing"
    )
    return (
        f"Power: {power['pairs']:.0f} test pairs of {power['prompts']:.0f} prompts show differences of {100 * power['detectable']:.1f} points; "
        f"clean - raw is {100 * power['to_recover']:.1f}{told}."
    )


def _versus_lines(found: dict[str, Any]) -> list[str]:
    if not found["against_peers"]:
        return []
    against = found["against_peers"]
    ranked = sorted(against["difference"].items(), key=lambda item: -item[1]["value"])[:3]
    told = "; ".join(f"{arm} {_points(value)}" for arm, value in ranked)
    lines = [f"Against the best peer ({against['peer']}): {told}."]
    return lines + [f"Below raw and clean: {arm} on {test}, {_points(value)}." for arm, test, value in found["below"]]


def _quality_lines(found: dict[str, Any]) -> list[str]:
    told = [
        f"- {arm}: " + ", ".join(f"{name.replace('_', ' ')} {_or_dash(value)}" for name, value in one["quality"].items())
        for arm, one in found["arms"].items()
        if one["quality"]
    ]
    return ["", "Decisions, median over seeds:", "", *told] if told else []


def _or_dash(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _percent(estimate: dict[str, float]) -> str:
    return f"{100 * estimate['value']:.1f}"


def _points(estimate: dict[str, float]) -> str:
    return f"{100 * estimate['value']:+.1f} ({100 * estimate['low']:+.1f} to {100 * estimate['high']:+.1f})"


def _interval(estimate: dict[str, float]) -> str:
    return f"{estimate['value']:.2f} ({estimate['low']:.2f} to {estimate['high']:.2f})"
