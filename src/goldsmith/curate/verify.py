"""Pre-verification in a run: factual pairs that go to people are checked reply by reply first (spec 4, human protocol)."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pyarrow as pa

from goldsmith.curate.context import Context
from goldsmith.curate.gold import asked_batch
from goldsmith.store import Counts, from_row

CHECK_SCHEMA = pa.schema([(name, pa.string()) for name in ("pair_id", "side", "model", "outcome", "reason", "failure", "usage")])


def verify_batch(context: Context, fingerprint: str, round_number: int) -> dict[str, Any]:
    """Write `reply_checks_<r>`, which the annotation screen shows beside each reply; the most urgent pairs go first."""
    from goldsmith.judge.exact import exact_checks
    from goldsmith.judge.verify import VerifyRun, verify_pairs

    settings = context.config.verify
    attributes = context.workspace.table("attributes").rows(["pair_id", "objectivity"])
    factual = {row["pair_id"] for row in attributes if row["objectivity"] == "factual"}
    _, rows = asked_batch(context, round_number)
    objective = [from_row(row) for row in rows if row["pair_id"] in factual]
    pairs = objective[: settings.max_pairs]
    models = settings.models or [endpoint.name for endpoint in context.config.llm.endpoints]
    run = VerifyRun(checks=[])
    if pairs and models:
        run = verify_pairs(pairs, context.llm, models, lambda done, total: context.progress.update(done, total, "LLM calls"))
    # Rules first: what is shown on top is what costs no trust.
    exact = exact_checks(objective, settings.answer_field) if settings.answer_field else []
    checks = [*exact, *run.checks]
    step = f"verify_{round_number}"
    with context.workspace.writer(f"reply_checks_{round_number}", step=step, fingerprint=fingerprint) as out:
        out.write_rows([check.model_dump() for check in checks], CHECK_SCHEMA)
        failed = run.replies.get("failed", {})
        out.counts = Counts(total=len(checks), kept=len(checks) - sum(failed.values()), failed=failed)
    outcomes = Counter(str(check.outcome) for check in exact)
    return {"pairs": len(pairs), "factual": len(objective), "replies": run.replies, "exact": dict(sorted(outcomes.items()))}
