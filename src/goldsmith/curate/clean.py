"""`goldsmith clean`: keep, flip or drop with reasons for any dataset of pairs, in one call and without a workspace.

Everything that takes long is kept in `<out>.work`: features reply by reply, judges' answers call by call. Called again, a call that was
killed goes on; the results are written at the end, whole.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from goldsmith.config import GoldsmithConfig
from goldsmith.curate.cleaning import Cleaned, Known, clean_pairs, counted
from goldsmith.curate.columns import Staying, renamed, with_columns
from goldsmith.curate.decide import HUMAN, MADE_BY
from goldsmith.curate.evidence import codes
from goldsmith.errors import UserError
from goldsmith.pool.sources import Rejected, read_pairs, read_whole_rows
from goldsmith.store import atomic
from goldsmith.store.lock import exclusive
from goldsmith.store.output import check_output
from goldsmith.types import Pair

if TYPE_CHECKING:
    from goldsmith.reward.model import RewardModel

Progress = Callable[[int, int, str], None]
"""Called with (done, total, what)."""
CONTRADICTION, DUPLICATE = "the dataset has the pair under both labels", "the same pair and label came before"


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanResult:
    """What became of a dataset.

    Attributes:
        rows: rows read; = kept + flipped + relabelled + the sums of `dropped` and `failed`.
        kept, flipped, relabelled: pairs that stay; relabelled are those whose label a person replaced.
        dropped: pairs that go, by reason.
        failed: rows that are no pairs, by reason.
        unanswered: pairs, those of gold alone included, that lack the answer of a judge, by kind of failure (`curate.judges_said`); the same call
            asks only for these again.
        statements: sentences for people about gold, judges and models.
        facts: figures: the stack's weights and noise estimates, its accuracy on gold audit, judges' tests.
        out: the clean dataset; None when it was not written.
        decisions_file: one line a row; None when not written.
        decisions: one entry a row, in order.
        dataset: the clean pairs as a `datasets.Dataset`, when one was given.
    """

    rows: int
    kept: int
    flipped: int
    relabelled: int
    dropped: dict[str, int]
    failed: dict[str, int]
    statements: list[str]
    facts: dict[str, Any]
    out: str | None
    decisions_file: str | None
    decisions: list[dict[str, Any]] = field(repr=False)
    unanswered: dict[str, int] = field(default_factory=dict)
    dataset: Any = field(default=None, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the counts, statements and figures as JSON values."""
        names = (
            "rows", "kept", "flipped", "relabelled", "dropped", "failed", "unanswered", "statements", "facts", "out", "decisions_file",
        )  # fmt: skip
        return {name: getattr(self, name) for name in names}


def clean(
    data: Any,
    out: Path | None = None,
    *,
    gold: Any = None,
    rm: str | Path | RewardModel | None = None,
    judges: bool = False,
    config: GoldsmithConfig | None = None,
    progress: Progress | None = None,
) -> CleanResult:
    """Decide for every pair of a dataset whether its label is kept, flipped or the pair dropped.

    Args:
        data: a path to pairs in any format that `pool add` reads, or a `datasets.Dataset` with such columns.
        out: JSONL file of the pairs that stay, under their label, with `p_chosen`, `p_chosen_by_sources`, `p_chosen_by_trusted` and `weight`,
            and with the input's further columns; `<out>.decisions.jsonl` beside it holds every row's decision with its reasons. None:
            nothing is written.
        gold: pairs with human labels, likewise; they may be pairs of the dataset or others.
        rm: a reward model (loaded, a folder, a hub id) in place of one fitted to the labels out of fold. It must not have been trained on
            them.
        judges: ask the models of `config.llm` and read the files of `config.judge.recorded`.
        config: sections `curate`, `reward`, `head`, `llm`, `judge`. Where it does not name a `curate.keep_rule`, that is `stack`.
        progress: called while features are computed and judges asked.

    Raises:
        UserError: a file cannot be used, no pair is left, or there are too few prompts to fit a model.
        ProviderError: a judge's server never answered. One that dies on the way ends in `unanswered`.
        StoreError: another process is writing this `out`, or it cannot be written.
    """
    settings = _with_rule(config or GoldsmithConfig())
    if out is not None:
        taken = [item for item in (data, gold) if isinstance(item, (str, Path))] + [item.path for item in settings.judge.recorded]
        check_output(out, *taken)
        check_output(_beside(out), *taken)
    with tempfile.TemporaryDirectory(prefix="goldsmith-clean-") as scratch:
        work = Path(scratch) if out is None else out.with_name(f"{out.name}.work")
        with atomic.explained(work):
            work.mkdir(parents=True, exist_ok=True)
        with exclusive(work / ".lock", f"the output {out}"):
            inputs = {
                name: _as_file(source, work / f"{name}.input.jsonl")
                for name, source in (("data", data), ("gold", gold))
                if source is not None
            }
            return _Job(settings, work, progress).run(
                inputs["data"], inputs.get("gold"), out, rm, judges, is_dataset=inputs["data"] != data
            )


