"""Progress on stderr: a line for every stage, a bar with rate and time left inside long ones."""

from __future__ import annotations

import sys
import time
from typing import Any, Self


class Progress:
    """Progress that is shown nowhere; the base of the one that people see. Leaving its `with` block ends the stage."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_failure: object) -> None:
        # A bar that is left running hides the cursor of the terminal for good.
        self.done()

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
        self._begun = self._last_line = time.monotonic()
        self._rate = Rate()

    def stage(self, number: int, total: int, title: str) -> None:
        """See `Progress.stage`."""
        self._title, self._begun, self._last_line = title, time.monotonic(), time.monotonic()
        self._rate = Rate(self._begun)
        self._console.print(f"[{number}/{total}] {title}", markup=False)

    def update(self, done: int, total: int, unit: str = "", detail: str = "") -> None:
        """See `Progress.update`."""
        now = time.monotonic()
        self._rate.note(done, total, unit, now)
        if self._console.is_terminal:
            self._update_bar(done, total, unit, detail, now)
        elif done and now - self._last_line >= self.LINE_EVERY_S:
            self._last_line = now
            unit = f" {unit}" if unit else ""
            told = (
                f", {self._rate.per_second(now):,.1f}{unit}/s, {in_words(self._rate.left_s(now))} left{detail and f', {detail}'}"
            )
            print(f"    {done:,}/{total:,}{unit}{told}", file=sys.stderr, flush=True)

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

    def _update_bar(self, done: int, total: int, unit: str, detail: str, now: float) -> None:
        from rich import progress as rich_progress

        if self._bar is None:
            columns = (
                rich_progress.TextColumn("    {task.description}"),
                rich_progress.BarColumn(),
                rich_progress.MofNCompleteColumn(),
                rich_progress.TextColumn("{task.fields[rate]}"),
                rich_progress.TextColumn("{task.fields[left]} left"),
            )
            self._bar = rich_progress.Progress(*columns, console=self._console, transient=True)
            self._task = self._bar.add_task(unit, total=total, rate="", left="?")
            self._bar.start()
        rate, left = f"{self._rate.per_second(now):,.1f} {unit}/s".replace(" /", "/"), in_words(self._rate.left_s(now))
        self._bar.update(self._task, completed=done, total=total, description=f"{unit} {detail}".rstrip(), rate=rate, left=left)


class Rate:
    """How fast this attempt goes: what was done before it began, by an earlier attempt, counts neither for the rate nor the time left."""

    def __init__(self, begun: float | None = None) -> None:
        """Begin now with nothing done, or, without `begun`, at the first note with what is done by then."""
        self._begun, self._first, self._done, self._total = begun, 0, 0, 0
        self._unit: str | None = None

    def note(self, done: int, total: int, unit: str, now: float) -> None:
        """`done` of `total` units are done at the time `now` (seconds of any clock)."""
        is_other_work = self._unit is not None and (unit != self._unit or done < self._done)
        if self._begun is None or is_other_work:
            self._begun, self._first = now, done
        self._done, self._total, self._unit = done, total, unit

    def per_second(self, now: float) -> float:
        """Return units done a second since the beginning, 0 before any."""
        return (self._done - self._first) / max(1e-9, now - (self._begun if self._begun is not None else now))

    def left_s(self, now: float) -> float | None:
        """Return the seconds left at this rate; None as long as there is no rate."""
        rate = self.per_second(now)
        return (self._total - self._done) / rate if rate > 0 else None


def in_words(seconds: float | None) -> str:
    """Return a time with its units, as in `1 h 05 min`, `3 min 20 s` or `12 s`; `?` when it is not known."""
    if seconds is None:
        return "?"
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 60} min {whole % 60:02d} s" if whole >= 60 else f"{whole} s"
