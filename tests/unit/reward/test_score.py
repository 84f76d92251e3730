from __future__ import annotations

import json
import math
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from goldsmith.errors import StoreError, UserError
from goldsmith.reward import RewardModel, score_file
from goldsmith.reward.calibration import Calibration, store_calibration
from goldsmith.reward.score import keep_whole_lines
from goldsmith.reward.tiny import write_tiny_model

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


def test_half_a_character_fails_its_row_with_line_and_remedy_and_no_other(model, tmp_path):
    half = "cut \ud83d"
    rows = [
        {"prompt": "hi", "replies": ["a", half]},
        {"prompt": half, "replies": ["a"]},
        {"prompt": "hi", "replies": ["a"], "id": half},
    ]
    out = tmp_path / "scored.jsonl"
    facts = score_file(model, _write(tmp_path / "lists.jsonl", rows), out)
    lines = _lines(out)
    assert lines[0]["failures"]["1"].startswith("lists.jsonl:1, reply 1: holds '\\ud83d', half of a character")
    assert "lists.jsonl:2, reply 0: holds" in lines[1]["detail"]
    assert "take it out of the text, or drop the row" in lines[1]["detail"]
    assert lines[2]["id"] == half
    assert (facts["scored"], facts["failed"], facts["replies_failed"]) == (2, {"cannot-be-scored": 1}, 1)
    assert score_file(model, tmp_path / "lists.jsonl", out) == facts


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


def test_a_torn_chunk_is_done_again_and_whole_ones_are_kept(model, tmp_path, monkeypatch):
    monkeypatch.setattr("goldsmith.reward.score.CHUNK", 2)
    path, out = _write(tmp_path / "pairs.jsonl", ROWS), tmp_path / "scored.jsonl"
    score_file(model, path, out)
    whole = out.read_bytes()
    lines = whole.splitlines(keepends=True)
    out.write_bytes(b"".join(lines[:3]) + lines[3][:20])
    scored, seen = [], []
    original = model.rate
    monkeypatch.setattr(model, "rate", lambda replies, **_: scored.extend(replies) or original(replies))
    facts = score_file(model, path, out, progress=lambda *counts: seen.append(counts))
    assert out.read_bytes() == whole
    assert len(scored) == 6  # rows 3 to 5: row 3 stood there whole, and its chunk did not
    assert seen == [(3, 5), (4, 5), (5, 5)]
    assert facts["rows"] == 5
    scored.clear()
    score_file(model, path, out)
    assert scored == []
    assert out.read_bytes() == whole


KILLED = """
import os, signal, sys
from pathlib import Path
from goldsmith.reward import RewardModel, score, score_file
score.CHUNK = 4
model, path, out = sys.argv[1:]
def kill(done, total):
    if done == 8:
        Path(out).open("ab").write(b'{"pair_id": "to')
        os.kill(os.getpid(), signal.SIGKILL)
score_file(RewardModel.load(model, dtype="float32", token_budget=128), path, Path(out), progress=kill)
"""


