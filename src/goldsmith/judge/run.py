"""Judges pairs: every judge, n samples in both orders, to verdicts and judgements."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from goldsmith.config.judge import JudgeConfig
from goldsmith.judge.aggregate import aggregate
from goldsmith.judge.demonstrations import Demonstrations
from goldsmith.judge.judges import Judge, LlmJudge, RecordedJudge
from goldsmith.judge.material import count_material
from goldsmith.judge.parse import Candidate, parse_choice
from goldsmith.judge.protocol import MAX_REPLY_TOKENS, SCHEMA, Demonstration, JudgePrompt, build_prompt, side_of
from goldsmith.judge.sample import Sample, draw_samples
from goldsmith.llm import Completion, Request
from goldsmith.llm.group import ModelUsage
from goldsmith.llm.repair import Read, read_many
from goldsmith.types import Attributes, Judgement, Pair, Verdict

PURPOSE = "judge"
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeRun:
    """What judges said of some pairs.

    Attributes:
        verdicts: every sample, failed ones included, by pair, then model, then sample.
        judgements: of the pairs with a usable verdict, by pair id.
        usage: calls, tokens and cost of each live model over the workspace's life.
        failures: by model, verdicts without a choice by kind.
        unjudged: pairs without any usable verdict; len(judgements) + unjudged = distinct pairs given.
        demonstrations_shown: mean number of examples in a prompt; None without live calls.
        shortened: prompts in which the pair's own texts were cut.
        repaired: verdicts whose reply had the agreed form only when it was asked for again.
        material: of the pairs that were asked about live, how many hold chat-template tokens or speak to the judge.
    """

    verdicts: list[Verdict]
    judgements: list[Judgement]
    usage: list[ModelUsage] = field(default_factory=list)
    failures: dict[str, dict[str, int]] = field(default_factory=dict)
    unjudged: int = 0
    demonstrations_shown: float | None = None
    shortened: int = 0
    repaired: int = 0
    material: dict[str, int] = field(default_factory=dict)

    @property
    def replies(self) -> dict[str, Any]:
        """What came back, for the report: verdicts in all, usable ones, failed ones by kind, and what was odd about the material."""
        failed: Counter[str] = Counter()
        for kinds in self.failures.values():
            failed.update(kinds)
        usable = len(self.verdicts) - failed.total()
        return {
            "total": len(self.verdicts),
            "usable": usable,
            "failed": dict(sorted(failed.items())),
            "shortened": self.shortened,
            "repaired": self.repaired,
            **self.material,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    pair: Pair
    model: str
    sample: Sample
    prompt: JudgePrompt
    request: Request


def judge_pairs(
    pairs: Sequence[Pair],
    demonstrations: Demonstrations | None,
    judges: Sequence[Judge],
    config: JudgeConfig,
    seed: int,
    progress: Progress | None = None,
    *,
    weights: Mapping[str, float] | None = None,
) -> JudgeRun:
    """Return what the judges say of pairs; a judge's failure is a recorded verdict without a choice.

    Args:
        pairs: what to judge; labels are never shown.
        demonstrations: source of human-labelled examples, and of attributes; none: the bare protocol.
        judges: after the test against chance, those that may be used.
        config: samples per model.
        seed: of orders and samplers.
        progress: called with (calls answered, calls).
        weights: of models in the aggregation.

    Raises:
        ProviderError: a live model's server cannot be reached.
    """
    distinct = list({pair.pair_id: pair for pair in pairs}.values())
    live = [judge for judge in judges if isinstance(judge, LlmJudge)]
    calls = _calls(distinct, demonstrations, live, config, seed)
    groups = list({id(judge.llm): judge.llm for judge in live}.values())
    verdicts = _recorded(distinct, judges)
    repaired = 0
    for group in groups:
        mine = [call for call in calls if call.model in group.names]
        replies = read_many(group, [call.request for call in mine], _read, progress=progress)
        verdicts += [_verdict(call, reply) for call, reply in zip(mine, replies, strict=True)]
        repaired += sum(reply.is_repaired for reply in replies)
    verdicts.sort(key=lambda verdict: (verdict.pair_id, verdict.model, verdict.sample))
    judgements = aggregate(verdicts, weights)
    names = {judge.name for judge in live}
    return JudgeRun(
        verdicts=verdicts,
        judgements=judgements,
        usage=[usage for group in groups for usage in group.usage() if usage.model in names],
        failures=count_failures(verdicts),
        unjudged=len(distinct) - len(judgements),
        demonstrations_shown=sum(call.prompt.num_demonstrations for call in calls) / len(calls) if calls else None,
        shortened=sum(call.prompt.shortened for call in calls),
        repaired=repaired,
        material=count_material(distinct) if calls else {},
    )


def judge_requests(
    pairs: Sequence[Pair], demonstrations: Demonstrations | None, judges: Sequence[Judge], config: JudgeConfig, seed: int
) -> list[Request]:
    """Return the questions that `judge_pairs` would ask live models, for an estimate before anything is sent."""
    distinct = list({pair.pair_id: pair for pair in pairs}.values())
    live = [judge for judge in judges if isinstance(judge, LlmJudge)]
    return [call.request for call in _calls(distinct, demonstrations, live, config, seed)]


def joined(runs: Sequence[JudgeRun]) -> JudgeRun:
    """Return the runs over parts of a file as one; no pair stands in two of them."""
    material: Counter[str] = Counter()
    for run in runs:
        material.update(run.material)
    verdicts = [verdict for run in runs for verdict in run.verdicts]
    shown = [(run.demonstrations_shown, len(run.verdicts)) for run in runs if run.demonstrations_shown is not None]
    weight = sum(number for _, number in shown)
    return JudgeRun(
        verdicts=sorted(verdicts, key=lambda verdict: (verdict.pair_id, verdict.model, verdict.sample)),
        judgements=sorted((item for run in runs for item in run.judgements), key=lambda item: item.pair_id),
        usage=runs[-1].usage if runs else [],
        failures=count_failures(verdicts),
        unjudged=sum(run.unjudged for run in runs),
        demonstrations_shown=sum(mean * number for mean, number in shown) / weight if weight else None,
        shortened=sum(run.shortened for run in runs),
        repaired=sum(run.repaired for run in runs),
        material=dict(material),
    )


def count_failures(verdicts: Sequence[Verdict]) -> dict[str, dict[str, int]]:
    """Return, by model, how many verdicts failed in which way."""
    counts: dict[str, Counter[str]] = {}
    for verdict in verdicts:
        if verdict.failure is not None:
            counts.setdefault(verdict.model, Counter())[verdict.failure] += 1
    return {model: dict(sorted(kinds.items())) for model, kinds in sorted(counts.items())}


def _calls(
    pairs: Sequence[Pair], demonstrations: Demonstrations | None, live: Sequence[LlmJudge], config: JudgeConfig, seed: int
) -> list[_Call]:
    shown = demonstrations.find(pairs, seed) if demonstrations is not None and live else {}
    attributes = demonstrations.attributes if demonstrations is not None else {}
    return [
        _call(pair, judge, sample, shown.get(pair.pair_id, []), attributes.get(pair.pair_id))
        for pair in pairs
        for judge in live
        for sample in draw_samples(pair.pair_id, judge.name, config.samples, seed)
    ]


def _call(pair: Pair, judge: LlmJudge, sample: Sample, shown: Sequence[Demonstration], attributes: Attributes | None) -> _Call:
    prompt = build_prompt(pair, attributes, shown, sample.shown_first, judge.prompt_tokens)
    request = Request(
        endpoint=judge.name,
        messages=prompt.messages,
        max_tokens=MAX_REPLY_TOKENS,
        temperature=sample.temperature,
        seed=sample.seed,
        schema=SCHEMA,
        purpose=PURPOSE,
    )
    return _Call(pair=pair, model=judge.name, sample=sample, prompt=prompt, request=request)


def _read(reply: Completion) -> Candidate:
    return parse_choice(reply.text, reply.finish_reason)


def _recorded(pairs: Sequence[Pair], judges: Sequence[Judge]) -> list[Verdict]:
    wanted = {pair.pair_id for pair in pairs}
    recorded = [judge for judge in judges if isinstance(judge, RecordedJudge)]
    return [verdict for judge in recorded for verdict in judge.verdicts if verdict.pair_id in wanted]


def _verdict(call: _Call, reply: Read[Candidate]) -> Verdict:
    return Verdict(
        pair_id=call.pair.pair_id,
        model=call.model,
        sample=call.sample.number,
        shown_order=call.sample.shown_order,
        choice=None if reply.value is None else side_of(reply.value, call.sample.shown_first),
        failure=reply.failure,
        usage=reply.usage,
    )
