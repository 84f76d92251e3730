"""Layouts of result files: how a row says who judged which pair how. The first that matches a row reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from goldsmith.config.judge import RecordedConfig
from goldsmith.judge.recorded.rows import OTHER, Row, RowPair, field_of, pair_of_responses, pair_of_row
from goldsmith.judge.recorded.values import label_of, label_of_preference
from goldsmith.pool.sources.draft import Reject, messages, user
from goldsmith.types import Label, Side

FindPair = Callable[[Row], RowPair]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """One recorded choice; `choice` None: the file has a verdict there that names no winner."""

    pair_id: str
    model: str
    shown_order: list[Side]
    """Empty where the file does not say what stood where."""
    choice: Label | None


@dataclass(frozen=True, slots=True)
class Layout:
    """One kind of result file: its name, its columns in words, how it is told from others, and its reader."""

    name: str
    columns: str
    matches: Callable[[Row], bool]
    read: Callable[[Row, RecordedConfig, FindPair | None, str], Iterator[Opinion]]


def orders(pair: RowPair) -> tuple[list[Side], list[Side]]:
    """Return what stood where with response 1 first, and with response 2 first; empty when responses have no number."""
    if pair.one is None:
        return [], []
    return [pair.one, OTHER[pair.one]], [OTHER[pair.one], pair.one]


def judge_of(row: Row, config: RecordedConfig, fallback: str) -> str:
    """Return the judge's name: the configuration's, its column's, the row's own, or the file's."""
    if config.model is not None:
        return config.model
    if config.model_column is not None:
        return str(_column(row, config.model_column))
    named = next((row[key] for key in ("annotator", "judge", "judge_model", "judge_name") if row.get(key)), fallback)
    return "/".join(map(str, named)) if isinstance(named, list) else str(named)


def _column(row: Row, name: str) -> Any:
    try:
        return field_of(row, name)
    except KeyError:
        raise Reject("unknown-fields", f"no column {name!r}; the row has {', '.join(map(str, list(row)[:20]))}") from None


def read_column(row: Row, config: RecordedConfig, find: FindPair | None, fallback: str) -> Iterator[Opinion]:
    """Yield the choice in `column`, and that in `swapped_column`, both by the row's own numbers."""
    pair = (find or pair_of_row)(row)
    model = judge_of(row, config, fallback)
    for column, order in zip((config.column, config.swapped_column), orders(pair), strict=True):
        if column is not None:
            yield Opinion(pair_id=pair.pair_id, model=model, shown_order=order, choice=label_of(_column(row, column), pair))


def _read_meta_judges(row: Row, config: RecordedConfig, find: FindPair | None, fallback: str) -> Iterator[Opinion]:
    pair = (find or pair_of_row)(row)
    for model, told in row["meta"]["judges"].items():
        value = told.get("verdict") if isinstance(told, dict) else told
        yield Opinion(pair_id=pair.pair_id, model=str(model), shown_order=orders(pair)[0], choice=label_of(value, pair))


def _read_alpaca_eval(row: Row, config: RecordedConfig, find: FindPair | None, fallback: str) -> Iterator[Opinion]:
    pair = find(row) if find else pair_of_responses(user(row["instruction"]), row["output_1"], row["output_2"])
    choice = label_of_preference(row["preference"], pair)
    # AlpacaEval shuffles what the annotator sees and does not write down how.
    yield Opinion(pair_id=pair.pair_id, model=judge_of(row, config, fallback), shown_order=[], choice=choice)


def _read_arena(row: Row, config: RecordedConfig, find: FindPair | None, fallback: str) -> Iterator[Opinion]:
    pair = find(row) if find else _pair_of_conversations(row)
    yield Opinion(
        pair_id=pair.pair_id,
        model=judge_of(row, config, fallback),
        shown_order=orders(pair)[0],
        choice=label_of(row["winner"], pair),
    )


def _pair_of_conversations(row: Row) -> RowPair:
    turns = row.get("turn")
    last = 2 * turns if isinstance(turns, int) and turns > 0 else None
    one, two = (messages(row[key])[:last] for key in ("conversation_a", "conversation_b"))
    if not one or not two or one[-1]["role"] != "assistant" or two[-1]["role"] != "assistant":
        raise Reject("wrong-type", "a conversation does not end with the assistant's turn")
    if one[:-1] != two[:-1]:
        raise Reject("contexts-differ", "the two conversations differ before their last turn")
    return pair_of_responses(one[:-1], one[-1]["content"], two[-1]["content"])


def _read_games(row: Row, config: RecordedConfig, find: FindPair | None, fallback: str) -> Iterator[Opinion]:
    """Two games, the second in reverse order; letters name what stood there, so the second's are turned back."""
    pair = (find or pair_of_row)(row)
    model = judge_of(row, config, fallback)
    games = row["games"] if "games" in row else row["decisions"]
    values = [game.get("score") if isinstance(game, dict) else game for game in games]
    for at, (value, order) in enumerate(zip(values, orders(pair), strict=False)):
        choice = label_of(value, pair, reversed_order=at == 1)
        yield Opinion(pair_id=pair.pair_id, model=model, shown_order=order, choice=choice)


def _read_two_winners(row: Row, config: RecordedConfig, find: FindPair | None, fallback: str) -> Iterator[Opinion]:
    """MT-Bench's pairwise results: both winners are named by model, whatever stood where."""
    pair = (find or pair_of_row)(row)
    model = judge_of(row, config, fallback)
    for key, order in zip(("g1_winner", "g2_winner"), orders(pair), strict=True):
        yield Opinion(pair_id=pair.pair_id, model=model, shown_order=order, choice=label_of(row[key], pair))


def _has_judges(row: Row) -> bool:
    meta = row.get("meta")
    return isinstance(meta, dict) and isinstance(meta.get("judges"), dict)


def _has_games(row: Row) -> bool:
    return any(isinstance(row.get(key), list) for key in ("games", "decisions"))


COLUMN = Layout("column", "any pair, and a column with the choice", lambda row: True, read_column)
LAYOUTS: tuple[Layout, ...] = (
    Layout("meta-judges", "a pair with meta.judges = {MODEL: {verdict}}", _has_judges, _read_meta_judges),
    Layout("alpaca-eval", "instruction, output_1, output_2, preference, annotator",
           lambda row: {"instruction", "output_1", "output_2", "preference"} <= row.keys(), _read_alpaca_eval),
    Layout("arena", "conversation_a, conversation_b, winner, judge",
           lambda row: {"conversation_a", "conversation_b", "winner"} <= row.keys(), _read_arena),
    Layout("arena-games", "games = [{score}, {score}] or decisions = [A>B, B>A], the second in reverse order, with `pairs`", _has_games, _read_games),
    Layout("mt-bench", "g1_winner, g2_winner, judge, with `pairs`", lambda row: {"g1_winner", "g2_winner"} <= row.keys(), _read_two_winners),
)  # fmt: skip
