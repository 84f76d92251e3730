"""The input's further columns beside the pairs that stay: their names, and their values where a label was turned."""

from __future__ import annotations

from typing import Any

from goldsmith.curate.columns import Staying, renamed, with_columns
from goldsmith.types import Pair


def _staying(further: dict[str, Any], *, turned: bool = False, tie: bool = False) -> Staying:
    pair = Pair.from_replies([{"role": "user", "content": "q"}], "yes", "no", tie=tie)
    chosen, rejected = ("no", "yes") if turned else ("yes", "no")
    line = {"prompt": pair.messages, "chosen": chosen, "rejected": rejected, "p_chosen": 0.9, "action": "keep"}
    return Staying(pair=pair, line=line, further=further)


def test_columns_of_one_reply_follow_it_and_what_speaks_of_the_old_label_is_null() -> None:
    further = {
        "id": 1,
        "score_chosen": 5,
        "score_rejected": 2,
        "chosen_model": "m",
        "strength": 3.0,
        "margin": 3,
        "messages": ["q"],
    }
    kept, turned = with_columns([_staying(further), _staying(further, turned=True)])
    assert {name: kept[name] for name in further} == further
    # `rejected_model` is no column of the input: what the reply that is chosen now was written by is not known.
    assert {name: turned[name] for name in further} == {
        "id": 1,
        "score_chosen": 2,
        "score_rejected": 5,
        "chosen_model": None,
        "strength": None,
        "margin": None,
        "messages": None,
    }


def test_a_tie_that_was_decided_is_not_turned() -> None:
    further = {"strength": 3.0, "score_chosen": 1, "score_rejected": 2}
    for turned in (False, True):
        (line,) = with_columns([_staying(further, tie=True, turned=turned)])
        assert {name: line[name] for name in further} == further


def test_names_that_are_ours_or_another_formats_come_back_as_input_names() -> None:
    staying = [_staying({"p_chosen": 0.1, "input_p_chosen": 0.2, "label_source": "gpt", "id": 1}), _staying({"late": True})]
    first, second = with_columns(staying)
    assert (first["p_chosen"], first["input_input_p_chosen"], first["input_p_chosen"]) == (0.9, 0.1, 0.2)
    assert (first["input_label_source"], first["id"], first["late"]) == ("gpt", 1, None)
    assert "label_source" not in first
    # Every line has every column.
    assert second.keys() == first.keys()
    told = renamed(staying)
    assert told is not None
    assert "`p_chosen` as `input_input_p_chosen`, `label_source` as `input_label_source`" in told
    assert renamed([_staying({"id": 1})]) is None
    assert with_columns([]) == []
