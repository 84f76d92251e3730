"""The pool of a run: what was added, without what evaluation and gold must keep to themselves."""

from __future__ import annotations

import json
from typing import Any

from goldsmith.curate.context import Context
from goldsmith.curate.inputs import held_out_contexts


def make_pool(context: Context, fingerprint: str) -> dict[str, Any]:
    """Write `pool`, `pool_dropped`, `contradictions` and `flipped_on_purpose`, and return the counts."""
    from goldsmith.benchdata.prompts import BenchmarkPrompt, first_turn
    from goldsmith.pool.benchmarks import benchmark_prompts
    from goldsmith.pool.build import build_pool

    prompts = benchmark_prompts([context.path(name) for name in context.config.pool.benchmarks])
    excluded: dict[str, str] = {}
    for table, reason in (("recorded_pairs", "gold-context"), ("eval_pairs", "evaluation-context")):
        for row in context.workspace.table(table).rows(["context_id", "context"]):
            if row["context_id"] not in excluded:
                excluded[row["context_id"]] = reason
                prompts += [BenchmarkPrompt(text=first_turn(json.loads(row["context"])), set_name=reason)]
    excluded |= {name: "evaluation-context" for name in held_out_contexts(context)}
    result = build_pool(context.workspace, fingerprint, prompts, excluded, context.progress)
    counts = {"total": result.total, "kept": result.kept, "dropped": result.dropped, "failed": {}}
    facts = result.model_dump(include={"flipped_on_purpose", "ties", "sources", "label_origins", "benchmark_prompts"})
    return {"counts": counts, **facts}
