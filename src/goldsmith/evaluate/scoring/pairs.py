"""Files of pairs and the extras: strict accuracy over labelled pairs. LLMBar's headline is over its own five subsets."""

from __future__ import annotations

from collections.abc import Sequence

from goldsmith.benchdata.extras import LLMBAR, LLMBAR_SUBSETS
from goldsmith.benchdata.item import Item
from goldsmith.evaluate.result import Decision, ItemRecord
from goldsmith.evaluate.scoring.decide import all_right
from goldsmith.evaluate.scoring.groups import ALL, GroupMeans, mean_of, metric, undefined
from goldsmith.evaluate.scoring.rule import Figures, Rule, Settings

_OWN = "LLMBar's own"


def _credit(_item: Item, decisions: Sequence[Decision], _scores: Sequence[float | None]) -> float | None:
    return all_right(decisions)


def _groups(record: ItemRecord) -> list[tuple[str, str]]:
    own = record.benchmark == LLMBAR and record.subset in LLMBAR_SUBSETS
    return [("subset", record.subset)] + ([("set", _OWN)] if own else [])


def _figures(records: Sequence[ItemRecord], means: GroupMeans, _settings: Settings) -> Figures:
    head = _OWN if records and records[0].benchmark == LLMBAR else ALL
    if head not in means:
        return Figures(official=undefined("accuracy", "no labelled pair"))
    rule = "share of labelled pairs whose preferred reply scores strictly higher"
    official = metric(
        "accuracy",
        means[head],
        rule + ("; Natural and the four adversarial sets" if head == _OWN else ""),
        num_prompts=means.num_prompts[head],
    )
    adversarial = [means[name] for name in LLMBAR_SUBSETS if name != "Natural" and name in means]
    metrics = (
        [metric("adversarial, mean of the sets", mean_of(adversarial), from_memory=True)] if head == _OWN and adversarial else []
    )
    return Figures(official=official, metrics=metrics, chance=0.5)


RULE = Rule(credit=_credit, figures=_figures, groups=_groups)
