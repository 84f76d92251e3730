"""A pool against benchmarks, by hand: 13 words in a row, or a short prompt of its own."""

import json
from pathlib import Path

from goldsmith.evaluate.contamination import pool_overlap

LONG = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
SHORT = "What is the capital of France?"


def pool(tmp_path: Path, rows: list[dict[str, str]]) -> str:
    path = tmp_path / "pool.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def pair(prompt: str, chosen: str = "yes indeed", rejected: str = "no never") -> dict[str, str]:
    return {"prompt": prompt, "chosen": chosen, "rejected": rejected}


def test_each_benchmark_is_counted_by_itself(tmp_path: Path) -> None:
    rows = [
        pair("say " + LONG.upper()),  # shares 13 words with the first benchmark and with the second, which has the same prompt
        pair("something else", chosen="well, " + LONG),  # in a reply
        pair("what is the capital of FRANCE"),  # the short prompt, normalised
        pair("and " + SHORT),  # longer than the short prompt: not equal
        pair("clean"),
        pair("identical replies", "same", "same"),  # no pair
    ]
    found = pool_overlap(pool(tmp_path, rows), {"first": [LONG, LONG], "second": [LONG, SHORT], "third": ["nothing of it"]})
    assert (found.num_pairs, found.num_rejected) == (5, 1)
    assert found.num_prompts == {"first": 1, "second": 2, "third": 1}
    assert dict(found.by_benchmark["first"]) == {"contaminated-13gram": 2}
    assert dict(found.by_benchmark["second"]) == {"contaminated-13gram": 2, "contaminated-short-prompt": 1}
    assert dict(found.by_benchmark["third"]) == {}


def test_a_benchmark_without_prompts_finds_nothing(tmp_path: Path) -> None:
    found = pool_overlap(pool(tmp_path, [pair(LONG)]), {"empty": []})
    assert (found.num_pairs, dict(found.by_benchmark["empty"])) == (1, {})
