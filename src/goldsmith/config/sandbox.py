"""The code sandbox: what a program of a model may use of this machine, and as whom it runs."""

from __future__ import annotations

from pydantic import Field

from goldsmith.config.base import Section


class SandboxConfig(Section):
    """Limits of one run, and how many run at once."""

    wall_s: float = Field(default=20.0, gt=0, le=600)
    """Seconds by the clock."""
    cpu_s: int = Field(default=10, ge=1, le=600)
    """Seconds of computing of each process."""
    memory_mb: int = Field(default=512, ge=64)
    """Megabytes of memory of all processes together, files in the run's own folder included."""
    processes: int = Field(default=64, ge=16)
    """Processes and threads."""
    disk_mb: int = Field(default=64, ge=1)
    """Megabytes of files; they are in memory and go when the run ends."""
    files: int = Field(default=10_000, ge=16)
    """Number of files."""
    output_kb: int = Field(default=100, ge=1, le=10_000)
    """Kilobytes kept of each of stdout and stderr; the rest is counted."""
    most_output_mb: int = Field(default=64, ge=1)
    """Megabytes of output after which a program is stopped."""
    at_once: int = Field(default=0, ge=0, le=256)
    """Runs at once; others wait their turn. 0: half of the processor's cores."""
    wait_s: float = Field(default=30.0, ge=0)
    """Seconds a run waits for its turn before it is refused."""
    uid: int = Field(default=65_534, ge=1)
    """User (and group) that programs run as when Goldsmith is started as root; one that owns nothing."""
    python: str = ""
    """Path of the Python that runs programs; empty: the one Goldsmith runs on, or that of the system where the sandbox cannot read it."""
    node: str = ""
    """Path of Node.js, for JavaScript; empty: the one on the PATH."""
