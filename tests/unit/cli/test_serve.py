"""The verbs of the server: what their flags become, and what they print."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import goldsmith.serve.server
import goldsmith.serve.verify
from goldsmith.cli.main import run
from goldsmith.config.serve import ServeConfig
from goldsmith.reward.golden import read_golden
from goldsmith.reward.tiny import write_tiny_model
from goldsmith.serve.keys import Keys
from goldsmith.serve.verify import Difference, Verification


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[tuple[dict[str, str], ServeConfig]]:
    calls: list[tuple[dict[str, str], ServeConfig]] = []

    def serve(models: dict[str, str], config: ServeConfig, ready: Any) -> None:
        calls.append((models, config))
        ready("http://127.0.0.1:1")

    monkeypatch.setattr(goldsmith.serve.server, "serve", serve)
    return calls


def test_models_have_their_folders_names_or_their_own(served: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["serve", "models/first", "other=models/second", "/a=b/third"]) == 0
    assert served[0][0] == {"first": "models/first", "other": "models/second", "third": "/a=b/third"}
    assert served[0][1] == ServeConfig()
    assert capsys.readouterr().out == "http://127.0.0.1:1\n"
    assert run(["serve", "a/model", "b/model"]) == 2
    assert "two models have the name 'model'" in capsys.readouterr().err


def test_flags_win_over_set_and_set_over_files(served: list[Any], tmp_path: Path) -> None:
    (tmp_path / "serve.toml").write_text("[serve]\nport = 1\nreplicas = 3\nmax_queue_s = 9.0\ntruncate = true\n")
    arguments = ["--config", str(tmp_path / "serve.toml"), "--set", "replicas=4", "--set", "port=2", "--port", "5"]
    assert run(["serve", "m", *arguments, "--allow-models", "a", "--allow-models", "b", "--keys", "k.json"]) == 0
    config = served[0][1]
    assert (config.port, config.replicas, config.max_queue_s, config.truncate) == (5, 4, 9.0, True)
    assert (config.allow_models, config.keys_file) == ([Path("a"), Path("b")], Path("k.json"))


@pytest.mark.parametrize(("setting", "said"), [("colour=1", "unknown key 'serve.colour'"), ("port=-1", "serve.port = -1")])
def test_wrong_settings_are_named(served: list[Any], capsys: pytest.CaptureFixture[str], setting: str, said: str) -> None:
    assert run(["serve", "m", "--set", setting]) == 1
    assert said in capsys.readouterr().err


def test_a_key_is_printed_once_and_withdrawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "keys.json"
    assert run(["serve-key", "team", "--keys", str(path), "--tokens-per-minute", "100", "--json"]) == 0
    key = json.loads(capsys.readouterr().out)["key"]
    assert key not in path.read_text()
    assert Keys(path).caller(f"Bearer {key}", None).name == "team"
    assert run(["serve-key", "team", "--keys", str(path), "--withdraw"]) == 0
    assert json.loads(path.read_text())["keys"] == []
    assert run(["serve-key", "team", "--keys", str(path), "--withdraw"]) == 1


def test_golden_scores_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_tiny_model(tmp_path / "model", seed=2, num_labels=1)
    assert run(["models", "golden", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == len(read_golden(folder))


@pytest.mark.parametrize("differs", [False, True])
def test_a_server_that_differs_ends_with_one(
    differs: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    rows = [Difference(row=2, golden=1.5, alone=0.5, together=1.5)] if differs else []
    found = Verification(
        url="http://x", dialect="vllm", rows=3, largest=1.0, mean=0.5, batch=0.1, tolerance=0.001, differing=rows, diagnosis="odd"
    )
    asked: list[Any] = []
    monkeypatch.setenv("GOLDSMITH_API_KEY", "secret")
    monkeypatch.setattr(goldsmith.serve.verify, "verify_server", lambda *given, **more: asked.append((given, more)) or found)
    arguments = ["verify-server", "http://x", "--golden", str(tmp_path), "--dialect", "vllm", "--model", "m"]
    assert run([*arguments, "--json"]) == int(differs)
    printed = json.loads(capsys.readouterr().out)
    assert (printed["is_same"], len(printed["differing"])) == (not differs, len(rows))
    assert asked[0][1]["api_key"] == "secret"
    assert run(arguments) == int(differs)
    text = capsys.readouterr().out
    assert ("differs in 1 of 3 scores" in text) == differs
    assert ("1.5000" in text) == differs
