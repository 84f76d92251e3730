"""PPE Preference: strict accuracy over votes for one of the two models, by language and kind of prompt, and metrics of the models' ranking."""

from __future__ import annotations

from collections.abc import Sequence

from goldsmith.benchdata.item import Item
from goldsmith.evaluate.result import Decision, ItemRecord
from goldsmith.evaluate.scoring.decide import all_right
from goldsmith.evaluate.scoring.groups import ALL, GroupMeans, metric, undefined
from goldsmith.evaluate.scoring.ppe_ranking import ranking_metrics
from goldsmith.evaluate.scoring.rule import Figures, Rule, Settings


def _credit(_item: Item, decisions: Sequence[Decision], _scores: Sequence[float | None]) -> float | None:
    return all_right(decisions)


def _groups(record: ItemRecord) -> list[tuple[str, str]]:
    return [("language", record.subset), *(("prompts", flag) for flag in record.meta.get("flags", ()))]


def _figures(records: Sequence[ItemRecord], means: GroupMeans, settings: Settings) -> Figures:
    rule = "share of votes for one model in which the reply of the winner scores strictly higher; votes for a tie are left out"
    if ALL not in means:
        return Figures(official=undefined("accuracy", "no vote for one of the models", rule))
    official = metric("accuracy", means[ALL], rule, num_prompts=means.num_prompts[ALL])
    return Figures(official=official, metrics=ranking_metrics(records, settings), chance=0.5)


RULE = Rule(credit=_credit, figures=_figures, groups=_groups)
