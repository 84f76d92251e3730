import subprocess
import sys
from pathlib import Path

import pytest

from goldsmith.cli.main import VERBS, run
from goldsmith.config import GoldsmithConfig, load_config
from goldsmith.curate.init import PRESETS

HEAVY = ("torch", "transformers", "daft", "pyarrow", "numpy", "sentence_transformers", "altair", "aiohttp")


@pytest.mark.parametrize("verb", ["", *VERBS])
def test_help_loads_nothing_heavy(verb: str) -> None:
    code = f"import sys\nfrom goldsmith.cli.main import run\nrun({[verb, '--help'] if verb else ['--help']!r})\nprint([m for m in {HEAVY!r} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["nonsense"], 2, "No such command 'nonsense'"),
        (["run", "--nonsense"], 2, "No such option"),
        (["run", "-w", "{tmp}"], 1, "no goldsmith.toml here"),
        (["status", "-w", "{tmp}"], 1, "goldsmith init DIR"),
        (["init", "{tmp}/w", "--config", "{tmp}/none.toml"], 1, "no such configuration file"),
    ],
)
def test_user_errors_have_a_code_a_message_and_no_trace(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, told: str
) -> None:
    assert run([argument.format(tmp=tmp_path) for argument in arguments]) == code
    shown = capsys.readouterr().err
    assert told in shown
    assert "Traceback" not in shown


def test_every_preset_is_a_valid_beginning_and_says_how_it_curates(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = {}
    for name in PRESETS:
        assert run(["init", str(tmp_path / name), "--preset", name]) == 0
        found[name] = load_config([tmp_path / name / "goldsmith.toml"])
    assert found["article"] == GoldsmithConfig(name="my reward model")
    assert (found["paper"].rounds.k_rule, found["paper"].curate.keep_rule) == ("paper", "paper")
    ours = found["goldsmith"]
    assert (ours.curate.keep_rule, ours.train.soft_labels, ours.train.people) == ("joint", True, "correct")
    assert run(["init", str(tmp_path / "x"), "--preset", "best"]) == 1
    assert "no preset 'best'; there are article, paper, goldsmith" in capsys.readouterr().err
    assert run(["init", str(tmp_path / "x"), "--preset", "paper", "--config", str(tmp_path / "paper" / "goldsmith.toml")]) == 1
    assert "give one of them" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_init_makes_a_workspace_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init", str(tmp_path / "w"), "--json"]) == 0
    assert (tmp_path / "w" / "goldsmith.toml").is_file()
    assert run(["init", str(tmp_path / "w")]) == 1
    assert "is a workspace already" in capsys.readouterr().err
    assert run(["run", "-w", str(tmp_path / "w")]) == 1
    assert "the pool is empty" in capsys.readouterr().err
