"""What a run gives back."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Ended = Literal["exit", "signal", "time", "memory", "output", "files"]
TestOutcome = Literal["passed", "failed"]


class Stream(BaseModel):
    """One of a program's two outputs.

    `text` is what was kept, with every character that is not plain text made visible; `num_bytes` counts all that was written.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str
    num_bytes: int
    is_cut: bool


class CodeResult(BaseModel):
    """How a program ran.

    Attributes:
        language: `python` or `javascript`.
        ended: by itself (`exit`), by a signal, or stopped at the limit named.
        exit_code: of a program that ended by itself, 0..255; None otherwise.
        signal: the signal's name (`SIGSEGV`); a program that leaves with 128 + n by itself looks the same.
        stdout: what it printed.
        stderr: what it complained about.
        seconds: by the clock, start-up included, waiting for its turn not.
        cpu_seconds: of computing, of all its processes, as of the last look at them (one every 20 ms).
        peak_bytes: most memory seen in use at once, in bytes; None when the program was gone before the first look.
        tests: `passed` when the end of the tests was reached and the program then left with 0; None without tests.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    language: str
    ended: Ended
    exit_code: int | None
    signal: str | None
    stdout: Stream
    stderr: Stream
    seconds: float
    cpu_seconds: float
    peak_bytes: int | None
    tests: TestOutcome | None = None

    @property
    def is_clean(self) -> bool:
        """Whether the program ended by itself with 0."""
        return self.ended == "exit" and self.exit_code == 0
