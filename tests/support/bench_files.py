"""Small files in the official layouts of the benchmarks, with made-up texts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def rewardbench(number: int = 0, subset: str = "hep-python") -> Row:
    return {
        "prompt": f"question {number}", "chosen": f"good {number}", "chosen_model": "one", "rejected": f"bad {number}",
        "rejected_model": "two", "subset": subset, "id": number,
    }  # fmt: skip


def rewardbench2(number: int = 0, subset: str = "Math") -> Row:
    return {
        "id": str(number), "prompt": f"question {number}", "chosen": [f"good {number}"], "rejected": [f"bad {number} {place}" for place in range(3)],
        "num_correct": 1, "num_incorrect": 3, "total_completions": 4, "models": ["one"], "subset": subset, "additional_metadata": None,
    }  # fmt: skip


def ties(number: int = 0, kind: str = "tied", correct: int = 2, incorrect: int = 2) -> Row:
    chosen = [f"good {kind} {number} {place}" for place in range(correct)]
    rejected = [f"bad {kind} {number} {place}" for place in range(incorrect)]
    return {
        **rewardbench2(number, "Ties"), "id": f"{kind}:{number}", "chosen": chosen, "rejected": rejected, "num_correct": correct,
        "num_incorrect": incorrect, "total_completions": correct + incorrect,
    }  # fmt: skip


def ppe_preference(number: int = 0, winner: str = "model_a") -> Row:
    return {
        "question_id": f"q{number}", "model_a": "one", "model_b": "two", "winner": winner, "prompt": f"question {number}",
        "response_1": f"reply {number} by one", "response_2": f"reply {number} by two", "language": "English", "is_code": number % 2 == 0,
    }  # fmt: skip


def ppe_correctness(number: int = 0, size: int = 4) -> Row:
    return {
        "question_id": number, "prompt": f"question {number}", "model_name": "one", "scores": [place % 2 == 0 for place in range(size)],
        "sampled_conflict_pairs": [[0, 1], [1, 2], [0, 1]], "mean_score": 0.5,
        **{f"response_{place + 1}": f"answer {number} {place}" for place in range(size)},
    }  # fmt: skip


def _said(number: int) -> list[Row]:
    return [{"role": "user", "content": f"question {number}", "language": "English"}]


def rmb_pair(number: int = 0, goal: str = "Helpfulness", category: str = "Chat/Small Talk") -> Row:
    return {
        "pair_uid": str(number), "conversation_input": _said(number), "chosen": {"llm_name": "one", "answer": f"good {number}"},
        "reject": {"llm_name": "two", "answer": f"bad {number}"}, "category_path": f"Pairwise_set/{goal}/{category}",
    }  # fmt: skip


def rmb_list(number: int = 0, goal: str = "Helpfulness", category: str = "Chat/Small Talk") -> Row:
    return {
        "bon_uid": str(number), "conversation_input": _said(number), "bon_best": {"llm_name": "one", "answer": f"good {number}"},
        "loser_list": [{"llm_name": "two", "answer": f"bad {number}"}, {"llm_name": "six", "answer": f"worse {number}"}],
        "category_path": f"BoN_set/{goal}/{category}",
    }  # fmt: skip


def rmbench(number: int = 0, domain: str | None = "chat") -> Row:
    row = {
        "id": str(number), "prompt": f"question {number}", "chosen": [f"good {number} {style}" for style in range(3)],
        "rejected": [f"bad {number} {style}" for style in range(3)],
    }  # fmt: skip
    return row if domain is None else {**row, "domain": domain}


def judgebench(number: int = 0, label: str = "A>B", source: str = "mmlu-pro-law", model: str = "gpt-4o-2024-05-13") -> Row:
    return {
        "pair_id": f"p{number}", "original_id": number, "source": source, "question": f"question {number}", "response_model": model,
        "response_A": f"{'good' if label == 'A>B' else 'bad'} {number}", "response_B": f"{'bad' if label == 'A>B' else 'good'} {number}",
        "label": label,
    }  # fmt: skip


def write_lines(path: Path, rows: list[Row]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


ONE_OF_EACH: dict[str, tuple[str, Callable[[], list[Row]]]] = {
    "rewardbench": ("reward-bench.jsonl", lambda: [rewardbench(0), rewardbench(1, "math-prm")]),
    "rewardbench-2": ("reward-bench-2.jsonl", lambda: [rewardbench2(0), ties(0), ties(0, "ref", 1)]),
    "ppe-preference": (
        "ppe-human.jsonl",
        lambda: [ppe_preference(0), ppe_preference(1, "model_b"), ppe_preference(2, "tie (bothbad)")],
    ),
    "ppe-correctness": ("PPE-MATH-Best-of-K/train.jsonl", lambda: [ppe_correctness(0), ppe_correctness(1)]),
    "rmb": (
        "RMB_dataset/all.jsonl",
        lambda: [rmb_pair(0), rmb_list(0), rmb_pair(1, "Harmlessness", "S1"), rmb_list(1, "Harmlessness", "S1")],
    ),
    "rm-bench": ("total_dataset.jsonl", lambda: [rmbench(0), rmbench(1, "safety-refuse")]),
    "judgebench": ("judgebench.jsonl", lambda: [judgebench(0), judgebench(1, "B>A", "livecodebench")]),
}


def write_suite(folder: Path) -> Path:
    """A folder with a little of each of the seven."""
    for name, rows in ONE_OF_EACH.values():
        write_lines(folder / name, rows())
    return folder
