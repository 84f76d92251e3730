"""Sets beside the seven: EvalBiasBench, LLMBar, Auto-J, HH transcripts, and any file of labelled pairs.

The first three are read in their own layouts, and as rows of `prompt` (messages), `chosen`, `rejected`, `source` and `meta`.
"""

from __future__ import annotations

from typing import Any

from goldsmith.benchdata.item import Item, one_turn
from goldsmith.benchdata.rows import BenchRow
from goldsmith.pool.sources.draft import Reject
from goldsmith.pool.sources.hh import HH
from goldsmith.pool.sources.recognise import read_row

EVALBIASBENCH, LLMBAR, AUTO_J, HH_ID, PAIRS = "evalbiasbench", "llmbar", "auto-j", "hh", "pairs"
LLMBAR_SUBSETS = {"Natural": 100, "Neighbor": 134, "GPTInst": 92, "GPTOut": 47, "Manual": 46}
"""LLMBar itself; the other sets it redistributes are groups beside it."""
_LAYOUTS = {
    EVALBIASBENCH: ("instruction", "response1", "response2", "label", "bias"),
    LLMBAR: ("input", "output_1", "output_2", "label"),
    AUTO_J: ("prompt", "response 1", "response 2", "label", "scenario"),
}
_FROM_ONE: dict[Any, int | None] = {1: 0, 2: 1, "1": 0, "2": 1}
_LABELS: dict[str, dict[Any, int | None]] = {
    EVALBIASBENCH: _FROM_ONE,
    LLMBAR: _FROM_ONE,
    # Its README: 0 the first, 1 the second, 2 a tie.
    AUTO_J: {0: 0, 1: 1, 2: None},
}
_SOURCES = {"EvalBiasBench": EVALBIASBENCH, "LLMBar": LLMBAR, "auto-j": AUTO_J}
_SUBSET_KEYS = {EVALBIASBENCH: "bias", LLMBAR: "subset", AUTO_J: "scenario"}


class LeftOut(Exception):
    """A row that is no item, for a stable reason; it is counted and noted."""


def extra_of(row: dict[str, Any]) -> str | None:
    """Return which of the extras a row belongs to, None for any other row."""
    if HH.matches(row):
        return HH_ID
    own = next((name for name, columns in _LAYOUTS.items() if set(columns[:4]) <= row.keys()), None)
    if own is not None or not {"prompt", "chosen", "rejected", "source"} <= row.keys():
        return own
    source = row["source"]
    return next((name for start, name in _SOURCES.items() if isinstance(source, str) and source.split("/")[0] == start), None)


def read_extra(name: str, row: BenchRow) -> list[Item]:
    """Return the item of a row of one of the extras.

    Raises:
        DataError: the row has another layout.
        LeftOut: HH's transcripts differ before the last turn, or do not end with one of the assistant.
    """
    if name == HH_ID:
        return [_transcript(row)]
    if "chosen" in row.data:
        return [_canonical(name, row)]
    return [_own_layout(name, row)]


def _own_layout(name: str, row: BenchRow) -> Item:
    prompt, one, other, verdict, *_ = columns = _LAYOUTS[name]
    row.need(columns[:4])
    label, known = row.data[verdict], _LABELS[name]
    if isinstance(label, bool) or not isinstance(label, (int, str)) or label not in known:
        raise row.error(f"{verdict} is {label!r}; {row.title} has {', '.join(map(repr, known))}")
    better = known[label]
    if name == LLMBAR:
        parts = row.name.split("/")
        subset = _llmbar_subset(parts)
    else:
        subset = row.text(columns[4]) if columns[4] in row.data else "all"
    return _item(name, row, subset, one_turn(row.text(prompt)), row.text(one), row.text(other), better, ordered=True)


def _llmbar_subset(parts: list[str]) -> str:
    """The folder's name, as in `Natural`, `Neighbor`, `LLMEval2` or `CaseStudy-Negation`."""
    folder = parts[-2].replace("^", "") if len(parts) > 1 else "Natural"
    return f"CaseStudy-{folder}" if len(parts) > 2 and parts[-3] == "CaseStudy" else folder


def _canonical(name: str, row: BenchRow) -> Item:
    row.need(("prompt", "chosen", "rejected", "meta"))
    meta = row.mapping("meta")
    key = _SUBSET_KEYS[name]
    subset = str(meta.get(key, "all"))
    was_second = meta.get("label") in (2, "2", "response_2") or meta.get("chosen_was") in (2, "2", "response_2")
    better = None if meta.get("is_tie") or meta.get("label") == "tie" else int(was_second)
    chosen, rejected = row.text("chosen"), row.text("rejected")
    one, other = (rejected, chosen) if was_second else (chosen, rejected)
    return _item(name, row, subset, _messages(row), one, other, better, ordered=True)


def _messages(row: BenchRow) -> list[dict[str, Any]]:
    turns = row.items("prompt")
    if not turns or not all(isinstance(turn, dict) and {"role", "content"} <= turn.keys() for turn in turns):
        raise row.error("prompt is no list of messages with role and content")
    return [{"role": turn["role"], "content": turn["content"]} for turn in turns]


def _transcript(row: BenchRow) -> Item:
    try:
        draft = read_row(HH, row.data)[0]
    except Reject as reject:
        raise LeftOut(reject.reason) from None
    folder = row.name.split("/")[-2] if "/" in row.name else "all"
    return _item(HH_ID, row, folder, draft.context, str(draft.chosen), str(draft.rejected), 0, ordered=False)


def _item(
    name: str,
    row: BenchRow,
    subset: str,
    context: list[dict[str, Any]],
    one: str,
    other: str,
    better: int | None,
    *,
    ordered: bool,
) -> Item:
    return Item(
        benchmark=name,
        subset=subset,
        item_id=f"{subset}/{row.line}",
        context=context,
        replies=[one, other],
        good=[better == 0, better == 1],
        comparisons=[] if better is None else [(better, 1 - better)],
        is_ordered=ordered,
        source_ref=row.where,
        meta={},
    )
