"""The article's deployment table, measured here: every way that this machine computes, its size, memory, latency and the decisions it changes.

Every way runs in a process of its own and makes one call when told to, so that the calls of all of them alternate and share whatever else
the machine does.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from goldsmith.errors import UserError
from goldsmith.export.bench_worker import Ask, Start, serve_calls
from goldsmith.export.export import PARITY, ExportOptions, Original, export_model
from goldsmith.export.pairs import parity_pairs
from goldsmith.export.parity import Parity
from goldsmith.export.targets import checked_way
from goldsmith.reward.exported import template_prefix
from goldsmith.reward.manifest import read_manifest

LENGTHS = (256, 512, 1024)
"""Tokens of one conversation, alone in its batch."""
DEFAULT = ("torch fp32", "torch bf16", "onnx fp32", "onnx int8", "openvino fp32", "openvino bf16", "openvino int8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One way.

    Attributes:
        way: runtime and weights.
        threads: of the faster setting.
        bytes: of weights and structure on disk.
        memory: of its process, bytes, resident.
        p50, p95: seconds of a call by length.
        tokens_per_s: at the middle length.
        changed: share of the decisions that differ from the original's, and `pairs`, of how many.
        note: what a reader must know; with `reason` there are no figures.
        reason: why the way cannot be measured here.
    """

    way: str
    threads: int = 0
    bytes: int = 0
    memory: int = 0
    p50: dict[int, float] = field(default_factory=dict)
    p95: dict[int, float] = field(default_factory=dict)
    tokens_per_s: float = 0.0
    changed: float | None = None
    pairs: int = 0
    largest: float | None = None
    spearman: float | None = None
    note: str = ""
    reason: str = ""


def bench_deploy(
    model: str | Path,
    work: Path,
    *,
    only: Sequence[str] = DEFAULT,
    lengths: Sequence[int] = LENGTHS,
    repeats: int = 7,
    pairs: str | Path | None = None,
    max_pairs: int = 200,
    told: Callable[[str], None] = lambda text: None,
) -> list[Row]:
    """Measure ways to deploy a reward model; exports go to `work` and are used again.

    Args:
        model: folder or hub id.
        work: folder for the exports.
        only: ways, `runtime weights`.
        lengths: tokens of one conversation.
        repeats: calls of each way at each length, after one that is not counted.
        pairs: file of pairs to compare decisions on; none: the shipped ones.
        max_pairs: at most so many.
        told: called with what is being done.

    Raises:
        UserError: the model cannot be used, or a way does not exist.
    """
    original = Original(model, *parity_pairs(pairs, max_pairs))
    opened = original.open()
    digest, prefix = opened.digest, template_prefix(opened.renderer)
    del opened
    rows: list[Row] = []
    runners: list[_Runner | None] = []
    try:
        for name in only:
            told(f"{name}: preparing")
            row, opens = _prepared(name, work / name.replace(" ", "-"), digest, original)
            runner = None if opens is None else _Runner(Start(runtime=opens[0], folder=opens[1], dtype=opens[2], prefix=prefix))
            if runner is not None and runner.refused:
                row, runner = Row(way=name, reason=runner.refused), None
            rows.append(row)
            runners.append(runner)
        return _measured(rows, runners, lengths, repeats, told)
    finally:
        for runner in runners:
            if runner is not None:
                runner.close()


def _prepared(name: str, out: Path, digest: str, original: Original) -> tuple[Row, tuple[str, str, str] | None]:
    """Export a way, and return what is known of it and how its process is started."""
    target, _, dtype = name.partition(" ")
    if target == "torch":
        return _torch(name, dtype, original.path)
    checked_way(target, dtype)
    try:
        parity, size = _known(out, digest, original) or _exported(target, dtype, out, original)
    except UserError as error:
        return Row(way=name, reason=str(error)), None
    found = parity.overall
    row = Row(
        way=name,
        bytes=size,
        changed=found.changed_share,
        pairs=found.pairs,
        largest=found.largest,
        spearman=found.spearman,
        note=f"arithmetic {parity.arithmetic}" if dtype in ("bf16", "fp16") else "",
    )
    return row, (target, str(out), dtype)


