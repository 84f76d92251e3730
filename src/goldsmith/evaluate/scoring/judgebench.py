"""JudgeBench: one pass for scores (equality is read as B>A), two games for judges; the mean over pairs, and over categories for the paper."""

from __future__ import annotations

from collections.abc import Sequence

from goldsmith.benchdata.item import Item
from goldsmith.benchdata.judgebench import EXPECTED, LEADERBOARD_SPLIT
from goldsmith.evaluate.result import Decision, ItemRecord
from goldsmith.evaluate.scoring.decide import all_right
from goldsmith.evaluate.scoring.groups import ALL, GroupMeans, Term, mean_of, metric, partial, undefined
from goldsmith.evaluate.scoring.rule import Figures, Rule, Settings

CATEGORIES = tuple(EXPECTED[LEADERBOARD_SPLIT])
_SPLIT, _STRICT = "split ", "strict"


def single_game(decision: Decision, label_is_second: bool) -> float | None:
    """Return 1 when the decision is the label, where equal scores mean B>A; None without a decision.

    Args:
        decision: of the comparison, by strict comparison of scores.
        label_is_second: the label is B>A.
    """
    if decision == "failed":
        return None
    return float(decision == "right" or (decision == "tie" and label_is_second))


def _credit(item: Item, decisions: Sequence[Decision], scores: Sequence[float | None]) -> float | None:
    if not scores:
        return all_right(decisions)
    return single_game(decisions[0], label_is_second=item.good[1])


def _groups(record: ItemRecord) -> list[tuple[str, str]]:
    return [("category", record.subset), ("split", f"{_SPLIT}{record.meta['split']}")]


def _strict_terms(records: Sequence[ItemRecord]) -> list[Term]:
    return [
        Term(group=_STRICT, cluster=record.prompt_id, value=float(record.decisions[0] == "right"))
        for record in records
        if record.meta["split"] == LEADERBOARD_SPLIT
    ]


def _figures(_records: Sequence[ItemRecord], means: GroupMeans, _settings: Settings) -> Figures:
    board, prompts = f"{_SPLIT}{LEADERBOARD_SPLIT}", means.num_prompts.get(ALL, 0)
    rule = "right over all pairs of the gpt split"
    official = (
        metric("overall", means[board], rule, num_prompts=prompts)
        if board in means
        else undefined("overall", "no pair of the gpt split", rule)
    )
    paper, more = partial(
        "macro", means.of(CATEGORIES), CATEGORIES, "mean of the four categories of the gpt split", num_prompts=prompts
    )
    metrics = [*more]
    if _STRICT in means:
        metrics.append(
            metric("two games", means[_STRICT], "equal scores are wrong: a pair counts when it is right in both orders together")
        )
    claude = {name: means[f"claude/{name}"] for name in CATEGORIES if f"claude/{name}" in means}
    if f"{_SPLIT}claude" in means:
        metrics.append(metric("claude split", means[f"{_SPLIT}claude"], "right over all pairs of the claude split"))
        if len(claude) == len(CATEGORIES):
            metrics.append(metric("claude split, macro", mean_of(claude.values()), "mean of its four categories"))
    return Figures(official=official, paper=paper, metrics=metrics, chance=0.5)


RULE = Rule(credit=_credit, figures=_figures, groups=_groups, more_terms=_strict_terms)
