"""`goldsmith plan`: what the next human labels and the next money for LLM calls are expected to bring, and where to put them.

People: gold RMs refitted with fewer gold pairs, and the line through their accuracies. LLM calls: on gold pairs that the judges were tested
on, how much more often the stack is right with their verdicts than without, times the share of the pool the money would reach. Both come
with intervals, and with `cannot tell` where they hold zero.
"""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from goldsmith.config import GoldsmithConfig
from goldsmith.curate.context import Context
from goldsmith.curate.evidence import FIRST
from goldsmith.curate.learning_curve import Gain, gain_between, gain_of_more, learning_curve
from goldsmith.curate.stack import Gold, fit_stack
from goldsmith.errors import UserError
from goldsmith.evaluate.statistics import paired_difference
from goldsmith.progress import Progress
from goldsmith.store import Workspace

FEWEST_JUDGED = 20
SHOWN = 5
NEEDED = ("gold", "gold_scores", "decisions")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A kind of task, and how much there is to win in it.

    Attributes:
        task: the task.
        pairs: pool pairs of it that people did not see.
        expected_wrong: labels of theirs expected to be wrong after curation: the sum of 1 - max(p, 1 - p).
    """

    task: str
    pairs: int
    expected_wrong: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetPlan:
    """The answer.

    Attributes:
        human_labels: labels asked about.
        gold_pairs: decided gold pairs outside the audit part.
        curve: number of gold pairs to held-out accuracy of the gold RM.
        human: expected rise of that accuracy.
        money: asked about.
        price_per_pair: of one pair's judgement by all models, in money; 0: it costs none.
        llm_pairs: pairs the money would judge, of those not judged yet.
        llm: expected rise of the share of pool pairs decided rightly.
        places: where most labels are expected to be wrong, the worst first.
        probabilities: `calibrated` under the rule `stack`, else `best RM`, which may be too sure.
        ask_first: ids of the pairs that people should see first.
    """

    human_labels: int
    gold_pairs: int
    curve: dict[int, float] = field(default_factory=dict)
    human: Gain
    money: float
    price_per_pair: float
    llm_pairs: int
    llm: Gain
    places: list[Place]
    probabilities: str
    ask_first: list[str]

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as JSON values."""
        return asdict(self)


def plan(workspace: Workspace, *, labels: int = 100, money: float = 10.0, progress: Progress | None = None) -> BudgetPlan:
    """Return what more labels and more money are expected to bring.

    Args:
        workspace: in which stage 2 was done.
        labels: human labels asked about.
        money: for LLM calls, by the prices in the configuration.
        progress: where bars are drawn.

    Raises:
        UserError: stage 2 was not done yet.
    """
    from goldsmith.curate.gold_evidence import gold_evidence

    missing = [name for name in NEEDED if not workspace.table(name).exists]
    if missing:
        raise UserError(
            f"{workspace.root}: no table '{missing[0]}' yet, so there is nothing to learn from; `goldsmith run` first"
        )
    context = Context(workspace, (workspace.runs() or [workspace.root])[-1], progress or Progress())
    try:
        gold = workspace.table("gold").rows()
        decided = [row for row in gold if row["split"] != "audit" and row["label"] != "tie"]
        curve = _curve(context, decided)
        price = price_of_a_pair(workspace.config)
        unjudged, judged_share = _unjudged(workspace, {row["pair_id"] for row in gold})
        reach = min(unjudged, int(money / price)) if price else unjudged
        worth = worth_of_judges(gold_evidence(context, gold), context.seed)
        places, ask_first = _places(workspace, {row["pair_id"] for row in gold}, labels)
        return BudgetPlan(
            human_labels=labels, gold_pairs=len(decided),
            curve={} if curve is None else {round(float(size)): value for size, value in zip(curve.sizes, curve.accuracy, strict=True)},
            human=gain_of_more(curve, labels, len(decided), context.seed), money=money, price_per_pair=price, llm_pairs=reach,
            llm=_scaled(worth, reach / max(1, judged_share)), places=places,
            probabilities="calibrated" if workspace.config.curate.keep_rule in ("stack", "joint") else "best RM", ask_first=ask_first,
        )  # fmt: skip
    finally:
        context.close()


