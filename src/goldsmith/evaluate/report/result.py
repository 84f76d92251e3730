"""The result in words: did curation help, how good is the final model, and does it know more than length."""

from __future__ import annotations

from goldsmith.evaluate.report import text as say
from goldsmith.evaluate.report.data import Final, Paragraph, SetResult
from goldsmith.evaluate.statistics import Estimate


def result_words(final: Final | None) -> list[Paragraph]:
    """Return curated against raw, then the final model, then both against the longer reply."""
    if final is None or not final.sets:
        return [Paragraph(tone="result", text="The final models have not been evaluated yet, so this report shows no result.")]
    paragraphs = [Paragraph(tone="result", text=_gain(final)), *_final_model(final)]
    return paragraphs + _longer(final.sets, "final" if final.main == "final" else "curated")


def _gain(final: Final) -> str:
    """The sentence that the whole run was made for."""
    difference = final.pooled_difference
    if difference is None or difference.value is None:
        return "No rival was trained on the raw pool, so this run cannot say whether curation helped."
    how = f"{say.points(difference.value)} (95 % interval {say.span_points(difference.low, difference.high)})"
    scores = _scores(final, difference)
    if difference.low is None:
        return f"No gain from curation is shown: {scores}. The difference is {say.points(difference.value)}, and no interval can be given for it."
    if not difference.excludes_zero:
        claim = f"No gain from curation is shown: {scores}. The difference is {how}, and the interval includes 0."
        return claim + _by_set(final.sets)
    verb = "Curation helped" if difference.value > 0 else "Curation did harm"
    return f"{verb}: {scores}. The difference is {how}." + _by_set(final.sets)


def _scores(final: Final, difference: Estimate) -> str:
    """Both accuracies, and what they were measured on."""
    num_sets = sum(_value(result.difference) is not None for result in final.sets)
    where = f"{say.plural(difference.num_pairs, 'held-out pair')} of {say.plural(num_sets, 'set')}"
    curated, raw = _value(final.pooled.get("curated")), _value(final.pooled.get("raw"))
    if curated is None or raw is None:
        return f"on {where}"
    how = (
        "trained by the quick head method on curated pairs, a model"
        if final.main == "final"
        else "trained on curated pairs, the model"
    )
    return f"{how} ranks {say.percent(curated)} of {where} as labelled; trained the same way on the raw pool, {say.percent(raw)}"


def _value(estimate: Estimate | None) -> float | None:
    return None if estimate is None else estimate.value


def _by_set(sets: list[SetResult]) -> str:
    """How the difference falls out on each set, when there are several."""
    compared = [result for result in sets if _value(result.difference) is not None]
    if len(compared) < 2:
        return ""
    groups = (("better", 1), ("worse", -1), ("not to be told apart", 0))
    named = [(title, [result.name for result in compared if _side(result.difference) == side]) for title, side in groups]
    return f" Set by set: {', '.join(f'{title} on {say.enumerate_words(names)}' for title, names in named if names)}."


def _side(difference: Estimate | None) -> int:
    """1 or -1 where the interval lies wholly above or below 0, else 0."""
    if difference is None or difference.value is None or not difference.excludes_zero:
        return 0
    return 1 if difference.value > 0 else -1


def _final_model(final: Final) -> list[Paragraph]:
    """The model a user takes away, where it is not the curated one of the comparison."""
    best = final.pooled.get("final")
    if final.main != "final" or best is None or best.value is None:
        return []
    text = f"The final model, trained on the curated pairs by the configured method, ranks {say.share_of(best)} of {say.plural(best.num_pairs, 'held-out pair')} as labelled."
    return [Paragraph(tone="result", text=text)]


def _longer(sets: list[SetResult], main: str) -> list[Paragraph]:
    """Whether the model knows more than length."""
    compared = [result for result in sets if _value(result.above_longer) is not None]
    if not compared:
        return []
    above, below, level = ([result.name for result in compared if _side(result.above_longer) == side] for side in (1, -1, 0))
    rule = "the rule “the longer reply wins”"
    sentences = [f"The {main} model beats {rule} on {say.enumerate_words(above)}."] if above else []
    if level:
        who, what = ("it", "that rule") if above else (f"the {main} model", rule)
        sentences.append(f"On {say.enumerate_words(level)} {who} cannot be told apart from {what}.")
    if below:
        sentences.append(f"On {say.enumerate_words(below)} picking the longer reply does better than the {main} model.")
    return [Paragraph(tone="plain" if not level and not below else "limit", text=" ".join(sentences))]
