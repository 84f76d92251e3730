"""The columns of a row beside the pair."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from goldsmith.pool.sources import Rejected, read_whole_rows
from goldsmith.pool.sources.further import other_side
from goldsmith.types import Pair

TURNS = [{"role": "user", "content": "q"}]


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("score_chosen", "score_rejected"),
        ("rejected_model", "chosen_model"),
        ("chosen", None),
        ("rejected", None),
        ("chosenness", None),
        ("was_chosen_by", None),
    ],
)
def test_columns_that_speak_of_one_reply_name_the_others(name: str, other: str | None) -> None:
    assert other_side(name) == other


@pytest.mark.parametrize(
    "pair",
    [
        {"prompt": "q", "chosen": "yes", "rejected": "no"},
        {"prompt": TURNS, "chosen": "yes", "rejected": "no", "label_source": "human"},
        {"context": TURNS, "first": "no", "second": "yes", "label": "second"},
        {"instruction": "q", "chosen": "yes", "rejected": "no"},
        {"conversations": TURNS, "chosen": TURNS[0] | {"role": "assistant"}, "rejected": {"role": "assistant", "content": "no"}},
        {"context": TURNS, "response1": "yes", "response2": "no", "overall_preference": -2},
        {"input": "q", "output_1": "yes", "output_2": "no", "label": 1},
        {"prompt": "q", "responses": ["yes", "no"], "scores": [2, 1]},
        {"conversation_input": TURNS, "chosen": {"answer": "yes"}, "reject": {"answer": "no"}},
    ],
)
def test_what_makes_the_pair_is_no_further_column_and_all_else_is(tmp_path: Path, pair: dict[str, Any]) -> None:
    more = {"id": 7, "source": "web", "meta": {"votes": [1, 2]}, "score_chosen": 2.5, "empty": None, "text about it": "x" * 500}
    path = tmp_path / "p.jsonl"
    path.write_text(json.dumps(pair | more) + "\n")
    ((row, further),) = read_whole_rows(path)
    assert isinstance(row, Pair)
    assert further == more | {name: pair[name] for name in pair if name == "label_source"}


def test_values_that_json_lacks_and_rows_that_are_no_pairs(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    rows = [
        '{"prompt": "q", "chosen": "yes", "rejected": "no", "nested": [{"half": "\\ud800 character"}]}',
        '{"prompt": "q", "chosen": "", "rejected": "no", "id": 1}',
    ]
    path.write_text("\n".join(rows) + "\n")
    first, second = read_whole_rows(path)
    assert first[1] == {"nested": [{"half": "? character"}]}
    assert isinstance(second[0], Rejected)
    assert second[1] == {}
