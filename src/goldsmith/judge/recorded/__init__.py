"""Verdicts that were made before: one more judge for each model that a file names."""

from goldsmith.judge.recorded.read import RecordedFile, read_recorded, read_verdicts

__all__ = ["RecordedFile", "read_recorded", "read_verdicts"]
