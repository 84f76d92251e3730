"""Progress on stderr: a line for every stage, a bar with rate and time left inside long ones."""

from __future__ import annotations

import sys
import time
from typing import Any


class Progress:
    """Progress that is shown nowhere; the base of the one that people see."""

    def stage(self, number: int, total: int, title: str) -> None:
        """A stage begins."""

    def update(self, done: int, total: int, unit: str = "", detail: str = "") -> None:
        """Work inside the stage advanced to `done` of `total`; `detail` is what may be worth knowing of this moment, a loss for instance."""

    def note(self, text: str) -> None:
        """Something a person should read."""

    def done(self) -> None:
        """The stage ended."""


class ConsoleProgress(Progress):
    """Bars by rich on a terminal; elsewhere one line a stage and at most one every ten seconds inside it."""

    LINE_EVERY_S = 10.0

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(stderr=True, highlight=False)
        self._bar: Any = None
        self._task: Any = None
        self._title = ""
        self._begun = self._last_line = 0.0

    def stage(self, number: int, total: int, title: str) -> None:
        """See `Progress.stage`."""
        self._title, self._begun, self._last_line = title, time.monotonic(), time.monotonic()
        self._console.print(f"[{number}/{total}] {title}", markup=False)

    def update(self, done: int, total: int, unit: str = "", detail: str = "") -> None:
        """See `Progress.update`."""
        if self._console.is_terminal:
            self._update_bar(done, total, f"{unit} {detail}".rstrip())
        elif done and time.monotonic() - self._last_line >= self.LINE_EVERY_S:
            self._last_line = time.monotonic()
            rate = done / max(1e-9, self._last_line - self._begun)
            left = (total - done) / rate
            print(
                f"    {done:,}/{total:,} {unit}, {rate:,.1f}/s, {left:,.0f} s left{detail and f', {detail}'}",
                file=sys.stderr,
                flush=True,
            )

    def note(self, text: str) -> None:
        """See `Progress.note`."""
        self._console.print(f"    {text}", markup=False)

    def done(self) -> None:
        """See `Progress.done`."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
        if self._title:
            self._console.print(f"    {time.monotonic() - self._begun:.1f} s", markup=False, style="dim")
            self._title = ""

    def _update_bar(self, done: int, total: int, unit: str) -> None:
        from rich import progress as rich_progress

        if self._bar is None:
            columns = (
                rich_progress.TextColumn("    {task.description}"),
                rich_progress.BarColumn(),
                rich_progress.MofNCompleteColumn(),
                rich_progress.TextColumn("{task.fields[rate]}"),
                rich_progress.TimeRemainingColumn(),
            )
            self._bar = rich_progress.Progress(*columns, console=self._console, transient=True)
            self._task = self._bar.add_task(unit, total=total, rate="")
            self._bar.start()
        elapsed = max(1e-9, time.monotonic() - self._begun)
        self._bar.update(self._task, completed=done, total=total, description=unit, rate=f"{done / elapsed:,.1f}/s")
