"""Benchmarks with two named responses and a verdict column: JudgeBench, LLMBar, EvalBiasBench, PPE, auto-j, PandaLM."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from goldsmith.pool.sources.draft import Draft, Format, Reject, Row, from_choice, leftovers, number, prompt_of

_CHOICES: dict[Any, int] = {1: 1, 2: 2, 0: 0, "1": 1, "2": 2, "0": 0, "A>B": 1, "B>A": 2, "A=B": 0, "tie": 0}
_CHOICES |= {"model_a": 1, "model_b": 2, "tie (bothbad)": 0, "both_bad": 0, "response_1": 1, "response_2": 2}


@dataclass(frozen=True, slots=True)
class _Layout:
    """Column names of one benchmark, and what its labels mean: 1 the first response, 2 the second, 0 a tie."""

    name: str
    prompt: str
    first: str
    second: str
    verdict: str
    origin: str
    choices: Mapping[Any, int] = field(default_factory=lambda: _CHOICES)

    @property
    def needed(self) -> set[str]:
        return {self.prompt, self.first, self.second, self.verdict}

    def matches(self, row: Row) -> bool:
        return self.needed <= row.keys()

    def read(self, row: Row) -> list[Draft]:
        verdict = row[self.verdict]
        if not isinstance(verdict, (str, int)) or verdict not in self.choices:
            raise Reject("unknown-label", f"{self.verdict} {verdict!r}")
        source = row.get("source")
        fields = {
            "label_origin": self.origin,
            "source": f"{self.name}/{source}" if isinstance(source, str) else self.name,
            "meta": leftovers(row, tuple(self.needed)),
        }
        return [from_choice(prompt_of(row[self.prompt]), row[self.first], row[self.second], self.choices[verdict], **fields)]


_LAYOUTS = [
    _Layout("judgebench", "question", "response_A", "response_B", "label", "rule"),
    _Layout("llmbar", "input", "output_1", "output_2", "label", "human"),
    _Layout("evalbiasbench", "instruction", "response1", "response2", "label", "human"),
    _Layout("ppe-preference", "prompt", "response_1", "response_2", "winner", "human"),
    _Layout("auto-j", "prompt", "response 1", "response 2", "label", "human", {0: 1, 1: 2, 2: 0, "0": 1, "1": 2, "2": 0}),
]


def _pandalm_matches(row: Row) -> bool:
    return {"instruction", "response1", "response2", "annotator1"} <= row.keys()


def _pandalm(row: Row) -> list[Draft]:
    """Three annotators vote 0 (tie), 1 or 2; without a majority the pair counts as a tie."""
    votes = [row.get(f"annotator{number_}") for number_ in (1, 2, 3)]
    if not all(isinstance(vote, (str, int)) and vote in _CHOICES for vote in votes):
        raise Reject("unknown-label", f"annotators {votes!r}")
    verdict, agreeing = Counter(_CHOICES[vote] for vote in votes).most_common(1)[0]
    choice = verdict if agreeing >= 2 else 0
    task_input = row.get("input")
    text = f"{row['instruction']}\n\n{task_input}" if task_input else row["instruction"]
    meta = {**leftovers(row, ("instruction", "input", "response1", "response2")), "votes": votes}
    fields = {"label_origin": "human", "source": "pandalm", "meta": meta}
    return [from_choice(prompt_of(text), row["response1"], row["response2"], choice, **fields)]


def _ppe_matches(row: Row) -> bool:
    return {"prompt", "response_1", "response_2", "scores", "sampled_conflict_pairs"} <= row.keys()


def _ppe(row: Row) -> list[Draft]:
    """Each sampled pair of one right and one wrong answer; indices count from 0, columns from 1."""
    context, meta, drafts = prompt_of(row["prompt"]), {"question_id": row.get("question_id")}, []
    for one, other in _sampled(row):
        better, worse = row["scores"][one], row["scores"][other]
        choice = 0 if better == worse else (1 if better > worse else 2)
        fields = {"label_origin": "rule", "source": "ppe-correctness", "meta": meta, "part": f"{one}-{other}"}
        drafts.append(from_choice(context, row[f"response_{one + 1}"], row[f"response_{other + 1}"], choice, **fields))
    return drafts


def _sampled(row: Row) -> list[tuple[int, int]]:
    """The places of the sampled replies, each with a score and a column.

    Raises:
        Reject: `too-few-replies`, `score-missing`, `wrong-type`.
    """
    scores, sampled = row["scores"], row["sampled_conflict_pairs"]
    if not isinstance(scores, list) or any(number(value) is None and not isinstance(value, bool) for value in scores):
        raise Reject("score-missing", f"scores {str(scores)[:80]}")
    if not isinstance(sampled, list) or not sampled:
        raise Reject("too-few-replies", f"sampled_conflict_pairs is {str(sampled)[:80]}")
    for pair in sampled:
        if not isinstance(pair, (list, tuple)) or len(pair) != 2 or not all(_has_reply(row, place) for place in pair):
            raise Reject("wrong-type", f"sampled_conflict_pairs holds {str(pair)[:80]}, not the places of two replies")
    return sampled


def _has_reply(row: Row, place: Any) -> bool:
    return type(place) is int and 0 <= place < len(row["scores"]) and f"response_{place + 1}" in row


PANDALM = Format("pandalm", "instruction, input, response1, response2, annotator1..3", _pandalm_matches, _pandalm)
PPE_CORRECTNESS = Format("ppe-correctness", "prompt, response_1..32, scores, sampled_conflict_pairs", _ppe_matches, _ppe)
TWO_CHOICE = [
    Format(layout.name, ", ".join((layout.prompt, layout.first, layout.second, layout.verdict)), layout.matches, layout.read)
    for layout in _LAYOUTS
]
