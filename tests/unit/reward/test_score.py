from __future__ import annotations

import json
from pathlib import Path

import pytest

from goldsmith.errors import UserError
from goldsmith.reward import RewardModel, score_file
from goldsmith.reward.score import keep_whole_lines

ROWS = [
    {"prompt": f"Say {word}.", "chosen": f"{word}, please", "rejected": word} for word in ("red", "blue", "green", "pink", "gold")
]


@pytest.fixture
def model(tiny_rm: Path) -> RewardModel:
    return RewardModel.load(tiny_rm)


def _write(path: Path, rows: list[object]) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def _lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_pairs_are_scored_in_order(model, tmp_path):
    out = tmp_path / "scored.jsonl"
    facts = score_file(model, _write(tmp_path / "pairs.jsonl", ROWS), out)
    turns = [
        [{"role": "user", "content": row["prompt"]}, {"role": "assistant", "content": row[side]}]
        for row in ROWS
        for side in ("chosen", "rejected")
    ]
    scores = model.score(turns)
    lines = _lines(out)
    assert [line["score_chosen"] for line in lines] == pytest.approx(scores[::2], abs=1e-6)
    assert [line["score_rejected"] for line in lines] == pytest.approx(scores[1::2], abs=1e-6)
    wins = sum(chosen > rejected for chosen, rejected in zip(scores[::2], scores[1::2], strict=True))
    assert (facts["rows"], facts["scored"], facts["failed"], facts["accuracy"]) == (5, 5, {}, wins / 5)


def test_a_failed_row_has_a_reason_and_no_score(model, tmp_path):
    image = {"prompt": [{"role": "user", "content": [{"type": "image", "url": "x"}]}], "chosen": "a", "rejected": "b"}
    bad = [ROWS[0], {**ROWS[1], "chosen": ""}, "{torn", image, ROWS[2]]
    out = tmp_path / "scored.jsonl"
    facts = score_file(model, _write(tmp_path / "pairs.jsonl", bad), out)
    lines = _lines(out)
    assert ["failure" in line for line in lines] == [False, True, True, True, False]
    assert not any("score_chosen" in line for line in lines[1:4])
    assert "image" in lines[3]["detail"]
    assert facts["scored"] == 2
    assert sum(facts["failed"].values()) == 3


def test_conversations(model, tmp_path):
    rows = [
        {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]},
        {"messages": [{"role": "user", "content": "hi"}]},
    ]
    out = tmp_path / "scored.jsonl"
    facts = score_file(model, _write(tmp_path / "rows.jsonl", rows), out)
    assert _lines(out)[0]["score"] == pytest.approx(model.score([rows[0]["messages"]])[0], abs=1e-6)
    assert facts["failed"] == {"cannot-be-scored": 1}
    assert facts["accuracy"] is None


def test_a_torn_line_is_done_again_and_whole_ones_are_kept(model, tmp_path, monkeypatch):
    path, out = _write(tmp_path / "pairs.jsonl", ROWS), tmp_path / "scored.jsonl"
    score_file(model, path, out)
    whole = out.read_text()
    out.write_text("".join(whole.splitlines(keepends=True)[:2]) + whole.splitlines()[2][:20])
    scored = []
    original = model.score_replies
    monkeypatch.setattr(model, "score_replies", lambda replies, **_: scored.extend(replies) or original(replies))
    facts = score_file(model, path, out)
    assert [line["pair_id"] for line in _lines(out)] == [json.loads(line)["pair_id"] for line in whole.splitlines()]
    assert len(scored) == 6  # three pairs
    assert facts["rows"] == 5


def test_results_of_another_file_are_not_mixed(model, tmp_path):
    out = tmp_path / "scored.jsonl"
    score_file(model, _write(tmp_path / "one.jsonl", ROWS), out)
    with pytest.raises(UserError, match="results of another input"):
        score_file(model, _write(tmp_path / "two.jsonl", ROWS[:2]), out)


def test_keep_whole_lines(tmp_path):
    path = tmp_path / "x.jsonl"
    assert keep_whole_lines(path) == 0
    path.write_bytes(b"one\ntwo\nthr")
    assert keep_whole_lines(path) == 2
    assert path.read_bytes() == b"one\ntwo\n"
