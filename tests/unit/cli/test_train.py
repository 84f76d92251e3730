"""`goldsmith train`: recipes, and dry runs that need neither weights nor torch."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from goldsmith.cli.main import run

DEMO = Path(__file__).parents[3] / "demo" / "pool.jsonl.gz"


def test_recipes_are_listed(capsys):
    assert run(["train", "--recipe", "list", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["recipes"]) == 8
    assert run(["train", "--recipe", "list"]) == 0
    assert "llama-3.1-8b-40m  meta-llama/" in capsys.readouterr().out


def test_a_dry_run_of_a_recipe_imports_no_torch_and_writes_nothing(tmp_path):
    code = (
        "import sys\nfrom goldsmith.cli.main import run\n"
        f"code = run(['train', {str(DEMO)!r}, '--recipe', 'qwen3-8b', '--dry-run', '--out', 'model'])\n"
        "print(code, [name for name in ('torch', 'transformers') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert result.stdout.splitlines()[-1] == "0 []"
    assert "7,568,409,600" in result.stdout  # published: 8,190,735,360, less an output matrix of 151,936 x 4,096, and our head
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_as_json(capsys):
    arguments = ["train", "--recipe", "qwen3-0.6b/development", "--dry-run", "--json", "--num-pairs", "1000", "--gpus", "2"]
    assert run([*arguments, "--gpu", "mine", "--gpu-memory", "24", "--peak-tflops", "100"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["steps"] == 4  # 1,000 pairs in batches of 256
    assert shown["hardware"]["gpus"] == 2
    assert {plan["sharding"] for plan in shown["memory"]} == {"none", "zero1", "fsdp2"}
    assert all(plan["total"] == sum(plan["components"].values()) for plan in shown["memory"])


def test_settings_of_the_user_win(capsys, tmp_path):
    (tmp_path / "mine.toml").write_text("[train]\nbatch_size = 100\n")
    arguments = ["train", "--recipe", "qwen3-0.6b", "--dry-run", "--json", "--num-pairs", "1000"]
    assert run([*arguments, "--config", str(tmp_path / "mine.toml"), "--set", "train.epochs=2", "--base", "Qwen/Qwen3-4B"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["steps"], shown["base"]) == (20, "Qwen/Qwen3-4B")


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--recipe", "qwen3-8"], 1, "did you mean 'qwen3-8b'?"),
        (["--dry-run"], 1, "give a file of pairs, or --num-pairs"),
        (["--dry-run", "--num-pairs", "5", "--gpu", "h10"], 1, "did you mean 'h100'?"),
        (["--dry-run", "--num-pairs", "5", "--base", "someone/unknown"], 1, "give a folder that holds its config.json"),
        (["--dry-run", "--num-pairs", "5", "--set", "reward.max_length=99999"], 1, "above the model's 8,192 positions"),
        (["pairs.jsonl", "--out", "model", "--gpus", "4"], 2, "--gpus: only for --dry-run"),
        (["pairs.jsonl"], 2, "Missing --out"),
        (["--out", "model"], 2, "Missing the file of pairs"),
        (["none.jsonl", "--dry-run"], 1, "none.jsonl"),
    ],
)
def test_wrong_arguments_are_told_with_a_remedy(capsys, arguments, code, told):
    assert run(["train", *arguments]) == code
    shown = capsys.readouterr().err
    assert told in shown
    assert "Traceback" not in shown
