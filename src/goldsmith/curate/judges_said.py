"""What judges say of the pairs that `goldsmith clean` decides on, and what they did not say: an endpoint may die half-way through.

A judge that did not answer is not a judge at chance, and an answer that did not arrive is counted, never made up.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goldsmith.config import GoldsmithConfig
from goldsmith.errors import ProviderError
from goldsmith.judge.file import NO_JUDGE, UNJUDGED, judge_file
from goldsmith.types import Verdict

BUDGET, GIVEN_UP = "budget", "given-up"
"""No call was left for a question; its server was given up, because it could not be reached any more or refused every call."""
COMES_AGAIN = frozenset({"timeout", "rate-limited", "server-error", "refused", "connection-lost", BUDGET, GIVEN_UP})
"""Failures that are not kept: called again, these questions are asked again. Answers that cannot be used are kept."""
AGAIN = "called again with the same output, what did not arrive, and that alone, is asked for"
Counts = dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgesSaid:
    """What judges said.

    Attributes:
        p_first: their probability that `first` wins, by pair id; pairs without a judgement are not in it.
        unanswered: pairs that lack the answer of a judge, by kind of failure, each pair once; `no-usable-judge` where the judge was lost
            before its test on gold was done.
        statements: sentences for people.
        facts: figures.
    """

    p_first: dict[str, float]
    unanswered: Counts
    statements: list[str]
    facts: dict[str, Any]


def ask_judges(
    asked: Path, out: Path, config: GoldsmithConfig, gold: Path | None, progress: Callable[[int, int], None] | None = None
) -> JudgesSaid:
    """Return what the judges of `config` say of the distinct pairs in `asked`; arguments as `judge_file`.

    Raises:
        UserError: see `judge_file`.
        ProviderError: a server cannot be reached, or refuses every call, and has never answered usably.
    """
    lost: ProviderError | None = None
    try:
        result = judge_file(asked, out, config, gold=gold, progress=progress)
    except ProviderError as error:
        result, lost = judge_file(asked, out, _without_calls(config), gold=gold), error
        if not _has_answered(result, _verdicts(result), [endpoint.name for endpoint in config.llm.endpoints]):
            raise
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    return _said(_named(result) if lost else result, lines, lost)


def _without_calls(config: GoldsmithConfig) -> GoldsmithConfig:
    """The same judges, of whom only answers that are there already are read."""
    return config.model_copy(update={"llm": config.llm.model_copy(update={"max_calls": 0})})


def _verdicts(result: dict[str, Any]) -> list[Verdict]:
    return [Verdict.model_validate_json(line) for line in Path(result["verdicts"]).read_text(encoding="utf-8").splitlines()]


def _has_answered(result: dict[str, Any], verdicts: Iterable[Verdict], live: Sequence[str]) -> bool:
    on_gold = any(_num_heard(test) for test in result["judges"] if test["model"] in live)
    return on_gold or any(verdict.choice is not None for verdict in verdicts if verdict.model in live)


def _num_heard(test: dict[str, Any]) -> int:
    return int(test["num_pairs"] - test["failed"])


def _named(result: dict[str, Any]) -> dict[str, Any]:
    """The result of a run without calls, where what it counts as over the budget is what the server was given up for."""
    tests = [test | {"verdict_failures": _given_up(test["verdict_failures"])} for test in result["judges"]]
    return result | {"failed": _given_up(result["failed"]), "judges": tests}


def _given_up(counts: Counts) -> Counts:
    return {GIVEN_UP if kind == BUDGET else kind: number for kind, number in counts.items()}


def _said(result: dict[str, Any], lines: Sequence[dict[str, Any]], lost: ProviderError | None) -> JudgesSaid:
    tests, used = result["judges"], result["used"]
    unanswered = _unanswered(_verdicts(result))
    unanswered = _given_up(unanswered) if lost else unanswered
    statements = [f"a judge was lost on the way: {lost}"] if lost else []
    if unanswered:
        statements.append(_missing(unanswered, result["rows"]))
    if any(_is_cut_short(test) for test in tests if test["model"] not in used):
        unanswered[NO_JUDGE] = result["rows"] - sum(unanswered.values())
    return JudgesSaid(
        p_first={line["pair_id"]: line["p_first"] for line in lines if "p_first" in line},
        unanswered={kind: number for kind, number in sorted(unanswered.items()) if number},
        statements=[*statements, *_on_gold(tests, used)],
        facts={name: result.get(name) for name in ("judged", "failed", "judges", "used", "usage")},
    )


def _unanswered(verdicts: Sequence[Verdict]) -> Counts:
    """Pairs on which a judge in use brought no usable verdict, by the kind of its first failure; each pair once."""
    heard = {(verdict.pair_id, verdict.model) for verdict in verdicts if verdict.choice is not None}
    kinds: dict[str, str] = {}
    for verdict in verdicts:
        if (verdict.pair_id, verdict.model) not in heard:
            kinds.setdefault(verdict.pair_id, verdict.failure or UNJUDGED)
    return dict(Counter(kinds.values()))


def _missing(unanswered: Counts, rows: int) -> str:
    tail = f"; {AGAIN}" if COMES_AGAIN & unanswered.keys() else ""
    return f"{sum(unanswered.values())} of {rows} pairs lack the answer of a judge ({_kinds(unanswered)}) and are decided without it{tail}"


def _is_cut_short(test: dict[str, Any]) -> bool:
    """Whether a judge's test on gold says nothing because answers are missing: all of them, or some that may yet come."""
    return bool(test["failed"]) and (not _num_heard(test) or bool(COMES_AGAIN & test["verdict_failures"].keys()))


def _on_gold(tests: Sequence[dict[str, Any]], used: Sequence[str]) -> list[str]:
    """What is to be said of the judges' tests; without gold there are none."""
    told = [_silent(test, is_used=test["model"] in used) for test in tests if _is_cut_short(test) or not _num_heard(test)]
    if tests and not used and any(_num_heard(test) for test in tests):
        which = "judge that answered on gold beats chance there" if told else "judge beats chance on gold"
        told.append(f"no {which}, so none is used")
    return told


def _silent(test: dict[str, Any], *, is_used: bool) -> str:
    heard, kinds = _num_heard(test), _kinds(test["verdict_failures"])
    if not test["num_pairs"]:
        return f"judge {test['model']} says nothing of any gold pair that could test it" + (
            "" if is_used else ", so it is not used"
        )
    ends = "" if is_used else ", so it could not be tested and is not used" if not heard else ", too few to use it"
    again = f"; {AGAIN}" if COMES_AGAIN & test["verdict_failures"].keys() else ""
    return f"judge {test['model']} answered on {heard} of the {test['num_pairs']} gold pairs that test it (failed answers: {kinds}){ends}{again}"


def _kinds(counts: Counts) -> str:
    return ", ".join(f"{number} {kind}" for kind, number in sorted(counts.items()))
