"""An estimate as text for people."""

from __future__ import annotations

from goldsmith.train.estimate.memory import Pass
from goldsmith.train.estimate.run import GIB, Estimate, MemoryPlan

LABEL = 42


def estimate_text(estimate: Estimate) -> str:
    """Return the estimate as lines: parameters, memory of one GPU, work and time, warnings."""
    parts = [_heading(estimate), _parameters(estimate), _memory(estimate), _work(estimate)]
    parts += [f"warning: {line}" for line in estimate.warnings()]
    parts.append("docs/estimate.md has the formulas, what they were checked against, and what they leave out.")
    return "\n\n".join(parts)


def _heading(estimate: Estimate) -> str:
    train = estimate.config.train
    checkpointing = "on" if train.gradient_checkpointing else "off"
    return "\n".join(
        [
            f"{estimate.base}: {train.method}, {estimate.precision}, sharding {train.sharding}, gradient checkpointing {checkpointing}",
            f"learning rate {train.learning_rate:g} {train.schedule}, warm-up {train.warmup_ratio:g}, batch {train.batch_size:,} pairs, "
            f"{train.epochs} epoch{'s' if train.epochs > 1 else ''}, at most {estimate.max_length:,} tokens",
        ]
    )


def _parameters(estimate: Estimate) -> str:
    counts = estimate.parameters
    rows = [
        ("embedding", counts.embedding),
        ("attention", counts.attention),
        ("feed-forward", counts.feed_forward),
        ("norms", counts.norms),
        ("head", counts.head),
        ("total", counts.total),
        (f"trained ({estimate.config.train.method})", counts.trained),
    ]
    return "\n".join(["parameters", *(f"  {name:<{LABEL}}{count:>18,}" for name, count in rows)])


def _memory(estimate: Estimate) -> str:
    machine = estimate.machine
    lines = [
        f"memory of one GPU, GiB ({machine.gpus} x {machine.kind}, {machine.memory_gib:g} GiB each)",
        _row("", list(estimate.shardings)),
    ]
    for again in (estimate.config.train.gradient_checkpointing, not estimate.config.train.gradient_checkpointing):
        plans = [estimate.plan(sharding, checkpointing=again) for sharding in estimate.shardings]
        lines.append(f"  {'layers computed again (checkpointing)' if again else 'layers kept (no checkpointing)'}")
        for name in plans[0].components:
            lines.append(_row(f"  {name}", [f"{plan.components[name] / GIB:.2f}" for plan in plans]))
        lines.append(_row("  total", [_total(estimate, plan) for plan in plans]))
    lines.append(f"  largest pass: {' or '.join(map(_pass, estimate.passes))}; ! does not fit, * as configured")
    return "\n".join(lines)


def _row(name: str, values: list[str]) -> str:
    return f"  {name:<{LABEL}}" + "".join(f"{value:>18}" for value in values)


def _total(estimate: Estimate, plan: MemoryPlan) -> str:
    chosen = "*" if plan is estimate.chosen else ""
    return f"{'' if estimate.fits(plan) else '!'}{chosen}{plan.total / GIB:.2f}"


def _pass(work: Pass) -> str:
    return f"{work.replies} replies, {work.tokens:,} tokens"


def _hours(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _work(estimate: Estimate) -> str:
    work, machine, cost, other = estimate.workload, estimate.machine, estimate.cost, estimate.cost_separate
    rows = [
        ("pairs", f"{work.pairs:,} ({work.left_out:,} rows left out)" if work.left_out else f"{work.pairs:,}"),
        ("optimizer steps", f"{estimate.steps:,}"),
        ("tokens, shared contexts once", f"{cost.tokens:,}"),
        ("tokens, each conversation by itself", f"{other.tokens:,}"),
        ("floating-point operations", f"{cost.flops:.3g}"),
        ("features of the first head on disk, GiB", f"{_hours(cost.feature_bytes / GIB)}"),
        ("hours of arithmetic", f"{_hours(cost.compute_s / 3600)}"),
        ("hours of communication, none overlapped", f"{_hours(cost.communication_s / 3600)}"),
        ("GPU-hours", f"{_hours(cost.gpu_hours)}"),
        ("GPU-hours, each conversation by itself", f"{_hours(other.gpu_hours)}"),
    ]
    return "\n".join(
        [
            f"work and time ({machine.peak_tflops:g} TFLOP/s a GPU, {machine.utilisation:.0%} used, {machine.bandwidth_gb_s:g} GB/s)",
            *(f"  {name:<{LABEL}}{value:>18}" for name, value in rows),
            f"  tokens: {work.source}",
        ]
    )
