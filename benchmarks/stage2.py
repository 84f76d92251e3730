"""Stage 2 over a pool with scores given: time, memory, and whether a run that is killed in the middle continues.

    python benchmarks/stage2.py --check      100,000 pairs, at most 5 minutes; exit 1 when a goal is missed, scaled to the size
    python benchmarks/stage2.py --full       1,000,000 pairs

Goals on 2 cores: 1 M pairs in at most 120 s and 3 GiB (PSS of the process and its children, sampled), for every keep rule; killed with
SIGKILL half way, the same call finishes what is owed and gives the same decisions. Pairs are synthetic, of about 1.5 KB.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

MAX_SECONDS_PER_MILLION, MAX_GIB = 120.0, 3.0
SIZES = {"check": 100_000, "full": 1_000_000}
PART, GROUP = 200_000, 4096
"""Rows of a part of the pool, and of a row group, as `pool add` writes them."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--work", type=Path, default=Path(__file__).resolve().parents[1] / ".work" / "stage2")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        return one(arguments.work, arguments.one)
    num_pairs = SIZES["full" if arguments.full else "check"]
    root = arguments.work / str(num_pairs)
    if not (root / "made").is_file():
        make(root, num_pairs)
        (root / "made").touch()
    print(f"{'keep rule':<10} {'pairs':>9} {'seconds':>8} {'GiB':>5}  kept / relabelled / flipped / dropped")
    failed = False
    for rule in ("article", "paper", "stack"):
        found = measured(root, rule)
        actions = " / ".join(f"{found['by_action'].get(name, 0):,}" for name in ("keep", "relabel", "flip", "drop"))
        print(f"{rule:<10} {num_pairs:>9,} {found['seconds']:>8.1f} {found['gib']:>5.2f}  {actions}")
        failed |= found["seconds"] > MAX_SECONDS_PER_MILLION * max(num_pairs, 250_000) / 1e6 or found["gib"] > MAX_GIB
    failed |= not continues(root)
    print("FAILED: a goal is missed" if failed else "all goals are met")
    return int(failed)


def make(root: Path, num_pairs: int) -> None:
    """Write a workspace with `pool`, `scores_best` and `scores_gold`."""
    from goldsmith import Workspace, load_config
    from goldsmith.curate.partition import ROWS
    from goldsmith.curate.scoring import SCORE_SCHEMA
    from goldsmith.store.pairs import pair_schema

    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    rng = np.random.default_rng(7)
    words = np.array(["alpha", "beta", "**gamma**", "delta", "\n- epsilon", "zeta\n", "eta", "\n2. theta"])
    texts = pa.array([" ".join(rng.choice(words, int(size))) for size in rng.integers(20, 200, 5000)])
    workspace = Workspace(root, load_config([], ["llm.endpoints=[]"]))
    with (
        workspace.writer("pool", step="pool", fingerprint="pool") as pool,
        workspace.writer("scores_best", step="scores", fingerprint="s") as best,
        workspace.writer("scores_gold", step="scores", fingerprint="s") as gold,
    ):
        writers = {"best": best, "gold": gold}
        for number, start in enumerate(range(0, num_pairs, PART)):
            count = min(PART, num_pairs - start)
            ids = pa.array([f"{value:016x}{place:016x}" for place, value in enumerate(rng.integers(0, 1 << 62, count), start)])
            columns: dict[str, Any] = {field.name: pa.nulls(count, field.type) for field in pair_schema()}
            columns |= {"pair_id": ids, "context_id": pc.utf8_slice_codeunits(ids, 0, 15)}
            columns |= {name: pc.take(texts, pa.array(rng.integers(0, 5000, count))) for name in ("context", "first", "second")}
            columns["label"] = pa.array(rng.choice(["first", "second", "tie"], count, p=[0.49, 0.49, 0.02]))
            pq.write_table(
                pa.table(columns, schema=pair_schema()),
                pool.directory / f"part-{number:05d}.parquet",
                row_group_size=GROUP,
                compression="zstd",
            )
            for writer in writers.values():
                scores = {
                    "pair_id": ids,
                    "model_digest": ["m"] * count,
                    "first": rng.normal(size=count),
                    "second": rng.normal(size=count),
                }
                table = pa.table({**scores, "fold": pa.nulls(count, pa.int64())}, schema=SCORE_SCHEMA)
                for at in range(0, count, ROWS):
                    pq.write_table(
                        table.slice(at, ROWS), writer.directory / f"part-{number:05d}-{at:09d}.parquet", compression="zstd"
                    )


