"""Adding files and building the pool from them, on rows small enough to count by hand."""

import json
from pathlib import Path

import pytest

from goldsmith.benchdata.prompts import BenchmarkPrompt
from goldsmith.config import GoldsmithConfig
from goldsmith.errors import UserError
from goldsmith.pool.build import build_pool
from goldsmith.pool.ingest import add
from goldsmith.store import Workspace

ASTRONOMY = "please explain in simple words why the moon always shows us the same side"  # 14 words


def row(prompt: str, chosen: str, rejected: str, **more: object) -> dict[str, object]:
    return {"prompt": prompt, "chosen": chosen, "rejected": rejected, **more}


def write(path: Path, rows: list[dict[str, object]]) -> str:
    path.write_text("".join(json.dumps(item) + "\n" for item in rows), encoding="utf-8")
    return str(path)


def workspace(path: Path, **pool: object) -> Workspace:
    return Workspace(path / "ws", GoldsmithConfig.model_validate({"pool": pool, "engine": {"workers": 1}}))


def test_every_pair_is_kept_or_dropped_with_a_reason(tmp_path: Path) -> None:
    ws = workspace(tmp_path)
    one = write(
        tmp_path / "one.jsonl",
        [
            row("What is two plus two?", "Four.", "Five."),
            row("What is two plus two?", "Four.", "Five."),  # duplicate within the file
            row("Name a colour.", "Red.", "Dog."),
            row(ASTRONOMY, "It is locked by tides.", "It does not turn."),  # shares a 13-gram
            row("Say hi!", "Hi.", "No."),  # equals a short benchmark prompt
        ],
    )
    two = write(
        tmp_path / "two.jsonl",
        [
            row("Name a colour.", "Dog.", "Red."),  # contradicts one.jsonl:3
            row("What is two plus two?", "Four.", "Five.", source="a-first"),  # sorts before "one"
            row("Empty?", "", "Yes."),
        ],
    )
    added = add(ws, [one, two])
    assert [(item.total, item.kept, item.rejected) for item in added.inputs] == [(5, 5, {}), (3, 2, {"empty-reply": 1})]
    benchmarks = [BenchmarkPrompt(f"Now {ASTRONOMY}, thanks.", "space"), BenchmarkPrompt("say HI", "short")]
    result = build_pool(ws, "f", benchmarks)
    assert (result.total, result.kept) == (7, 1)
    assert result.dropped == {"contaminated-13gram": 1, "contaminated-short-prompt": 1, "contradiction": 2, "duplicate": 2}
    kept = ws.table("pool").rows()
    assert [(pair["source"], pair["first"], pair["label"]) for pair in kept] == [("a-first", "Five.", "second")]
    assert len(ws.table("contradictions").rows()) == 2
    assert len(ws.table("pool_dropped").rows()) == 6
    assert ws.table("flipped_on_purpose").rows() == []


def test_the_same_bytes_are_added_once(tmp_path: Path) -> None:
    ws = workspace(tmp_path)
    one = write(tmp_path / "one.jsonl", [row("Name a colour.", "Red.", "Dog.")])
    assert add(ws, [one]).kept == 1
    copy = write(tmp_path / "copy.jsonl", [row("Name a colour.", "Red.", "Dog.")])
    again = add(ws, [copy]).inputs[0]
    assert again.already_added
    assert again.kept == 1
    assert build_pool(ws, "f").total == 1


def test_excluded_contexts_leave_with_their_reason(tmp_path: Path) -> None:
    ws = workspace(tmp_path)
    add(ws, [write(tmp_path / "one.jsonl", [row("Name a colour.", "Red.", "Dog."), row("Name a fish.", "Cod.", "Oak.")])])
    build_pool(ws, "f")
    context = next(pair["context_id"] for pair in ws.table("pool").rows() if "fish" in pair["context"])
    result = build_pool(ws, "g", excluded_contexts={context: "gold-context"})
    assert (result.kept, result.dropped) == (1, {"gold-context": 1})


def test_a_limit_and_purposeful_flips_do_not_depend_on_the_order_of_the_files(tmp_path: Path) -> None:
    rows = [row(f"Question {number}?", f"Yes {number}.", f"No {number}.") for number in range(60)]
    one, two = write(tmp_path / "one.jsonl", rows[:30]), write(tmp_path / "two.jsonl", rows[30:])
    other = write(tmp_path / "other.jsonl", [*rows[40:], *rows[:40]])
    pools = []
    for name, inputs in (("a", [one, two]), ("b", [other])):
        ws = workspace(tmp_path / name, limit=20, flip_share=0.5)
        add(ws, inputs)
        result = build_pool(ws, "f")
        assert result.dropped == {"over-limit": 40}
        flipped = {item["pair_id"] for item in ws.table("flipped_on_purpose").rows()}
        assert len(flipped) == result.flipped_on_purpose
        assert 0 < len(flipped) < 20
        labels = {pair["pair_id"]: pair["label"] for pair in ws.table("pool").rows()}
        # Unflipped, every "No" is first and the label is second.
        assert {name for name, label in labels.items() if label == "first"} == flipped
        pools.append(labels)
    assert pools[0] == pools[1]


def test_an_empty_pool_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="goldsmith pool add"):
        build_pool(workspace(tmp_path), "f")
