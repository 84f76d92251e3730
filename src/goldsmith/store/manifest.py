"""What stands beside every table: where it came from, and what became of every row that went in."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from goldsmith.errors import StoreError


class Counts(BaseModel):
    """The fate of a step's rows: total = kept + dropped(reason) + failed(reason), always."""

    model_config = ConfigDict(extra="forbid")

    total: int
    kept: int
    dropped: dict[str, int] = Field(default_factory=dict)
    failed: dict[str, int] = Field(default_factory=dict)

    def check(self, where: str) -> None:
        """Raise when the counts do not add up: a bug in Goldsmith, never to be papered over."""
        accounted = self.kept + sum(self.dropped.values()) + sum(self.failed.values())
        if self.total != accounted:
            raise StoreError(
                f"{where}: {self.total} rows went in but {accounted} are accounted for "
                f"(kept {self.kept}, dropped {self.dropped}, failed {self.failed}); please report this as a bug"
            )


class Manifest(BaseModel):
    """One table's origin. Equal `fingerprint` means: made from the same inputs by the same rules."""

    model_config = ConfigDict(extra="forbid")

    schema_version: int = 1
    table: str
    step: str
    fingerprint: str
    inputs: dict[str, str] = Field(default_factory=dict)
    """Name and fingerprint of each table that was read."""
    code_version: str
    seed: int
    counts: Counts | None = None
    num_rows: int
    created: str
    folder: str
    """Name of the folder with the Parquet parts, beside this manifest."""
    extra: dict[str, Any] = Field(default_factory=dict)
    """Facts of the step that belong to the table."""
