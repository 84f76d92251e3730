"""Sources of attributes in words: how each did on the hand-labelled pairs, and what was left out for it."""

from __future__ import annotations

from collections.abc import Sequence

from goldsmith.evaluate.report import text as say
from goldsmith.evaluate.report.data import AttributeQuality, Paragraph


def source_words(rows: Sequence[AttributeQuality]) -> list[Paragraph]:
    """Return one sentence for each attribute of each source that was left out, or that could not be measured."""
    return [Paragraph(tone="limit", text=_left_out(row)) for row in rows if not row.used] + [
        Paragraph(tone="limit", text=f"Attribute {row.attribute} by {row.source}: {row.reason}.")
        for row in rows
        if row.used and row.reason
    ]


def _left_out(row: AttributeQuality) -> str:
    """Why an attribute does not count."""
    start = f"Attribute {row.attribute} by {row.source} was left out of quotas and of the text of retrieval"
    if row.accuracy is None or row.baseline is None:
        return f"{start}: {row.reason}."
    return (
        f"{start}: on {say.plural(row.num_pairs, 'hand-labelled pair')} it is not clearly better than chance (agreement {say.percent(row.accuracy)}, "
        f"95 % interval {say.span(row.low, row.high)}, where one and the same answer for every pair reaches {say.percent(row.baseline)}; "
        f"kappa {say.decimal(row.kappa)}, interval {say.alpha_span(row.kappa_low, row.kappa_high)})."
    )
