"""The pipeline: seed, rounds, stage 2, final training; each step from tables to tables."""

from goldsmith.curate.init import init
from goldsmith.curate.report import write_report
from goldsmith.curate.run import RunResult, run
from goldsmith.curate.status import status
from goldsmith.curate.why import why

__all__ = ["RunResult", "init", "run", "status", "why", "write_report"]
