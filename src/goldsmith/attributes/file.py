"""`goldsmith attributes`: the five attributes of a plain file of pairs; no workspace."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from goldsmith.attributes.measure import measure_sources
from goldsmith.attributes.run import label_attributes
from goldsmith.attributes.taxonomy import load_taxonomy
from goldsmith.config import GoldsmithConfig
from goldsmith.pool.sources import Rejected, read_pairs
from goldsmith.retrieve.embed import Embedder
from goldsmith.store import atomic
from goldsmith.store.output import check_output
from goldsmith.types import Attributes, Pair

if TYPE_CHECKING:
    from goldsmith.judge.foreseen import Foreseen


class _OnlyEstimate(Exception):
    """The caller has seen the estimate and wants no more."""


def attributes_file(
    path: str | Path,
    out: Path,
    config: GoldsmithConfig | None = None,
    *,
    cache: Path | None = None,
    announce: Callable[[Foreseen], bool] | None = None,
    progress: Callable[[int, int], None] | None = None,
    measure_llm: int = 0,
) -> dict[str, Any]:
    """Write the attributes of every pair of a file to `out`: one line for each row, an `Attributes` record or a failure.

    The classifier decides the closed fields; the LLM writes desired attributes and guideline for `attributes.llm_pairs` pairs,
    and the closed fields too with `attributes.llm_closed_fields`. Called again, nothing that was answered is asked again.

    Args:
        path: pairs in any format that `pool add` reads.
        out: the JSONL file, replaced as a whole when all is done.
        config: sections `llm`, `attributes` and `retrieve`.
        cache: SQLite file of answers; none: `<out>.llm.sqlite`.
        announce: told what the LLM's part will cost at most, about, before anything is sent; returns whether to go on.
        progress: called with (done, total), first of the embedding, then of the LLM's calls.
        measure_llm: hand-labelled pairs on which the LLM is measured too, one further call each that the estimate does not hold.

    Returns:
        {rows, labelled, failed, facts, usage, estimate, out}; rows = labelled + failed. A pair whose LLM reply was not valid
        keeps the classifier's fields, and is counted in facts.llm.counts.failed; facts.quality is each source against the
        hand-labelled pairs. Only {rows, estimate} when `announce` said no.

    Raises:
        UserError: the file cannot be read, or the embedder is not installed.
        ProviderError: a server cannot be reached.
    """
    settings = config or GoldsmithConfig()
    check_output(out, path)
    rows = list(read_pairs(path, max_line_mb=settings.pool.max_line_mb))
    pairs = [row for row in rows if isinstance(row, Pair)]
    told: dict[str, Any] = {}

    def on_estimate(estimate: Foreseen) -> None:
        told.update(asdict(estimate))
        if announce and not announce(estimate):
            raise _OnlyEstimate

    with ExitStack() as stack:
        llm = None
        if settings.attributes.llm_pairs and settings.llm.endpoints:
            from goldsmith.llm import LlmGroup

            place = cache or out.with_name(f"{out.name}.llm.sqlite")
            place.parent.mkdir(parents=True, exist_ok=True)
            llm = stack.enter_context(LlmGroup(settings.llm, place, seed=settings.seed))
        embedder = Embedder(settings.retrieve.embedder, batch_size=settings.retrieve.batch_size)
        taxonomy = load_taxonomy(settings.attributes.taxonomy)
        try:
            found, facts = label_attributes(
                pairs, settings.attributes, llm, embedder, taxonomy, settings.seed, progress, announce=on_estimate
            )
        except _OnlyEstimate:
            return {"rows": len(rows), "estimate": told}
        asked = settings.attributes.model_copy(update={"measure_llm": measure_llm})
        facts["quality"] = [asdict(row) for row in measure_sources(asked, llm, embedder, taxonomy, settings.seed, progress)]
        usage = [asdict(item) for item in llm.usage()] if llm else []
    lines = _lines(rows, found)
    atomic.write_text(out, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
    failed = Counter(line["failure"] for line in lines if "failure" in line)
    assert len(rows) == len(found) + failed.total()
    return {
        "rows": len(rows),
        "labelled": len(found),
        "failed": dict(sorted(failed.items())),
        "facts": facts,
        "usage": usage,
        "estimate": told or None,
        "out": str(out),
    }


def _lines(rows: list[Pair | Rejected], found: list[Attributes]) -> list[dict[str, Any]]:
    records = iter(found)
    return [
        {"source_ref": f"{row.file}:{row.line}", "failure": row.reason, "detail": row.detail}
        if isinstance(row, Rejected)
        else {**next(records).model_dump(), "source_ref": row.source_ref}
        for row in rows
    ]
