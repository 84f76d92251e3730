"""How LLMs judge pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from goldsmith.config.base import Section


class RecordedConfig(Section):
    """One file of recorded verdicts. A bare path in the list means an entry with this path alone."""

    path: Path
    """The file: `Verdict` records, a pair file with the choice in a column, AlpacaEval's annotations, or Arena-style results; see docs/judging.md."""
    column: str | None = None
    """Column of a pair file with the choice; `a.b` names a field inside an object. None: the layout is recognised."""
    swapped_column: str | None = None
    """A second column: the choice made with the responses in reverse order, by the row's own numbers."""
    model: str | None = None
    """Name of the judge; none: the row's own, else the file's."""
    model_column: str | None = None
    """Column with the judge's name."""
    pairs: Path | None = None
    """File with the pairs, where the result file only points to them."""
    key: dict[str, str] = Field(default_factory=lambda: {"pair_id": "pair_id"})
    """With `pairs`: column of the result file to column of the pairs' file; together they name one pair."""

    @model_validator(mode="before")
    @classmethod
    def _bare_path(cls, value: Any) -> Any:
        return {"path": value} if isinstance(value, str | Path) else value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.swapped_column is not None and self.column is None:
            raise ValueError("swapped_column is set but column is not; name the column of the other order too")
        if self.model is not None and self.model_column is not None:
            raise ValueError("model and model_column are both set; keep the one that names the judge")
        if not self.key:
            raise ValueError("key is empty; name the columns by which results and pairs meet")
        return self

    def resolved(self, base: Path) -> Self:
        """Return the entry with relative paths starting from `base`, and `$GOLDSMITH_DATA` filled in."""
        from goldsmith.config.load import resolve_path

        paths = {"path": self.path, "pairs": self.pairs}
        return self.model_copy(
            update={name: Path(resolve_path(str(path), base)) for name, path in paths.items() if path is not None}
        )


class JudgeConfig(Section):
    """Samples, demonstrations, and the test a judge must pass."""

    samples: int = Field(default=2, ge=1)
    """Verdicts per model and pair, half in each order."""
    demonstrations: int = Field(default=8, ge=0, le=8)
    """Human-labelled examples shown at most."""
    probe_pairs: int = Field(default=60, ge=1)
    """Gold pairs (train and validation) on which every judge is tested before any verdict of it is used."""
    insist: bool = False
    """Use judges that do not beat chance all the same. The report then says so."""
    weights: Literal["equal", "accuracy"] = "equal"
    """How models weigh against each other: all the same, or by the log-odds of their accuracy on gold (train and validation)."""
    recorded: list[RecordedConfig] = Field(default_factory=list)
    """Files of recorded verdicts; each model in them is one more judge."""
    max_pairs_per_round: int = Field(default=200, ge=0)
    """Pairs the LLMs judge in one round at most; the rest keep their original label."""
    max_pairs_stage2: int = Field(default=1000, ge=0)
    """Unsure pairs the LLMs judge in stage 2 at most."""
