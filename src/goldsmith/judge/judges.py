"""Who judges: a live model of a group, or a model whose verdicts were recorded; one interface for the pipeline."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from goldsmith.config.judge import RecordedConfig
from goldsmith.errors import UserError
from goldsmith.judge.recorded import read_verdicts
from goldsmith.llm import LlmGroup
from goldsmith.types import Verdict

EMBEDDED_PROMPT_TOKENS = 520
PROMPT_TOKENS = 6000
"""Room of a prompt where the endpoint's `prompt_tokens` does not say; estimated tokens, about 1.2 for a real one of English."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmJudge:
    """A model of the group, asked live."""

    name: str
    llm: LlmGroup = field(repr=False)

    @property
    def prompt_tokens(self) -> int:
        """The room of its prompt, in estimated tokens."""
        endpoint = next(endpoint for endpoint in self.llm.config.endpoints if endpoint.name == self.name)
        return endpoint.prompt_tokens or (EMBEDDED_PROMPT_TOKENS if endpoint.kind == "embedded" else PROMPT_TOKENS)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedJudge:
    """A model whose verdicts are there already; pairs without one are simply not judged by it."""

    name: str
    verdicts: tuple[Verdict, ...] = field(repr=False)


Judge = LlmJudge | RecordedJudge


def recorded_models(files: Sequence[RecordedConfig | Path]) -> list[str]:
    """Return the models that files of recorded verdicts name, sorted.

    Raises:
        DataError: see `read_verdicts`.
    """
    return sorted({verdict.model for verdict in read_verdicts(files)})


def judges(names: Collection[str], llm: LlmGroup | None, recorded: Sequence[RecordedConfig | Path] = ()) -> list[Judge]:
    """Return the judges of those names: the group's models in its order, then recorded ones by name.

    Raises:
        DataError: see `read_verdicts`.
        UserError: a name is neither a live nor a recorded model, or is both.
    """
    live = llm.names if llm else []
    verdicts = read_verdicts(recorded)
    found: list[Judge] = [LlmJudge(name=name, llm=llm) for name in live if name in names and llm]
    models = sorted({verdict.model for verdict in verdicts})
    both = sorted(set(live) & set(models))
    if both:
        raise UserError(
            f"judge.recorded holds verdicts of '{both[0]}', which is also the name of an endpoint; rename one of them"
        )
    found += [recorded_judge(name, verdicts) for name in models if name in names]
    unknown = sorted(set(names) - {judge.name for judge in found})
    if unknown:
        raise UserError(f"no judge is named '{unknown[0]}'; known: {', '.join([*live, *models]) or 'none'}")
    return found


def recorded_judge(name: str, verdicts: Sequence[Verdict]) -> RecordedJudge:
    """Return the judge made of one model's verdicts among others'."""
    return RecordedJudge(name=name, verdicts=tuple(verdict for verdict in verdicts if verdict.model == name))
