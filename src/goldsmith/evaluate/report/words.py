"""The first part of the report: what happened and what to make of it, in plain words.

A pure function from the data to paragraphs. It claims a gain only where an interval excludes 0, and says what is
simulated, small, wide or missing before anybody can read too much into a number. What to do next: `advice.py`.
"""

from __future__ import annotations

from typing import Literal

from goldsmith.evaluate.report import text as say
from goldsmith.evaluate.report.advice import advice
from goldsmith.evaluate.report.data import (
    Batch,
    CrossCheck,
    Final,
    Gold,
    JudgeRow,
    Judges,
    KnownNoise,
    Paragraph,
    ReportData,
    Round,
    Stage2,
)
from goldsmith.evaluate.report.result import result_words
from goldsmith.evaluate.report.sources import source_words

FEW_CONTEXTS = 100
"""Prompts below which a set is called small."""
WIDE = 0.10
"""Width of an interval, as a share, that is called wide."""
FEW_GOLD = 100
"""Gold pairs below which gold is called small."""

NO_JUDGE = (
    "No LLM judge beat chance on gold (train and validation), so none of their verdicts were used: the silver pairs keep their original "
    "labels, and stage 2 ran on the gold RM and the best RM alone."
)


def write_words(data: ReportData) -> list[Paragraph]:
    """Return the paragraphs of the first part, in the order they are read."""
    paragraphs = _opening(data)
    paragraphs += result_words(data.final)
    if data.stage2 is not None:
        paragraphs += _stage2(data.stage2)
    if data.gold is not None:
        paragraphs += _gold(data.gold)
    paragraphs += _rounds(data.rounds, data.best_round)
    paragraphs += source_words(data.attribute_quality)
    paragraphs += _limits(data)
    paragraphs += [Paragraph(tone="next", text=line) for line in advice(data)]
    return paragraphs


def _opening(data: ReportData) -> list[Paragraph]:
    """The judges' sentence when it must open the report, then what is simulated, then the run's own sentences."""
    paragraphs: list[Paragraph] = []
    if data.judges is not None:
        paragraphs += _judges(data.judges)
    paragraphs += [Paragraph(tone="alert", text=sentence) for sentence in data.opening if sentence != NO_JUDGE]
    if data.simulated:
        text = (
            f"Simulated in this run: {'; '.join(data.simulated)}. What rests on these parts shows that the machinery works; "
            "it is no evidence about real people or models."
        )
        simulated = Paragraph(tone="simulated", text=text)
        # The contracts give the very first place to the sentence that no judge beat chance; otherwise this comes first.
        paragraphs.insert(1 if paragraphs and paragraphs[0].text.startswith(NO_JUDGE) else 0, simulated)
    return paragraphs


def _tested(test: JudgeRow) -> str:
    """One judge's test; one that never decided has no accuracy, and the reason is said instead."""
    if _decided(test):
        share = f"{say.percent(test.accuracy)} of {say.plural(_decided(test), 'pair')}"
        return f"{test.model} agreed with gold on {share} (95 % interval {say.span(test.low, test.high)})"
    told = f"{test.model} decided none of {say.plural(test.num_pairs, 'pair')}"
    if test.abstained:
        told += f": on {test.abstained} of them its choice turned with the order in which the replies were shown"
    if test.position_first_share is not None:
        told += f" (it chose the reply shown first in {say.percent(test.position_first_share)} of its verdicts)"
    return told


def _judges(judges: Judges) -> list[Paragraph]:
    """What the judges' tests showed."""
    if not judges.tests:
        text = (
            "No LLM judge was configured: silver keeps its original labels, and stage 2 ran on the gold RM and the best RM alone."
        )
        return [Paragraph(tone="plain", text=text)]
    shown = "; ".join(_tested(test) for test in judges.tests) + "."
    if judges.none_beats_chance and not judges.used:
        return [Paragraph(tone="alert", text=f"{NO_JUDGE} {shown} Chance is 50 %, and the whole interval has to lie above it.")]
    weak = [test.model for test in judges.tests if test.used and not test.beats_chance]
    if weak:
        text = (
            f"The configuration insists on {say.enumerate_words(weak)}, which did not beat chance on gold: {shown} "
            "Labels made by it are little better than coin tosses."
        )
        return [Paragraph(tone="alert", text=text)]
    left_out = [test.model for test in judges.tests if not test.used]
    aside = f" At chance, and not used: {say.enumerate_words(left_out)}." if left_out else ""
    return [Paragraph(tone="plain", text=f"Judges tested on gold: {shown}{aside}")]


