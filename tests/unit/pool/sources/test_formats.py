"""One small row of every format, written by hand, and the pair it must become."""

import json
from pathlib import Path
from typing import Any

import pytest

from goldsmith.errors import DataError, UserError
from goldsmith.pool.sources import Rejected, read_pairs, recognise
from goldsmith.pool.sources.draft import label_origin
from goldsmith.types import Pair

ASK = [{"role": "user", "content": "Pick one."}]


def write(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def read(tmp_path: Path, *rows: Any, column_map: dict[str, str] | None = None) -> list[Pair | Rejected]:
    return list(read_pairs(write(tmp_path / "set.jsonl", *rows), column_map))


def one(tmp_path: Path, row: Any, expected: str) -> Pair:
    path = write(tmp_path / "set.jsonl", row)
    assert recognise(path).format == expected
    (pair,) = read_pairs(path)
    assert isinstance(pair, Pair), pair
    return pair


def told(pair: Pair) -> tuple[Any, ...]:
    return pair.messages, pair.chosen, pair.rejected, pair.label == "tie"


def test_own_pairs_keep_their_id_label_and_source(tmp_path: Path) -> None:
    first = one(tmp_path, {"prompt": ASK, "chosen": "yes", "rejected": "no", "label_source": "human"}, "canonical")
    again = one(tmp_path, first.model_dump(), "goldsmith")
    assert again == first.model_copy(update={"source_ref": "set.jsonl:1"})


def test_an_own_pair_whose_id_is_not_its_content_is_rejected(tmp_path: Path) -> None:
    row = {"pair_id": "0" * 32, "context": ASK, "first": "no", "second": "yes", "label": "tie"}
    (rejected,) = read(tmp_path, row)
    assert isinstance(rejected, Rejected)
    assert rejected.reason == "wrong-pair-id"


def test_canonical_rows_map_label_source_tie_and_strength(tmp_path: Path) -> None:
    meta = {"is_tie": True, "logit_gap": 2.5}
    row = {
        "id": "x-1",
        "source": "set/a",
        "prompt": ASK,
        "chosen": "b",
        "rejected": "a",
        "label_source": "gpt4_turbo_direct",
        "meta": meta,
    }
    pair = one(tmp_path, row, "canonical")
    assert told(pair) == (ASK, "a", "b", True)
    assert (pair.label_origin, pair.strength, pair.source, pair.source_ref) == ("llm", 2.5, "set/a", "set.jsonl:1")
    assert pair.meta == {**meta, "id": "x-1"}


@pytest.mark.parametrize(
    ("source", "origin"),
    [
        ("gpt4_turbo_gap_vs_common_baseline", "llm"),
        ("llm", "llm"),
        ("human_majority_of_3", "human"),
        ("verifiable_answer", "rule"),
        ("checker", "rule"),
        ("rule", "rule"),
        ("likes", "likes"),
        ("reddit upvotes", "likes"),
        ("ai feedback", "llm"),
        ("rain", "unknown"),
        (None, "unknown"),
    ],
)
def test_label_source_names_an_origin(source: str | None, origin: str) -> None:
    assert label_origin(source) == origin


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "Pick one.", "chosen": "yes", "rejected": "no"},
        {
            "prompt": ASK,
            "chosen": [{"role": "assistant", "content": "yes"}],
            "rejected": [{"role": "assistant", "content": "no"}],
        },
        {
            "prompt": ASK,
            "chosen": [*ASK, {"role": "assistant", "content": "yes"}],
            "rejected": [*ASK, {"role": "assistant", "content": "no"}],
        },
        {"prompt": [{"role": "user", "content": [{"type": "text", "text": "Pick one."}]}], "chosen": "yes", "rejected": "no"},
    ],
)
def test_trl_explicit(tmp_path: Path, row: dict[str, Any]) -> None:
    assert told(one(tmp_path, row, "trl-explicit")) == (ASK, "yes", "no", False)


def test_trl_margin_and_scores_become_strength(tmp_path: Path) -> None:
    row = {"prompt": "Pick one.", "chosen": "yes", "rejected": "no"}
    assert one(tmp_path, {**row, "margin": 1.5}, "trl-explicit").strength == 1.5
    assert one(tmp_path, {**row, "score_chosen": 4, "score_rejected": 1}, "trl-explicit").strength == 3.0