def test_killed_and_run_again_every_digit_is_that_of_an_unbroken_run(tiny_rm, tmp_path, monkeypatch):
    monkeypatch.setattr("goldsmith.reward.score.CHUNK", 4)
    rows = [
        {"prompt": f"Say {'x' * (7 * n % 30)}", "chosen": "a" * (5 * n % 17 + 1), "rejected": "b" * (n % 5 + 1)}
        for n in range(18)
    ]
    path = _write(tmp_path / "pairs.jsonl", rows)
    model = RewardModel.load(tiny_rm, dtype="float32", token_budget=128)
    score_file(model, path, tmp_path / "whole.jsonl")
    arguments = [sys.executable, "-c", KILLED, str(tiny_rm), str(path), str(tmp_path / "scored.jsonl")]
    assert subprocess.run(arguments, capture_output=True, check=False).returncode == -signal.SIGKILL
    assert len((tmp_path / "scored.jsonl").read_bytes().splitlines()) == 9  # eight whole lines and a torn one
    score_file(model, path, tmp_path / "scored.jsonl")
    assert (tmp_path / "scored.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_a_file_is_written_by_one_process_at_a_time(model, tmp_path):
    path, out = _write(tmp_path / "pairs.jsonl", ROWS), tmp_path / "scored.jsonl"
    caught = []

    def second(done, total):
        if done == 0:
            with pytest.raises(StoreError, match="being written by another process") as error:
                score_file(model, path, out)
            caught.append(error)

    score_file(model, path, out, progress=second)
    assert len(caught) == 1
    assert len(_lines(out)) == 5


def test_candidates_are_scored_in_order_and_the_best_is_named(model, tmp_path):
    texts = ["red", "blue, please", "green", "blue, please"]
    context = [{"role": "user", "content": "Say a colour."}]
    rows = [
        {"prompt": "Say a colour.", "replies": texts, "id": "one"},
        {"messages": context, "responses": [{"content": text} for text in texts]},
        {"context": context, "completions": [[{"role": "assistant", "content": text}] for text in texts]},
    ]
    out = tmp_path / "scored.jsonl"
    facts = score_file(model, _write(tmp_path / "lists.jsonl", rows), out)
    scores = model.score_replies(context, texts)
    weights = [math.exp(score) for score in scores]
    for line in _lines(out):
        assert line["scores"] == pytest.approx(scores, abs=1e-5)
        assert line["best"] == scores.index(max(scores))
        assert line["p_best"] == pytest.approx([weight / sum(weights) for weight in weights], abs=1e-5)
        assert line["calibrated"] is False
    assert _lines(out)[0]["id"] == "one"
    assert (facts["rows"], facts["scored"], facts["replies"], facts["replies_failed"]) == (3, 3, 12, 0)


def test_a_candidate_that_fails_has_a_reason_and_the_others_a_score(model, tmp_path):
    rows = [
        {"prompt": "Say red.", "replies": ["red", "", [{"type": "image", "url": "x"}], "no"]},
        {"prompt": "Say red.", "replies": ["", " "]},
        {"prompt": "Say red.", "replies": []},
        {"prompt": 7, "replies": ["red"]},
        {"prompt": [{"role": "assistant", "content": "hm"}], "replies": ["red"]},
        {"other": 1},
    ]
    out = tmp_path / "scored.jsonl"
    facts = score_file(model, _write(tmp_path / "lists.jsonl", rows), out)
    first, *failed = _lines(out)
    assert [score is None for score in first["scores"]] == [False, True, True, False]
    assert "the reply is empty" in first["failures"]["1"]
    assert "part of type 'image'" in first["failures"]["2"]
    assert sum(value for value in first["p_best"] if value is not None) == pytest.approx(1.0)
    assert all("failure" in line and "scores" not in line for line in failed)
    assert (facts["scored"], facts["failed"], facts["replies"], facts["replies_failed"]) == (1, {"cannot-be-scored": 5}, 2, 2)


def test_a_reward_that_is_not_finite_is_a_failure_and_no_number(tiny_rm, tmp_path):
    model = RewardModel.load(tiny_rm)
    with torch.no_grad():
        model.classifier.score.weight.fill_(float("nan"))
    facts = score_file(model, _write(tmp_path / "pairs.jsonl", ROWS[:2]), tmp_path / "scored.jsonl")
    assert facts["failed"] == {"cannot-be-scored": 2}
    assert facts["accuracy"] is None
    assert all("the reward is nan" in line["detail"] for line in _lines(tmp_path / "scored.jsonl"))


def test_what_was_cut_is_counted_over_the_whole_file_also_after_a_resume(tiny_rm, tmp_path):
    model = RewardModel.load(tiny_rm, max_length=64)
    rows = [{"prompt": "long " * 30, "chosen": "a", "rejected": "b"}, {"prompt": "hi", "chosen": "a", "rejected": "c"}]
    path, out = _write(tmp_path / "pairs.jsonl", rows), tmp_path / "scored.jsonl"
    first = score_file(model, path, out)
    assert first["truncated"] == 2
    assert [len(line.get("cut", ())) for line in _lines(out)] == [2, 0]
    assert score_file(model, path, out)["truncated"] == 2


def test_probabilities_and_deviations_of_a_calibrated_model_with_heads(tiny_rm, tmp_path):
    folder = shutil.copytree(tiny_rm, tmp_path / "rm")
    heads = {"weight": torch.randn(3, 32, generator=torch.Generator().manual_seed(2)), "center": torch.zeros(32)}
    save_file(heads, folder / "head_ensemble.safetensors")
    store_calibration(folder, Calibration(temperature=4.0, num_pairs=30, data="gold"))
    facts = score_file(folder, _write(tmp_path / "pairs.jsonl", ROWS), tmp_path / "scored.jsonl")
    model = RewardModel.load(folder)
    for row, line in zip(ROWS, _lines(tmp_path / "scored.jsonl"), strict=True):
        scores = model.score_replies([{"role": "user", "content": row["prompt"]}], [row["chosen"], row["rejected"]])
        assert line["p_chosen"] == pytest.approx(1 / (1 + math.exp(-line["margin"] / 4.0)))
        assert line["calibrated"] is True
        assert line["std"] == pytest.approx(scores.deviations, rel=1e-3)
        assert line["std_margin"] == pytest.approx(scores.margin_deviation(), rel=1e-3)
    assert (facts["calibrated"], facts["temperature"], facts["heads"]) == (True, 4.0, 3)


def test_the_record_of_a_run_says_how_scores_were_computed(model, tmp_path):
    out = tmp_path / "scored.jsonl"
    facts = score_file(model, _write(tmp_path / "pairs.jsonl", ROWS), out)
    record = json.loads((tmp_path / "scored.jsonl.run.json").read_text())
    for key in ("model_digest", "pooling", "max_length", "truncation_side", "batching", "dtype", "attention", "calibrated"):
        assert record[key] == facts[key]
    assert (record["pooling"], record["batching"], record["calibrated"]) == ("last", "packed rows, shared prefixes", False)


def test_other_arithmetic_or_another_temperature_is_not_mixed_in(tiny_rm, tmp_path):
    folder = shutil.copytree(tiny_rm, tmp_path / "rm")
    path, out = _write(tmp_path / "pairs.jsonl", ROWS), tmp_path / "scored.jsonl"
    score_file(RewardModel.load(folder, dtype="float32"), path, out)
    with pytest.raises(UserError, match=r"results of another dtype \('float32', now 'bfloat16'\); name another file with -o"):
        score_file(RewardModel.load(folder, dtype="bfloat16"), path, out)
    store_calibration(folder, Calibration(temperature=4.0, num_pairs=30))
    with pytest.raises(UserError, match=r"another calibrated \(False, now True\) and another temperature \(1\.0, now 4\.0\)"):
        score_file(RewardModel.load(folder, dtype="float32"), path, out)


def test_a_broken_first_line_does_not_hide_what_the_file_holds(model, tmp_path):
    turns = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]
    out = tmp_path / "scored.jsonl"
    facts = score_file(model, _write(tmp_path / "rows.jsonl", ["{torn", {"messages": turns}, {"messages": "x"}]), out)
    assert (facts["rows"], facts["scored"]) == (3, 1)
    assert ["failure" in line for line in _lines(out)] == [True, False, True]


