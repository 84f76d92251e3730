"""The feature script: what is computed first, no text in its output, a killed call goes on, and what is there is read."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[3] / "benchmarks"))

import curation_features
from curation_parts import data, sources


def test_pairs_are_read_back_and_hold_no_text(features: Path) -> None:
    assert curation_features.main() == 0
    found = data.read(features, ("1", "2"))
    assert found.replies.difference.shape[1] == 64
    assert (found.group == "pool").sum() == 20
    assert set(found.truth.tolist()) == {True, False}
    # The longer reply is the chosen one here.
    assert ((found.replies.length > 0) == found.truth).all()
    assert "Secret" not in (features / "pairs.jsonl").read_text()
    pool, tests = data.split(found, None, 1)
    prompts = np.array(found.replies.prompts)
    assert not {*prompts[pool]} & {*prompts[found.group == "test"]}
    assert not found.has_new_model[pool].any()
    assert found.has_new_model[tests[data.NEW_MODELS]].all()


def test_a_killed_call_goes_on_and_what_is_there_is_a_prefix(features: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = curation_features.StateReader.states, [0]

    def killed(self: Any, replies: Any) -> Any:
        calls[0] += 1
        if calls[0] == 2:
            raise KeyboardInterrupt
        return real(self, replies)

    monkeypatch.setattr(curation_features.StateReader, "states", killed)
    with pytest.raises(KeyboardInterrupt):
        curation_features.main()
    part = data.read(features, ("1",))
    # Sixteen distinct replies are the first eight pool pairs, by prompt; a prefix of the pool's own order is at most those.
    assert 0 < (part.group == "pool").sum() <= 8
    before = {path: path.stat().st_mtime_ns for path in (features / "cache").glob("*.npz")}
    assert curation_features.main() == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert (data.read(features, ("1",)).group == "pool").sum() == 20


def test_other_settings_in_the_same_folder_are_refused(features: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    curation_features.main()
    monkeypatch.setattr(sys, "argv", [*sys.argv, "--reply-tokens", "64"])
    with pytest.raises(SystemExit, match="was begun with"):
        curation_features.main()


def test_the_pool_comes_in_turns_and_sides_say_nothing_of_the_label() -> None:
    rows = [
        {"id": f"r{number}", "prompt": [{"role": "user", "content": f"q{number % 9}"}], "chosen": "a", "rejected": "b",
         "meta": {"chosen_model": f"m{number // 9 % 40}", "rejected_model": f"m{(number // 9 + 5) % 40}", "logit_gap": 1.0}}
        for number in range(720)
    ]  # fmt: skip
    pool, test = sources.pool_and_test(rows, 30)
    prompts = [pair.prompt for pair in pool]
    # Six of nine prompts are left, and each comes once before any comes twice.
    assert len(set(prompts[:6])) == 6
    assert len(set(prompts)) == 6
    assert not test, "gaps of 1 are no test"
    assert 5 < sum(pair.is_first for pair in pool) < 25
    assert all((pair.first == "a") == pair.is_first for pair in pool)
