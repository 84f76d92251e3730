"""What to do next: one short piece of advice for each thing that held this run back."""

from __future__ import annotations

from math import ceil

from goldsmith.evaluate.report import text as say
from goldsmith.evaluate.report.data import ReportData
from goldsmith.evaluate.statistics import Estimate

ENOUGH_GOLD = 300
"""Gold pairs from which a fifth (validation) gives an interval narrower than about 25 points."""
MANY_CONTEXTS = 100_000
"""Prompts above which "evaluate on more" is no practical advice."""


def advice(data: ReportData) -> list[str]:
    """Return what to do next, the most useful first."""
    missing = missing_stages(data)
    lines = [f"Not run yet: {say.enumerate_words(missing)}. `goldsmith run` continues where this run stopped."] if missing else []
    if data.judges is not None and data.judges.none_beats_chance:
        lines.append(
            "Give the run a stronger judge: name a larger model under `llm.endpoints`, or a file of recorded verdicts under "
            "`judge.recorded`. Until one beats chance, only people and reward models decide."
        )
    if data.gold is not None and data.gold.num_pairs < ENOUGH_GOLD:
        lines.append(
            f"Get more human votes: gold has {say.plural(data.gold.num_pairs, 'pair')}. They train the gold RM, choose the best round "
            "and test every judge, so this is where a vote counts most."
        )
    if data.gold is not None and data.gold.alpha_first is not None and data.gold.alpha_first.outcome != "pass":
        lines.append(
            "Look at the disputed pairs before asking for more votes: unclear guidelines are the usual cause of low agreement."
        )
    if data.final is not None and data.final.pooled_difference is not None:
        lines += _more_evaluation(data.final.pooled_difference)
    if not missing and not lines:
        lines.append(
            "Read a few decisions below with `goldsmith why PAIR_ID`, then train the final model on the curated pairs at full size."
        )
    return lines


def missing_stages(data: ReportData) -> list[str]:
    """Return the stages that left nothing to report, in the order of the flow."""
    parts = (
        ("pool", data.funnel),
        ("attributes", data.coverage),
        ("gold", data.gold),
        ("judge tests", data.judges),
        ("rounds", data.rounds),
        ("stage 2", data.stage2),
        ("evaluation", data.final),
    )
    return [name for name, part in parts if not part]


def _more_evaluation(difference: Estimate) -> list[str]:
    """How many prompts would show a difference of this size, where the interval is too wide for it."""
    if difference.excludes_zero or not difference.value or difference.low is None or difference.high is None:
        return []
    half = (difference.high - difference.low) / 2
    # The interval's width falls with the root of the number of prompts.
    needed = ceil(difference.num_contexts * (half / abs(difference.value)) ** 2)
    if needed > MANY_CONTEXTS:
        return ["The difference between raw and curated is so close to 0 that no evaluation of practical size would show it."]
    return [
        f"Evaluate on more prompts: if the difference really is {say.points(difference.value)}, about {say.count(_round_up(needed))} prompts "
        f"would be needed to tell it from 0 (this run had {say.count(difference.num_contexts)}); more noise to clean, or more gold, would make it larger."
    ]


def _round_up(number: int) -> int:
    """Return `number` rounded up to two leading digits."""
    unit: int = 10 ** max(0, len(str(number)) - 2)
    return ceil(number / unit) * unit