def one(root: Path, rule: str) -> int:
    """Run stage 2 once and print its facts; in a process of its own, so that memory is its own."""
    from goldsmith import Workspace, load_config
    from goldsmith.curate.judging import Judged
    from goldsmith.curate.stack import Stack
    from goldsmith.curate.stage2 import _commit, _facts, decide_pool, find_unsure, opinions_of
    from goldsmith.curate.transition import Transition

    started = time.monotonic()
    workspace = Workspace(root, load_config([], ["llm.endpoints=[]", f'curate.keep_rule="{rule}"', "engine.workers=2"]))
    unsure = find_unsure(workspace, set(), 0.5, 20_000)
    judged = Judged(
        choices={name: "first" for name in unsure.least_sure[::2]}, p_first={name: 0.75 for name in unsure.least_sure}
    )
    noise = Transition(truth=0.8, length=0.5, format=0.1, num_pairs=200, wrong=0.3)
    stack = Stack(label=noise, judges=noise, weight=(1.0, 1.0, 0.3, 0.5, 0.2, 0.1)) if rule == "stack" else None
    results = decide_pool(workspace, f"bench-{rule}", opinions_of(judged, {}), set(), stack)
    facts = _facts(results, _commit(workspace, f"bench-{rule}", results, []))
    print(json.dumps({"by_action": facts["by_action"], "seconds": time.monotonic() - started}))
    return 0


def measured(root: Path, rule: str) -> dict[str, Any]:
    child = _start(root, rule)
    peak = [0]
    watcher = threading.Thread(target=_watch, args=(child, peak), daemon=True)
    watcher.start()
    out, _ = child.communicate()
    if child.returncode:
        raise SystemExit(f"FAILED: stage 2 under {rule} ended with {child.returncode}")
    return {**json.loads(out.splitlines()[-1]), "gib": peak[0] / 2**30}


def continues(root: Path) -> bool:
    """Kill a run when half of its partitions are done, run it again, and compare with an unbroken one."""
    unbroken = _decisions(root)
    child = _start(root, "stack", start_new_session=True)
    while child.poll() is None:
        stage = root / "cache" / "stage2"
        done, wanted = (len(list(stage.glob(f"*/{name}-*"))) for name in ("result", "opinions"))
        if wanted and done >= max(1, wanted // 2):
            os.killpg(child.pid, signal.SIGKILL)
            break
        time.sleep(0.02)
    child.wait()
    kept = len(list((root / "cache" / "stage2").glob("*/result-*")))
    again = measured(root, "stack")
    same = bool(_decisions(root).equals(unbroken))
    print(
        f"killed with {kept} partitions done; continued in {again['seconds']:.1f} s; the same decisions: {'yes' if same else 'NO'}"
    )
    return same and kept > 0


def _decisions(root: Path) -> pa.Table:
    from goldsmith import Workspace, load_config

    return Workspace(root, load_config([], [])).table("decisions").to_arrow(["pair_id", "action", "p_first"]).combine_chunks()


def _start(root: Path, rule: str, **more: Any) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, "--one", rule, "--work", str(root)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **more)


def _watch(child: subprocess.Popen[str], peak: list[int]) -> None:
    import psutil

    while child.poll() is None:
        total = 0
        try:
            parent = psutil.Process(child.pid)
            for process in (parent, *parent.children(recursive=True)):
                total += process.memory_full_info().pss
        except psutil.Error:
            pass
        peak[0] = max(peak[0], total)
        time.sleep(0.1)


if __name__ == "__main__":
    sys.exit(main())