def _decided(test: JudgeRow) -> int:
    """Pairs on which the judge chose a side, the ones its accuracy is about."""
    return test.num_pairs if test.num_decided is None else test.num_decided


def _stage2(stage2: Stage2) -> list[Paragraph]:
    """What happened to the pool, and to the errors put into it on purpose."""
    total = sum(stage2.by_action.values())
    if not total:
        return []
    kept, relabelled, flipped, dropped = (stage2.by_action.get(action, 0) for action in ("keep", "relabel", "flip", "drop"))
    text = (
        f"Of {say.plural(total, 'pool pair')}, stage 2 kept {say.count(kept)} as they were ({say.percent(kept / total)}), turned "
        f"{say.count(flipped)} round ({say.percent(flipped / total)}), gave {say.count(relabelled)} the label of a person or an LLM, and dropped "
        f"{say.count(dropped)}."
    )
    alerts = [Paragraph(tone="alert", text=f"{told[:1].upper()}{told[1:]}.") for told in stage2.statements]
    return [*alerts, Paragraph(tone="plain", text=text + _noise(stage2.known_noise))]


def _noise(noise: KnownNoise | None) -> str:
    """Wrong labels before and after, where errors were planted."""
    if noise is None or not sum(noise.reversed.values()):
        return ""
    planted, before = sum(noise.reversed.values()), sum(noise.reversed.values()) + sum(noise.untouched.values())
    wrong = noise.reversed.get("unchanged", 0) + noise.untouched.get("turned", 0)
    after = before - noise.reversed.get("dropped", 0) - noise.untouched.get("dropped", 0)
    text = (
        f" {say.count(planted)} labels ({say.percent(planted / before)}) had been reversed on purpose: {say.count(noise.reversed.get('turned', 0))} of them "
        f"were turned back and {say.count(noise.reversed.get('dropped', 0))} dropped, while {say.count(noise.untouched.get('turned', 0))} sound labels were "
        f"turned by mistake"
    )
    if not after:
        return text + "."
    verdict = "less noise than before" if wrong / after < planted / before else "no less noise than before"
    return text + f"; {say.percent(wrong / after)} of the curated labels are wrong by this measure, {verdict}."


def _gold(gold: Gold) -> list[Paragraph]:
    """How far annotators agree, and what the gate made of it."""
    paragraphs = []
    if gold.alpha_first is not None and gold.alpha_first.alpha is not None:
        paragraphs.append(Paragraph(tone=_gate_tone(gold.alpha_first), text=_alpha(gold.alpha_first, gold.min_alpha)))
    if len(gold.batches) > 1:
        paragraphs += _batches(gold.batches)
    if gold.cross_check is not None:
        paragraphs.append(_cross_check(gold.cross_check))
    if gold.alpha_first is not None and gold.alpha_retest is None:
        paragraphs.append(
            Paragraph(tone="limit", text="No pair was judged twice, so how far annotators agree with themselves is not known.")
        )
    return paragraphs


def _cross_check(found: CrossCheck) -> Paragraph:
    """What RewardBench says of the rounds."""
    if not found.computed:
        return Paragraph(tone="limit", text=f"No cross-check with RewardBench was computed: {found.reason}.")
    if found.flagged:
        names = say.enumerate_words([f"'{name}'" for name in found.flagged])
        return Paragraph(
            tone="limit",
            text=f"On RewardBench a score dropped by more than chance after {names} came in: look at these batches first.",
        )
    return Paragraph(tone="plain", text="On RewardBench no round's score dropped by more than chance.")


def _batches(batches: list[Batch]) -> list[Paragraph]:
    """How many batches the gate did not pass, and where they went."""
    failed, undecided = (sum(batch.outcome == outcome for batch in batches) for outcome in ("fail", "undecided"))
    if not failed + undecided:
        return []
    counted = [f"{number} {verb}" for number, verb in ((failed, "failed the gate"), (undecided, "stayed undecided")) if number]
    out = sum(batch.enforced and batch.outcome != "pass" for batch in batches)
    fate = f"{out} of them stayed out of gold" if out else "they are in gold all the same, because the gate only reports here"
    return [Paragraph(tone="limit", text=f"Of {len(batches)} batches of votes {say.enumerate_words(counted)}; {fate}.")]


