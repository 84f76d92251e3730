"""The record of one model's evaluation: what reports, comparisons and curves are computed from, with no text and no model at hand.

An evaluation's folder holds one folder for each model:

    OUT/models/<slug>/result.json      `EvalResult`
    OUT/models/<slug>/items.parquet    one `ItemRecord` a row
    OUT/models/<slug>/texts.parquet    texts of some failures (`goldsmith.evaluate.texts`), by the ids that items refer to

`goldsmith.evaluate.items` writes and reads the two tables.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from goldsmith.types import Record

SCHEMA_VERSION = 1
RESULT, ITEMS, TEXTS, MODELS = "result.json", "items.parquet", "texts.parquet", "models"
"""Names inside an evaluation's folder."""

EngineKind = Literal["checkpoint", "http", "scores", "judge", "random", "oracle", "constant", "longer"]
Outcome = Literal["right", "partly", "wrong", "tie", "failed", "unlabelled"]
Decision = Literal["right", "wrong", "tie", "failed"]


class ItemRecord(Record):
    """One item of a benchmark under one model.

    Attributes:
        benchmark: the benchmark's id, as in `rewardbench-2`.
        subset: the finest official group that the item belongs to.
        item_id: unique within the benchmark.
        prompt_id: the cluster that intervals are resampled by: the context's id.
        source_ref: `file:line` it was read from.
        outcome: `right`, `wrong` or `partly` (several comparisons, some of them right); `tie` where equality decided, whatever credit
            the benchmark's rule gives for it; `failed` where a score or verdict is missing; `unlabelled` where the benchmark has no
            preference, so that it counts in no denominator.
        credit: what the official rule gives, in [0, 1]; None for `failed` and `unlabelled`.
        weight: of the item in its subset's mean: the number of comparisons where the rule counts those, else 1.
        reason: why it failed.
        good: of each reply, whether the benchmark calls it right or preferred; shape [R].
        text_ids: of each reply with its context; shape [R].
        scores: of each reply, None where it has none; shape [R], empty for a judge. Infinite only in stored score files.
        comparisons: (better reply, worse reply), the pairs that the benchmark asks about; shape [C, 2].
        decisions: the model's answer to each of them, by strict comparison; shape [C].
        games: a judge's verdicts on each comparison, one a game: 1 right, -1 wrong, 0 tie, None without verdict; shape [C, games].
        chars: characters of each reply; shape [R].
        marks: Markdown marks of each reply (`goldsmith.pool.bias.MARKERS`, summed); shape [R].
        is_ordered: the replies stand as the benchmark shows them (response A, response B), so a taste for a position can be seen;
            otherwise the better ones simply come first.
        tokens: tokens of each conversation before truncation, None where the engine does not tell; shape [R].
        cut: tokens that truncation took from each conversation; shape [R].
        meta: what the benchmark tells of the item: style, domain, language, generating models, and the like (JSON values).
    """

    benchmark: str
    subset: str
    item_id: str
    prompt_id: str
    source_ref: str = ""
    outcome: Outcome
    credit: float | None
    weight: float = 1.0
    reason: str = ""
    good: list[bool]
    text_ids: list[str]
    scores: list[float | None] = Field(default_factory=list)
    comparisons: list[tuple[int, int]] = Field(default_factory=list)
    decisions: list[Decision] = Field(default_factory=list)
    games: list[list[int | None]] = Field(default_factory=list)
    chars: list[int] = Field(default_factory=list)
    marks: list[int] = Field(default_factory=list)
    is_ordered: bool = False
    tokens: list[int | None] = Field(default_factory=list)
    cut: list[int] = Field(default_factory=list)
    meta: dict[str, Any] = Field(default_factory=dict)

    @property
    def is_counted(self) -> bool:
        """Whether the item stands in its subset's denominator."""
        return self.outcome != "unlabelled"

    @property
    def points(self) -> float:
        """What it adds to its subset's numerator, before `weight`: its credit, and nothing where it failed."""
        return self.credit or 0.0

    @property
    def is_truncated(self) -> bool:
        """Whether any of its conversations was cut."""
        return any(self.cut)


class Metric(Record):
    """One number with its 95 % interval; `value` is None, with a `reason`, where it cannot be had.

    Attributes:
        name: what it is, as a person says it.
        value: mostly a fraction in [0, 1].
        low: lower end of the interval, from resampled prompts; None where none is given.
        high: upper end.
        rule: how it is made, in a few words.
        is_from_memory: the definition could not be checked against official code or tables.
        reason: why there is no value, or no interval.
    """

    name: str
    value: float | None
    low: float | None = None
    high: float | None = None
    rule: str = ""
    is_from_memory: bool = False
    reason: str = ""


