"""A language model as the judge of pairs: two games for each comparison, the second with the replies swapped.

Whatever was answered once is never asked again: the ledger of `goldsmith.llm` keeps it. A benchmark that scores single replies
(Ties of RewardBench 2) cannot be judged in pairs; its items fail with that reason.
"""

from __future__ import annotations

from collections.abc import Sequence

from goldsmith.benchdata.item import Item
from goldsmith.config.judge import JudgeConfig
from goldsmith.evaluate.engines.engine import Answer, ItemEngine, Progress
from goldsmith.evaluate.result import ModelInfo
from goldsmith.evaluate.scoring.decide import Game
from goldsmith.identity import digest
from goldsmith.judge import LlmJudge, judge_pairs
from goldsmith.llm import LlmGroup
from goldsmith.llm.prompt import load_prompt
from goldsmith.types import Pair, Side, Verdict

GAMES = 2
NOT_IN_PAIRS = "its score needs scores of single replies, and a judge compares two"


class JudgeEngine(ItemEngine):
    """Judges comparisons with one model of a group."""

    def __init__(self, llm: LlmGroup, model: str, name: str = "", *, seed: int = 0) -> None:
        """Use the model called `model` of the group, which is closed with the engine."""
        self._llm, self._model, self._seed = llm, model, seed
        endpoint = next(endpoint for endpoint in llm.config.endpoints if endpoint.name == model)
        prompt = [list(message) for message in load_prompt("judge").messages]
        deciding = [endpoint.base_url, endpoint.model, endpoint.kind, prompt, GAMES, seed]
        facts = {"address": endpoint.base_url, "served_model": endpoint.model, "games": GAMES}
        self.info = ModelInfo(name=name or model, spec=f"judge:{model}", kind="judge", digest=digest(deciding), facts=facts)

    def answer(self, items: Sequence[Item], progress: Progress | None = None) -> list[Answer]:
        """See `ItemEngine.answer`.

        Raises:
            ProviderError: the server cannot be reached.
        """
        pairs = {
            (place, index): _pair(item, better, worse)
            for place, item in enumerate(items)
            if not _needs_scores(item)
            for index, (better, worse) in enumerate(item.comparisons)
        }
        run = judge_pairs(
            list(pairs.values()), None, [LlmJudge(name=self._model, llm=self._llm)], JudgeConfig(samples=GAMES, demonstrations=0), self._seed,
            (lambda done, total: progress(done, total, "games")) if progress else None,
        )  # fmt: skip
        verdicts: dict[str, list[Verdict]] = {}
        for verdict in run.verdicts:
            verdicts.setdefault(verdict.pair_id, []).append(verdict)
        return [_answer(item, place, pairs, verdicts) for place, item in enumerate(items)]

    def close(self) -> None:
        """Close the group."""
        self._llm.close()


def _needs_scores(item: Item) -> bool:
    return item.meta.get("kind") == "ties"


def _pair(item: Item, better: int, worse: int) -> Pair:
    return Pair.from_replies(item.context, item.replies[better], item.replies[worse])


def _answer(item: Item, place: int, pairs: dict[tuple[int, int], Pair], verdicts: dict[str, list[Verdict]]) -> Answer:
    if _needs_scores(item):
        return Answer(games=[[None] * GAMES for _ in item.comparisons], reason=NOT_IN_PAIRS)
    games: list[list[Game]] = []
    failures: list[str] = []
    for index, comparison in enumerate(item.comparisons):
        pair = pairs[place, index]
        found = verdicts.get(pair.pair_id, [])
        games.append(_in_order(pair, comparison, found))
        failures += [verdict.failure for verdict in found if verdict.failure]
    return Answer(games=games, reason="; ".join(dict.fromkeys(failures)))


def _in_order(pair: Pair, comparison: tuple[int, int], verdicts: Sequence[Verdict]) -> list[Game]:
    """Return both games: first the one that shows the replies in the order of the file, then the swapped one."""
    better_side: Side = "second" if pair.label == "second" else "first"
    worse_side: Side = "first" if better_side == "second" else "second"
    shown_first = better_side if comparison[0] < comparison[1] else worse_side
    by_order: dict[bool, Game] = {}
    for verdict in verdicts:
        by_order.setdefault(bool(verdict.shown_order) and verdict.shown_order[0] == shown_first, _game(verdict, better_side))
    return [by_order.get(True), by_order.get(False)]


def _game(verdict: Verdict, better: Side) -> Game:
    if verdict.choice in (None, "abstain"):
        return None
    if verdict.choice == "tie":
        return 0
    return 1 if verdict.choice == better else -1