def _gate_tone(batch: Batch) -> Literal["plain", "limit"]:
    return "plain" if batch.outcome == "pass" else "limit"


def _alpha(batch: Batch, minimum: float) -> str:
    """One sentence on the agreement of the first round."""
    figure = f"Krippendorff's alpha {say.decimal(batch.alpha)} (95 % interval {say.alpha_span(batch.low, batch.high)})"
    if batch.outcome == "pass":
        return f"The annotators agree as the gate asks: {figure}, above {minimum:g}."
    if batch.outcome == "undecided":
        start = f"Whether the annotators agree well enough is undecided: {figure}, and the interval holds the gate's {minimum:g}."
    else:
        start = f"The annotators agree less than the gate asks: {figure}, below {minimum:g}."
    end = (
        "Such votes stay out of gold."
        if batch.enforced
        else "The gate only reports here: these votes are gold all the same, so every figure measured on gold carries their errors."
    )
    return f"{start} {end}"


def _rounds(rounds: list[Round], best: int | None) -> list[Paragraph]:
    """Whether the rounds of stage 1 made the model better."""
    scored = [item for item in rounds if item.accuracy_validation is not None]
    if not scored:
        return []
    chosen = next((item for item in scored if item.round == best), scored[-1])
    text = (
        f"Stage 1 ran {say.plural(len(rounds), 'round')}; the best RM comes from round {chosen.round}, with {say.percent(chosen.accuracy_validation)} "
        f"of {say.plural(chosen.num_validation or 0, 'gold validation pair')} (95 % interval {say.span(chosen.low, chosen.high)})."
    )
    if len(scored) > 1 and _overlap(scored):
        text += " The intervals of the rounds overlap, so the rounds cannot be told apart by accuracy."
    return [Paragraph(tone="plain", text=text)]


def _overlap(rounds: list[Round]) -> bool:
    """Whether the first and the best round's intervals share a value."""
    lows = [item.low for item in rounds if item.low is not None]
    highs = [item.high for item in rounds if item.high is not None]
    return bool(lows and highs) and max(lows) <= min(highs)


def _limits(data: ReportData) -> list[Paragraph]:
    """What is too small, too wide, missing or broken to lean on."""
    lines = []
    if data.gold is not None and 0 < data.gold.num_pairs < FEW_GOLD:
        lines.append(f"Gold is small: {say.plural(data.gold.num_pairs, 'pair')} in all, split three ways.")
    if data.final is not None:
        lines += _weak_sets(data.final)
    failed = sum(sum(step.failed.values()) for step in data.funnel)
    if failed:
        lines.append(f"{say.plural(failed, 'pair')} failed to be processed on the way; the funnel gives the reasons.")
    unknown = data.cost.usage.get("unknown", 0)
    if unknown:
        lines.append(f"{say.plural(int(unknown), 'LLM call')} ended without an answer we know of, and may have been billed.")
    return [Paragraph(tone="limit", text=line) for line in lines]


def _weak_sets(final: Final) -> list[str]:
    """Small sets, wide intervals and unscored pairs, one sentence each."""
    lines, estimates = [], [(result.name, result.models.get(final.main) or result.longer) for result in final.sets]
    small = [f"{name} ({say.plural(e.num_contexts, 'prompt')})" for name, e in estimates if e.num_contexts < FEW_CONTEXTS]
    wide = [name for name, e in estimates if e.low is not None and e.high is not None and e.high - e.low > WIDE]
    if small:
        lines.append(f"Small sets, whose figures may move a lot on other prompts: {say.enumerate_words(small)}.")
    if wide:
        lines.append(f"Wide intervals, more than {100 * WIDE:.0f} points across: {say.enumerate_words(wide)}.")
    missing = [
        f"{model} on {result.name}: {say.count(num)}" for result in final.sets for model, num in result.missing.items() if num
    ]
    if missing:
        lines.append(f"Pairs that could not be scored, and are in no accuracy: {'; '.join(missing)}.")
    return lines
