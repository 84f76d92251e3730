"""Recorded verdicts: every layout, PandaLM's LLM judges against its people, LLMBar's evaluators with position swap."""

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from goldsmith.config import load_config
from goldsmith.config.judge import JudgeConfig, RecordedConfig
from goldsmith.errors import DataError, UserError
from goldsmith.judge import RecordedJudge, judge_pairs, judges, recorded_models
from goldsmith.judge.agreement import classification_report, cohen_kappa
from goldsmith.judge.judges import recorded_judge
from goldsmith.judge.order import order_test
from goldsmith.judge.recorded import read_recorded, read_verdicts
from goldsmith.types import Pair, Verdict

GOOD = {"pair_id": "p", "model": "m", "sample": 0, "shown_order": ["first", "second"], "choice": "first"}


def write(path: Path, *rows: Any) -> Path:
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows) + "\n")
    return path


def test_reads_plain_and_gzip_files(tmp_path: Path) -> None:
    plain = write(tmp_path / "a.jsonl", GOOD, "", {**GOOD, "sample": 1, "choice": None, "failure": "timeout"})
    packed = tmp_path / "b.jsonl.gz"
    packed.write_bytes(gzip.compress(json.dumps({**GOOD, "model": "n"}).encode()))
    assert [verdict.model for verdict in read_verdicts([plain, packed])] == ["m", "m", "n"]
    assert recorded_models([plain, packed]) == ["m", "n"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("not json", r"a\.jsonl:2"),
        ({**GOOD, "choice": "left"}, r"a\.jsonl:2: choice"),
        ({**GOOD, "sample": 1, "extra": 1}, r"a\.jsonl:2: extra"),
        ({**GOOD, "sample": 1, "choice": None}, "exactly one of them"),
        ({**GOOD, "sample": 1, "failure": "timeout"}, "exactly one of them"),
        (GOOD, "already at"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, row: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_verdicts([write(tmp_path / "a.jsonl", GOOD, row)])


@pytest.mark.parametrize("content", [b"\x1f\x8b\x08\x00broken", b""])
def test_a_broken_or_missing_file_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.jsonl.gz"
    if content:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.jsonl\.gz"):
        read_verdicts([path])


def test_unknown_judges_are_named_with_the_known_ones(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", GOOD)
    assert [judge.name for judge in judges(["m"], None, [path])] == ["m"]
    with pytest.raises(UserError, match="known: m"):
        judges(["x"], None, [path])


def test_only_the_pairs_asked_for_are_judged() -> None:
    pair = Pair.from_replies([{"role": "user", "content": "q"}], "a", "b")
    verdicts = [Verdict(**{**GOOD, "pair_id": name}) for name in (pair.pair_id, "elsewhere")]
    run = judge_pairs([pair, pair], None, [RecordedJudge(name="m", verdicts=tuple(verdicts))], JudgeConfig(), seed=0)
    assert [judgement.pair_id for judgement in run.judgements] == [pair.pair_id]
    assert run.unjudged == 0
    assert run.usage == []


def read_lines(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]


def golden(data_dir: Path) -> dict[str, Any]:
    entries = json.loads((data_dir / "golden" / "golden.json").read_text(encoding="utf-8"))["entries"]
    return {entry["id"]: entry["expected"] for entry in entries}


def told_apart(data_dir: Path, folder: Path) -> Path:
    """PandaLM's file with each row's id before its prompt: some rows hold the same pair, and the reference counts rows."""
    rows = read_lines(data_dir / "humans_pandalm.jsonl.gz")
    for row in rows:
        row["prompt"][0]["content"] = f"{row['id']} {row['prompt'][0]['content']}"
    return write(folder / "pandalm.jsonl", *rows)


@pytest.mark.parametrize("model", ["gpt-3.5-turbo", "pandalm-7b"])
@pytest.mark.parametrize("by_column", [False, True])
def test_pandalm_judges_reproduce_the_reference(data_dir: Path, tmp_path: Path, model: str, by_column: bool) -> None:
    """From the file through the adapter, verdicts and judgements to accuracy and macro averages, to four digits."""
    path = told_apart(data_dir, tmp_path)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    config = RecordedConfig(path=path, column="chosen_model_verdict" if by_column else None, model=model if by_column else None)
    if by_column:
        write(path, *({**row, "chosen_model_verdict": row["meta"]["judges"][model]["verdict"]} for row in rows))
    (file,) = read_recorded([config])
    assert (file.layout, file.num_rows, file.dropped) == ("column" if by_column else "meta-judges", 999, {})
    pairs = [Pair.from_replies(row["prompt"], row["chosen"], row["rejected"]) for row in rows]
    run = judge_pairs(pairs, None, [recorded_judge(model, file.verdicts)], JudgeConfig(), seed=0)
    assert len(run.judgements) + run.unjudged == 999
    choices = {judgement.pair_id: judgement.choice for judgement in run.judgements}
    truth = [str(row["meta"]["majority"]) for row in rows]
    predicted = []
    for row, pair in zip(rows, pairs, strict=True):
        one = pair.label if row["meta"]["chosen_was"] == "response_1" else ("second" if pair.label == "first" else "first")
        choice = choices.get(pair.pair_id)
        predicted.append("failed" if choice is None else "0" if choice == "tie" else "1" if choice == one else "2")
    found = classification_report(truth, predicted, ["0", "1", "2"])
    expected = golden(data_dir)["pandalm-judges-vs-majority"][model]
    assert {name: round(getattr(found, name), 4) for name in expected} == expected
    assert run.failures == ({model: {"no-choice": 25}} if model == "gpt-3.5-turbo" else {})


def test_llmbar_evaluators_with_position_swap_reproduce_the_reference(data_dir: Path) -> None:
    """Stored verdicts point to their pairs by subset and number; both orders, 25 cells, every count."""
    config = RecordedConfig(
        path=data_dir / "golden" / "llmbar_evaluator_verdicts.jsonl.gz",
        column="winner_swap_False",
        swapped_column="winner_swap_True",
        model_column="evaluator",
        pairs=data_dir / "llmbar" / "llmbar_canonical.jsonl.gz",
        key={"subset": "meta.subset", "index": "meta.orig_index"},
    )
    (file,) = read_recorded([config])
    # 419 questions, five evaluators; 3 of 4,190 replies were garbage (Counter over the stored file).
    assert (file.num_rows, file.dropped, len(file.verdicts)) == (2095, {}, 4190)
    assert sum(verdict.failure == "no-choice" for verdict in file.verdicts) == 3
    gold: dict[str, list[Pair]] = {}
    for row in read_lines(data_dir / "llmbar" / "llmbar_canonical.jsonl.gz"):
        if row["chosen"] != row["rejected"]:
            pair = Pair.from_replies(row["prompt"], row["chosen"], row["rejected"])
            gold.setdefault(row["meta"]["subset"], []).append(pair)
    for cell, expected in golden(data_dir)["llmbar-evaluators"].items():
        subset, _, model = cell.partition("|")
        found = order_test([verdict for verdict in file.verdicts if verdict.model == model], gold[subset])
        assert {
            "n": found.num_pairs,
            "acc_swap_False": found.correct_by_sample[0],
            "acc_swap_True": found.correct_by_sample[1],
            "both": found.correct_in_both,
            "agree": found.same_choice,
            "avg_acc_pct": round(100 * found.mean_accuracy, 4) if found.mean_accuracy is not None else None,
        } == expected, cell


def test_judgebench_decisions_join_their_pairs_and_the_second_game_is_turned_back(data_dir: Path) -> None:
    """JudgeBench's own rule on the pairs at hand (+1 right, -1 wrong, right when the sum is above 0), counted from the raw file."""
    results = data_dir / "golden" / "judgebench_gpt4o_arena_hard_o1-mini_decisions.jsonl.gz"
    pairs = data_dir / "judgebench" / "dataset=judgebench,response_model=gpt-4o-2024-05-13.jsonl"
    (file,) = read_recorded([RecordedConfig(path=results, pairs=pairs, model="o1-mini")])
    texts = {row["pair_id"]: row for row in map(json.loads, pairs.read_text(encoding="utf-8").splitlines())}
    rows = read_lines(results)
    assert (file.num_rows, file.layout) == (350, "arena-games")
    assert file.dropped == {"pair-not-found": sum(row["pair_id"] not in texts for row in rows)}
    turned = {"A>B": "B>A", "B>A": "A>B"}
    expected = 0
    for row in rows:
        if row["pair_id"] in texts:
            one, two = row["decisions"]
            games = [one, turned.get(two, two)]
            expected += sum((game == row["label"]) - (game == turned[row["label"]]) for game in games) > 0
    gold = [
        Pair.from_replies(
            [{"role": "user", "content": row["question"]}],
            *(row[key] for key in (("response_A", "response_B") if row["label"] == "A>B" else ("response_B", "response_A"))),
        )
        for row in texts.values()
    ]
    sums = Counter[str]()
    label = {pair.pair_id: pair.label for pair in gold}
    for verdict in file.verdicts:
        if verdict.choice in ("first", "second"):
            sums[verdict.pair_id] += 1 if verdict.choice == label[verdict.pair_id] else -1
    assert sum(total > 0 for total in sums.values()) == expected > 100


ONE_TURN = {"instruction": "q", "output_1": "zebra", "output_2": "ant"}
PAIR = Pair.from_replies([{"role": "user", "content": "q"}], "zebra", "ant")
"""`ant` < `zebra`, so output 1 is the pair's second side."""


@pytest.mark.parametrize(
    ("preference", "choice"),
    [(1.0, "second"), (1.2, "second"), (2, "first"), (1.5, "tie"), (0, "tie"), (None, None), (7.0, None), (True, None)],
)
def test_alpaca_eval_annotations(tmp_path: Path, preference: Any, choice: str | None) -> None:
    rows = [{**ONE_TURN, "preference": preference, "annotator": "weighted_gpt4"}]
    path = tmp_path / "annotations.json"
    path.write_text(json.dumps(rows))
    (file,) = read_recorded([RecordedConfig(path=path)])
    (verdict,) = file.verdicts
    assert (verdict.pair_id, verdict.model, verdict.choice) == (PAIR.pair_id, "weighted_gpt4", choice)
    assert verdict.failure == (None if choice else "no-choice")
    assert verdict.shown_order == []


@pytest.mark.parametrize(
    ("winner", "choice"), [("model_a", "second"), ("model_b", "first"), ("tie (bothbad)", "tie"), ("error", None)]
)
def test_arena_conversations(tmp_path: Path, winner: str, choice: str | None) -> None:
    talk = [{"role": "user", "content": "q"}]
    row = {
        "model_a": "x", "model_b": "y", "winner": winner, "judge": ["gpt-4", "pair-v2"], "turn": 1,
        "conversation_a": [*talk, {"role": "assistant", "content": "zebra"}, {"role": "user", "content": "and?"}, {"role": "assistant", "content": "1"}],
        "conversation_b": [*talk, {"role": "assistant", "content": "ant"}, {"role": "user", "content": "and?"}, {"role": "assistant", "content": "2"}],
    }  # fmt: skip
    differs = {**row, "turn": 2}
    (file,) = read_recorded([write(tmp_path / "arena.jsonl", row, differs)])
    (verdict,) = file.verdicts
    assert (verdict.pair_id, verdict.model, verdict.choice) == (PAIR.pair_id, "gpt-4/pair-v2", choice)
    assert verdict.shown_order == ["second", "first"]
    # In the second turn the two models have talked of different things: no pair.
    assert file.dropped == {"contexts-differ": 1}


def test_mt_bench_results_name_winners_by_model(tmp_path: Path) -> None:
    pairs = write(
        tmp_path / "pairs.jsonl", {"question_id": 81, "prompt": "q", "response_1": "zebra", "response_2": "ant", "winner": "tie"}
    )
    row = {"question_id": 81, "model_1": "x", "model_2": "y", "g1_winner": "model_1", "g2_winner": "model_2", "judge": "j"}
    config = RecordedConfig(path=write(tmp_path / "r.jsonl", row), pairs=pairs, key={"question_id": "question_id"})
    assert [(verdict.sample, verdict.choice, verdict.shown_order) for verdict in read_verdicts([config])] == [
        (0, "second", ["second", "first"]),
        (1, "first", ["first", "second"]),
    ]


@pytest.mark.parametrize(
    ("value", "choice"), [("chosen", "second"), ("rejected", "first"), ("tie", "tie"), ("first", "first"), ("?", None)]
)
def test_a_column_of_any_pair_file(tmp_path: Path, value: str, choice: str | None) -> None:
    path = write(tmp_path / "judged.jsonl", {"prompt": "q", "chosen": "zebra", "rejected": "ant", "judge": {"said": value}})
    (verdict,) = read_verdicts([RecordedConfig(path=path, column="judge.said", model="m")])
    assert (verdict.pair_id, verdict.model, verdict.choice) == (PAIR.pair_id, "m", choice)


def test_rows_that_cannot_be_used_are_dropped_with_their_reason(tmp_path: Path) -> None:
    good = {"prompt": "q", "chosen": "zebra", "rejected": "ant", "said": "chosen"}
    rows = [good, {**good, "chosen": "ant"}, {**good, "said": 1}, {key: good[key] for key in ("prompt", "said")}, "garbage"]
    (file,) = read_recorded([RecordedConfig(path=write(tmp_path / "judged.jsonl", *rows), column="said")])
    assert (file.num_rows, len(file.verdicts)) == (5, 1)
    assert file.dropped == {"identical-replies": 1, "responses-not-numbered": 1, "unknown-format": 1, "not-json": 1}


def test_verdicts_of_one_pair_in_several_rows_are_samples(tmp_path: Path) -> None:
    row = {"prompt": "q", "chosen": "zebra", "rejected": "ant", "said": "chosen"}
    path = write(tmp_path / "judged.jsonl", row, {**row, "said": "rejected"})
    assert [verdict.sample for verdict in read_verdicts([RecordedConfig(path=path, column="said", model="m")])] == [0, 1]


def test_an_unknown_layout_is_named_with_its_keys_and_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"verdict_text(.|\n)*alpaca-eval(.|\n)*column = "):
        read_verdicts([write(tmp_path / "a.jsonl", {"verdict_text": "x"})])


def test_an_ambiguous_key_is_refused(tmp_path: Path) -> None:
    pair = {"prompt": "q", "chosen": "zebra", "rejected": "ant", "id": 1}
    pairs = write(tmp_path / "pairs.jsonl", pair, pair)
    results = write(tmp_path / "r.jsonl", {"id": 1, "said": "chosen"})
    with pytest.raises(DataError, match=r"pairs\.jsonl:2: a second pair.*judge\.recorded\.key"):
        read_verdicts([RecordedConfig(path=results, column="said", pairs=pairs, key={"id": "id"})])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"swapped_column": "x"}, "column is not"),
        ({"model": "m", "model_column": "c"}, "both set"),
        ({"key": {}}, "key is empty"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RecordedConfig(path=Path("x"), **settings)


def test_a_bare_path_in_the_list_is_a_file_of_verdicts() -> None:
    config = load_config(overrides=['judge.recorded=["a.jsonl", {path = "b.json", column = "said"}]'])
    assert [(str(item.path), item.column) for item in config.judge.recorded] == [("a.jsonl", None), ("b.json", "said")]
    with pytest.raises(UserError, match="did you mean 'column'"):
        load_config(overrides=['judge.recorded=[{path = "b.json", colum = "said"}]'])


def test_the_documented_example_is_a_configuration(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "judging.md").read_text(encoding="utf-8")
    path = tmp_path / "goldsmith.toml"
    path.write_text(page.partition("```toml\n")[2].partition("```")[0])
    entries = load_config([path]).judge.recorded
    assert [item.path.name for item in entries] == ["verdicts.jsonl", "annotations.json", "judged.jsonl", "results.jsonl"]
    assert entries[3].key == {"subset": "meta.subset", "index": "meta.n"}


def test_pandalm_annotators_agree_as_published(data_dir: Path) -> None:
    rows = read_lines(data_dir / "humans_pandalm.jsonl.gz")
    for name, expected in golden(data_dir)["pandalm-annotator-kappa"]["cohen_kappa_unweighted_3class"].items():
        one, other = (int(part) - 1 for part in name.split("-"))
        kappa = cohen_kappa([row["meta"]["votes"][one] for row in rows], [row["meta"]["votes"][other] for row in rows])
        assert kappa is not None
        assert round(kappa, 4) == expected