def _with_rule(config: GoldsmithConfig) -> GoldsmithConfig:
    """The configuration with the rule `stack` where it names none: a workspace's default needs what a plain file may not have."""
    if "keep_rule" in config.curate.model_fields_set:
        return config
    return config.model_copy(update={"curate": config.curate.model_copy(update={"keep_rule": "stack"})})


def _as_file(source: Any, place: Path) -> str | Path:
    """A path as it is; a `datasets.Dataset` written as JSON lines, values that JSON lacks (times, bytes) as text."""
    if isinstance(source, (str, Path)):
        return source
    if not hasattr(source, "column_names") or not hasattr(source, "to_list"):
        raise UserError(f"{type(source).__name__} is no path and no datasets.Dataset; give one split, as in dataset['train']")
    atomic.write_text(place, "".join(json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in source.to_list()))
    return place


def _beside(out: Path) -> Path:
    return out.with_name(f"{out.name}.decisions.jsonl")


class _Job:
    """One dataset's cleaning."""

    def __init__(self, config: GoldsmithConfig, work: Path, progress: Progress | None) -> None:
        self.config, self.work, self.progress = config, work, progress
        self.statements: list[str] = []
        self.facts: dict[str, Any] = {}
        self.unanswered: dict[str, int] = {}

    def run(
        self, data: str | Path, gold: str | Path | None, out: Path | None, rm: Any, judges: bool, *, is_dataset: bool
    ) -> CleanResult:
        whole = list(read_whole_rows(data, max_line_mb=self.config.pool.max_line_mb))
        rows = [row for row, _ in whole]
        pairs, early = _distinct(rows)
        if not pairs:
            why = Counter(row.reason if isinstance(row, Rejected) else early[place] for place, row in enumerate(rows))
            raise UserError(f"{data}: no usable pair in {len(rows)} rows ({dict(why)}); `goldsmith audit` says more")
        human = self._human(gold)
        known = self._known(pairs, human, rm, judges)
        cleaned = clean_pairs(known, self.config.curate, self.config.head.l2, self.config.seed)
        decisions = _per_row(rows, early, cleaned)
        staying = [
            Staying(pair=row, line=line, further=further)
            for (row, further), decision in zip(whole, decisions, strict=True)
            if isinstance(row, Pair) and (line := _stays(row, decision))
        ]
        self.statements += [text for text in [renamed(staying)] if text]
        stays = with_columns(staying)
        if out is not None:
            atomic.write_together({_beside(out): _lines(decisions).encode(), out: _lines(stays).encode()})
        return self._result(rows, decisions, cleaned, out, stays if is_dataset else None)

    def _human(self, path: str | Path | None) -> dict[str, Pair]:
        """Gold pairs by id; those under both labels are left out and told of."""
        if path is None:
            return {}
        found: dict[str, Pair] = {}
        both: set[str] = set()
        rejected: list[Rejected] = []
        for row in read_pairs(path, max_line_mb=self.config.pool.max_line_mb):
            if isinstance(row, Rejected):
                rejected.append(row)
            elif row.pair_id in found and found[row.pair_id].label != row.label:
                both.add(row.pair_id)
            else:
                found[row.pair_id] = row
        if both:
            self.statements.append(
                f"gold contradicts itself: {len(both)} of {len(found)} pairs stand in it under different labels; they are left out"
            )
        if rejected:
            first = rejected[0]
            self.statements.append(
                f"{len(rejected)} rows of gold are no pairs and count for nothing, the first at {first.file}:{first.line} ({first.reason}: {first.detail}); "
                "`goldsmith audit` lists them"
            )
        self.facts["gold"] = {"pairs": len(found) - len(both), "contradictions": len(both), "rejected": len(rejected)}
        kept = {name: pair for name, pair in found.items() if name not in both}
        if not kept:
            raise UserError(
                f"{path}: no usable pair with a human label ({len(rejected)} rows rejected, {len(both)} contradictions)"
            )
        return kept

    def _known(self, pairs: dict[str, Pair], human: dict[str, Pair], rm: Any, judges: bool) -> Known:
        together = {**human, **pairs}
        names = sorted(together)
        everything = [together[name] for name in names]
        told = self._judged(everything, human) if judges else {}
        return Known(
            pairs=everything,
            is_asked=np.array([name in pairs for name in names], dtype=bool),
            human=codes([human[name].label if name in human else None for name in names]),
            features=self._features(everything) if rm is None or human else None,
            best=None if rm is None else self._margins(rm, everything),
            judged_p=np.array([told.get(name, np.nan) for name in names], dtype=np.float64),
        )

    def _features(self, pairs: Sequence[Pair]) -> Any:
        from goldsmith.reward.features import FeatureStore
        from goldsmith.reward.grouping import Reply

        store = FeatureStore(self.config.reward, self.work / "features")
        replies = [
            Reply(pair.messages, content, f"pair {pair.pair_id}") for pair in pairs for content in (pair.first, pair.second)
        ]
        vectors = store.features(
            replies,
            readout=self.config.reward.readout,
            progress=lambda done, total, _tokens: self._show(done, total, "replies read"),
        )
        if store.renderer.truncated:
            self.facts["truncated"] = store.renderer.truncated
        return vectors[0::2], vectors[1::2]

    def _margins(self, rm: Any, pairs: Sequence[Pair]) -> Any:
        from goldsmith.reward.model import RewardModel

        config = self.config.reward
        model = rm if isinstance(rm, RewardModel) else RewardModel.load(rm, dtype=config.dtype, token_budget=config.token_budget)
        scores = model.score_pairs(pairs, progress=lambda done, total, _tokens: self._show(done, total, "replies scored"))
        return np.array([first - second for first, second in scores], dtype=np.float64)

    def _judged(self, pairs: Sequence[Pair], human: dict[str, Pair]) -> dict[str, float]:
        """The judges' probabilities; those who do not beat chance on gold were left out by their own test already."""
        from goldsmith.curate.judges_said import ask_judges

        asked, shown = self.work / "judged.input.jsonl", self.work / "judged.gold.jsonl"
        atomic.write_text(asked, _lines(_own(pair) for pair in pairs))
        atomic.write_text(shown, _lines(_own(pair) for pair in human.values()))
        said = ask_judges(
            asked,
            self.work / "judged.jsonl",
            self.config,
            shown if human else None,
            lambda done, total: self._show(done, total, "judgements"),
        )
        self.facts["judges"], self.unanswered = said.facts, said.unanswered
        self.statements += said.statements
        return said.p_first

    def _result(
        self,
        rows: Sequence[Any],
        decisions: list[dict[str, Any]],
        cleaned: Cleaned,
        out: Path | None,
        stays: list[dict[str, Any]] | None,
    ) -> CleanResult:
        tally = counted([row for row in decisions if row["action"] != "fail"])
        actions, failed = tally["by_action"], Counter(row["reason"] for row in decisions if row["action"] == "fail")
        result = CleanResult(
            rows=len(rows), kept=actions.get("keep", 0), flipped=actions.get("flip", 0), relabelled=actions.get("relabel", 0),
            dropped=tally["dropped"], failed=dict(failed), statements=[*self.statements, *cleaned.statements],
            facts={**self.facts, **cleaned.facts, "by_reason": tally["by_reason"]}, out=str(out) if out else None,
            decisions_file=str(_beside(out)) if out else None, decisions=decisions, unanswered=self.unanswered,
            dataset=_dataset(stays),
        )  # fmt: skip
        assert result.rows == result.kept + result.flipped + result.relabelled + sum(result.dropped.values()) + failed.total()
        return result

    def _show(self, done: int, total: int, what: str) -> None:
        if self.progress:
            self.progress(done, total, what)


