import pytest

from goldsmith.config.curate import CurateConfig
from goldsmith.curate.recycle import Opinions, decide, needs_judgement

ARTICLE, PAPER = CurateConfig(), CurateConfig(keep_rule="paper")


def _opinions(label: str, best: float, gold: float, **more: object) -> Opinions:
    return Opinions(pair_id="p", label=label, p_first_best=best, p_first_gold=gold, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("opinions", "config", "action", "label"),
    [
        (_opinions("first", 0.9, 0.8), ARTICLE, "keep", "first"),
        (_opinions("first", 0.9, 0.3), ARTICLE, "flip", "second"),
        # The best RM doubts the label but the gold RM backs it: the article keeps, the paper wants a second supporter.
        (_opinions("first", 0.2, 0.8), ARTICLE, "keep", "first"),
        (_opinions("first", 0.2, 0.8), PAPER, "flip", "second"),
        (_opinions("first", 0.2, 0.8, judged="first"), PAPER, "keep", "first"),
        # Unsure, and the LLM says otherwise: relabelled when the gold RM agrees, else recycled.
        (_opinions("first", 0.2, 0.3, judged="second"), ARTICLE, "relabel", "second"),
        (_opinions("first", 0.2, 0.8, judged="second"), ARTICLE, "flip", "second"),
        # Confident pairs keep their own label whatever the LLM would say.
        (_opinions("second", 0.1, 0.2, judged="first"), ARTICLE, "keep", "second"),
        # Exactly even odds are no agreement.
        (_opinions("first", 0.9, 0.5), ARTICLE, "flip", "second"),
        (_opinions("tie", 0.9, 0.9), ARTICLE, "drop", "tie"),
        # People have the last word.
        (_opinions("first", 0.9, 0.9, human="second"), ARTICLE, "relabel", "second"),
        (_opinions("first", 0.1, 0.1, human="first"), ARTICLE, "keep", "first"),
        (_opinions("first", 0.1, 0.1, human="tie"), ARTICLE, "drop", "tie"),
    ],
)
def test_decisions_by_hand(opinions: Opinions, config: CurateConfig, action: str, label: str) -> None:
    decision = decide(opinions, config)
    assert (decision.action, decision.label_after) == (action, label)


@pytest.mark.parametrize(
    ("best", "gold", "recycle", "action"),
    [(0.9, 0.3, "all", "flip"), (0.9, 0.3, "consistent", "drop"), (0.2, 0.3, "consistent", "flip"), (0.2, 0.3, "none", "drop")],
)
def test_recycling_rules(best: float, gold: float, recycle: str, action: str) -> None:
    assert decide(_opinions("first", best, gold), CurateConfig(recycle=recycle)).action == action  # type: ignore[arg-type]


def test_swapping_the_sides_swaps_the_decision() -> None:
    for best in (0.1, 0.4, 0.6, 0.9):
        for gold in (0.1, 0.4, 0.6, 0.9):
            one = decide(_opinions("first", best, gold), PAPER)
            other = decide(_opinions("second", 1 - best, 1 - gold), PAPER)
            assert one.action == other.action
            assert one.label_after != other.label_after


def test_the_confidence_bar_is_strict() -> None:
    assert needs_judgement("first", 0.5, 0.5)
    assert not needs_judgement("first", 0.51, 0.5)
    assert needs_judgement("second", 0.51, 0.5)
