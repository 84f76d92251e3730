"""`goldsmith report`: the report of a run, from whatever it has made so far."""

from __future__ import annotations

from pathlib import Path

from goldsmith.curate.context import Context
from goldsmith.errors import UserError
from goldsmith.progress import Progress
from goldsmith.store import Workspace


def write_report(workspace: Workspace, run_folder: Path | None = None) -> Path:
    """Write `report.html` and `report.json` of a run and return the page's path.

    Args:
        workspace: the workspace.
        run_folder: the run; none: the last one.

    Raises:
        UserError: nothing was ever run here.
    """
    from goldsmith.curate.pool_map import pool_map
    from goldsmith.evaluate.report import write_report as write
    from goldsmith.evaluate.report.gather import gather

    runs = workspace.runs()
    if run_folder is None:
        if not runs:
            raise UserError(f"{workspace.root}: nothing to report, as nothing was run yet; begin with `goldsmith run`")
        run_folder = runs[-1]
    context = Context(workspace, run_folder, Progress())
    data = gather(workspace, run_folder).model_copy(update={"pool_map": pool_map(context)})
    return write(data, run_folder)
