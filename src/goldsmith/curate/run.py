"""`goldsmith run`: the plan of steps, and the run folder that records one passage through it."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from goldsmith.config import GoldsmithConfig
from goldsmith.curate.context import Context
from goldsmith.curate.forecast import forecast
from goldsmith.curate.plan import plan
from goldsmith.curate.step import read_marker, run_steps
from goldsmith.errors import UserError
from goldsmith.identity import digest
from goldsmith.progress import Progress
from goldsmith.store import Workspace, atomic
from goldsmith.version import code_version

CONFIG, FINISHED, MANIFEST = "config.json", "finished.json", "manifest.json"


class RunResult(BaseModel):
    """What a run did."""

    run: int
    steps_run: list[str]
    report: str


def run(workspace: Workspace, *, restart: bool = False, progress: Progress | None = None) -> RunResult:
    """Bring every stage up to date and write the report.

    Args:
        workspace: the workspace; no other process may be running in it.
        restart: begin a new run although the configuration changed since an unfinished one.
        progress: where progress is shown; none: nowhere.

    Raises:
        WaitingForHumans: votes are needed; calling again continues.
        UserError: configuration or input; an unfinished run had another configuration (names the keys).
        StoreError: another process uses the workspace, or it cannot be written.
    """
    from goldsmith.curate.report import write_report

    with workspace.locked():
        folder = _open_run(workspace, restart)
        context = Context(workspace, folder, progress or Progress())
        started = time.monotonic()
        try:
            with _seconds_kept(folder):
                _say_forecast(context)
                ran = run_steps(context, plan(workspace.config))
        finally:
            _write_usage(context)
            context.close()
        _write_timing(workspace, folder)
        context.progress.note("writing the report")
        report = write_report(workspace, folder)
        atomic.write_json(folder / FINISHED, {"seconds": round(time.monotonic() - started, 1), "report": str(report)})
        return RunResult(run=int(folder.name), steps_run=ran, report=str(report))


def _say_forecast(context: Context) -> None:
    """Tell what the LLMs may cost in all, unless every step that may ask them has been done before."""
    most = forecast(context.config)
    if most.calls and any(
        "llm" in step.sections and read_marker(context.workspace, step.name) is None for step in plan(context.config)
    ):
        context.progress.note(most.text)


def changed_keys(before: dict[str, Any], after: dict[str, Any], prefix: str = "") -> list[str]:
    """Return the dotted keys whose values differ."""
    found = []
    for key in sorted(before.keys() | after.keys()):
        one, other = before.get(key), after.get(key)
        if isinstance(one, dict) and isinstance(other, dict):
            found += changed_keys(one, other, f"{prefix}{key}.")
        elif one != other:
            found.append(f"{prefix}{key}")
    return found


def _open_run(workspace: Workspace, restart: bool) -> Path:
    """The folder of the run to continue, or a new one."""
    resolved = workspace.config.model_dump(mode="json")
    runs = workspace.runs()
    last = runs[-1] if runs else None
    if last is not None and (last / CONFIG).is_file():
        before = json.loads((last / CONFIG).read_text(encoding="utf-8"))
        if _identity(before) == _identity(resolved):
            return last
        if not (last / FINISHED).is_file() and not restart:
            keys = ", ".join(changed_keys(_identity(before), _identity(resolved)))
            raise UserError(
                f"run {last.name} is unfinished and began with another configuration; changed since: {keys}. "
                "Put the old values back, or begin anew with `goldsmith run --restart` (stages that do not depend on these keys are kept)"
            )
    folder = workspace.root / "runs" / str(int(last.name) + 1 if last is not None else 1)
    _begin(folder, workspace.config, resolved)
    return folder


def _identity(resolved: dict[str, Any]) -> dict[str, Any]:
    """What makes a run the same run: all but where and how people vote, which may change any day."""
    return {name: value for name, value in resolved.items() if name != "annotate"}


def _begin(folder: Path, config: GoldsmithConfig, resolved: dict[str, Any]) -> None:
    """Config is written last: a folder without it was never begun."""
    about = {
        "goldsmith": code_version(),
        "python": platform.python_version(),
        "machine": machine(),
        "seed": config.seed,
        "config_digest": digest(resolved),
    }
    atomic.write_json(folder / MANIFEST, about)
    atomic.write_json(folder / CONFIG, resolved)


def machine() -> str:
    """Return the processor, its cores and the memory, as a report says them."""
    processor = _field("/proc/cpuinfo", "model name") or platform.processor() or platform.machine()
    memory = _field("/proc/meminfo", "MemTotal")
    return f"{processor}, {os.cpu_count()} cores" + (f", {int(memory.split()[0]) / 2**20:.0f} GiB" if memory else "")


def _field(path: str, name: str) -> str | None:
    """The first value of that name in one of Linux's files of `name: value` lines; None elsewhere."""
    place = Path(path)
    lines = place.read_text(encoding="utf-8", errors="replace").splitlines() if place.is_file() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), None)


@contextmanager
def _seconds_kept(folder: Path) -> Iterator[None]:
    """Add what this attempt took to the run's total, also when it is stopped."""
    started = time.monotonic()
    try:
        yield
    finally:
        place = folder / "attempts.json"
        before = json.loads(place.read_text(encoding="utf-8")) if place.is_file() else []
        atomic.write_json(place, [*before, round(time.monotonic() - started, 1)])


def _write_usage(context: Context) -> None:
    """LLM usage of the whole workspace, from the ledger; nothing when no LLM was ever set up."""
    if "llm" in context.__dict__:
        models = [asdict(usage) for usage in context.llm.usage()]
        names = ("calls", "cached", "unknown", "rejected", "estimated", "prompt_tokens", "completion_tokens", "cost")
        facts = {name: sum(model[name] for model in models) for name in names}
        facts["failed"] = sum(sum(model["failures"].values()) for model in models)
        by_model = {
            model["model"]: {name: model[name] for name in names}
            | {f"failed: {kind}": count for kind, count in sorted(model["failures"].items())}
            for model in models
        }
        context.workspace.write_facts(context.run_folder, "usage", {**facts, "by_model": by_model})


def _write_timing(workspace: Workspace, folder: Path) -> None:
    markers = {step.name: read_marker(workspace, step.name) for step in plan(workspace.config)}
    workspace.write_facts(folder, "timing", {name: marker.seconds for name, marker in markers.items() if marker})
