"""Any JSON value in any place of a row of any format: a pair that can be stored and read back, or a reason; never an exception."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from goldsmith.identity import canonical_json
from goldsmith.pool.sources.draft import Reject
from goldsmith.pool.sources.formats import FORMATS, format_named, format_of
from goldsmith.pool.sources.recognise import read_row
from goldsmith.pool.sources.rows import store_row
from goldsmith.store import PAIR_COLUMNS, from_row, to_row


def turn(role: str, text: Any) -> dict[str, Any]:
    return {"role": role, "content": text}


ASKED, ANSWERED, WRONG = turn("user", "How many?"), turn("assistant", "Two."), turn("assistant", "Three.")
SAMPLES: dict[str, list[dict[str, Any]]] = {
    "goldsmith": [
        {"context": [ASKED], "first": "Three.", "second": "Two.", "label": "second", "label_origin": "human", "strength": 2, "source": "s", "meta": {"k": 1}}
    ],
    "canonical": [
        {"id": "i", "prompt": [ASKED], "chosen": "Two.", "rejected": "Three.", "label_source": "gpt4", "source": "s", "strength": 1, "meta": {"is_tie": False, "logit_gap": 1.5}}
    ],
    "rmb-pairwise": [{"conversation_input": [ASKED], "chosen": {"answer": "Two.", "llm_name": "m"}, "reject": {"answer": "Three.", "llm_name": "n"}}],
    "rmb-best-of-n": [{"conversation_input": [ASKED], "bon_best": {"answer": "Two."}, "loser_list": [{"answer": "Three."}, {"answer": "Four."}]}],
    "helpsteer3": [{"context": [ASKED], "response1": "Two.", "response2": "Three.", "overall_preference": -2}],
    "pandalm": [{"instruction": "How many?", "input": "x", "response1": "Two.", "response2": "Three.", "annotator1": 1, "annotator2": 1, "annotator3": 2}],
    "ppe-correctness": [{"prompt": "How many?", "response_1": "Two.", "response_2": "Three.", "scores": [True, False], "sampled_conflict_pairs": [[0, 1]], "question_id": "q"}],
    "judgebench": [{"question": "How many?", "response_A": "Two.", "response_B": "Three.", "label": "A>B", "source": "s"}],
    "llmbar": [{"input": "How many?", "output_1": "Two.", "output_2": "Three.", "label": 1}],
    "evalbiasbench": [{"instruction": "How many?", "response1": "Two.", "response2": "Three.", "label": 1}],
    "ppe-preference": [{"prompt": "How many?", "response_1": "Two.", "response_2": "Three.", "winner": "model_a"}],
    "auto-j": [{"prompt": "How many?", "response 1": "Two.", "response 2": "Three.", "label": 0}],
    "sharegpt": [
        {"conversations": [{"from": "human", "value": "How many?"}], "chosen": {"from": "gpt", "value": "Two."}, "rejected": {"from": "gpt", "value": "Three."}, "system": "Be brief."}
    ],
    "instruction": [{"system": "Be brief.", "instruction": "How many?", "input": "x", "history": [["Hello", "Hi"]], "chosen": "Two.", "rejected": "Three."}],
    "rm-bench": [{"prompt": "How many?", "chosen": ["2", "Two.", "It is two."], "rejected": ["3", "Three.", "It is three."]}],
    "rewardbench-2": [{"prompt": "How many?", "chosen": ["Two."], "rejected": ["Three.", "Four."], "num_correct": 1}],
    "rewardbench": [{"prompt": "How many?", "chosen": "Two.", "rejected": "Three.", "subset": "maths", "id": 3}],
    "ranked-replies": [
        {"prompt": "How many?", "responses": ["Two.", "Three."], "scores": [2, 1], "source": "s"},
        {"instruction": "How many?", "completions": [{"response": "Two.", "overall_score": 4}, {"response": "Three.", "overall_score": 2}]},
    ],
    "trl-explicit": [
        {"prompt": "How many?", "chosen": "Two.", "rejected": "Three.", "margin": 1, "score_chosen": 3, "score_rejected": 1, "source": "s"},
        {"prompt": [ASKED], "chosen": [ANSWERED], "rejected": [ASKED, WRONG]},
    ],
    "hh-transcripts": [{"chosen": "\n\nHuman: How many?\n\nAssistant: Two.", "rejected": "\n\nHuman: How many?\n\nAssistant: Three."}],
    "trl-implicit": [{"chosen": [turn("system", "Be brief."), ASKED, ANSWERED], "rejected": [turn("system", "Be brief."), ASKED, WRONG]}],
}  # fmt: skip


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


ODD: list[Any] = [
    1e308, nested(200), nested(300), nested(900), b"bytes", (1, 2),
    None, True, 0, -1, 5.5, 10**400, float("nan"), float("inf"), "", " ", "\r\n", "text", "\ud800", [], {}, [[]], [None], [1], ["text"], ["a", "b", "c"], [{}],
    [{"role": []}], [{"role": "user"}], [{"role": "user", "content": {}}], [{"type": "text", "text": "text"}], [{"type": "text"}], [{"type": "image"}], {"a": 1}, {"role": "assistant"},
]  # fmt: skip


def test_every_format_has_a_sample_that_it_reads() -> None:
    assert set(SAMPLES) == {known.name for known in FORMATS}
    for name, rows in SAMPLES.items():
        for row in rows:
            found = format_of(row)
            assert found is not None
            assert found.name == name
            assert outcome(name, row) == "kept"


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value inside `value`."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


def changed(row: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    found = copy.deepcopy(row)
    inner: Any = found
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return found


def outcome(name: str, row: dict[str, Any]) -> str:
    """`kept` when every draft of the row is a pair that reads back as itself, else the reason."""
    try:
        for draft in read_row(format_named(name), row):
            stored = dict(zip(PAIR_COLUMNS, store_row(draft, "file", "file:1"), strict=True))
            pair = from_row(stored)
            assert pair.pair_id == stored["pair_id"]
            assert to_row(pair)["context"] == stored["context"]
            json.loads(canonical_json(pair.meta))
            stored["meta"].encode("utf-8")
    except Reject as reject:
        return reject.reason
    return "kept"


@pytest.mark.parametrize("name", SAMPLES)
def test_any_value_anywhere_is_a_pair_or_a_reason(name: str) -> None:
    for row in SAMPLES[name]:
        for path in places(row):
            for value in ODD:
                assert outcome(name, changed(row, path, value)), (path, value)
