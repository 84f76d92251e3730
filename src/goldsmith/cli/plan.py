"""`goldsmith plan`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from goldsmith.cli.output import emit, json_option, workspace_option

if TYPE_CHECKING:
    from goldsmith.curate.budget import BudgetPlan
    from goldsmith.curate.learning_curve import Gain


@click.command()
@workspace_option
@click.option("--labels", type=click.IntRange(min=1), default=100, show_default=True, help="Human labels asked about.")
@click.option(
    "--money",
    type=click.FloatRange(min=0),
    default=10.0,
    show_default=True,
    help="Money for LLM calls, by the prices configured.",
)
@json_option
def command(workspace: str, labels: int, money: float, as_json: bool) -> None:
    """Say what the next human labels and LLM calls are expected to bring, with intervals, and where to put them."""
    from goldsmith.curate.budget import plan
    from goldsmith.progress import ConsoleProgress
    from goldsmith.store import Workspace

    with ConsoleProgress() as progress:
        found = plan(Workspace(workspace), labels=labels, money=money, progress=progress)
    emit(found.to_dict(), _told(found), as_json)


def _told(found: BudgetPlan) -> str:
    lines = [
        f"{found.human_labels} more human labels (gold has {found.gold_pairs}): {_gain(found.human)} of the gold RM on unseen prompts",
        *(f"  with {size:>6,} gold pairs {100 * value:.1f} %" for size, value in found.curve.items()),
    ]
    price = (
        f"at most {found.price_per_pair:.4f} a pair"
        if found.price_per_pair
        else "no price is configured, so as many as there are"
    )
    lines.append(
        f"{found.money:g} of money for LLM calls ({price}: {found.llm_pairs:,} pairs): {_gain(found.llm)} of the pool's decisions"
    )
    if found.places:
        lines.append(f"where labels are most doubtful (probabilities: {found.probabilities}):")
        lines += [
            f"  {place.expected_wrong:>8.1f} of {place.pairs:>7,} labels likely wrong  {place.task}" for place in found.places
        ]
        lines.append(
            f"ask people first about {', '.join(name[:10] for name in found.ask_first[:3])} ...; --json lists {len(found.ask_first)}"
        )
    return "\n".join(lines)


def _gain(gain: Gain) -> str:
    if gain.value is None or gain.low is None or gain.high is None:
        return f"cannot tell ({gain.reason}): accuracy"
    interval = f"{100 * gain.value:+.1f} points ({100 * gain.low:+.1f} to {100 * gain.high:+.1f})"
    return f"{interval}, {gain.verdict}{' (' + gain.reason + ')' if gain.reason else ''}: accuracy"
