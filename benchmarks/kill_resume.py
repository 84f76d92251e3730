"""Kills a run with `kill -9` at random moments, continues it, and compares its tables with an unbroken run's.

The unbroken run replays the killed one's LLM cache, so both have the same answers (contracts: Running). What must hold:
tables equal after sorting; no answer that had arrived was asked for again; every lost call stands in the ledger.

    python benchmarks/kill_resume.py --check     one pass, 10 kills, on 120 demo pairs with a tiny random model
    python benchmarks/kill_resume.py --full      three passes with other moments, and the embedded model
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
GOLDSMITH = [sys.executable, "-m", "goldsmith.cli"]
SMALL = """
base_dir = {demo}
seed = {seed}
[pool]
sources = ["pool.jsonl.gz"]
limit = 120
[gold]
recorded_votes = ["votes.jsonl.gz"]
seed_budget = 50
human_budget = 6
minimum = 10
[seed_selection]
size = 90
[judge]
probe_pairs = {probe}
[attributes]
llm_pairs = {attributes}
measure_llm = 0
[rounds]
count = 1
[reward]
base = {base}
max_length = 160
[train]
method = "lora"
max_pairs = 60
batch_size = 16
checkpoint_steps = 1
[train.lora]
last_layers = 1
[evaluate]
sets = [{{ name = "held-out", path = "heldout.jsonl.gz", limit = 20 }}]
bootstrap = 100
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    passes = [arguments.seed + offset for offset in range(3 if arguments.full else 1)]
    failed = []
    print(f"{'pass':>4} {'kills':>5} {'attempts':>8} {'seconds':>8} {'calls':>6} {'unknown':>7} {'asked twice':>11}  tables")
    for seed in passes:
        failed += one_pass(seed, arguments.kills, embedded=arguments.full)
    if failed:
        print(f"FAILED: {'; '.join(failed)}")
        return 1
    print("tables equal, nothing asked twice")
    return 0


def one_pass(seed: int, kills: int, *, embedded: bool) -> list[str]:
    """Run one killed and one unbroken workspace and print a line; return what does not hold."""
    with tempfile.TemporaryDirectory(prefix="goldsmith-kill-") as folder:
        broken, whole = Path(folder) / "broken", Path(folder) / "whole"
        base = "embedded" if embedded else str(tiny_model(Path(folder) / "tiny"))
        config = SMALL.format(demo=repr_toml(ROOT / "demo"), seed=seed, probe=8, attributes=4, base=repr_toml(base))
        for place in (broken, whole):
            place.mkdir()
            (place / "goldsmith.toml").write_text(config, encoding="utf-8")
        begun = time.monotonic()
        duration = unkilled_seconds(whole)
        shutil.rmtree(whole / "tables")
        attempts, killed = run_with_kills(broken, kills, duration, random.Random(seed))
        for entry in ("tables", "steps", "runs", "models", "annotation.db", "cache"):
            place = whole / entry
            shutil.rmtree(place) if place.is_dir() else place.unlink(missing_ok=True)
        (whole / "cache").mkdir()
        for entry in (broken / "cache").glob("llm.sqlite*"):
            shutil.copy(entry, whole / "cache" / entry.name)
        run_once(whole)
        differing = different_tables(broken, whole)
        calls, unknown, twice = ledger_counts(broken / "cache" / "llm.sqlite")
        seconds = time.monotonic() - begun
        told = ", ".join(differing) or "equal"
        print(f"{seed:>4} {killed:>5} {attempts:>8} {seconds:>8.0f} {calls:>6} {unknown:>7} {twice:>11}  {told}", flush=True)
        problems = [f"pass {seed}: tables differ: {told}"] if differing else []
        problems += [f"pass {seed}: only {killed} of {kills} kills struck"] if killed < kills else []
        return problems + ([f"pass {seed}: {twice} answers were asked for twice"] if twice else [])


def unkilled_seconds(workspace: Path) -> float:
    """Run once undisturbed, for the time it takes and for the model files to be warm."""
    begun = time.monotonic()
    run_once(workspace)
    return time.monotonic() - begun


def run_once(workspace: Path) -> None:
    result = subprocess.run([*GOLDSMITH, "run", "-w", str(workspace)], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise SystemExit(f"an unbroken run failed with {result.returncode}: {result.stderr[-2000:]}")


def run_with_kills(workspace: Path, kills: int, duration: float, generator: random.Random) -> tuple[int, int]:
    """Start and kill until `kills` struck, then let it finish; return attempts and kills that struck a living run.

    Each attempt is killed after a random share of what an attempt takes at most, so that the moments spread over the flow.
    """
    attempts = struck = 0
    while True:
        attempts += 1
        process = subprocess.Popen(
            [*GOLDSMITH, "run", "-w", str(workspace)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        if struck < kills:
            try:
                process.wait(timeout=generator.uniform(1.0, max(6.0, duration / 3)))
            except subprocess.TimeoutExpired:
                os.kill(process.pid, signal.SIGKILL)
                process.communicate()
                struck += 1
                continue
        _, errors = process.communicate()
        if process.returncode != 0:
            raise SystemExit(f"the continued run failed with {process.returncode}: {errors[-2000:]}")
        if struck >= kills or attempts > 4 * kills:
            return attempts, struck
        shutil.rmtree(workspace / "steps")  # it finished before the last kill: begin the flow again, caches kept


def different_tables(one: Path, other: Path) -> list[str]:
    """Return the names of tables whose rows differ, after sorting by all columns."""
    from goldsmith.store import Workspace

    left, right = Workspace(one), Workspace(other)
    names = {table.name for table in left.tables()} | {table.name for table in right.tables()}
    found = []
    for name in sorted(names):
        tables = [workspace.table(name) for workspace in (left, right)]
        if not all(table.exists for table in tables):
            found.append(f"{name} (missing)")
            continue
        rows = [sorted(map(repr, table.rows())) for table in tables]
        if rows[0] != rows[1]:
            changed = sum(a != b for a, b in zip(*rows, strict=False)) + abs(len(rows[0]) - len(rows[1]))
            found.append(f"{name} ({changed} rows)")
    return found


def ledger_counts(path: Path) -> tuple[int, int, int]:
    """Return calls in the ledger, those of unknown outcome, and requests whose answer arrived more than once."""
    with sqlite3.connect(path) as connection:
        calls, unknown = connection.execute("SELECT count(*), sum(state = 'unknown') FROM calls").fetchone()
        query = "SELECT count(*) FROM (SELECT key FROM calls WHERE state = 'done' GROUP BY key HAVING count(*) > 1)"
        return calls, unknown or 0, connection.execute(query).fetchone()[0]


def tiny_model(folder: Path) -> Path:
    """Write a random Llama of two layers with the embedded model's tokenizer, and return its folder."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    from goldsmith.models import base_model_path

    tokenizer = AutoTokenizer.from_pretrained(str(base_model_path("embedded")))
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=512, pad_token_id=tokenizer.pad_token_id, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def repr_toml(value: object) -> str:
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


if __name__ == "__main__":
    sys.exit(main())
