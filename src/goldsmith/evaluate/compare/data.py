"""Everything a comparison shows, as one record: the same content becomes the page, the JSON, the CSV and the Markdown.

Scores are fractions; a part that is None or empty could not be computed, and `notes` or its own `reason` says why.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from goldsmith.evaluate.best_of_n import Curve
from goldsmith.evaluate.correlation import Correlation
from goldsmith.evaluate.homogeneity import Agreement
from goldsmith.evaluate.report.data import Paragraph
from goldsmith.evaluate.report.part import Part
from goldsmith.evaluate.result import AbsentBenchmark, FailedModel, Metric, SourceFile, SubsetResult
from goldsmith.evaluate.shortcuts import Panel
from goldsmith.evaluate.statistics import Estimate
from goldsmith.evaluate.win_probability import Reliability


class Score(Part):
    """One model on one benchmark."""

    official: Metric
    paper: Metric | None = None
    """The paper's number, where its rule differs."""
    total: SubsetResult
    subsets: list[SubsetResult] = Field(default_factory=list)
    metrics: list[Metric] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)
    is_complete: bool = True

    @property
    def headline(self) -> Metric:
        """The official score; where parts of the benchmark are absent, the figure over what is there, whose name says so."""
        if self.official.value is not None:
            return self.official
        partly = f"{self.official.name}, of what is there"
        return next((metric for metric in self.metrics if metric.name == partly), self.official)

    @property
    def is_partial(self) -> bool:
        """Whether the headline is about a part of the benchmark only."""
        return self.official.value is None and self.headline.value is not None


class Model(Part):
    """A model, or a rule that stands in for one."""

    name: str
    spec: str
    kind: str
    digest: str
    is_baseline: bool
    base_model: str = ""
    training_data: list[str] = Field(default_factory=list)
    scores: dict[str, Score]
    """Benchmark id to its score."""
    average: Metric
    seconds: float = 0.0
    created: str = ""


class Benchmark(Part):
    """A benchmark that at least one model has."""

    id: str
    title: str
    chance: float | None = None
    files: list[SourceFile] = Field(default_factory=list)
    is_core: bool = True


class Difference(Part):
    """One model minus another on the items both have, official score where its rule is a mean of subsets."""

    one: str
    other: str
    benchmark: str
    estimate: Estimate
    num_left_out: int = 0
    """Items that only one of the two has."""


class CurveRow(Part):
    """Best-of-N of one model on one benchmark; `group` is a subset, or `all` for the mean of the subsets."""

    model: str
    benchmark: str
    group: str
    curve: Curve


class PanelRow(Part):
    """One shortcut of one model; `benchmark` is an id, or `all` for the comparisons of all benchmarks."""

    model: str
    benchmark: str
    panel: Panel


class StyleRow(Part):
    """RM-Bench by difficulty of style, mean of the domains."""

    model: str
    easy: Estimate
    normal: Estimate
    hard: Estimate
    gap: Estimate
    """Easy minus hard."""


class ShownFirst(Part):
    """How often a judge preferred the reply shown first, over games with a winner; 0.5 is fair."""

    model: str
    benchmark: str
    wins: int
    games: int
    low: float
    high: float


class ReliabilityRow(Part):
    """Calibration of one model over the comparisons of all benchmarks."""

    model: str
    raw: Reliability
    fitted: Reliability | None = None


class CorrelationRow(Part):
    """Two measures over the models given."""

    one: str
    other: str
    pearson: Correlation
    spearman: Correlation


class Shared(Part):
    """Models that were made from the same thing, by their cards."""

    what: Literal["base model", "training data"]
    name: str
    models: list[str]


class Homogeneity(Part):
    """How far the models given are one model."""

    agreements: list[Agreement] = Field(default_factory=list)
    alpha: float | None = None
    """Krippendorff's alpha of all of them together over the replies they prefer."""
    shared: list[Shared] = Field(default_factory=list)
    unknown: list[str] = Field(default_factory=list)
    """Models whose card says neither base model nor training data."""


class ContaminationRow(Part):
    """What a training pool shares with one benchmark."""

    benchmark: str
    num_prompts: int
    """Different first-turn prompts of the benchmark."""
    pairs: dict[str, int] = Field(default_factory=dict)
    """Pairs of the pool that share text with it, by reason; a pair counts once."""


class Contamination(Part):
    """A training pool against every benchmark."""

    pool: str
    num_pairs: int
    num_rejected: int
    rows: list[ContaminationRow]


class Failure(Part):
    """A comparison that a model got wrong, with both replies, shortened and cleaned."""

    model: str
    benchmark: str
    subset: str
    item_id: str
    source_ref: str
    reasons: list[str]
    """Why it is worth looking at."""
    score_right: float | None = None
    score_wrong: float | None = None
    surprise: float | None = None
    """The margin in units of the model's own typical margin on the benchmark."""
    others: dict[str, str] = Field(default_factory=dict)
    """What the other models decided."""
    prompt: str | None = None
    right: str | None = None
    wrong: str | None = None


class PublishedRow(Part):
    """A row of the paper's table: published, not measured here."""

    name: str
    scores: dict[str, float]
    average: float


class ComparisonData(Part):
    """The whole comparison."""

    schema_version: Literal[1] = 1
    title: str
    created: str
    """UTC time, ISO 8601."""
    version: str
    seed: int
    resamples: int
    models: list[Model]
    benchmarks: list[Benchmark]
    absent: list[AbsentBenchmark] = Field(default_factory=list)
    failed_models: list[FailedModel] = Field(default_factory=list)
    """Models that were to be here and could not be evaluated."""
    published: list[PublishedRow] = Field(default_factory=list)
    differences: list[Difference] = Field(default_factory=list)
    curves: list[CurveRow] = Field(default_factory=list)
    styles: list[StyleRow] = Field(default_factory=list)
    panels: list[PanelRow] = Field(default_factory=list)
    shown_first: list[ShownFirst] = Field(default_factory=list)
    reliabilities: list[ReliabilityRow] = Field(default_factory=list)
    correlations: list[CorrelationRow] = Field(default_factory=list)
    downstream: list[CorrelationRow] = Field(default_factory=list)
    """Each benchmark (`one`) with the measure of real use (`other`)."""
    homogeneity: Homogeneity = Homogeneity()
    contamination: Contamination | None = None
    failures: list[Failure] = Field(default_factory=list)
    words: list[Paragraph] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)
    """What could not be computed, and why."""

    def title_of(self, benchmark: str) -> str:
        """Return how a benchmark is called."""
        return next((item.title for item in self.benchmarks if item.id == benchmark), benchmark)