def _known(out: Path, digest: str, original: Original) -> tuple[Parity, int] | None:
    """Return report and size of an export that is there already, of the same model and compared on the same pairs."""
    manifest = read_manifest(out)
    if manifest is None or manifest.source_digest != digest:
        return None
    parity = Parity.model_validate_json((out / PARITY).read_bytes())
    size = sum((out / name).stat().st_size for name in manifest.files)
    same = parity.pairs_from == original.pairs_from and parity.overall.conversations + parity.failed == 2 * len(original.pairs)
    return (parity, size) if same else None


def _exported(target: str, dtype: str, out: Path, original: Original) -> tuple[Parity, int]:
    if out.is_dir():
        shutil.rmtree(out)
    done = export_model(original.path, out, target=target, dtype=dtype, options=ExportOptions(force=True), original=original)
    return done.parity, done.bytes


def _torch(name: str, dtype: str, model: str | Path) -> tuple[Row, tuple[str, str, str] | None]:
    import torch

    from goldsmith.reward.checkpoint import choose_dtype, locate

    if dtype not in ("fp32", "bf16"):
        raise UserError(f"{name!r}: torch computes fp32 and bf16 here")
    folder = locate(model)
    if dtype == "bf16" and choose_dtype("auto", torch.device("cpu")) is not torch.bfloat16:
        return Row(way=name, reason="no bf16 arithmetic on this processor"), None
    size = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    return Row(way=name, bytes=size, note="the original" if dtype == "fp32" else ""), ("torch", str(folder), dtype)


class _Runner:
    """A process that computes one way."""

    def __init__(self, start: Start) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve_calls, args=(theirs, start), daemon=True)
        self._process.start()
        theirs.close()
        self.refused = self._receive()

    def call(self, ask: Ask) -> tuple[float, int]:
        """Return the seconds of one call and the bytes its process holds."""
        self._pipe.send(ask)
        seconds, memory = self._receive()
        return float(seconds), int(memory)

    def close(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.join(5)
        self._process.kill()

    def _receive(self) -> Any:
        try:
            return self._pipe.recv()
        except EOFError:
            raise UserError("a process that was measured has ended; is there enough memory?") from None


def _measured(
    rows: list[Row], runners: list[_Runner | None], lengths: Sequence[int], repeats: int, told: Callable[[str], None]
) -> list[Row]:
    known = {row.way: dict(asdict(row)) for row in rows}
    running = {row.way: runner for row, runner in zip(rows, runners, strict=True) if runner is not None}
    threads = _best_threads(running, lengths[0])
    for length in lengths:
        told(f"{length} tokens")
        seconds: dict[str, list[float]] = {way: [] for way in running}
        for number in range(repeats + 1):
            for way, runner in running.items():
                taken, memory = runner.call(Ask(length=length, threads=threads[way], seed=number))
                if number:
                    seconds[way].append(taken)
                known[way]["memory"] = max(known[way]["memory"], memory)
        for way, taken_all in seconds.items():
            known[way]["p50"][length] = float(np.median(taken_all))
            known[way]["p95"][length] = float(np.quantile(taken_all, 0.95))
    middle = lengths[len(lengths) // 2]
    for way in running:
        known[way] |= {"threads": threads[way], "tokens_per_s": middle / known[way]["p50"][middle]}
    return [Row(**known[row.way]) for row in rows]


def _best_threads(running: dict[str, _Runner], length: int) -> dict[str, int]:
    """Return for each way the number of threads with which two calls, the faster of which counts, take least."""
    tried = sorted({1, os.cpu_count() or 1})
    best: dict[str, tuple[float, int]] = {}
    for threads in tried:
        for way, runner in running.items():
            runner.call(Ask(length=length, threads=threads, seed=0))
            taken = min(runner.call(Ask(length=length, threads=threads, seed=seed))[0] for seed in (1, 2))
            best[way] = min(best.get(way, (float("inf"), 1)), (taken, threads))
    return {way: threads for way, (_, threads) in best.items()}
