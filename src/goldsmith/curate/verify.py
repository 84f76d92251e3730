"""Pre-verification in a run: factual pairs that go to people are checked reply by reply first (spec 4, human protocol)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from goldsmith.curate.context import Context
from goldsmith.curate.gold import asked_batch
from goldsmith.store import Counts, from_row
from goldsmith.types import Check, Pair

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
    ran = _ran(context, objective)
    checks = [*exact, *ran, *run.checks]
    step = f"verify_{round_number}"
    with context.workspace.writer(f"reply_checks_{round_number}", step=step, fingerprint=fingerprint) as out:
        out.write_rows([check.model_dump() for check in checks], CHECK_SCHEMA)
        failed = Counter(check.failure for check in checks if check.failure is not None)
        out.counts = Counts(total=len(checks), kept=len(checks) - failed.total(), failed=dict(sorted(failed.items())))
    return {
        "pairs": len(pairs),
        "factual": len(objective),
        "replies": run.replies,
        "exact": _outcomes(exact),
        "executed": _outcomes(ran),
    }


def _outcomes(checks: Sequence[Check]) -> dict[str, int]:
    return dict(sorted(Counter(check.outcome or "failed" for check in checks).items()))


def _ran(context: Context, pairs: Sequence[Pair]) -> list[Check]:
    """What running says of the replies to coding questions that have tests."""
    if not context.config.verify.run_code:
        return []
    from goldsmith.judge.execute import CODING, execute_pairs

    tasks = {row["pair_id"]: row["task"] or "" for row in context.workspace.table("attributes").rows(["pair_id", "task"])}
    coding = [pair for pair in pairs if tasks.get(pair.pair_id, "").split("/")[0] == CODING]
    return execute_pairs(coding, context.config.sandbox, lambda done, total: context.progress.update(done, total, "programs"))