def _distinct(rows: Sequence[Pair | Rejected]) -> tuple[dict[str, Pair], dict[int, str]]:
    """Each pair once, and why other rows have no decision of their own, by place."""
    sides: dict[str, set[str]] = {}
    for row in rows:
        if isinstance(row, Pair):
            sides.setdefault(row.pair_id, set()).add(row.label)
    pairs: dict[str, Pair] = {}
    early: dict[int, str] = {}
    for place, row in enumerate(rows):
        if isinstance(row, Rejected):
            continue
        if len(sides[row.pair_id]) > 1:
            early[place] = CONTRADICTION
        elif row.pair_id in pairs:
            early[place] = DUPLICATE
        else:
            pairs[row.pair_id] = row
    return pairs, early


def _per_row(rows: Sequence[Pair | Rejected], early: dict[int, str], cleaned: Cleaned) -> list[dict[str, Any]]:
    by_id = {row["pair_id"]: row for row in cleaned.decisions}
    made: list[dict[str, Any]] = []
    for place, row in enumerate(rows):
        if isinstance(row, Rejected):
            made.append({"source_ref": f"{row.file}:{row.line}", "action": "fail", "reason": row.reason, "detail": row.detail})
        elif place in early:
            made.append(
                {
                    "source_ref": row.source_ref,
                    "pair_id": row.pair_id,
                    "action": "drop",
                    "label_before": row.label,
                    "reason": early[place],
                }
            )
        else:
            made.append({"source_ref": row.source_ref, **by_id[row.pair_id]})
    return made


