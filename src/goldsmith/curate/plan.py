"""The steps of a run in order, and what each depends on: the flow of the design, as data."""

from __future__ import annotations

from functools import partial
from typing import Any

from goldsmith.config import GoldsmithConfig
from goldsmith.curate import (
    cross_check,
    final,
    gold,
    inputs,
    judging,
    pooling,
    rewards,
    scoring,
    seed,
    similarity,
    stage1,
    stage2,
    verify,
)
from goldsmith.curate.context import Context
from goldsmith.curate.step import Step
from goldsmith.gold.exchange.brought import TABLE as IMPORTED
from goldsmith.identity import file_digest


def plan(config: GoldsmithConfig) -> list[Step]:
    """Return the steps that a configuration asks for."""
    rounds = config.rounds.count
    steps = [*_entry_steps(), *_gold_steps(), *_round_steps(rounds), *_curation_steps(rounds)]
    if config.verify.max_pairs or config.verify.answer_field or config.verify.run_code:
        for number in range(rounds + 1):
            place = next(at for at, step in enumerate(steps) if step.name == f"gold_{number}")
            steps.insert(place, _verify_step(number))
    return steps


def _entry_steps() -> list[Step]:
    return [
        Step(name="ingest", title="Reading the sources", run=inputs.add_sources, sections=["pool"], extra=inputs.source_fingerprints),
        Step(name="votes", title="Reading recorded votes", run=inputs.read_recorded_votes, sections=["gold"], writes=["recorded_pairs"], extra=_vote_files),
        Step(
            name="evaluation_sets", title="Reading evaluation sets", run=inputs.read_evaluation_sets, sections=["evaluate"], writes=["eval_pairs"],
            extra=lambda context: [_set_files(context), inputs.source_fingerprints(context) if context.config.evaluate.holdout_contexts else None],
        ),
        Step(
            name="pool", title="Deduplicating and decontaminating the pool", run=pooling.make_pool, sections=["pool", "evaluate"],
            reads=["recorded_pairs", "eval_pairs"], writes=["pool", "pool_dropped", "contradictions", "flipped_on_purpose"], extra=inputs.source_fingerprints,
        ),
        Step(
            name="attributes", title="Writing attributes", run=similarity.label_all, version=2, sections=["attributes", "retrieve", "llm"],
            reads=["pool", "recorded_pairs"], writes=["attributes", "attribute_quality"],
        ),
    ]  # fmt: skip


def _gold_steps() -> list[Step]:
    return [
        Step(name="seed", title="Selecting the seed", run=seed.select_seed, sections=["seed_selection", "gold"], reads=["pool", "attributes", "attribute_quality"], writes=["seed"]),
        _gold_step(0),
        Step(
            name="judges", title="Testing the judges on gold", run=judging.probe_judges, sections=["judge", "llm", "retrieve"],
            reads=["gold_0", "attributes"], writes=["judges", "verdicts_probe"], extra=judging.recorded_files,
        ),
        Step(
            name="features", title="Reading every reply with the frozen trunk", run=rewards.compute_features, sections=["reward"],
            reads=["pool", "recorded_pairs", "eval_pairs"], writes=["featured"],
        ),
        Step(
            name="silver_0", title="Labelling the seed's silver", run=stage1.seed_silver, sections=["judge", "llm"],
            reads=["seed", "pool", "judges", "gold_0", "attributes"], writes=["silver_0"], extra=judging.recorded_files,
        ),
    ]  # fmt: skip


def _round_steps(count: int) -> list[Step]:
    steps = []
    for number in range(1, count + 1):
        before = [
            *(f"silver_{r}" for r in range(number)),
            *(f"gold_{r}" for r in range(number)),
            *(f"retrieved_{r}" for r in range(1, number)),
        ]
        steps.append(
            Step(
                name=f"round_{number}", title=f"Round {number}: train on silver, measure on gold, retrieve", run=partial(stage1.run_round, round_number=number),
                sections=["rounds", "gold", "judge", "llm", "retrieve", "reward", "head"], reads=["pool", "attributes", "seed", "judges", "featured", *before],
                writes=[f"gold_margins_{number}", f"retrieved_{number}", f"silver_{number}"], extra=judging.recorded_files,
            )
        )  # fmt: skip
        steps += [_cross_check_step(number), _gold_step(number)]
    return steps


