"""Ingestion, deduplication and decontamination of 1 M and 2 M synthetic pairs: time, memory, and whether every planted row is found.

    python benchmarks/pool.py --check          a fixed sample (100 k and 200 k pairs), at most 5 minutes; exit 1 when a goal is missed
    python benchmarks/pool.py --full           1 M and 2 M pairs; resumable, results are kept in the folder given by --dir

Goals on 2 cores: 1 M pairs of about 1.5 KB in at most 180 s and 4 GiB (PSS of the process and its children, sampled);
twice the pairs take at most 2.3 times the time and 1.2 times the memory. DuckDB's time for grouping the same ids is a yardstick.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import orjson

BLOCK = 1000
PLANTED = {"duplicate": 50, "contradiction": 20, "contaminated-13gram": 20, "contaminated-short-prompt": 5}
"""Rows that must leave, out of every BLOCK: a contradiction takes both of its rows."""
MAX_SECONDS_PER_MILLION, MAX_GIB, MAX_TIME_RATIO, MAX_MEMORY_RATIO = 180.0, 4.0, 2.3, 1.2
CHECK_SIZES, FULL_SIZES = (100_000, 200_000), (1_000_000, 2_000_000)


class Texts:
    """Sentences of invented words whose frequencies fall like those of real ones."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        syllables = [
            "ba",
            "cor",
            "den",
            "el",
            "fi",
            "gra",
            "hol",
            "in",
            "ju",
            "ka",
            "lor",
            "men",
            "na",
            "os",
            "per",
            "qui",
            "ra",
            "sta",
            "ti",
            "un",
        ]
        lengths = rng.integers(1, 5, size=30_000)
        self.words = sorted({"".join(rng.choice(syllables, size=length)) for length in lengths})
        rng.shuffle(self.words)
        weights = 1.0 / (np.arange(len(self.words)) + 5.0)
        self._weights = weights / weights.sum()
        self.sentences = [self._sentence(rng, number) for number in range(20_000)]
        self.benchmark = [self._plain(rng, int(rng.integers(20, 120))) for _ in range(8_000)]
        # Two numbers make each short prompt one of its kind.
        self.short = [f"{self._plain(rng, 5)} {number} {seed}" for number in range(2_000)]

    def _plain(self, rng: Any, count: int) -> str:
        return " ".join(self.words[place] for place in rng.choice(len(self.words), size=count, p=self._weights))

    def _sentence(self, rng: Any, number: int) -> str:
        text = self._plain(rng, int(rng.integers(7, 17))).capitalize() + rng.choice([".", ".", ".", "?", "!", ":"])
        return f"{text} \u201cCaf\u00e9\u201d" if number % 100 == 0 else text


def block_rows(texts: Texts, seed: int, number: int) -> list[tuple[str, str, str]]:
    """Return the (prompt, chosen, rejected) of a block's own rows, contaminated ones first; each is unlike any other."""
    rng = np.random.default_rng([seed, number])
    picks = rng.integers(0, len(texts.sentences), size=(BLOCK, 13))
    where = rng.integers(0, 1 << 30, size=BLOCK)
    rows = []
    for place in range(BLOCK):
        said = [texts.sentences[pick] for pick in picks[place]]
        prompt = f"{' '.join(said[:2])} (case {number}-{place})"
        chosen, rejected = " ".join(said[2:8]), " ".join(said[8:])
        if place < 20:
            words = texts.benchmark[where[place] % len(texts.benchmark)].split()
            start = where[place] % (len(words) - 12)
            chosen += " " + ", ".join(words[start : start + 13]).upper() + "!"
        elif place < 25:
            prompt = texts.short[where[place] % len(texts.short)].title() + "?!"
            chosen += f" {number}-{place}"
        rows.append((prompt, f"{chosen} A", f"{rejected} B"))
    return rows


