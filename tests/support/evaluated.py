"""Small evaluations on disk for tests of reports: real records, made by the runner from files of official shape, with made-up models."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Sequence
from pathlib import Path

from goldsmith.benchdata.item import Item
from goldsmith.benchdata.suite import find_suite
from goldsmith.evaluate.engines.engine import Answer, Engine, ItemEngine, Progress
from goldsmith.evaluate.engines.shipped import shipped
from goldsmith.evaluate.result import EngineKind, ModelInfo
from goldsmith.evaluate.runner import evaluate_engines
from goldsmith.evaluate.scoring.rule import Settings
from goldsmith.identity import digest, unit_interval

RESAMPLES = 200


class NoisyTruth(ItemEngine):
    """Scores by the truth, by length and by noise, in given parts; an item named in `fails` gets no scores."""

    rates_texts = False

    def __init__(
        self,
        name: str,
        *,
        truth: float,
        length: float = 0.0,
        seed: int = 0,
        base: str = "",
        data: Sequence[str] = (),
        fails: str = "",
    ) -> None:
        self._parts = truth, length, seed, fails
        self.info = ModelInfo(
            name=name, spec=name, kind="checkpoint", digest=digest([name, truth]), base_model=base, training_data=list(data)
        )

    def answer(self, items: Sequence[Item], progress: Progress | None = None) -> list[Answer]:
        return [self._one(item) for item in items]

    def _one(self, item: Item) -> Answer:
        truth, length, seed, fails = self._parts
        if fails and fails in item.item_id:
            return Answer(scores=[None] * len(item.replies), reason="made to fail")
        return Answer(
            scores=[
                truth * good + length * math.log1p(len(reply)) + unit_interval(reply + item.item_id, seed)
                for good, reply in zip(item.good, item.replies, strict=True)
            ]
        )


class FirstShown(ItemEngine):
    """A judge that prefers whatever it is shown first."""

    rates_texts = False

    def __init__(self, name: str = "first") -> None:
        self.info = ModelInfo(name=name, spec=name, kind="judge", digest=digest([name]))

    def answer(self, items: Sequence[Item], progress: Progress | None = None) -> list[Answer]:
        return [Answer(games=[[1, -1] if right < wrong else [-1, 1] for right, wrong in item.comparisons]) for item in items]


def write_suite(folder: Path, *, prompt: str = "question", reply: str = "", seed: int = 1) -> Path:
    """Write small RM-Bench, JudgeBench, PPE Correctness and RewardBench files; `prompt` and `reply` go into them as they are."""
    draw = random.Random(seed)
    folder.mkdir(parents=True, exist_ok=True)

    def text(name: str) -> str:
        return f"{name} {reply} " + " ".join(draw.choice(["**so**", "well", "- yes", "sum"]) for _ in range(draw.randint(2, 40)))

    rows = [
        {"id": f"r{n}", "prompt": f"{prompt} r{n}", "domain": domain, "chosen": [text(f"c{n}{s}") for s in range(3)], "rejected": [text(f"w{n}{s}") for s in range(3)]}
        for domain in ("chat", "code", "math", "safety-refuse", "safety-response")
        for n in range(6)
    ]  # fmt: skip
    (folder / "rmbench_total.json").write_text(json.dumps(rows), encoding="utf-8")
    sources = ("mmlu-pro-law", "livebench-reasoning", "livebench-math", "livecodebench")
    judged = [
        {"pair_id": f"j{n}", "original_id": n, "source": sources[n % 4], "question": f"{prompt} j{n}", "response_model": "gpt-4o", "response_A": text(f"a{n}"),
         "response_B": text(f"b{n}"), "label": draw.choice(["A>B", "B>A"])}
        for n in range(40)
    ]  # fmt: skip
    _lines(folder / "judgebench.jsonl", judged)
    for name in ("MMLU-Pro", "MATH", "GPQA", "IFEval", "MBPP-Plus"):
        _lines(folder / "ppe" / f"{name}.jsonl", [_best_of_k(name, n, prompt, text, draw) for n in range(4)])
    pairs = [
        {"prompt": f"{prompt} p{n}", "chosen": text(f"c{n}"), "chosen_model": "m", "rejected": text(f"w{n}"), "rejected_model": "m", "subset": name, "id": n}
        for n, name in enumerate(["alpacaeval-easy", "mt-bench-easy", "llmbar-natural", "refusals-dangerous", "math-prm", "hep-python"] * 6)
    ]  # fmt: skip
    _lines(folder / "reward-bench.jsonl", pairs)
    return folder


def evaluate(
    suite: Path, out: Path, engines: Sequence[Engine], rules: Sequence[EngineKind] = ("longer",), named: Sequence[str] = ()
) -> Path:
    """Evaluate engines and rules on a suite, and on `NAME=PATH` files of pairs; returns the evaluation's folder."""
    every = [*engines, *(shipped(kind) for kind in rules)]
    evaluate_engines(
        [lambda engine=engine: engine for engine in every], find_suite(suite, named), out, Settings(seed=0, resamples=RESAMPLES)
    )
    return out


def _best_of_k(name: str, n: int, prompt: str, text: object, draw: random.Random) -> dict[str, object]:
    truth = [place % 3 == 0 for place in range(8)]
    pairs = [[3 * draw.randrange(3), draw.choice([1, 2, 4, 5, 7])] for _ in range(5)]
    assert callable(text)
    replies = {f"response_{place + 1}": text(f"{name}{n}-{place}") for place in range(8)}
    return {
        "question_id": f"{name}-{n}",
        "prompt": f"{prompt} {name} {n}",
        "model_name": "gpt",
        "scores": truth,
        "sampled_conflict_pairs": pairs,
        **replies,
    }


def _lines(path: Path, rows: Sequence[dict[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
