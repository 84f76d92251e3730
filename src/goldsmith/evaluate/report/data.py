"""Everything a report shows, as one record: the same content becomes `report.html` and `report.json`.

A part that is None has not been computed; the page then says which stage is missing. Shares and accuracies are in [0, 1].
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from goldsmith.evaluate.report.part import Part
from goldsmith.evaluate.report.pool_parts import Agreement, ExamplePair, PoolMap
from goldsmith.evaluate.statistics import Estimate

Action = Literal["keep", "relabel", "flip", "drop"]
ACTIONS: tuple[Action, ...] = ("keep", "relabel", "flip", "drop")


class Step(Part):
    """One step of the funnel: total = kept + dropped + failed."""

    name: str
    total: int
    kept: int
    dropped: dict[str, int] = Field(default_factory=dict)
    """Pairs taken out on purpose, by reason."""
    failed: dict[str, int] = Field(default_factory=dict)
    """Pairs that could not be processed, by reason; never a score."""


class CoverageCell(Part):
    """Pairs of one kind."""

    task: str
    objectivity: str
    controversiality: str
    num_pairs: int


class Coverage(Part):
    """What the pool is about."""

    cells: list[CoverageCell]
    num_pairs: int
    num_tasks: int


class AttributeQuality(Part):
    """One source of one attribute against the hand-labelled pairs."""

    source: str
    attribute: str
    num_pairs: int = 0
    num_failed: int = 0
    """Pairs it gave no answer to; they are in no figure."""
    accuracy: float | None = None
    """Mean agreement with the hand; None when it was not measured."""
    low: float | None = None
    high: float | None = None
    baseline: float | None = None
    """What the best constant answer scores."""
    kappa: float | None = None
    kappa_low: float | None = None
    kappa_high: float | None = None
    used: bool = False
    """Whether it counts in quotas and in the text of retrieval."""
    reason: str = ""


class Batch(Part):
    """One batch of human votes at the quality gate."""

    batch: str
    alpha: float | None = None
    low: float | None = None
    high: float | None = None
    num_pairs: int | None = None
    outcome: str = "undecided"
    enforced: bool = False


class CrossCheck(Part):
    """RewardBench from round to round: whether it was scored, why not, and the batches since which a score has dropped."""

    computed: bool = False
    reason: str = ""
    flagged: list[str] = Field(default_factory=list)


class Gold(Part):
    """The human-verified pairs and how far people agree."""

    by_split: dict[str, int] = Field(default_factory=dict)
    by_how: dict[str, int] = Field(default_factory=dict)
    alpha_first: Batch | None = None
    """Krippendorff's alpha over the first-round votes, all batches together."""
    alpha_retest: Batch | None = None
    """Alpha of first verdict against blind retest; None when nothing was judged twice."""
    batches: list[Batch] = Field(default_factory=list)
    min_alpha: float = 0.85
    disputes: int | None = None
    """Pairs that went to an expert."""
    discards: int | None = None
    """Pairs whose preference people could not determine."""
    dropped: dict[str, int] = Field(default_factory=dict)
    """Voted pairs that did not become gold, by reason."""
    cross_check: CrossCheck | None = None
    """None while gold is not closed."""

    @property
    def num_pairs(self) -> int:
        """All gold pairs."""
        return sum(self.by_split.values()) or sum(self.by_how.values())


class TaskRow(Part):
    """A judge's test on one group of tasks."""

    task: str
    num_pairs: int = 0
    num_decided: int = 0
    num_correct: int = 0
    accuracy: float | None = None
    low: float | None = None
    high: float | None = None
    kappa: float | None = None
    calibration_error: float | None = None
    position_first_share: float | None = None


