"""Steps: functions from tables to tables that run once, and again only when what they read has changed.

A step's fingerprint covers its name, its version, the configuration sections and tables it reads, and whatever else it
names. Its marker is written after its tables: a killed step has no marker and runs again, a finished one is skipped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from goldsmith.curate.context import Context
from goldsmith.errors import WaitingForHumans
from goldsmith.identity import digest
from goldsmith.store import Workspace, atomic


class Marker(BaseModel):
    """What stands in `steps/<name>.json` once a step is done."""

    model_config = ConfigDict(extra="forbid")

    fingerprint: str
    writes: list[str]
    facts: dict[str, Any]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a run."""

    name: str
    run: Callable[[Context, str], dict[str, Any]]
    """Does the work; is given the fingerprint for its tables and returns its facts."""
    title: str
    """What a person reads while it runs."""
    version: int = 1
    """Raised when the step's rules change, so that old results are not taken for new ones."""
    sections: Sequence[str] = ()
    """Configuration sections it depends on."""
    reads: Sequence[str] = ()
    """Tables it depends on."""
    writes: Sequence[str] = ()
    """Tables it makes."""
    extra: Callable[[Context], Any] = field(default=lambda _context: None)
    """Anything else it depends on, as a JSON value: digests of files, votes."""


def run_steps(context: Context, steps: Sequence[Step]) -> list[str]:
    """Run what is not up to date, in order, and return the names of the steps that ran.

    Raises:
        WaitingForHumans: a step needs votes; what came before it is kept.
    """
    ran = []
    for number, step in enumerate(steps, 1):
        fingerprint = fingerprint_of(context, step)
        marker = read_marker(context.workspace, step.name)
        if marker is None or not _is_current(context.workspace, marker, fingerprint):
            context.progress.stage(number, len(steps), step.title)
            marker = _run_one(context, step, fingerprint)
            ran.append(step.name)
        if marker.facts:
            context.workspace.write_facts(context.run_folder, step.name, marker.facts)
    return ran


def fingerprint_of(context: Context, step: Step) -> str:
    """Return the digest of all that the step's result depends on."""
    workspace = context.workspace
    config = context.config.model_dump(mode="json")
    tables = {name: workspace.table(name).fingerprint for name in step.reads if workspace.table(name).exists}
    sections = {name: config[name] for name in step.sections}
    return digest([step.name, step.version, workspace.seed, sections, tables, step.extra(context)])


def read_marker(workspace: Workspace, name: str) -> Marker | None:
    """Return a step's marker; None when it has not finished or the file is of another version."""
    try:
        return Marker.model_validate_json(marker_path(workspace, name).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValidationError):
        return None


def marker_path(workspace: Workspace, name: str) -> Path:
    """Return where a step's marker stands."""
    return workspace.root / "steps" / f"{name}.json"


def _is_current(workspace: Workspace, marker: Marker, fingerprint: str) -> bool:
    if marker.fingerprint != fingerprint:
        return False
    tables = [workspace.table(name) for name in marker.writes]
    return all(table.exists and table.fingerprint == fingerprint for table in tables)


def _run_one(context: Context, step: Step, fingerprint: str) -> Marker:
    started = time.monotonic()
    try:
        facts = step.run(context, fingerprint)
    except WaitingForHumans:
        context.progress.done()
        raise
    seconds = time.monotonic() - started
    context.progress.done()
    # A step without tables of its own changes what it reads (the sources it adds): its marker names the state it left.
    fingerprint = fingerprint if step.writes else fingerprint_of(context, step)
    marker = Marker(fingerprint=fingerprint, writes=list(step.writes), facts=facts, seconds=round(seconds, 3))
    atomic.write_text(marker_path(context.workspace, step.name), marker.model_dump_json(indent=1) + "\n")
    return marker