def _stays(row: Pair | Rejected, decision: dict[str, Any]) -> dict[str, Any] | None:
    """The line of a pair that stays: what `train` reads, with the probability of its label and a weight of 2p - 1."""
    if isinstance(row, Rejected) or decision["action"] in ("drop", "fail"):
        return None
    label, p = decision["label_after"], float(decision["p_label"])
    return {
        "prompt": row.messages,
        "chosen": row.second if label == "second" else row.first,
        "rejected": row.first if label == "second" else row.second,
        "p_chosen": p,
        "p_chosen_by_sources": _for_chosen(decision.get("p_sources"), label),
        "p_chosen_by_trusted": _for_chosen(decision.get("p_trusted"), label),
        "weight": max(0.0, 2.0 * p - 1.0),
        "action": decision["action"],
        "label_origin": "human" if decision["rule"] == HUMAN else MADE_BY.get(decision["action"], row.label_origin),
        "pair_id": row.pair_id,
        "source_ref": row.source_ref,
    }


def _for_chosen(p_first: float | None, label: str) -> float | None:
    return p_first if p_first is None or label == "first" else 1.0 - p_first


def _own(pair: Pair) -> dict[str, Any]:
    """A pair as a line that `read_pairs` reads back under the same id and label, a tie too."""
    return {"context": pair.messages, "first": pair.first, "second": pair.second, "label": pair.label}


def _lines(rows: Iterable[dict[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _dataset(rows: list[dict[str, Any]] | None) -> Any:
    if rows is None:
        return None
    import datasets

    return datasets.Dataset.from_list(rows)


__all__ = ["CleanResult", "clean"]