def generate(path: Path, num_pairs: int, seed: int) -> None:
    """Write `num_pairs` rows: of each block 50 copies and 10 swapped copies of rows of the block before."""
    texts = Texts(seed)
    previous = None
    shuffle = random.Random(seed)
    with path.with_suffix(".part").open("wb") as stream:
        for number in range(num_pairs // BLOCK):
            own = block_rows(texts, seed, number)
            copied, swapped = (previous[100:150], previous[200:210]) if previous else (own[300:350], own[400:410])
            rows = own[:940] + copied + [(prompt, rejected, chosen) for prompt, chosen, rejected in swapped]
            shuffle.shuffle(rows)
            for prompt, chosen, rejected in rows:
                turns = [{"role": "user", "content": prompt}]
                row = {
                    "prompt": turns,
                    "chosen": chosen,
                    "rejected": rejected,
                    "label_source": "rule",
                    "source": "synthetic",
                    "meta": {},
                }
                stream.write(orjson.dumps(row) + b"\n")
            previous = own
    path.with_suffix(".part").rename(path)
    benchmark = [
        {"prompt": text, "chosen": "x", "rejected": "y", "subset": "synthetic"} for text in texts.benchmark + texts.short
    ]
    path.with_name("benchmark.json").write_bytes(orjson.dumps(benchmark))


def work(folder: Path, num_pairs: int) -> dict[str, Any]:
    """Add the file and build the pool, as a user would; runs in a process of its own."""
    from goldsmith.config import GoldsmithConfig
    from goldsmith.pool import build
    from goldsmith.pool.benchmarks import benchmark_prompts
    from goldsmith.pool.ingest import add
    from goldsmith.store import Workspace

    workspace = Workspace(folder / "workspace", GoldsmithConfig())
    begun = time.perf_counter()
    add(workspace, [str(folder / f"pairs-{num_pairs}.jsonl")])
    added = time.perf_counter()
    seconds: dict[str, float] = {"ingest": added - begun}
    find_copies = build.find_copies

    def timed(*arguments: Any) -> Any:
        start = time.perf_counter()
        found = find_copies(*arguments)
        seconds["dedup"] = time.perf_counter() - start
        return found

    build.find_copies = timed
    result = build.build_pool(workspace, "benchmark", benchmark_prompts([folder / "benchmark.json"]))
    seconds["sift"] = time.perf_counter() - added - seconds["dedup"]
    seconds["total"] = time.perf_counter() - begun
    return {"seconds": seconds, "kept": result.kept, "dropped": result.dropped}


def duckdb_seconds(folder: Path) -> float:
    """Return DuckDB's time for finding the same copies: its own GROUP BY over the same ids."""
    import duckdb

    parts = str(folder / "workspace" / "tables" / "raw_*" / "v-*" / "*.parquet")
    begun = time.perf_counter()
    connection = duckdb.connect(config={"threads": 2})
    connection.sql(
        f"SELECT pair_id, label, count(*) AS copies, min(source || source_ref) AS stays FROM read_parquet('{parts}') "
        "GROUP BY pair_id, label HAVING count(*) > 1"
    ).fetchall()
    return time.perf_counter() - begun


class Usage:
    """Samples the PSS and the processor time of a process and all its descendants."""

    def __init__(self, pid: int) -> None:
        import psutil

        self.peak_bytes = 0
        self._cpu: dict[int, float] = {}
        self._process = psutil.Process(pid)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def _sample(self) -> None:
        import psutil

        while not self._stop.wait(0.5):
            total = 0
            try:
                for process in [self._process, *self._process.children(recursive=True)]:
                    total += process.memory_full_info().pss
                    times = process.cpu_times()
                    self._cpu[process.pid] = times.user + times.system
            except psutil.Error:
                continue
            self.peak_bytes = max(self.peak_bytes, total)

    @property
    def cpu_seconds(self) -> float:
        """Processor time of all of them, up to the last sample of each."""
        return sum(self._cpu.values())

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


def measure(folder: Path, num_pairs: int, seed: int) -> dict[str, Any]:
    """Generate (once), run in a fresh process, and check that exactly the planted rows left."""
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / f"pairs-{num_pairs}.jsonl"
    if not data.exists():
        print(f"writing {num_pairs:,} pairs to {data}", file=sys.stderr)
        generate(data, num_pairs, seed)
    data.read_bytes() if data.stat().st_size < 4 << 30 else None  # both sizes start from the page cache
    shutil.rmtree(folder / "workspace", ignore_errors=True)
    command = [sys.executable, __file__, "--work", str(num_pairs), "--dir", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        usage = Usage(process.pid)
        output, _ = process.communicate()
        usage.stop()
    if process.returncode:
        raise SystemExit(f"the measured process ended with {process.returncode}")
    result = json.loads(output.splitlines()[-1])
    expected = {reason: count * (num_pairs // BLOCK) for reason, count in PLANTED.items()}
    kept = num_pairs - sum(expected.values())
    result["found_all"] = result["dropped"] == expected and result["kept"] == kept
    if not result["found_all"]:
        print(f"planted {expected}, kept {kept}; found {result['dropped']}, kept {result['kept']}", file=sys.stderr)
    result.update(
        num_pairs=num_pairs,
        peak_gib=usage.peak_bytes / 2**30,
        cpu=usage.cpu_seconds,
        bytes_per_pair=data.stat().st_size / num_pairs,
        duckdb=duckdb_seconds(folder),
    )
    shutil.rmtree(folder / "workspace", ignore_errors=True)
    return result


def table(results: list[dict[str, Any]]) -> str:
    """Return the results as a Markdown table."""
    lines = [
        "| pairs | bytes a pair | ingest s | dedup s | decontaminate and write s | total s | processor s | peak GiB | DuckDB dedup s | planted rows found |"
    ]
    lines.append("|---|---|---|---|---|---|---|---|---|---|")
    for result in results:
        seconds = result["seconds"]
        numbers = [seconds["ingest"], seconds["dedup"], seconds["sift"], seconds["total"]]
        cells = [f"{result['num_pairs']:,}", f"{result['bytes_per_pair']:.0f}", *(f"{number:.1f}" for number in numbers)]
        cells += [
            f"{result['cpu']:.0f}",
            f"{result['peak_gib']:.2f}",
            f"{result['duckdb']:.2f}",
            "all" if result["found_all"] else "NO",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def missed(results: list[dict[str, Any]]) -> list[str]:
    """Return the goals that were not reached, each with its figure."""
    found = [f"planted rows not all found at {result['num_pairs']:,} pairs" for result in results if not result["found_all"]]
    for result in results:
        allowed = MAX_SECONDS_PER_MILLION * result["num_pairs"] / 1e6
        if result["num_pairs"] <= 1_000_000 and result["seconds"]["total"] > allowed:
            found.append(f"{result['num_pairs']:,} pairs took {result['seconds']['total']:.1f} s, goal {allowed:.0f} s")
        if result["num_pairs"] <= 1_000_000 and result["peak_gib"] > MAX_GIB:
            found.append(f"{result['num_pairs']:,} pairs peaked at {result['peak_gib']:.2f} GiB, goal {MAX_GIB} GiB")
    small, large = results
    for name, figure, allowed in (
        ("time", large["seconds"]["total"] / small["seconds"]["total"], MAX_TIME_RATIO),
        ("memory", large["peak_gib"] / small["peak_gib"], MAX_MEMORY_RATIO),
    ):
        print(f"{name} of {large['num_pairs']:,} over {small['num_pairs']:,}: {figure:.2f} (goal {allowed})")
        if figure > allowed:
            found.append(f"{name} ratio {figure:.2f}, goal {allowed}")
    return found


def main() -> int:
    """Run the benchmark; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="100 k and 200 k pairs, at most 5 minutes")
    parser.add_argument("--full", action="store_true", help="1 M and 2 M pairs, resumable")
    parser.add_argument("--dir", type=Path, default=Path(".work/benchmark-pool"), help="folder for data and results")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", action="store_true", help="keep the generated data")
    parser.add_argument("--work", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        print(json.dumps(work(arguments.dir, arguments.work)))
        return 0
    if not (arguments.check or arguments.full):
        parser.error("say --check or --full")
    os.makedirs(arguments.dir, exist_ok=True)
    results = []
    for num_pairs in FULL_SIZES if arguments.full else CHECK_SIZES:
        kept = arguments.dir / f"result-{num_pairs}-{arguments.seed}.json"
        if arguments.full and kept.exists():
            results.append(json.loads(kept.read_text()))
            continue
        results.append(measure(arguments.dir, num_pairs, arguments.seed))
        if arguments.full:
            kept.write_text(json.dumps(results[-1], indent=1))
        if not arguments.keep:
            (arguments.dir / f"pairs-{num_pairs}.jsonl").unlink(missing_ok=True)
    print(table(results))
    failures = missed(results)
    print(
        f"load of the machine at the end: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores (a busy one makes every time longer)"
    )
    print("missed: " + "; ".join(failures) if failures else "every goal is reached")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