def test_trl_implicit_messages_and_text(tmp_path: Path) -> None:
    turns = [{"role": "system", "content": "Be short."}, *ASK]
    row = {
        "chosen": [*turns, {"role": "assistant", "content": "yes"}],
        "rejected": [*turns, {"role": "assistant", "content": "no"}],
    }
    assert told(one(tmp_path, row, "trl-implicit")) == (turns, "yes", "no", False)
    text = one(tmp_path, {"chosen": "The sky is blue.", "rejected": "The sky is bleak."}, "trl-implicit")
    assert told(text) == ([{"role": "user", "content": "The sky is"}], "blue.", "bleak.", False)


def test_hh_transcripts(tmp_path: Path) -> None:
    start = "\n\nHuman: Hi\n\nAssistant: Hello!\n\nHuman: Pick one."
    pair = one(tmp_path, {"chosen": f"{start}\n\nAssistant: yes", "rejected": f"{start}\n\nAssistant: no"}, "hh-transcripts")
    context = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"}, *ASK]
    assert told(pair) == (context, "yes", "no", False)
    assert pair.label_origin == "human"


def test_hh_transcripts_that_differ_earlier_are_rejected(tmp_path: Path) -> None:
    rows = [
        {"chosen": f"\n\nHuman: {word}\n\nAssistant: yes", "rejected": "\n\nHuman: Hi\n\nAssistant: no"} for word in ("Hi", "Ho")
    ]
    kept, rejected = read(tmp_path, *rows)
    assert isinstance(kept, Pair)
    assert isinstance(rejected, Rejected)
    assert (rejected.line, rejected.reason) == (2, "differs-before-last-turn")


@pytest.mark.parametrize(("preference", "chosen", "tie"), [(-2, "yes", False), (3, "no", False), (0, "no", True)])
def test_helpsteer3_sign_is_the_side_and_size_the_strength(tmp_path: Path, preference: int, chosen: str, tie: bool) -> None:
    pair = one(tmp_path, {"context": ASK, "response1": "yes", "response2": "no", "overall_preference": preference}, "helpsteer3")
    assert (pair.chosen, pair.label == "tie", pair.strength) == (chosen, tie, abs(preference))


@pytest.mark.parametrize(
    "row",
    [
        {
            "instruction": "Pick one.",
            "completions": [{"response": text, "overall_score": score} for text, score in (("a", 1), ("b", 3), ("c", 3))],
        },
        {"prompt": "Pick one.", "responses": ["a", "b", "c"], "scores": [1, 3, 3]},
        {"prompt": ASK, "responses": ["a", "b", "c"], "ranks": [3, 1, 1]},
    ],
)
def test_scored_and_ranked_replies_become_every_pair_with_its_margin(tmp_path: Path, row: dict[str, Any]) -> None:
    path = write(tmp_path / "set.jsonl", row)
    assert recognise(path).format == "ranked-replies"
    pairs = [pair for pair in read_pairs(path) if isinstance(pair, Pair)]
    assert [(pair.chosen, pair.rejected, pair.label == "tie", pair.strength, pair.source_ref) for pair in pairs] == [
        ("b", "a", False, 2.0, "set.jsonl:1#1-0"),
        ("c", "a", False, 2.0, "set.jsonl:1#2-0"),
        ("b", "c", True, 0.0, "set.jsonl:1#1-2"),
    ]


def test_rewardbench_one_and_two_and_rm_bench(tmp_path: Path) -> None:
    row = {"prompt": "Pick one.", "chosen": "yes", "rejected": "no", "subset": "alpacaeval-easy", "id": 7}
    pair = one(tmp_path, row, "rewardbench")
    assert pair.meta == {"subset": "alpacaeval-easy", "id": 7}
    path = write(tmp_path / "two.jsonl", {"prompt": "Pick one.", "chosen": ["yes"], "rejected": ["no", "nay"], "num_correct": 1})
    assert recognise(path).format == "rewardbench-2"
    assert [told(pair)[1:3] for pair in read_pairs(path)] == [("yes", "no"), ("yes", "nay")]  # type: ignore[arg-type]
    path = write(
        tmp_path / "three.jsonl", {"id": 1, "prompt": "Pick one.", "chosen": ["a", "b", "c"], "rejected": ["x", "y", "z"]}
    )
    assert recognise(path).format == "rm-bench"
    assert [pair.meta["pair"] for pair in read_pairs(path)] == [[i, j] for i in range(3) for j in range(3)]  # type: ignore[union-attr]


def test_sharegpt(tmp_path: Path) -> None:
    reply = {side: {"from": "gpt", "value": text} for side, text in (("chosen", "yes"), ("rejected", "no"))}
    row = {"conversations": [{"from": "human", "value": "Pick one."}], **reply, "system": "Be short."}
    pair = one(tmp_path, row, "sharegpt")
    assert told(pair) == ([{"role": "system", "content": "Be short."}, *ASK], "yes", "no", False)


