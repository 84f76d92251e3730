"""The benchmarks that are known: the seven in the paper's order, then the extras; how each is told, read, and got."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from goldsmith.benchdata import extras, judgebench, ppe_correctness, ppe_preference, rewardbench, rewardbench2, rmb, rmbench
from goldsmith.benchdata.item import Item
from goldsmith.benchdata.rows import BenchRow
from goldsmith.errors import UserError


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """One benchmark.

    Attributes:
        id: as in `rm-bench`.
        title: as people call it.
        columns: what its rows must have, for telling a changed layout from another file.
        matches: whether a row, with the name of its file, looks like one of it.
        read: a row's items.
        where: where to get it.
        hub: its datasets on the hub, `hf:org/name:split`.
        expected: official rows by subset, where they are fixed.
        num_expected: official rows in all, where they are fixed.
        hints: words of a file's name, letters and digits only, that announce it.
        is_core: one of the seven.
        has_lasting_ids: its rows bear ids that every form of the set keeps, so that two rows of other ids are two, whatever they say.
    """

    id: str
    title: str
    columns: tuple[str, ...]
    matches: Callable[[dict[str, Any], str], bool]
    read: Callable[[BenchRow], list[Item]]
    where: str
    hub: tuple[str, ...] = ()
    expected: Mapping[str, int] = field(default_factory=dict)
    num_expected: int | None = None
    hints: tuple[str, ...] = ()
    is_core: bool = True
    has_lasting_ids: bool = True


def _extra(name: str, title: str, columns: tuple[str, ...], where: str) -> Benchmark:
    return Benchmark(
        id=name,
        title=title,
        columns=columns,
        matches=lambda row, _file: extras.extra_of(row) == name,
        read=partial(extras.read_extra, name),
        where=where,
        is_core=False,
        has_lasting_ids=False,
    )


def _judgebench_expected() -> dict[str, int]:
    gpt, claude = judgebench.EXPECTED["gpt"], judgebench.EXPECTED["claude"]
    return {**gpt, **{f"claude/{name}": number for name, number in claude.items()}}


BENCHMARKS: dict[str, Benchmark] = {
    benchmark.id: benchmark
    for benchmark in (
        Benchmark(
            id=rewardbench.ID, title="RewardBench", columns=rewardbench.COLUMNS, matches=rewardbench.matches, read=rewardbench.read,
            where="hub dataset allenai/reward-bench, split filtered", hub=("hf:allenai/reward-bench:filtered",),
            expected=rewardbench.EXPECTED, num_expected=2985, hints=("rewardbench",),
        ),
        Benchmark(
            id=rewardbench2.ID, title="RewardBench 2", columns=rewardbench2.COLUMNS, matches=rewardbench2.matches, read=rewardbench2.read,
            where="hub dataset allenai/reward-bench-2, split test", hub=("hf:allenai/reward-bench-2:test",),
            expected=rewardbench2.EXPECTED, num_expected=1865, hints=("rewardbench2",),
        ),
        Benchmark(
            id=ppe_preference.ID, title="PPE Preference", columns=ppe_preference.COLUMNS, matches=ppe_preference.matches,
            read=ppe_preference.read, where="hub dataset lmarena-ai/PPE-Human-Preference-V1, split test",
            hub=("hf:lmarena-ai/PPE-Human-Preference-V1:test",), num_expected=ppe_preference.ROWS, hints=("ppehuman", "ppepreference"),
        ),
        Benchmark(
            id=ppe_correctness.ID, title="PPE Correctness", columns=ppe_correctness.COLUMNS, matches=ppe_correctness.matches,
            read=ppe_correctness.read, where="hub datasets lmarena-ai/PPE-{MMLU-Pro,MATH,GPQA,IFEval,MBPP-Plus}-Best-of-K, split train",
            hub=tuple(f"hf:lmarena-ai/PPE-{name}-Best-of-K:train" for name in ppe_correctness.EXPECTED),
            expected=ppe_correctness.EXPECTED, num_expected=2555, hints=("bestofk", "ppecorrectness"),
        ),
        Benchmark(
            id=rmb.ID, title="RMB", columns=rmb.PAIRWISE, matches=rmb.matches, read=rmb.read,
            where="GitHub repository Zhou-Zoey/RMB-Reward-Model-Benchmark, folder RMB_dataset", num_expected=rmb.ROWS, hints=("rmb",),
        ),
        Benchmark(
            id=rmbench.ID, title="RM-Bench", columns=rmbench.COLUMNS, matches=rmbench.matches, read=rmbench.read,
            where="hub dataset THU-KEG/RM-Bench, split train, or data/total_dataset.json of its GitHub repository",
            hub=("hf:THU-KEG/RM-Bench:train",), expected=rmbench.EXPECTED, num_expected=1327, hints=("rmbench",),
            has_lasting_ids=False,
        ),
        Benchmark(
            id=judgebench.ID, title="JudgeBench", columns=judgebench.COLUMNS, matches=judgebench.matches, read=judgebench.read,
            where="hub dataset ScalerLab/JudgeBench, split gpt (and claude)", hub=("hf:ScalerLab/JudgeBench:gpt",),
            expected=_judgebench_expected(), num_expected=350, hints=("judgebench",),
        ),
        _extra(
            extras.EVALBIASBENCH, "EvalBiasBench", ("instruction", "response1", "response2", "label"),
            "GitHub repository ncsoft/offsetbias, data/evalbiasbench",
        ),
        _extra(extras.LLMBAR, "LLMBar", ("input", "output_1", "output_2", "label"), "GitHub repository princeton-nlp/LLMBar, Dataset"),
        _extra(
            extras.AUTO_J, "Auto-J", ("prompt", "response 1", "response 2", "label"),
            "GitHub repository GAIR-NLP/auto-j, data/test/testdata_pairwise.jsonl",
        ),
        _extra(extras.HH_ID, "HH", ("chosen", "rejected"), "GitHub repository anthropics/hh-rlhf"),
    )
}  # fmt: skip
"""By id, in the order of reports."""
CORE = tuple(name for name, benchmark in BENCHMARKS.items() if benchmark.is_core)
"""The seven, in the paper's order."""


def benchmark_named(name: str) -> Benchmark | None:
    """Return the benchmark that a name means, whatever its case and signs (`RM-Bench`, `rmbench`); None for any other name."""
    plain = _plain(name)
    return next((item for item in BENCHMARKS.values() if plain in (_plain(item.id), _plain(item.title))), None)


def announced(name: str, row: Mapping[str, Any]) -> Benchmark | None:
    """Return the benchmark whose name a file bears, where the row has more than half of its columns but is not told as one of it."""
    plain = _plain(name)
    for benchmark in reversed(BENCHMARKS.values()):
        share = sum(column in row for column in benchmark.columns) / len(benchmark.columns)
        if share > 0.5 and any(hint in plain for hint in benchmark.hints):
            return benchmark
    return None


def require_benchmark(name: str) -> Benchmark:
    """Return the benchmark with this name.

    Raises:
        UserError: there is none; the message lists those there are.
    """
    found = benchmark_named(name)
    if found is None:
        raise UserError(f"no benchmark is called '{name}'; known: {', '.join(BENCHMARKS)}; for pairs of your own, NAME=PATH")
    return found


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())