def _cross_check_step(number: int) -> Step:
    reads = [f"retrieved_{number}", *(f"gold_{r}" for r in range(number)), *(f"silver_{r}" for r in range(number))]
    return Step(
        name=f"cross_check_{number}", title=f"Round {number}: scoring RewardBench", run=partial(cross_check.check_round, round_number=number),
        sections=["gold", "evaluate", "reward", "head"], reads=[*reads, *([f"cross_check_{number - 1}"] if number > 1 else [])],
        writes=[f"cross_check_{number}"], extra=cross_check.sources_of,
    )  # fmt: skip


def _verify_step(number: int) -> Step:
    return Step(
        name=f"verify_{number}", title="Checking single replies before people read them", run=partial(verify.verify_batch, round_number=number),
        sections=["verify", "llm", "sandbox"], reads=["pool", "attributes", "seed" if number == 0 else f"retrieved_{number}"], writes=[f"reply_checks_{number}"],
    )  # fmt: skip


def _gold_step(number: int) -> Step:
    asking = "seed" if number == 0 else f"retrieved_{number}"
    earlier = [f"gold_{r}" for r in range(number)]
    return Step(
        name=f"gold_{number}", title="Collecting votes on the seed" if number == 0 else f"Round {number}: collecting votes",
        run=partial(gold.collect_gold, round_number=number), sections=["gold"], reads=["pool", "recorded_pairs", asking, *earlier],
        writes=[f"gold_{number}", f"gold_dropped_{number}"], extra=partial(gold.vote_fingerprint, round_number=number),
    )  # fmt: skip


def _curation_steps(count: int) -> list[Step]:
    gold_tables = [f"gold_{number}" for number in range(count + 1)]
    silver_tables = [f"silver_{number}" for number in range(count)]
    return [
        Step(name="gold", title="Closing gold", run=gold.merge_gold, sections=["gold", "rounds"], reads=[*gold_tables, *(f"cross_check_{r}" for r in range(1, count + 1))], writes=["gold", "gold_dropped"]),
        Step(
            name="best", title="Choosing the best round on gold validation", run=stage1.choose_best, sections=["rounds", "reward", "head"],
            reads=["pool", "featured", *gold_tables, *silver_tables], writes=["best"],
        ),
        Step(
            name="scores", title="Scoring the pool with best RM and gold RM, out of fold", run=scoring.score_pool, version=2, sections=["reward", "head", "curate"],
            reads=["pool", "gold", "best", "featured", *silver_tables], writes=["scores_best", "scores_gold", "gold_scores"],
        ),
        Step(
            name="stage2", title="Deciding: keep, relabel, flip or drop", run=stage2.decide_all, version=5, sections=["curate", "judge", "llm"],
            reads=["pool", "gold", "scores_best", "scores_gold", "gold_scores", "judges", "verdicts_probe", "attributes"], writes=["decisions", "curated"], extra=judging.recorded_files,
        ),
        Step(
            name="train", title="Training the final model and its rival", run=final.train_models, sections=["train", "reward", "head", "evaluate"],
            reads=["curated", "decisions", "pool", "gold", "featured"], writes=["trained"],
        ),
        Step(
            name="evaluate", title="Measuring on held-out pairs", run=final.evaluate_models, sections=["evaluate", "reward", "train"],
            reads=["eval_pairs", "gold", "trained", "scores_best"], writes=["evaluation"],
        ),
    ]  # fmt: skip


def _vote_files(context: Context) -> Any:
    files = [file_digest(path) if path.is_file() else None for path in map(context.path, context.config.gold.recorded_votes)]
    imported = context.workspace.table(IMPORTED)
    return [*files, imported.fingerprint] if imported.exists else files


def _set_files(context: Context) -> Any:
    paths = [context.path(item.path) for item in context.config.evaluate.sets if not item.path.startswith("hf:")]
    return [file_digest(path) if path.is_file() else sorted(str(entry) for entry in path.rglob("*")) for path in paths]
