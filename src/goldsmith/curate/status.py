"""`goldsmith status`: the stages, what is waiting, and what it has cost; reads only, and never waits for a running process."""

from __future__ import annotations

from pydantic import BaseModel

from goldsmith.curate.plan import plan
from goldsmith.curate.run import FINISHED
from goldsmith.curate.step import read_marker
from goldsmith.store import Workspace


class StageStatus(BaseModel):
    """One stage: `done`, `next` (the first that is not done) or `to come`."""

    name: str
    state: str
    seconds: float | None = None


class Status(BaseModel):
    """The state of a workspace."""

    stages: list[StageStatus]
    queue: dict[str, int]
    cost: dict[str, float]
    report: str | None
    lines: list[str]


def status(workspace: Workspace) -> Status:
    """Return the state of a workspace."""
    stages: list[StageStatus] = []
    for step in plan(workspace.config):
        marker = read_marker(workspace, step.name)
        pending = any(stage.state != "done" for stage in stages)
        state = "done" if marker and not pending else ("to come" if pending else "next")
        stages.append(StageStatus(name=step.name, state=state, seconds=marker.seconds if marker and not pending else None))
    queue, cost, report = _queue(workspace), _cost(workspace), _report(workspace)
    return Status(stages=stages, queue=queue, cost=cost, report=report, lines=_lines(workspace, queue, cost, report))


def _queue(workspace: Workspace) -> dict[str, int]:
    from goldsmith.gold.gate import open_items
    from goldsmith.gold.room import has_votes, open_votes

    if not has_votes(workspace):
        return {"first": 0, "expert": 0}
    store = open_votes(workspace)
    try:
        rounds = [item["round"] for item in open_items(store, workspace.config.gold)]
    finally:
        store.close()
    return {"first": rounds.count("first"), "expert": rounds.count("expert")}


def _cost(workspace: Workspace) -> dict[str, float]:
    ledger = workspace.cache / "llm.sqlite"
    if not ledger.is_file():
        return {}
    from goldsmith.llm.ledger import Ledger

    book = Ledger(ledger)
    try:
        used = book.spent()
    finally:
        book.close()
    return {"calls": used.calls, "tokens": used.tokens, "cost": used.cost}


def _report(workspace: Workspace) -> str | None:
    finished = [run for run in workspace.runs() if (run / FINISHED).is_file()]
    return str(finished[-1] / "report.html") if finished else None


def _lines(workspace: Workspace, queue: dict[str, int], cost: dict[str, float], report: str | None) -> list[str]:
    lines = []
    if workspace.config.gold.recorded_votes:
        lines.append("people: votes are recorded; nobody is waited for")
    elif queue["first"] or queue["expert"]:
        lines.append(
            f"people: {queue['first']} pairs wait for votes, {queue['expert']} for an expert; `goldsmith annotate serve` shows them to people, `goldsmith votes export -o queue.jsonl` writes them out"
        )
    else:
        lines.append("people: nothing is waiting")
    lines.append("LLM calls: " + (", ".join(f"{name} {value:,g}" for name, value in cost.items()) if cost else "none so far"))
    lines.append(f"report: {report}" if report else "report: none yet")
    return lines
