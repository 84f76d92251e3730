"""`goldsmith report`: the report of a run, from whatever it has made so far."""

from __future__ import annotations

from pathlib import Path

from goldsmith.errors import UserError
from goldsmith.store import Workspace


def write_report(workspace: Workspace, run_folder: Path | None = None) -> Path:
    """Write `report.html` and `report.json` of a run and return the page's path.

    Args:
        workspace: the workspace.
        run_folder: the run; none: the last one.

    Raises:
        UserError: nothing was ever run here.
    """
    from goldsmith.evaluate.report import write_report as write
    from goldsmith.evaluate.report.gather import gather

    runs = workspace.runs()
    if run_folder is None:
        if not runs:
            raise UserError(f"{workspace.root}: nothing to report, as nothing was run yet; begin with `goldsmith run`")
        run_folder = runs[-1]
    return write(gather(workspace, run_folder), run_folder)