def price_of_a_pair(config: GoldsmithConfig) -> float:
    """Return the price of one pair's judgement: every model, every sample, with as long a prompt and reply as it is allowed."""
    from goldsmith.judge.judges import PROMPT_TOKENS
    from goldsmith.judge.protocol import MAX_REPLY_TOKENS

    each = (
        (endpoint.prompt_tokens or PROMPT_TOKENS) * endpoint.price_prompt_per_million
        + MAX_REPLY_TOKENS * endpoint.price_completion_per_million
        for endpoint in config.llm.endpoints
    )
    return config.judge.samples * sum(each) / 1e6


def worth_of_judges(known: Gold, seed: int) -> Gain:
    """Return how much more often the stack is right on a pair when it has the judges' verdict, on held-out gold with verdicts.

    Args:
        known: evidence on gold; pairs without a verdict help both stacks alike and are not measured on.
        seed: of folds and resampling.
    """
    judged = ~np.isnan(known.judged_p)
    if int(judged.sum()) < FEWEST_JUDGED:
        reason = f"{int(judged.sum())} gold pairs have a verdict of a judge in use; {FEWEST_JUDGED} are needed"
        return Gain(value=None, low=None, high=None, verdict="cannot tell", reason=reason)
    silent = dataclasses.replace(known, judged_p=np.full(len(known), np.nan))
    right = [((fit_stack(one, seed).held_out > 0.5) == (known.truth == FIRST))[judged].astype(float) for one in (known, silent)]
    contexts = [name for name, use in zip(known.contexts, judged, strict=True) if use]
    found = paired_difference(right[0], right[1], contexts, seed=seed)
    if found.low is None or found.high is None:
        return Gain(value=found.value, low=None, high=None, verdict="cannot tell", reason=found.reason)
    return gain_between(found.value, found.low, found.high)


def _curve(context: Context, decided: Sequence[dict[str, Any]]) -> Any:
    from goldsmith.curate.rewards import pair_features

    first, second = pair_features(context, decided, context.config.reward.readout)
    return learning_curve(
        first,
        second,
        [row["label"] == "first" for row in decided],
        [row["context_id"] for row in decided],
        context.config.head.l2,
        context.seed,
    )


def _unjudged(workspace: Workspace, seen: set[str]) -> tuple[int, int]:
    """Pool pairs without a judgement that people did not see either, and all pool pairs."""
    judgements = workspace.table("judgements_stage2")
    judged = {row["pair_id"] for row in judgements.rows(["pair_id"])} if judgements.exists else set()
    num = total = 0
    for batch in workspace.table("decisions").batches(["pair_id"]):
        total += batch.num_rows
        num += sum(name not in judged and name not in seen for name in batch.column(0).to_pylist())
    return num, total


def _scaled(gain: Gain, share: float) -> Gain:
    """The gain over the whole pool when a share of it gets a verdict."""
    if gain.value is None or gain.low is None or gain.high is None:
        return gain
    return dataclasses.replace(gain, value=gain.value * share, low=gain.low * share, high=gain.high * share)


def _places(workspace: Workspace, seen: set[str], labels: int) -> tuple[list[Place], list[str]]:
    attributes = workspace.table("attributes")
    tasks = {row["pair_id"]: row["task"] for row in attributes.rows(["pair_id", "task"])} if attributes.exists else {}
    wrong: defaultdict[str, float] = defaultdict(float)
    pairs: Counter[str] = Counter()
    doubt: list[tuple[float, str]] = []
    for batch in workspace.table("decisions").batches(["pair_id", "p_first", "label_before"]):
        for row in batch.to_pylist():
            if row["pair_id"] in seen or row["label_before"] == "tie" or row["p_first"] is None:
                continue
            task, left = tasks.get(row["pair_id"], "unknown"), min(row["p_first"], 1.0 - row["p_first"])
            wrong[task] += left
            pairs[task] += 1
            doubt.append((-left, row["pair_id"]))
    worst = sorted(wrong, key=lambda task: (-wrong[task], task))[:SHOWN]
    return [Place(task=task, pairs=pairs[task], expected_wrong=float(wrong[task])) for task in worst], [
        name for _, name in sorted(doubt)[:labels]
    ]
