from __future__ import annotations

import os
from pathlib import Path

import pytest

from goldsmith.reward import checkpoint
from goldsmith.reward.checkpoint import checkpoint_digest, known_digests, trust_digests


def test_what_another_process_read_is_not_read_again_unless_it_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "_known", {})
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    before, told = checkpoint_digest(tmp_path), known_digests()
    assert len(told) == 2

    read: list[str] = []
    monkeypatch.setattr(checkpoint, "_known", {})
    monkeypatch.setattr(checkpoint, "file_digest", lambda path: read.append(path.name) or "other")
    trust_digests(told)
    assert checkpoint_digest(tmp_path) == before
    assert read == []
    # Of the same size, changed later.
    (tmp_path / "model.safetensors").write_bytes(b"WEIGHTS")
    os.utime(tmp_path / "model.safetensors", ns=(1, 1))
    assert checkpoint_digest(tmp_path) != before
    assert read == ["model.safetensors"]


@pytest.mark.parametrize("name", ["tokenizer.model", "vocab.txt", "added_tokens.json"])
def test_every_file_of_a_tokenizer_decides_the_digest(tmp_path: Path, name: str) -> None:
    (tmp_path / "config.json").write_text("{}")
    before = checkpoint_digest(tmp_path)
    (tmp_path / name).write_text("x")
    assert checkpoint_digest(tmp_path) != before
