"""Scores or decisions that were stored earlier, by anybody: read strictly, matched by the benchmark's own ids.

Known layouts, JSON lines or a JSON array of objects with

- `item_id` and `scores` (one a reply, in the order of the benchmark's file), optionally `benchmark`; this is what Goldsmith's own items have;
- RMB: `pair_uid`, `chosen_reward`, `reject_reward`, as its repository stores them;
- JudgeBench: `pair_id` and `scores` [A, B], or `decisions` (`A>B`, `B>A`, `A=B` or null, one a game, the second with the replies
  swapped), or `judgments`, a list of objects with `decision`, as its repository stores them;
- PPE Correctness: `question_id`, `model_name` and `score_1` .. `score_32`, in a file whose name tells the set;

and RewardBench's one object of columns `id`, `scores_chosen`, `scores_rejected`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goldsmith.benchdata import ppe_correctness
from goldsmith.benchdata.item import Item
from goldsmith.benchdata.suite import first_name
from goldsmith.errors import DataError
from goldsmith.evaluate.engines.engine import Answer, ItemEngine, Progress
from goldsmith.evaluate.result import ModelInfo
from goldsmith.evaluate.scoring.decide import Game
from goldsmith.identity import file_digest
from goldsmith.pool.sources.containers import container_of, documents, records
from goldsmith.pool.sources.lines import Problem

ERROR_MARK = "$ERROR$"
"""What PPE's score files hold where a score failed."""
_FLIPPED = {"A>B": "B>A", "B>A": "A>B", "A=B": "A=B", None: None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One item's stored scores, or a judge's decisions; `where` is its place in the file."""

    where: str
    scores: tuple[float | None, ...] = ()
    decisions: tuple[str | None, ...] = ()
    reason: str = ""


class ScoreFileEngine(ItemEngine):
    """Answers items from a file."""

    def __init__(self, path: Path, name: str = "") -> None:
        """Read the file.

        Raises:
            DataError: it is missing, broken, or of no known layout, or names an item twice.
        """
        self.path = path
        self._stored = read_scores(path)
        self.used: dict[tuple[str, str], list[str]] = {}
        """The stored items that were asked for, with the ids of the texts."""
        facts = {"items": len(self._stored)}
        self.info = ModelInfo(
            name=name or path.name.split(".")[0], spec=f"scores:{path}", kind="scores", digest=file_digest(path), facts=facts
        )

    def answer(self, items: Sequence[Item], progress: Progress | None = None) -> list[Answer]:
        """See `ItemEngine.answer`.

        Raises:
            DataError: the number of scores is not that of the item's replies.
        """
        return [self._answer(item) for item in items]

    def finish(self) -> None:
        """See `EngineBase.finish`: a file of which no line was used is that of other items; what else was not used is counted."""
        if not self.used:
            name = next(iter(self._stored))[1]
            raise DataError(
                f"{self.path}: none of its {len(self._stored):,} items, '{name}' for one, is an item of the benchmarks that were evaluated; "
                "ids are the benchmarks' own (docs/evaluation.md lists them)"
            )
        stray = [name for _, name in self._stored.keys() - self.used.keys()]
        if stray:
            facts = {**self.info.facts, "items_of_no_benchmark": len(stray), "such_as": min(stray)}
            self.info = self.info.model_copy(update={"facts": facts})

    def _answer(self, item: Item) -> Answer:
        key = self._key(item.benchmark, item.item_id) or self._earlier(item)
        if key is None:
            return Answer(scores=[None] * len(item.replies), reason=f"{self.path.name} holds no score of it")
        self.used.setdefault(key, item.text_ids())
        found = self._stored[key]
        if found.decisions:
            return Answer(games=[_games(found, item)], reason=found.reason)
        if len(found.scores) != len(item.replies):
            raise DataError(
                f"{found.where}: {len(found.scores)} scores, and {item.benchmark} {item.item_id} has {len(item.replies)} replies; "
                "is this the file of another benchmark or version?"
            )
        return Answer(scores=list(found.scores), reason=found.reason)

    def _key(self, benchmark: str, name: str) -> tuple[str, str] | None:
        return next((key for key in ((benchmark, name), ("", name)) if key in self._stored), None)

    def _earlier(self, item: Item) -> tuple[str, str] | None:
        """Return the stored item that this one repeats to the letter: a text has one score, however often a benchmark lists it."""
        name = first_name(item.item_id)
        key = self._key(item.benchmark, name) if name is not None else None
        return key if key is not None and self.used.get(key) == item.text_ids() else None


def read_scores(path: Path) -> dict[tuple[str, str], Stored]:
    """Return what a file holds by (benchmark or empty, item id).

    Raises:
        DataError: see `ScoreFileEngine`.
    """
    found: dict[tuple[str, str], Stored] = {}
    for document in documents(path):
        for line, row in records(document, container_of(document), 64 << 20):
            where = f"{document.name}:{line}"
            if isinstance(row, Problem):
                raise DataError(f"{where}: {row[0]}: {row[1]}; mend the file of scores")
            for key, stored in _entries(row, where):
                if key in found:
                    raise DataError(f"{where}: {key[1]} stands at {found[key].where} already; keep one of the two")
                found[key] = stored
    if not found:
        raise DataError(f"{path}: holds no scores; docs/evaluation.md lists the layouts that are read")
    return found


def _entries(row: dict[str, Any], where: str) -> Iterator[tuple[tuple[str, str], Stored]]:
    if {"item_id", "scores"} <= row.keys():
        yield (str(row.get("benchmark") or ""), str(row["item_id"])), _scored(row["scores"], where)
    elif {"pair_uid", "chosen_reward", "reject_reward"} <= row.keys():
        yield ("rmb", f"pair/{row['pair_uid']}"), _scored([row["chosen_reward"], row["reject_reward"]], where)
    elif "pair_id" in row and {"scores", "decisions", "judgments"} & row.keys():
        yield ("judgebench", str(row["pair_id"])), _judged(row, where)
    elif {"question_id", "model_name", "score_1"} <= row.keys():
        yield _ppe(row, where)
    elif {"id", "scores_chosen", "scores_rejected"} <= row.keys() and isinstance(row["id"], list):
        yield from _columns(row, where)
    else:
        has = ", ".join(map(str, list(row)[:12]))
        raise DataError(
            f"{where}: no known layout of stored scores; the row has {has}. docs/evaluation.md lists the layouts that are read"
        )


def _judged(row: dict[str, Any], where: str) -> Stored:
    if "scores" in row:
        return _scored(row["scores"], where)
    decisions = row["decisions"] if "decisions" in row else row["judgments"]
    if isinstance(decisions, list):
        decisions = [game.get("decision") if isinstance(game, dict) else game for game in decisions]
    if not isinstance(decisions, list) or not decisions or any(decision not in tuple(_FLIPPED) for decision in decisions):
        raise DataError(f"{where}: decisions are {str(decisions)[:80]}; each must be A>B, B>A, A=B or null")
    reason = "" if None not in decisions else "a game without a decision"
    return Stored(where=where, decisions=tuple(decisions), reason=reason)


def _ppe(row: dict[str, Any], where: str) -> tuple[tuple[str, str], Stored]:
    values: list[Any] = []
    while f"score_{len(values) + 1}" in row:
        values.append(row[f"score_{len(values) + 1}"])
    name = f"{ppe_correctness.set_of(where.rsplit(':', 1)[0])}/{row['question_id']}/{row['model_name']}"
    return (ppe_correctness.ID, name), _scored(values, where)


def _columns(row: dict[str, Any], where: str) -> Iterator[tuple[tuple[str, str], Stored]]:
    columns = row["id"], row["scores_chosen"], row["scores_rejected"]
    if not all(isinstance(column, list) for column in columns) or len({len(column) for column in columns}) != 1:
        found = ", ".join(str(len(column)) if isinstance(column, list) else "no list of" for column in columns)
        raise DataError(f"{where}: id, scores_chosen and scores_rejected have {found} values; each must have one for every pair")
    for name, chosen, rejected in zip(*columns, strict=True):
        yield ("rewardbench", str(name)), _scored([chosen, rejected], where)


def _scored(values: Any, where: str) -> Stored:
    if not isinstance(values, list) or not values:
        raise DataError(f"{where}: scores are {str(values)[:60]}; expected a list of numbers, one for each reply")
    scores = [_score(value, where) for value in values]
    missing = [str(place) for place, score in enumerate(scores) if score is None]
    reason = f"no score for reply {', '.join(missing)} ({where})" if missing else ""
    return Stored(where=where, scores=tuple(scores), reason=reason)


def _score(value: Any, where: str) -> float | None:
    """A number, a list of one, or what stands for a failure: null, NaN, PPE's mark."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if value is None or value == ERROR_MARK:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise DataError(f"{where}: the score {str(value)[:60]!r} is no number")
    try:
        return None if math.isnan(value) else float(value)
    except OverflowError:
        raise DataError(f"{where}: the score {str(value)[:20]}… has {len(str(value))} digits, more than a number holds") from None


def _games(stored: Stored, item: Item) -> list[Game]:
    """Return each game's verdict on the item's one comparison; the second game was played with the replies swapped."""
    better, _ = item.comparisons[0]
    label = "A>B" if better == 0 else "B>A"
    games: list[Game] = []
    for number, told in enumerate(stored.decisions):
        decision = told if number % 2 == 0 else _FLIPPED[told]
        games.append(None if decision is None else 0 if decision == "A=B" else 1 if decision == label else -1)
    return games
