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
        (
            ["pairs.jsonl", "--out", "model", "--set", "train.lora.alpha=inf"],
            1,
            "train.lora.alpha = inf: Input should be a finite number",
        ),
        (["pairs.jsonl", "--out", "model", "--set", "head.l2=[]"], 1, "head.l2 = []: List should have at least 1 item"),
        (["pairs.jsonl", "--out", "model", "--set", "head.l2=[0.0]"], 1, "each must be above 0, for example [0.001, 0.1]"),
    ],
)
def test_wrong_arguments_are_told_with_a_remedy(capsys, arguments, code, told):
    assert run(["train", *arguments]) == code
    shown = capsys.readouterr().err
    assert told in shown
    assert "Traceback" not in shown


@pytest.fixture
def tiny(tmp_path) -> Path:
    from goldsmith.reward.tiny import write_tiny_model

    return write_tiny_model(tmp_path / "tiny", seed=3)


def test_every_row_is_told_as_trained_on_or_left_out_and_the_accuracy_with_it(tiny, tmp_path, capsys):
    rows = [
        {"prompt": f"Say {word}.", "chosen": f"{word}, please!", "rejected": word} for word in ("red", "blue", "green", "pink")
    ]
    bad = [{**rows[0], "rejected": ""}, {"odd": 1}, {"prompt": "v", "chosen": "a", "rejected": "b"}]
    pairs, held = tmp_path / "pairs.jsonl", tmp_path / "held.jsonl"
    pairs.write_text("".join(json.dumps(row) + "\n" for row in [*rows, *bad]))
    held.write_text("".join(json.dumps(row) + "\n" for row in [bad[2], {**bad[2], "chosen": "b"}]))
    options = ["--base", str(tiny), "--out", str(tmp_path / "rm"), "--validation", str(held)]
    settings = ["train.method=head", "train.max_pairs=3", f"reward.feature_cache={tmp_path / 'features'}"]
    # One model comes out of it, so the code is 0; `score`, which answers row by row, ends with 3 on the same file.
    assert run(["train", str(pairs), *options, *(part for setting in settings for part in ("--set", setting))]) == 0
    told = capsys.readouterr().out
    assert (
        "trained on 3 pairs and 0 lists; left out: empty-reply 1, unknown-fields 1, validation-context 1, over train.max_pairs 1"
        in told
    )
    assert "% of 1 pairs right; left out: identical-replies 1" in told
    assert run(["score", str(tmp_path / "rm"), str(pairs), "-o", str(tmp_path / "scored.jsonl")]) == 3


def test_validation_pairs_that_are_all_ties_are_refused(tiny, tmp_path, capsys):
    pairs, held = tmp_path / "pairs.jsonl", tmp_path / "held.jsonl"
    pairs.write_text(json.dumps({"prompt": "Say red.", "chosen": "red, please!", "rejected": "red"}) + "\n")
    held.write_text(
        json.dumps({"context": [{"role": "user", "content": "q"}], "first": "a", "second": "b", "label": "tie"}) + "\n"
    )
    assert run(["train", str(pairs), "--base", str(tiny), "--out", str(tmp_path / "rm"), "--validation", str(held)]) == 1
    assert "held.jsonl: holds no pair with a preferred reply to validate on (1 ties)" in capsys.readouterr().err