def test_rmb_pairwise_and_best_of_n(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "Pick one.", "language": "English"}]
    row = {"conversation_input": turns, "chosen": {"llm_name": "m", "answer": "yes"}, "reject": {"llm_name": "n", "answer": "no"}}
    assert told(one(tmp_path, row, "rmb-pairwise")) == (ASK, "yes", "no", False)
    row = {"conversation_input": turns, "bon_best": {"answer": "yes"}, "loser_list": [{"answer": "no"}, {"answer": ""}]}
    pair, rejected = read(tmp_path, row)
    assert isinstance(pair, Pair)
    assert told(pair) == (ASK, "yes", "no", False)
    assert isinstance(rejected, Rejected)
    assert rejected.reason == "empty-reply"


@pytest.mark.parametrize(
    ("row", "name", "chosen"),
    [
        (
            {"question": "Pick one.", "response_A": "yes", "response_B": "no", "label": "B>A", "source": "math"},
            "judgebench",
            "no",
        ),
        ({"input": "Pick one.", "output_1": "yes", "output_2": "no", "label": 1}, "llmbar", "yes"),
        (
            {"instruction": "Pick one.", "response1": "yes", "response2": "no", "label": 2, "bias": "length"},
            "evalbiasbench",
            "no",
        ),
        ({"prompt": "Pick one.", "response_1": "yes", "response_2": "no", "winner": "model_a"}, "ppe-preference", "yes"),
        ({"prompt": "Pick one.", "response 1": "yes", "response 2": "no", "label": 1}, "auto-j", "no"),
        ({"prompt": "Pick one.", "response 1": "yes", "response 2": "no", "label": 0}, "auto-j", "yes"),
        (
            {
                "instruction": "Pick one.",
                "input": "",
                "response1": "yes",
                "response2": "no",
                "annotator1": 1,
                "annotator2": 2,
                "annotator3": 2,
            },
            "pandalm",
            "no",
        ),
    ],
)
def test_benchmarks_with_a_verdict_column(tmp_path: Path, row: dict[str, Any], name: str, chosen: str) -> None:
    pair = one(tmp_path, row, name)
    assert (pair.messages, pair.chosen, pair.label == "tie") == (ASK, chosen, False)


def test_ppe_correctness_counts_responses_from_zero(tmp_path: Path) -> None:
    row = {
        "prompt": "Pick one.",
        "response_1": "no",
        "response_2": "yes",
        "scores": [False, True],
        "sampled_conflict_pairs": [[0, 1]],
    }
    assert told(one(tmp_path, row, "ppe-correctness")) == (ASK, "yes", "no", False)


def test_mapped_columns(tmp_path: Path) -> None:
    row = {"q": "Pick one.", "answers": {"good": "yes", "bad": "no"}, "by": "human"}
    names = {"prompt": "q", "chosen": "answers.good", "rejected": "answers.bad", "label_origin": "by"}
    path = write(tmp_path / "set.jsonl", row, {"q": "Pick one."})
    assert recognise(path, names).format == "mapped"
    pair, rejected = read_pairs(path, names)
    assert isinstance(pair, Pair)
    assert (*told(pair), pair.label_origin) == (ASK, "yes", "no", False, "human")
    assert isinstance(rejected, Rejected)
    assert rejected.reason == "unknown-fields"


def test_a_wrong_map_names_the_remedy(tmp_path: Path) -> None:
    path = write(tmp_path / "set.jsonl", {"q": "Pick one.", "good": "yes"})
    with pytest.raises(DataError, match="chosen=good, rejected=rejected"):
        recognise(path, {"chosen": "good"})
    with pytest.raises(UserError, match="both read from 'good'"):
        recognise(path, {"chosen": "good", "rejected": "good"})
    with pytest.raises(UserError, match="unknown field"):
        recognise(path, {"chosen": "good", "rejected": "good", "answer": "good"})
    with pytest.raises(DataError, match="rows have the keys: q, good"):
        recognise(path, {"chosen": "better", "rejected": "worse"})


def test_what_is_not_mapped_is_read_from_the_column_of_its_own_name(tmp_path: Path) -> None:
    path = write(tmp_path / "set.jsonl", {"prompt": "Pick one.", "best": "yes", "rejected": "no", "source": "poll"})
    (pair,) = read_pairs(path, {"chosen": "best"})
    assert isinstance(pair, Pair)
    assert (*told(pair), pair.source) == (ASK, "yes", "no", False, "poll")


