"""Which failures to look at: the ones a model was surest of, and the ones that teach most when the models are held side by side."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from goldsmith.evaluate.compare.data import Failure
from goldsmith.evaluate.compare.decisions import SIGNS, margin
from goldsmith.evaluate.compare.texts import prompt_text, reply_text
from goldsmith.evaluate.result import ItemRecord
from goldsmith.evaluate.texts import FailureTexts

MOST_OF_A_KIND = 6
"""Failures of each kind, the surest and the most telling, shown for each model and benchmark."""
MOST_SURPRISE = 1e6
"""A margin of more typical ones is told as this many: a number of any size must fit into JSON."""
SURE = "the model was surest here"
ALL_WRONG = "every model given is wrong: a hard pair, or a doubtful label"
ONLY_THIS = "only this model is wrong"
LONGER, FORMATTED = "the wrong reply is longer", "the wrong reply has more formatting"
SHORTER = "the wrong reply is shorter: not length"
TIED = "both replies score the same"
_WORDS = {1: "right", 0: "tie", -1: "wrong"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One comparison a model did not get right, without texts."""

    item: ItemRecord
    right: int
    """Place of the right reply among the item's."""
    wrong: int
    sign: int
    margin: float
    """Score of the right reply minus that of the wrong one: at most 0; NaN without scores."""
    surprise: float
    """The margin's size in units of the model's typical margin; 0 without scores."""

    @property
    def key(self) -> tuple[str, int, int]:
        """What is compared, the same for every model."""
        return self.item.item_id, self.right, self.wrong


def candidates(items: Iterable[ItemRecord]) -> list[Candidate]:
    """Return the worst wrong or tied comparison of each item, the most surprising first.

    The typical margin is the median of the sizes over the benchmark, so that models of different scale can be shown together.
    """
    margins, raw = [], []
    for item in items:
        own = [margin(item, right, wrong) for right, wrong in item.comparisons]
        margins += own
        failed = [
            (size if np.isfinite(size) else 0.0, place)
            for place, (size, decision) in enumerate(zip(own, item.decisions, strict=True))
            if decision in ("wrong", "tie")
        ]
        if failed:
            place = min(failed)[1]
            raw.append((item, *item.comparisons[place], SIGNS[item.decisions[place]], own[place]))
    sizes = np.abs(np.array(margins, dtype=np.float64))
    sizes = sizes[np.isfinite(sizes) & (sizes > 0)]
    typical = float(np.median(sizes)) if len(sizes) else 1.0
    found = [
        Candidate(
            item=item,
            right=right,
            wrong=wrong,
            sign=sign,
            margin=own,
            surprise=min(abs(own) / typical, MOST_SURPRISE) if np.isfinite(own) else 0.0,
        )
        for item, right, wrong, sign, own in raw
    ]
    return sorted(found, key=lambda candidate: (-candidate.surprise, candidate.item.item_id))


def worth_a_look(
    found: Sequence[Candidate],
    others: Mapping[str, Mapping[tuple[str, int, int], int]],
    with_text: Collection[tuple[str, int, int]],
    *,
    most: int = MOST_OF_A_KIND,
) -> list[tuple[Candidate, list[str]]]:
    """Return the failures of one model on one benchmark to show, with the reasons.

    Args:
        found: the model's failures, the most surprising first.
        others: model -> comparison -> sign, of the other models (no baselines).
        with_text: comparisons that can be read; those that cannot are shown only where these do not suffice.
        most: failures of each kind.
    """
    ordered = sorted(_distinct(found), key=lambda one: one.key not in with_text)
    worst = [(one, [SURE, *_hints(one)]) for one in ordered if one.sign < 0][:most]
    shown = {one.key for one, _ in worst}
    telling = []
    for one in ordered:
        if one.key in shown:
            continue
        reasons = [*_against_others(one, others), *_hints(one)]
        if any(reason in (ALL_WRONG, ONLY_THIS, SHORTER) for reason in reasons):
            telling.append((one, reasons))
    return [*worst, *_varied(telling, most)]


def failure(
    model: str,
    candidate: Candidate,
    reasons: list[str],
    others: Mapping[str, Mapping[tuple[str, int, int], int]],
    text: FailureTexts | None,
) -> Failure:
    """Return the failure as a record, with what is to be read of it."""
    item, scores = candidate.item, candidate.item.scores
    return Failure(
        model=model, benchmark=item.benchmark, subset=item.subset, item_id=item.item_id, source_ref=item.source_ref, reasons=reasons,
        score_right=scores[candidate.right] if scores else None, score_wrong=scores[candidate.wrong] if scores else None,
        surprise=candidate.surprise if scores else None,
        others={name: _WORDS[signs[candidate.key]] for name, signs in others.items() if candidate.key in signs},
        prompt=None if text is None else prompt_text(text.context), right=None if text is None else reply_text(text.better_text),
        wrong=None if text is None else reply_text(text.worse_text),
    )  # fmt: skip


def _distinct(found: Iterable[Candidate]) -> list[Candidate]:
    """Return each two texts once: RMB asks about some pairs in both of its parts."""
    return list({_pair(one): one for one in reversed(list(found))}.values())[::-1]


def _pair(one: Candidate) -> tuple[str, str]:
    return one.item.text_ids[one.right], one.item.text_ids[one.wrong]


def _against_others(candidate: Candidate, others: Mapping[str, Mapping[tuple[str, int, int], int]]) -> list[str]:
    signs = [column[candidate.key] for column in others.values() if candidate.key in column]
    if not signs:
        return []
    if all(sign <= 0 for sign in signs):
        return [ALL_WRONG]
    return [ONLY_THIS] if all(sign > 0 for sign in signs) else []


def _hints(candidate: Candidate) -> list[str]:
    """What the lengths, marks and scores of the two replies suggest."""
    item, right, wrong = candidate.item, candidate.right, candidate.wrong
    hints = [TIED] if candidate.sign == 0 else []
    if item.chars:
        longer = item.chars[wrong] - item.chars[right]
        hints += [LONGER] if longer > 0 else [SHORTER] if longer < 0 else []
    if item.marks and item.marks[wrong] > item.marks[right]:
        hints.append(FORMATTED)
    return hints


def _varied(found: Sequence[tuple[Candidate, list[str]]], most: int) -> list[tuple[Candidate, list[str]]]:
    """Return up to `most`, subsets and reasons taking turns: the first of each kind before the second of any."""
    rank: dict[tuple[str, str], int] = {}
    ranked = []
    for place, (candidate, reasons) in enumerate(found):
        kind = candidate.item.subset, reasons[0]
        rank[kind] = rank.get(kind, -1) + 1
        ranked.append((rank[kind], place))
    return [found[place] for _, place in sorted(ranked)[:most]]