class JudgeRow(Part):
    """A judge's test on gold train and validation."""

    model: str
    num_pairs: int = 0
    num_decided: int | None = None
    num_correct: int | None = None
    accuracy: float | None = None
    low: float | None = None
    high: float | None = None
    human_ties: int | None = None
    ties: int | None = None
    abstained: int | None = None
    failed: int | None = None
    position_first_share: float | None = None
    """Share of decided verdicts for the candidate shown first; 0.5 is fair."""
    position_low: float | None = None
    position_high: float | None = None
    verdict_failures: dict[str, int] = Field(default_factory=dict)
    """Failed samples by kind."""
    num_both_orders: int | None = None
    """Pairs judged in both orders of their replies."""
    same_choice: int | None = None
    """Those of them on which both verdicts say the same."""
    calibration_error: float | None = None
    """Mean gap between the judge's confidence and how often it is right."""
    by_task: list[TaskRow] = Field(default_factory=list)
    """The test by group of tasks, the largest first."""
    kappa: float | None = None
    """Cohen's kappa with the human label."""
    beats_chance: bool = False
    used: bool = False


class RecordedRow(Part):
    """A file of recorded verdicts: rows = rows with verdicts + dropped."""

    file: str
    layout: str
    rows: int
    dropped: dict[str, int] = Field(default_factory=dict)
    """Rows that could not be used, by reason."""
    verdicts: int
    failed: int = 0
    """Verdicts that name no winner."""


class Judges(Part):
    """All judges, and why they were used or not."""

    tests: list[JudgeRow] = Field(default_factory=list)
    reason: str = ""
    together: JudgeRow | None = None
    """The test of the judgement that several judges in use make together."""
    recorded: list[RecordedRow] = Field(default_factory=list)
    """Files of recorded verdicts."""
    weights: dict[str, float] = Field(default_factory=dict)
    """How the judges weigh against each other."""

    @property
    def none_beats_chance(self) -> bool:
        """Whether judges were tested and all of them failed."""
        return bool(self.tests) and not any(test.beats_chance for test in self.tests)

    @property
    def used(self) -> list[str]:
        """Names of the judges whose verdicts count."""
        return [test.model for test in self.tests if test.used]


class Replies(Part):
    """What came back from models at one stage: total = usable + failed. A failure is never a score."""

    stage: str
    total: int
    usable: int
    failed: dict[str, int] = Field(default_factory=dict)
    """Replies that could not be used, by kind."""
    repaired: int = 0
    """Usable replies that had the agreed form only when they were asked for again."""
    shortened: int = 0
    """Prompts in which a text was cut to fit."""
    control_tokens: int = 0
    """Pairs whose text holds chat-template tokens; they were broken before anything was sent."""
    addressed: int = 0
    """Replies that speak to whoever judges them, as far as a list of phrases can tell."""


class Round(Part):
    """One round of stage 1."""

    round: int
    silver_total: int | None = None
    silver_by_origin: dict[str, int] = Field(default_factory=dict)
    gold_total: int | None = None
    accuracy_validation: float | None = None
    low: float | None = None
    high: float | None = None
    num_validation: int | None = None
    accuracy_train: float | None = None
    """Accuracy on gold's train part, which this round's model did not train on."""
    accuracy_then: float | None = None
    """Accuracy on the gold validation of its time; `accuracy_validation` is on today's, refitted, so that rounds compare."""
    retrieved: int | None = None
    index_recall: float | None = None
    """Share of the exact neighbours that an approximate index found; None where the search was exact."""
    to_humans: int | None = None
    to_llm: int | None = None


class Histogram(Part):
    """Counts of p, the model's probability of the label, split into series."""

    edges: list[float]
    """Bin edges, ascending; one more than the counts."""
    series: dict[str, list[int]]
    """Series name (`right`, `wrong`, `reversed on purpose`, ...) to counts."""

    @property
    def total(self) -> int:
        """All pairs counted."""
        return sum(sum(counts) for counts in self.series.values())


class Margins(Part):
    """Where the best RM is sure, and where it is wrong."""

    round: int | None = None
    gold: Histogram | None = None
    pool: Histogram | None = None
    """The labels as they came."""
    curated: Histogram | None = None
    """The labels that stage 2 left, by action, of the pairs that stay."""
    calibration_error: float | None = None
    """Expected calibration error of max(p, 1 - p) on gold; scale [0, 1]."""
    share_gold_below: float | None = None
    """Share of gold pairs with p < 0.5."""