def test_replies_beside_a_prompt_of_another_name(tmp_path: Path) -> None:
    asked = {"instruction": "Translate.", "input": "Haus", "system": "Be brief.", "history": [["Hello", "Hi"]]}
    (pair,) = read(tmp_path, {**asked, "chosen": "a house", "rejected": "a horse"})
    assert isinstance(pair, Pair)
    assert [(message["role"], message["content"]) for message in pair.messages] == [
        ("system", "Be brief."),
        ("user", "Hello"),
        ("assistant", "Hi"),
        ("user", "Translate.\nHaus"),
    ]
    # What the two replies begin with alike ("a ") is no prompt while there is a question.
    (pair,) = read(tmp_path, {"question": "Which?", "chosen": "a house", "rejected": "a horse"})
    assert isinstance(pair, Pair)
    assert told(pair) == ([{"role": "user", "content": "Which?"}], "a house", "a horse", False)
    with pytest.raises(DataError, match="unknown format"):
        read(tmp_path, {"context": "Which?", "chosen": "a house", "rejected": "a horse"})


def test_turns_by_from_and_value_are_turns_everywhere(tmp_path: Path) -> None:
    asked = {"from": "human", "value": "Pick one."}
    row = {side: [asked, {"from": "gpt", "value": reply}] for side, reply in (("chosen", "yes"), ("rejected", "no"))}
    assert told(one(tmp_path, row, "trl-implicit")) == (ASK, "yes", "no", False)


def test_a_turn_that_calls_tools_is_refused_by_name_and_one_without_content_is_empty(tmp_path: Path) -> None:
    def row(turn: dict[str, Any]) -> dict[str, Any]:
        return {"prompt": [*ASK, {"role": "assistant", **turn}, *ASK], "chosen": "yes", "rejected": "no"}

    empty, calling = read(tmp_path, row({"content": None}), row({"content": None, "tool_calls": [{"id": "1"}]}))
    assert isinstance(empty, Pair)
    assert empty.messages[1]["content"] == ""
    assert isinstance(calling, Rejected)
    assert calling.reason == "tool-calls"


def test_hh_transcripts_with_line_ends_of_windows(tmp_path: Path) -> None:
    row = {
        side: f"\r\n\r\nHuman: Pick one.\r\n\r\nAssistant: {reply}\r\n" for side, reply in (("chosen", "yes"), ("rejected", "no"))
    }
    assert told(one(tmp_path, row, "hh-transcripts")) == (ASK, "yes", "no", False)


def test_an_unknown_format_names_keys_formats_and_the_map(tmp_path: Path) -> None:
    with pytest.raises(DataError) as raised:
        recognise(write(tmp_path / "set.jsonl", {"left": "a", "right": "b"}))
    for part in ("left, right", "helpsteer3", "--map"):
        assert part in str(raised.value)


GOOD = {"prompt": "Pick one.", "chosen": "yes", "rejected": "no"}


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"rejected": ""}, "empty-reply"),
        ({"rejected": " \n"}, "empty-reply"),
        ({"rejected": None}, "empty-reply"),
        ({"rejected": "yes"}, "identical-replies"),
        ({"prompt": ""}, "no-user-turn"),
        ({"prompt": []}, "no-user-turn"),
        ({"prompt": [{"role": "system", "content": "x"}]}, "no-user-turn"),
        ({"prompt": [*ASK, {"role": "assistant", "content": "x"}]}, "last-turn-not-user"),
        ({"prompt": [{"role": "system", "content": ""}, *ASK]}, "empty-turn"),
        ({"prompt": [{"role": "alien", "content": "x"}]}, "unknown-role"),
        ({"prompt": [{"role": "user", "content": [{"type": "image", "url": "x"}]}]}, "non-text-part"),
        ({"prompt": 7}, "wrong-type"),
        ({"chosen": 7}, "unknown-fields"),
        ({"chosen": [{"role": "user", "content": "x"}]}, "no-assistant-turn"),
        ({"chosen": "\ud800"}, "lone-surrogate"),
    ],
)
def test_every_bad_row_has_its_reason_and_line(tmp_path: Path, changed: dict[str, Any], reason: str) -> None:
    kept, rejected = read(tmp_path, GOOD, {**GOOD, **changed})
    assert isinstance(kept, Pair)
    assert isinstance(rejected, Rejected)
    assert (rejected.file, rejected.line, rejected.reason) == ("set.jsonl", 2, reason)
    assert rejected.detail


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    _, rejected = read(tmp_path, GOOD, {"prompt": "Pick one.", "chosen": "yes"})
    assert isinstance(rejected, Rejected)
    assert rejected.reason == "unknown-fields"
    assert "prompt, chosen" in rejected.detail
