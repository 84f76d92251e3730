"""Benchmarks are found by the looks of their rows, and read strictly: what is wrong is named with file and line."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import bench_files
from goldsmith.benchdata.catalogue import CORE
from goldsmith.benchdata.item import Item
from goldsmith.benchdata.suite import find_suite
from goldsmith.errors import DataError, UserError


def items(path: Path, name: str) -> list[Item]:
    return list(find_suite(None, [f"{name}={path}"]).data[0].items())


def test_a_folder_s_benchmarks_are_found_and_the_rest_is_passed_over(tmp_path: Path) -> None:
    bench_files.write_suite(tmp_path)
    bench_files.write_lines(tmp_path / "results.jsonl", [{"model": "x", "accuracy": 0.5}])
    found = find_suite(tmp_path)
    assert [data.id for data in found.data] == list(CORE)
    assert found.absent == []
    assert [Path(name).name for name in found.passed_over] == ["results.jsonl (model, accuracy)"]
    assert [len(list(data.items())) for data in found.data] == [2, 3, 3, 2, 4, 2, 2]


def test_a_layout_that_nobody_knows_is_named_with_its_columns(tmp_path: Path) -> None:
    renamed = {("answer_1" if name == "chosen" else name): value for name, value in bench_files.rewardbench().items()}
    bench_files.write_lines(tmp_path / "rows.jsonl", [renamed])
    with pytest.raises(UserError, match=r"none of the benchmarks \(looked at .*rows.jsonl \(prompt, answer_1, chosen_model"):
        find_suite(tmp_path)
    # A table as one object of columns is not taken for RM-Bench, whose rows hold lists of replies.
    columns = {name: [value] for name, value in bench_files.rewardbench().items()}
    bench_files.write_lines(tmp_path / "rows.jsonl", [columns])
    with pytest.raises(UserError, match="none of the benchmarks"):
        find_suite(tmp_path)


def test_absent_benchmarks_say_where_they_are_to_be_had(tmp_path: Path) -> None:
    path = bench_files.write_lines(tmp_path / "a.jsonl", [bench_files.judgebench()])
    absent = find_suite(tmp_path).absent
    assert [item.id for item in absent] == [name for name in CORE if name != "judgebench"]
    assert "allenai/reward-bench" in absent[0].where
    assert find_suite(path.parent, only=["JudgeBench"]).data[0].id == "judgebench"


@pytest.mark.parametrize("name", list(bench_files.ONE_OF_EACH))
def test_a_missing_column_is_named_with_file_and_line(tmp_path: Path, name: str) -> None:
    file, rows = bench_files.ONE_OF_EACH[name]
    lost = {
        "rmb": "category_path",
        "rm-bench": "id",
        "ppe-correctness": "model_name",
        "judgebench": "source",
        "ppe-preference": "prompt",
    }
    column = lost.get(name, "subset")
    broken = [*rows(), {key: value for key, value in rows()[0].items() if key != column}]
    path = bench_files.write_lines(tmp_path / file, broken)
    with pytest.raises(DataError, match=rf"{path.name}:{len(broken)}.*'{column}'.*missing"):
        list(find_suite(tmp_path).data[0].items())


CHANGED: list[tuple[str, dict[str, Any], str]] = [
    ("rewardbench", {"subset": "alpacaeval-new"}, "alpacaeval-new"),
    ("rewardbench-2", {"subset": "Poetry"}, "Poetry"),
    ("rewardbench-2", {"rejected": ["one", "two"]}, "1 and 3"),
    ("rewardbench-2", {"num_correct": 2}, "num_correct is 2"),
    ("ppe-correctness", {"sampled_conflict_pairs": [[0, 2]]}, "two right"),
    ("ppe-correctness", {"sampled_conflict_pairs": [[0, 4]]}, "from 0 to 3"),
    ("ppe-correctness", {"scores": [True, False, True]}, "response_4"),
    ("ppe-correctness", {"scores": [1, 0, 1, 0.5]}, "0.5"),
    ("rmb", {"category_path": "Pairwise_set/Cleverness/S1"}, "Cleverness"),
    ("rmb", {"conversation_input": []}, "does not end with a turn of the user"),
    ("rmb", {"chosen": "text"}, "an object"),
    ("rm-bench", {"domain": "poetry"}, "poetry"),
    ("rm-bench", {"chosen": ["one", "two"]}, "2 replies"),
    ("judgebench", {"source": "mmlu"}, "mmlu"),
    ("judgebench", {"label": "A=B"}, "A=B"),
    ("judgebench", {"response_model": "llama"}, "llama"),
]


@pytest.mark.parametrize(("name", "change", "told"), CHANGED)
def test_a_value_that_the_benchmark_does_not_have_is_named(tmp_path: Path, name: str, change: dict[str, Any], told: str) -> None:
    file, rows = bench_files.ONE_OF_EACH[name]
    path = bench_files.write_lines(tmp_path / file, [{**rows()[0], **change}])
    with pytest.raises(DataError, match=rf"{path.name}:1.*{told}"):
        items(tmp_path, name)


def test_unreadable_json_is_named_with_its_line(tmp_path: Path) -> None:
    path = bench_files.write_lines(tmp_path / "judgebench.jsonl", [bench_files.judgebench()])
    path.write_text(path.read_text(encoding="utf-8") + '{"pair_id": "p1", \n', encoding="utf-8")
    with pytest.raises(DataError, match=r"judgebench.jsonl:2.*not-json"):
        items(path, "judgebench")


def test_a_set_in_two_forms_is_read_once_and_a_repeat_within_one_file_stays(tmp_path: Path) -> None:
    rows = [bench_files.rmbench(0), bench_files.rmbench(0)]
    bench_files.write_lines(tmp_path / "total.jsonl", rows)
    bench_files.write_lines(tmp_path / "zchat_filtered.jsonl", rows[:1])
    data = find_suite(tmp_path).data[0]
    assert [item.item_id for item in data.items()] == ["chat/0", "chat/0#2"]
    assert dict(data.left_out) == {"stands in another file too": 1}


def test_equal_rows_of_other_ids_are_two_whatever_files_they_stand_in(tmp_path: Path) -> None:
    vote = {**bench_files.ppe_preference(0), "prompt": "hi"}
    for name, ids in (("test-00000-of-00002.jsonl", "ab"), ("test-00001-of-00002.jsonl", "bc")):
        bench_files.write_lines(tmp_path / name, [{**vote, "question_id": number} for number in ids])
    data = find_suite(tmp_path).data[0]
    # Two people voted alike on the same replies; `b` itself stands in both files.
    assert [item.item_id for item in data.items()] == ["a", "b", "c"]
    assert dict(data.left_out) == {"stands in another file too": 1}


def test_rm_bench_in_one_file_and_by_domain_is_read_once_however_the_rows_are_numbered(tmp_path: Path) -> None:
    bench_files.write_lines(tmp_path / "chat_filtered.jsonl", [bench_files.rmbench(0, None)])
    bench_files.write_lines(tmp_path / "total_dataset.jsonl", [{**bench_files.rmbench(0, "chat"), "id": 77}])
    data = find_suite(tmp_path).data[0]
    assert [item.item_id for item in data.items()] == ["chat/0"]


@pytest.mark.parametrize("name", ["rewardbench", "rm-bench", "mine"])
@pytest.mark.parametrize("text", ["", "[]"])
def test_a_file_without_a_row_is_no_benchmark_of_score_0(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / "rows.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"rows.json: (holds no row of|.*empty|.*no pairs)"):
        items(path, name)


def test_a_packed_file_that_is_not_read_is_named(tmp_path: Path) -> None:
    bench_files.write_lines(tmp_path / "suite" / "jb.jsonl", [bench_files.judgebench()])
    (tmp_path / "suite" / "RMB_dataset.zip").write_bytes(b"PK\x03\x04")
    assert find_suite(tmp_path / "suite").passed_over == ["suite/RMB_dataset.zip (packed in a way that is not read: unpack it)"]


def test_a_folder_of_packed_files_alone_says_what_to_unpack(tmp_path: Path) -> None:
    (tmp_path / "judgebench.zip").write_bytes(b"PK\x03\x04")
    with pytest.raises(
        DataError, match=r"no data file in this folder.*/judgebench.zip \(packed in a way that is not read: unpack it\)"
    ):
        find_suite(tmp_path)


@pytest.mark.parametrize(("name", "text"), [("config.json", "[1, 2]"), ("number.json", "3"), ("words.jsonl", '"a"\n"b"\n')])
def test_sound_json_that_is_no_table_is_passed_over_by_name(tmp_path: Path, name: str, text: str) -> None:
    bench_files.write_lines(tmp_path / "jb.jsonl", [bench_files.judgebench()])
    (tmp_path / name).write_text(text, encoding="utf-8")
    suite = find_suite(tmp_path)
    assert [data.id for data in suite.data] == ["judgebench"]
    assert [entry.partition("/")[2] for entry in suite.passed_over] == [f"{name} (no row of columns)"]


@pytest.mark.parametrize(
    "written",
    [
        lambda plain: b"\xef\xbb\xbf" + plain,
        lambda plain: plain.replace(b"\n", b"\r\n"),
        lambda plain: plain.replace(b"\n", b"\n\n"),
        lambda plain: plain[:-1],
        gzip.compress,
    ],
    ids=["byte order mark", "line ends of Windows", "empty lines", "no last line end", "gzip without its ending"],
)
def test_how_a_file_was_written_changes_no_item(tmp_path: Path, written: Callable[[bytes], bytes]) -> None:
    path = bench_files.write_lines(tmp_path / "suite" / "jb.jsonl", [bench_files.judgebench(place) for place in range(3)])
    expected = [(item.item_id, item.context, item.replies, item.good) for item in find_suite(path.parent).data[0].items()]
    path.write_bytes(written(path.read_bytes()))
    found = [(item.item_id, item.context, item.replies, item.good) for item in find_suite(path.parent).data[0].items()]
    assert found == expected
    assert len(found) == 3


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (lambda plain: plain.replace(b"good 1", b"g\xf6od 1"), r"jb.jsonl:2: wrong-utf8: byte 0xf6"),
        (lambda plain: plain.decode().encode("utf-16"), r"jb.jsonl:1: wrong-utf8: byte 0xff"),
        (lambda plain: plain[:-20], r"jb.jsonl:3: not-json"),
        (lambda plain: gzip.compress(plain)[:-12], r"jb.jsonl: broken or cut short"),
    ],
    ids=["Latin-1", "UTF-16", "torn line", "torn gzip"],
)
def test_a_damaged_file_is_named_with_its_line(tmp_path: Path, broken: Callable[[bytes], bytes], told: str) -> None:
    path = bench_files.write_lines(tmp_path / "jb.jsonl", [bench_files.judgebench(place) for place in range(3)])
    path.write_bytes(broken(path.read_bytes()))
    with pytest.raises(DataError, match=told):
        [item for data in find_suite(tmp_path).data for item in data.items()]


def test_a_null_reply_in_the_first_row_is_named_and_the_file_not_passed_over(tmp_path: Path) -> None:
    bench_files.write_lines(tmp_path / "rows.jsonl", [{**bench_files.rewardbench(), "chosen": None}])
    with pytest.raises(DataError, match=r"rows.jsonl:1: chosen is None \(NoneType\); RewardBench has a text there"):
        list(find_suite(tmp_path).data[0].items())


def test_rm_bench_s_files_of_one_domain_take_it_from_their_names(tmp_path: Path) -> None:
    path = bench_files.write_lines(tmp_path / "safety-response_filtered.json", [bench_files.rmbench(0, None)])
    assert items(path, "rm-bench")[0].subset == "safety-response"
    other = bench_files.write_lines(tmp_path / "some.json", [bench_files.rmbench(0, None)])
    with pytest.raises(DataError, match=r"safety-response_filtered\.json"):
        items(other, "rm-bench")


def test_items_keep_the_order_and_truth_of_their_files(tmp_path: Path) -> None:
    path = bench_files.write_lines(tmp_path / "PPE-IFEval.jsonl", [bench_files.ppe_correctness(7)])
    found = items(path, "ppe-correctness")[0]
    assert (found.item_id, found.subset) == ("IFEval/7/one", "IFEval")
    assert found.replies == ["answer 7 0", "answer 7 1", "answer 7 2", "answer 7 3"]
    # Places from 0; [1, 2] turned round, as reply 2 is the right one; the repeat stays.
    assert found.comparisons == [(0, 1), (2, 1), (0, 1)]
    second = items(bench_files.write_lines(tmp_path / "j.jsonl", [bench_files.judgebench(0, "B>A")]), "judgebench")[0]
    assert (second.good, second.comparisons, second.is_ordered) == ([False, True], [(1, 0)], True)
    votes = [bench_files.ppe_preference(0, "tie"), {**bench_files.ppe_preference(1), "winner": None}]
    tied_votes = items(bench_files.write_lines(tmp_path / "p.jsonl", votes), "ppe-preference")
    assert [vote.comparisons for vote in tied_votes] == [[], []]
    tied = items(bench_files.write_lines(tmp_path / "t.jsonl", [bench_files.ties(3)]), "rewardbench-2")[0]
    assert (tied.cluster, tied.meta["ties"], tied.comparisons) == ("ties:3", "tied", [(0, 2), (0, 3), (1, 2), (1, 3)])


def test_auto_j_counts_from_0_and_2_is_a_tie(tmp_path: Path) -> None:
    row = {"scenario": "chitchat", "prompt": "question", "response 1": "one", "response 2": "two"}
    path = bench_files.write_lines(tmp_path / "a.jsonl", [{**row, "label": label} for label in (0, 1, 2)])
    assert [item.good for item in items(path, "auto-j")] == [[True, False], [False, True], [False, False]]
    broken = bench_files.write_lines(tmp_path / "b.jsonl", [{**row, "label": 3}])
    with pytest.raises(DataError, match="label is 3"):
        items(broken, "auto-j")


def test_a_file_of_one_s_own_is_read_in_any_known_format_and_rows_that_are_no_pairs_are_counted(tmp_path: Path) -> None:
    rows = [
        {"prompt": "question", "chosen": "good", "rejected": "bad"},
        {"prompt": "question", "chosen": "same", "rejected": "same"},
    ]
    data = find_suite(None, [f"mine={bench_files.write_lines(tmp_path / 'mine.jsonl', rows)}"]).data[0]
    assert [item.replies for item in data.items()] == [["good", "bad"]]
    assert sum(data.left_out.values()) == 1
    assert sum(data.rows.values()) == 2


def test_unknown_names_and_folders_are_refused_with_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="rewardbench-2"):
        find_suite(None, ["rewardbnch"])
    with pytest.raises(UserError, match="not on the hub"):
        find_suite(None, ["rmb"])
    with pytest.raises(UserError, match="no such folder"):
        find_suite(tmp_path / "absent")
    (tmp_path / "x.json").write_text(json.dumps([{"a": 1}]), encoding="utf-8")
    with pytest.raises(UserError, match="holds none of the benchmarks"):
        find_suite(tmp_path)


def test_the_real_files_are_all_told(data_dir: Path) -> None:
    found = find_suite(data_dir)
    counts = {data.id: len(list(data.items())) for data in found.data}
    # Its README: 6,102 pairs and 1,550 lists; 129 + 284; 249; 80; 1,200; 714; 2,312 less the 5 that differ earlier.
    assert counts == {
        "rmb": 7652,
        "rm-bench": 413,
        "judgebench": 249,
        "evalbiasbench": 80,
        "llmbar": 1200,
        "auto-j": 714,
        "hh": 2307,
    }
    assert [item.id for item in found.absent] == ["rewardbench", "rewardbench-2", "ppe-preference", "ppe-correctness"]
    assert any("pool_alpacaeval" in name for name in found.passed_over)