def test_a_pair_among_candidates_is_told_apart(model, tmp_path):
    out = tmp_path / "scored.jsonl"
    facts = score_file(model, _write(tmp_path / "rows.jsonl", [{"prompt": "hi", "replies": ["a", "b"]}, ROWS[0]]), out)
    assert facts["failed"] == {"cannot-be-scored": 1}
    assert "rows.jsonl:2: holds neither `messages` nor one of replies" in _lines(out)[1]["detail"]
    assert "as a file of their own" in _lines(out)[1]["detail"]


def test_a_changed_folder_is_another_input(model, tmp_path):
    (tmp_path / "in").mkdir()
    _write(tmp_path / "in" / "one.jsonl", ROWS[:2])
    out = tmp_path / "scored.jsonl"
    score_file(model, tmp_path / "in", out)
    _write(tmp_path / "in" / "two.jsonl", ROWS[2:])
    with pytest.raises(UserError, match="results of another input"):
        score_file(model, tmp_path / "in", out)


def test_results_of_another_file_are_not_mixed(model, tmp_path):
    out = tmp_path / "scored.jsonl"
    score_file(model, _write(tmp_path / "one.jsonl", ROWS), out)
    with pytest.raises(UserError, match="results of another input"):
        score_file(model, _write(tmp_path / "two.jsonl", ROWS[:2]), out)


def test_another_reading_or_model_is_named_with_both_values(tiny_rm, tmp_path):
    path, out = _write(tmp_path / "one.jsonl", ROWS), tmp_path / "scored.jsonl"
    score_file(tiny_rm, path, out)
    with pytest.raises(
        UserError, match=r"results of another max_length \(512, now 100\); name another file with -o, or delete it"
    ):
        score_file(tiny_rm, path, out, max_length=100)
    other = write_tiny_model(tmp_path / "other", seed=5, num_labels=1)
    with pytest.raises(UserError, match=r"results of another model; name"):
        score_file(other, path, out)


def test_a_file_that_holds_something_else_is_left_alone(model, tmp_path):
    path = _write(tmp_path / "one.jsonl", ROWS)
    before = path.read_bytes()
    with pytest.raises(
        UserError, match=r"one\.jsonl holds something, and no one\.jsonl\.run\.json beside it says that these are scores"
    ):
        score_file(model, path, path)
    assert path.read_bytes() == before


def test_a_damaged_line_of_scores_is_named(model, tmp_path):
    path, out = _write(tmp_path / "one.jsonl", ROWS), tmp_path / "scored.jsonl"
    score_file(model, path, out)
    lines = out.read_text().splitlines()
    _write(out, [*lines[:2], "garbage", *lines[3:]])
    with pytest.raises(UserError, match=r"scored\.jsonl:3: is no line of scores.*delete the file"):
        score_file(model, path, out)


def test_keep_whole_lines(tmp_path):
    path = tmp_path / "x.jsonl"
    assert keep_whole_lines(path) == 0
    path.write_bytes(b"one\ntwo\nthr")
    assert keep_whole_lines(path) == 2
    assert path.read_bytes() == b"one\ntwo\n"