class KnownNoise(Part):
    """What stage 2 did with labels that were reversed on purpose, and with the others."""

    reversed: dict[str, int]
    """`unchanged`, `turned` or `dropped` to the number of pairs whose label was reversed on purpose."""
    untouched: dict[str, int]
    """The same for the pairs whose label was left alone (whatever errors they had before are not known)."""


class Stage2(Part):
    """Decisions over the whole pool."""

    by_action: dict[str, int] = Field(default_factory=dict)
    by_rule: dict[str, int] = Field(default_factory=dict)
    by_reason: dict[str, int] = Field(default_factory=dict)
    num_curated: int | None = None
    """Pairs of the curated set: what was decided to stay and gold train, without the prompts of gold validation and audit."""
    by_task: dict[str, dict[str, int]] = Field(default_factory=dict)
    """Task to action to pairs; pairs whose task is not known stand under `unknown`."""
    agreement: list[Agreement] = Field(default_factory=list)
    """Every two of label, judges and people, in the order of `opinions.VOICES`."""
    known_noise: KnownNoise | None = None
    gold_rm: Estimate | None = None
    """The gold RM on gold validation."""
    statements: list[str] = Field(default_factory=list)
    """What is wrong with gold, judges or models that decided here."""
    examples: list[ExamplePair] = Field(default_factory=list)


class SetResult(Part):
    """One evaluation set."""

    name: str
    models: dict[str, Estimate]
    """Model name to its accuracy."""
    longer: Estimate
    """"The longer reply wins" on the same pairs."""
    difference: Estimate | None = None
    """Curated minus raw, paired."""
    above_longer: Estimate | None = None
    """The main model minus "longer wins", paired."""
    missing: dict[str, int] = Field(default_factory=dict)
    """Model to pairs it could not score; they are in no accuracy."""
    left_out: dict[str, int] = Field(default_factory=dict)
    """Pairs of the set's file that were never scored, by reason (ties, bad rows)."""


class Final(Part):
    """What the models are worth on pairs they never saw."""

    sets: list[SetResult]
    main: str = "curated"
    """The model a user takes away: `final` where the comparison used a quicker method, else `curated`."""
    pooled_difference: Estimate | None = None
    """Curated minus raw over the pairs of all sets."""
    pooled: dict[str, Estimate] = Field(default_factory=dict)
    """Model (and `longer`) to accuracy over the pairs of all sets."""


class Cost(Part):
    """LLM calls and time."""

    usage: dict[str, int | float] = Field(default_factory=dict)
    """`calls`, `cached`, `failed`, `unknown`, `rejected`, `estimated`, `prompt_tokens`, `completion_tokens`, `cost`, as far as known."""
    by_model: dict[str, dict[str, int | float]] = Field(default_factory=dict)
    """The same by model, with its failures by kind."""
    seconds: dict[str, float] = Field(default_factory=dict)
    """Stage to seconds, in the order of the run."""


class Paragraph(Part):
    """One paragraph of the part in words."""

    tone: Literal["alert", "simulated", "result", "plain", "limit", "next"]
    text: str


class ReportData(Part):
    """The whole report."""

    schema_version: Literal[1] = 1
    title: str
    created: str
    """UTC time, ISO 8601."""
    version: str
    seed: int
    machine: str = ""
    runtime_s: float | None = None
    simulated: list[str] = Field(default_factory=list)
    opening: list[str] = Field(default_factory=list)
    """Sentences that the run itself wants to stand at the top."""
    words: list[Paragraph] = Field(default_factory=list)
    """The first part, in words; `write_report` fills it in."""
    funnel: list[Step] = Field(default_factory=list)
    coverage: Coverage | None = None
    attribute_quality: list[AttributeQuality] = Field(default_factory=list)
    gold: Gold | None = None
    judges: Judges | None = None
    replies: list[Replies] = Field(default_factory=list)
    """What came back from models, stage by stage."""
    rounds: list[Round] = Field(default_factory=list)
    best_round: int | None = None
    margins: Margins | None = None
    stage2: Stage2 | None = None
    pool_map: PoolMap | None = None
    training: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Model name to its training metrics."""
    final: Final | None = None
    cost: Cost = Cost()
    config: dict[str, Any] = Field(default_factory=dict)
    notes: list[str] = Field(default_factory=list)
    """What could not be read, and why."""
