"""The row "the longer reply wins" for results that came without it: computed from the lengths that every item records.

No accuracy stands alone in a report; a model that does no better than this rule has learnt nothing that length does not tell.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from goldsmith.benchdata.catalogue import BENCHMARKS
from goldsmith.benchdata.item import Item
from goldsmith.benchdata.suite import BenchmarkData
from goldsmith.evaluate.compare.load import RULES, Evaluated
from goldsmith.evaluate.engines.engine import Answer
from goldsmith.evaluate.engines.shipped import shipped
from goldsmith.evaluate.result import BenchmarkResult, ItemRecord
from goldsmith.evaluate.runner import item_record, paper_average
from goldsmith.evaluate.scoring.rule import Settings
from goldsmith.evaluate.scoring.summary import summarise


@dataclass(frozen=True, slots=True, kw_only=True)
class Longer(Evaluated):
    """The rule on the items of other models, nothing of it on disk."""

    sources: dict[str, Evaluated]
    """Benchmark to the model whose items tell the lengths."""

    def items(self, benchmark: str) -> Iterator[ItemRecord]:
        """Yield the items of a benchmark under the rule."""
        for item in self.sources[benchmark].items(benchmark):
            yield by_length(item)


def with_longer(models: Sequence[Evaluated], settings: Settings) -> list[Evaluated]:
    """Return the models, and the rule's row first among the baselines where it is not there yet."""
    if any(model.result.model.kind == "longer" for model in models):
        return list(models)
    sources: dict[str, Evaluated] = {}
    for model in models:
        for result in model.result.benchmarks:
            sources.setdefault(result.id, model)
    results = [_result(name, model, settings) for name, model in sources.items()]
    first = models[0]
    whole = first.result.model_copy(
        update={"model": shipped("longer").info, "benchmarks": results, "average": paper_average(results), "seconds": 0.0}
    )
    row = Longer(name=RULES["longer"], folder=first.folder, result=whole, sources=sources)
    num_real = sum(not model.is_baseline for model in models)
    return [*models[:num_real], row, *models[num_real:]]


def by_length(item: ItemRecord) -> ItemRecord:
    """Return the item as the rule answers it: a reply's score is its number of characters."""
    asked = Item(
        benchmark=item.benchmark, subset=item.subset, item_id=item.item_id, context=[], replies=[""] * len(item.good), good=item.good,
        comparisons=item.comparisons, is_ordered=item.is_ordered, weight=item.weight, source_ref=item.source_ref, meta=item.meta,
    )  # fmt: skip
    answered = item_record(asked, Answer(scores=[float(number) for number in item.chars]), item.text_ids, item.prompt_id)
    return answered.model_copy(update={"chars": item.chars, "marks": item.marks})


def _result(name: str, model: Evaluated, settings: Settings) -> BenchmarkResult:
    known = model.result.benchmark(name)
    assert known is not None
    data = BenchmarkData(id=name, title=known.title, sources=[], benchmark=BENCHMARKS.get(name))
    return summarise(data, [by_length(item) for item in model.items(name)], settings).model_copy(update={"files": known.files})
