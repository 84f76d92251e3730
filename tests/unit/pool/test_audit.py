"""The audit of a file, counted by hand; shares and their intervals against published values."""

import json
from pathlib import Path
from typing import Any

import pytest

from goldsmith.pool.audit import audit, audit_lines
from goldsmith.pool.bias import Bias, wilson
from goldsmith.pool.coverage import count_attributes


def pair(prompt: str, chosen: str, rejected: str, **more: Any) -> dict[str, Any]:
    return {"prompt": prompt, "chosen": chosen, "rejected": rejected, **more}


def test_the_wilson_interval_is_newcombes() -> None:
    # Newcombe (1998), table I, method 3: 81/263, 15/148, 0/20, 1/29.
    for wins, of, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):
        found = wilson(wins, of)
        assert found == pytest.approx((low, high), abs=5e-5)


def test_bias_counts_the_longer_and_the_more_formatted_reply() -> None:
    bias = Bias()
    bias.add("# Title\n- one\n- two\n**bold**", "- one")
    bias.add("short", "longer, with `code`\n```\nx\n```")
    bias.add("same!", "size!")
    length = bias.length.share()
    assert (length.wins, length.of, length.even, length.share) == (1, 2, 1, 0.5)
    counts = {name: (tally.wins, tally.losses, tally.even) for name, tally in bias.markers.items()}
    assert counts["list"] == (1, 0, 2)
    assert counts["heading"] == (1, 0, 2)
    assert counts["bold"] == (1, 0, 2)
    assert counts["code"] == (0, 1, 2)
    assert counts["any"] == (1, 1, 1)
    assert Bias().length.share().share is None


def test_an_audit_counts_everything(tmp_path: Path) -> None:
    moon = "please explain in simple words why the moon always shows us the same side"
    rows = [
        pair("Name a colour.", "Red is one.", "Dog.", label_origin="human"),
        pair("Name a colour.", "Red is one.", "Dog.", label_origin="human"),
        pair("Name a colour.", "Dog.", "Red is one."),
        pair(f"Now {moon}.", "Tides did it.", "No."),
        pair("Name a fish.", "", "Cod."),
    ]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    bench = tmp_path / "bench.json"
    bench.write_text(json.dumps([pair(moon, "x", "y", subset="s")]), encoding="utf-8")
    found = audit(
        path, [bench], classify=lambda contexts: ["space" if "moon" in str(context) else "small-talk" for context in contexts]
    )
    assert (found.rows, found.pairs, found.rejected) == (5, 4, {"empty-reply": 1})
    assert (found.contexts, found.ties, found.multi_turn) == (2, 0, 0)
    assert found.label_origins == {"human": 2, "unknown": 2}
    assert (found.exact_duplicates, found.contradictions, found.near_duplicates) == (1, 1, 0)
    assert found.contaminated == {"contaminated-13gram": 1}
    assert found.contaminated_sets == {"bench": 1}
    assert (found.longer_preferred.wins, found.longer_preferred.of) == (3, 4)
    assert found.tasks == {"small-talk": 3, "space": 1}
    assert [(example.at, example.like) for example in found.examples["contradiction"]] == [("a.jsonl:3", "a.jsonl:1")]
    text = "\n".join(audit_lines(found))
    assert "rows 5 = pairs 4 + empty-reply 1" in text
    assert "preferred in 75.0% of 4 pairs" in text


def test_without_benchmarks_contamination_is_unknown_not_zero(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(pair("Name a fish.", "Cod.", "Oak.")), encoding="utf-8")
    found = audit(path)
    assert found.contaminated is None
    assert found.tasks is None
    assert any("not checked" in line for line in audit_lines(found))


def test_coverage_counts_the_pools_pairs_alone() -> None:
    rows = [
        {"pair_id": name, "task": task, "objectivity": "factual", "controversiality": "low"}
        for name, task in (("a", "math"), ("b", "math"), ("c", "code"), ("elsewhere", "code"))
    ]
    found = count_attributes(["a", "b", "c", "d"], rows)
    assert (found.pairs, found.without_attributes, found.num_tasks) == (4, 1, 2)
    assert found.by("task") == {("math",): 2, ("code",): 1}
