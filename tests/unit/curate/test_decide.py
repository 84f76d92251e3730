"""The rules of stage 2: by hand, and against a plain implementation that decides one pair at a time."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from goldsmith.config.curate import CurateConfig
from goldsmith.curate.decide import ACTIONS, REASONS, decide, labels, needs_judgement
from goldsmith.curate.evidence import FIRST, NONE, SECOND, Evidence, codes, evidence

ARTICLE, PAPER, STACK = CurateConfig(), CurateConfig(keep_rule="paper"), CurateConfig(keep_rule="stack")


def _known(*rows: dict[str, Any]) -> Evidence:
    def column(name: str, absent: Any) -> list[Any]:
        return [row.get(name, absent) for row in rows]

    stack = [row["stack"] for row in rows if "stack" in row]
    return Evidence(
        label=codes(column("label", None)),
        best=np.array(column("best", 0.5), dtype=np.float64),
        gold=np.array(column("gold", 0.5), dtype=np.float64),
        judged=codes(column("judged", None)),
        judged_p=np.array(column("judged_p", np.nan), dtype=np.float64),
        human=codes(column("human", None)),
        stack=np.array(stack, dtype=np.float64) if stack else None,
    )


def _one(label: str, best: float, gold: float, **more: Any) -> dict[str, Any]:
    return {"label": label, "best": best, "gold": gold, **more}


@pytest.mark.parametrize(
    ("row", "config", "action", "label"),
    [
        (_one("first", 0.9, 0.8), ARTICLE, "keep", "first"),
        (_one("first", 0.9, 0.3), ARTICLE, "flip", "second"),
        # The best RM doubts the label but the gold RM backs it: the article keeps, the paper wants a second supporter.
        (_one("first", 0.2, 0.8), ARTICLE, "keep", "first"),
        (_one("first", 0.2, 0.8), PAPER, "flip", "second"),
        (_one("first", 0.2, 0.8, judged="first"), PAPER, "keep", "first"),
        # Unsure, and the LLM says otherwise: relabelled when the gold RM agrees, else recycled.
        (_one("first", 0.2, 0.3, judged="second"), ARTICLE, "relabel", "second"),
        (_one("first", 0.2, 0.8, judged="second"), ARTICLE, "flip", "second"),
        # Confident pairs keep their own label whatever the LLM would say.
        (_one("second", 0.1, 0.2, judged="first"), ARTICLE, "keep", "second"),
        # Exactly even odds are no agreement.
        (_one("first", 0.9, 0.5), ARTICLE, "flip", "second"),
        (_one("tie", 0.9, 0.9), ARTICLE, "drop", "tie"),
        # People have the last word.
        (_one("first", 0.9, 0.9, human="second"), ARTICLE, "relabel", "second"),
        (_one("first", 0.1, 0.1, human="first"), ARTICLE, "keep", "first"),
        (_one("first", 0.1, 0.1, human="tie"), ARTICLE, "drop", "tie"),
        (_one("tie", 0.1, 0.1, human="second"), ARTICLE, "relabel", "second"),
        # The stack: kept above 0.6, flipped below 0.4, dropped between; the bar itself is not above the bar.
        (_one("first", 0.1, 0.1, stack=0.61), STACK, "keep", "first"),
        (_one("first", 0.9, 0.9, stack=0.6), STACK, "drop", "first"),
        (_one("first", 0.9, 0.9, stack=0.39), STACK, "flip", "second"),
        (_one("second", 0.9, 0.9, stack=0.39), STACK, "keep", "second"),
        (_one("second", 0.9, 0.9, stack=0.61), CurateConfig(keep_rule="stack", recycle="none"), "drop", "second"),
        (_one("tie", 0.9, 0.9, stack=0.99), STACK, "drop", "tie"),
        (_one("first", 0.9, 0.9, stack=0.9, human="second"), STACK, "relabel", "second"),
    ],
)
def test_decisions_by_hand(row: dict[str, Any], config: CurateConfig, action: str, label: str) -> None:
    decided = decide(_known(row), config)
    assert (ACTIONS[decided.action[0]], labels(decided.label_after)[0]) == (action, label)


@pytest.mark.parametrize(
    ("best", "gold", "recycle", "action"),
    [(0.9, 0.3, "all", "flip"), (0.9, 0.3, "consistent", "drop"), (0.2, 0.3, "consistent", "flip"), (0.2, 0.3, "none", "drop")],
)
def test_recycling_rules(best: float, gold: float, recycle: str, action: str) -> None:
    decided = decide(_known(_one("first", best, gold)), CurateConfig(recycle=recycle))  # type: ignore[arg-type]
    assert ACTIONS[decided.action[0]] == action


def test_without_a_stack_the_rule_stack_changes_no_label_and_says_so() -> None:
    decided = decide(_known(_one("first", 0.1, 0.1), _one("second", 0.9, 0.9), _one("tie", 0.5, 0.5)), STACK)
    assert [ACTIONS[code] for code in decided.action] == ["keep", "keep", "drop"]
    assert labels(decided.label_after) == ["first", "second", "tie"]
    assert "stays as it came" in REASONS[decided.reason[0]]


@pytest.mark.parametrize("rule", ["article", "paper"])
def test_without_a_gold_rm_to_go_by_the_other_rules_change_no_label_either(rule: str) -> None:
    config = CurateConfig(keep_rule=rule, recycle="all")  # type: ignore[arg-type]
    # A gold RM at even odds agrees with no label: by the rule alone, all three would be turned round.
    known = _known(_one("first", 0.1, 0.5), _one("second", 0.9, 0.5), _one("tie", 0.5, 0.5))
    decided = decide(known, config, gold_stands=False)
    assert [ACTIONS[code] for code in decided.action] == ["keep", "keep", "drop"]
    assert labels(decided.label_after) == ["first", "second", "tie"]
    assert "stays as it came" in REASONS[decided.reason[0]]


OTHER = {"first": "second", "second": "first"}


def _alone(row: dict[str, Any], config: CurateConfig) -> tuple[str, str, str, str]:
    """The rules of the contracts for one pair, word by word: action, label, rule, reason."""
    label, judged, human = row["label"], row["judged"], row["human"]

    def p(model: str, side: str) -> float:
        return float(row[model] if side == "first" else 1 - row[model])

    if human == "tie":
        return "drop", "tie", "human", "people call it a tie"
    if human is not None:
        return ("keep" if human == label else "relabel"), human, "human", "gold"
    if label == "tie":
        return "drop", "tie", "tie", "a tie is never trained on"
    unsure = not p("best", label) > config.confident_above
    candidate = judged if unsure and judged else label
    keeps = p("gold", candidate) > 0.5
    if config.keep_rule == "paper":
        keeps = keeps and (judged == candidate or p("best", candidate) > 0.5)
    if keeps:
        reason = ("judged" if judged else "unsure, no judgement") if unsure else "confident"
        return ("keep" if candidate == label else "relabel"), candidate, f"{config.keep_rule}-keep", reason
    turned, failed = OTHER[label], f"failed {config.keep_rule}-keep"
    consistent = p("gold", turned) > 0.5 and (p("best", turned) > 0.5 or judged == turned)
    if config.recycle == "all" or (config.recycle == "consistent" and consistent):
        return "flip", turned, f"recycle-{config.recycle}", failed
    return "drop", label, f"recycle-{config.recycle}", failed


@pytest.mark.parametrize("keep_rule", ["article", "paper"])
@pytest.mark.parametrize("recycle", ["all", "consistent", "none"])
@pytest.mark.parametrize("confident_above", [0.0, 0.5, 0.8])
def test_arrays_decide_like_the_rules_told_pair_by_pair(keep_rule: str, recycle: str, confident_above: float) -> None:
    config = CurateConfig.model_validate({"keep_rule": keep_rule, "recycle": recycle, "confident_above": confident_above})
    odds = (0.0, 0.2, 0.5, 0.7, 0.9)
    rows = [
        {"label": label, "best": best, "gold": gold, "judged": judged, "human": human}
        for label, best, gold, judged, human in itertools.product(
            ("first", "second", "tie"), odds, odds, (None, "first", "second"), (None, "first", "second", "tie")
        )
    ]
    decided = decide(_known(*rows), config)
    after = labels(decided.label_after)
    found = [
        (ACTIONS[decided.action[at]], after[at], decided.rules[decided.rule[at]], REASONS[decided.reason[at]])
        for at in range(len(rows))
    ]
    assert found == [_alone(row, config) for row in rows]


@pytest.mark.parametrize("config", [ARTICLE, PAPER, STACK])
def test_swapping_the_sides_swaps_the_decision(config: CurateConfig) -> None:
    odds = (0.1, 0.4, 0.6, 0.9)
    pairs = list(itertools.product(odds, odds, odds))
    one = decide(_known(*(_one("first", best, gold, stack=stack) for best, gold, stack in pairs)), config)
    other = decide(_known(*(_one("second", 1 - best, 1 - gold, stack=1 - stack) for best, gold, stack in pairs)), config)
    assert one.action.tolist() == other.action.tolist()
    assert (one.label_after + other.label_after == FIRST + SECOND).all()


def test_the_confidence_bar_is_strict_and_ties_are_never_judged() -> None:
    known = _known(_one("first", 0.5, 0.5), _one("first", 0.51, 0.5), _one("second", 0.51, 0.5), _one("tie", 0.5, 0.5))
    assert needs_judgement(known, 0.5).tolist() == [True, False, True, False]


def test_evidence_of_plain_columns() -> None:
    # sigmoid(log 3) = 3/4, sigmoid(-log 4) = 1/5.
    known = evidence(["first", "tie"], [np.log(3), 0.0], [-np.log(4), 800.0], judged=["second", None], judged_p=[0.25, None])
    np.testing.assert_allclose(known.best, [0.75, 0.5])
    np.testing.assert_allclose(known.gold, [0.2, 1.0])
    assert known.judged.tolist() == [SECOND, NONE]
    assert np.isnan(known.judged_p[1])


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"best_margin": [np.nan]}, "best_margin of row 0 is not finite"),
        ({"gold_margin": [1.0, 2.0]}, "gold_margin has shape"),
        ({"judged_p": [1.5]}, "judged_p lies outside 0 to 1 in row 0"),
        ({"stack": [-0.1]}, "stack lies outside 0 to 1 in row 0"),
    ],
)
def test_evidence_refuses_what_is_no_evidence(more: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        evidence(**{"label": ["first"], "best_margin": [0.0], "gold_margin": [0.0], **more})