class SubsetResult(Record):
    """One group of a benchmark: in = num_items + num_unlabelled; ties, truncated and failed items are among num_items.

    Attributes:
        name: as the benchmark calls it.
        level: `subset` for the finest official groups, else what the benchmark calls them: `section`, `domain`, `cell`, `category`, ...
        accuracy: mean credit; failed items count as not right.
        accuracy_scored: the same without failed items; equal to `accuracy` where there are none.
        low: lower end of the 95 % interval of `accuracy`.
        high: upper end.
        num_items: items in the denominator.
        num_comparisons: comparisons in them.
        num_prompts: different prompts among them, what the interval rests on.
        num_ties: items with at least one tie among their decisions.
        num_truncated: items with at least one conversation that was cut.
        num_failed: items with at least one missing score or verdict.
        num_unlabelled: items without a preference, left out by the official rule.
        num_expected: items that the official data has; None where that is not fixed.
    """

    name: str
    level: str = "subset"
    accuracy: float | None
    accuracy_scored: float | None
    low: float | None = None
    high: float | None = None
    num_items: int
    num_comparisons: int
    num_prompts: int
    num_ties: int
    num_truncated: int
    num_failed: int
    num_unlabelled: int = 0
    num_expected: int | None = None


class SourceFile(Record):
    """A file that a benchmark was read from: its name, the SHA-256 of its bytes (empty for the hub), and the rows in it."""

    path: str
    digest: str
    num_rows: int


class BenchmarkResult(Record):
    """One benchmark under one model.

    Attributes:
        id: as in `rm-bench`.
        title: as people call it.
        files: what was read.
        official: the score by the official rule.
        paper: the Skywork-Reward-V2 paper's number where its rule differs, else None.
        chance: expected official score of random scores; None where nobody knows.
        total: counts over all items, as a group named `all`.
        subsets: every subset and group.
        metrics: whatever else the benchmark defines (curves are computed from items).
        notes: what a reader must know: subsets that are absent, rows that are not official, duplicates left out.
        is_complete: all official items were there.
    """

    id: str
    title: str
    files: list[SourceFile]
    official: Metric
    paper: Metric | None = None
    chance: float | None = None
    total: SubsetResult
    subsets: list[SubsetResult]
    metrics: list[Metric] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)
    is_complete: bool = True

    @property
    def paper_score(self) -> float | None:
        """The number to compare with the paper's tables: `paper` where its rule differs, else `official`."""
        return (self.paper or self.official).value


class AbsentBenchmark(Record):
    """A benchmark that was not found, and where to get it."""

    id: str
    title: str
    where: str


class ModelInfo(Record):
    """What was evaluated.

    Attributes:
        name: label of the model in reports; unique in an evaluation.
        spec: as the user named it: path, hub id, address, file.
        kind: of engine.
        digest: of everything that decides a score; the cache's key.
        base_model: what it was trained from, by its card; empty where unknown.
        training_data: data sets it was trained on, by its card.
        facts: length, truncation side, pooling, dtype, dialect, ... (JSON values).
    """

    name: str
    spec: str
    kind: EngineKind
    digest: str
    base_model: str = ""
    training_data: list[str] = Field(default_factory=list)
    facts: dict[str, Any] = Field(default_factory=dict)


class FailedModel(Record):
    """A model that was asked for and could not be evaluated, and why."""

    name: str
    reason: str


class EvalSettings(Record):
    """What decides the numbers beside model and data."""

    seed: int
    resamples: int


class EvalResult(Record):
    """One model on every benchmark that was there.

    Attributes:
        schema_version: of this record.
        goldsmith_version: that made it.
        created_at: UTC, ISO 8601.
        model: what was evaluated.
        settings: seed and resamples.
        benchmarks: in the paper's order, extras after the seven.
        absent: of the seven, those not found.
        average: mean of the paper's seven numbers; without a value, and with a reason, unless all seven are there.
        seconds: of the evaluation, cached scores included.
        num_texts: distinct texts; num_scored of them were computed now, the others came from the cache.
        num_scored: see num_texts.
    """

    schema_version: Literal[1] = 1
    goldsmith_version: str
    created_at: str
    model: ModelInfo
    settings: EvalSettings
    benchmarks: list[BenchmarkResult]
    absent: list[AbsentBenchmark] = Field(default_factory=list)
    average: Metric
    seconds: float = 0.0
    num_texts: int = 0
    num_scored: int = 0

    def benchmark(self, name: str) -> BenchmarkResult | None:
        """Return the result of the benchmark with this id, None where it is absent."""
        return next((item for item in self.benchmarks if item.id == name), None)
