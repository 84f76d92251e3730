from __future__ import annotations

import json

import pytest

from goldsmith.errors import DataError
from goldsmith.pool.sources import Rejected, read_pairs
from goldsmith.pool.sources.lists import RankedList, read_lists


def _write(folder, rows):
    path = folder / "lists.jsonl"
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def test_ranks_and_scores_become_one_order(tmp_path):
    rows = [
        {"prompt": "Say red.", "responses": ["no", "red", "red, please"], "ranks": [3, 2, 1]},
        {"prompt": "Say red.", "responses": ["red, please", "red", "no"], "scores": [9.0, 5.5, 1.0]},
    ]
    ranked, scored = read_lists(_write(tmp_path, rows))
    # One and the same list in another order of rows.
    assert ranked.list_id == scored.list_id
    for found in (ranked, scored):
        assert [reply for _, reply in sorted(zip(found.ranks, found.replies, strict=True))] == ["red, please", "red", "no"]
    assert ranked.context == [{"role": "user", "content": "Say red."}]
    assert scored.source_ref == "lists.jsonl:2"


def test_pairs_of_a_list_are_those_that_the_pair_reader_makes(tmp_path):
    row = {"prompt": "Say red.", "responses": ["a", "b", "c", "d"], "ranks": [1, 2, 2, 3]}
    path = _write(tmp_path, [row])
    (ranked,) = read_lists(path)
    expected = {(pair.pair_id, pair.label) for pair in read_pairs(path) if not isinstance(pair, Rejected) and pair.label != "tie"}
    assert {(pair.pair_id, pair.label) for pair in ranked.pairs()} == expected
    assert len(expected) == 5


def test_what_is_no_list_is_counted_with_a_reason(tmp_path):
    base = {"prompt": "Say red.", "responses": ["a", "b", "c"]}
    rows = [
        {**base, "ranks": [1, 2, 3]},
        {**base, "ranks": [1, 1, 1]},
        {**base, "ranks": [1, 2]},
        {**base, "ranks": [1, 2, None]},
        {**base, "responses": ["a", " ", "a"], "ranks": [1, 2, 3]},
        {"prompt": "", "responses": ["a", "b"], "ranks": [1, 2]},
        {"chosen": "a", "rejected": "b"},
        "{",
    ]
    found = list(read_lists(_write(tmp_path, rows)))
    assert [item.ranks for item in found if isinstance(item, RankedList)] == [(1.0, 2.0, 3.0)]
    assert [(item.line, item.reason) for item in found if isinstance(item, Rejected)] == [
        (2, "all-tied"),
        (3, "too-few-replies"),
        (4, "score-missing"),
        (5, "empty-reply"),
        (5, "identical-replies"),
        (5, "too-few-replies"),
        (6, "no-user-turn"),
        (7, "unknown-fields"),
        (8, "not-json"),
    ]


def test_a_file_without_lists_says_what_to_set(tmp_path):
    with pytest.raises(DataError, match=r"holds no ranked list .*train.ranked_lists=pairs"):
        list(read_lists(_write(tmp_path, [{"prompt": "p", "chosen": "a", "rejected": "b"}])))
