"""Recorded verdicts: the files, and PandaLM's two LLM judges against its three humans."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from goldsmith.config.judge import JudgeConfig
from goldsmith.errors import DataError, UserError
from goldsmith.judge import RecordedJudge, judge_pairs, judges, recorded_models
from goldsmith.judge.agreement import classification_report, cohen_kappa
from goldsmith.judge.recorded import read_verdicts
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


def pandalm(data_dir: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    with gzip.open(data_dir / "humans_pandalm.jsonl.gz", "rt", encoding="utf-8") as stream:
        rows = [json.loads(line) for line in stream]
    entries = json.loads((data_dir / "golden" / "golden.json").read_text(encoding="utf-8"))["entries"]
    return rows, {entry["id"]: entry["expected"] for entry in entries}


def through_the_pipeline(rows: list[dict[str, Any]], model: str) -> tuple[list[str], list[str]]:
    """Labels of the majority and of a judge, as 0 (tie), 1, 2, the judge's by way of verdicts and judgements.

    One context per row: two rows of the set may hold the same pair.
    """
    pairs, verdicts, ones = [], [], []
    for row in rows:
        meta = row["meta"]
        swap = meta["chosen_was"] == "response_2"
        replies = [row["rejected"], row["chosen"]] if swap else [row["chosen"], row["rejected"]]
        if replies[0] == replies[1]:
            replies[1] += " "
        pair = Pair.from_replies(
            [{"role": "user", "content": f"{row['id']} {row['prompt'][0]['content']}"}], replies[0], replies[1]
        )
        one, two = ("first", "second") if pair.first == replies[0] else ("second", "first")
        verdict = meta["judges"][model]["verdict"]
        choice = None if verdict is None else ["tie", one, two][verdict]
        failure = "garbage" if verdict is None else None
        verdicts.append(
            Verdict(pair_id=pair.pair_id, model=model, sample=0, shown_order=[one, two], choice=choice, failure=failure)
        )  # type: ignore[arg-type, list-item]
        pairs.append(pair)
        ones.append(one)
    run = judge_pairs(pairs, None, [RecordedJudge(name=model, verdicts=tuple(verdicts))], JudgeConfig(), seed=0)
    assert len(run.judgements) + run.unjudged == len(rows)
    choices = {judgement.pair_id: judgement.choice for judgement in run.judgements}
    predicted = []
    for pair, one in zip(pairs, ones, strict=True):
        choice = choices.get(pair.pair_id)
        predicted.append("failed" if choice is None else "0" if choice == "tie" else "1" if choice == one else "2")
    return [str(row["meta"]["majority"]) for row in rows], predicted


@pytest.mark.parametrize("model", ["gpt-3.5-turbo", "pandalm-7b"])
def test_pandalm_judges_reproduce_the_reference(data_dir: Path, model: str) -> None:
    rows, golden = pandalm(data_dir)
    truth, predicted = through_the_pipeline(rows, model)
    found = classification_report(truth, predicted, ["0", "1", "2"])
    expected = golden["pandalm-judges-vs-majority"][model]
    assert {name: round(getattr(found, name), 4) for name in expected} == expected
    assert predicted.count("failed") == {"gpt-3.5-turbo": 25, "pandalm-7b": 0}[model]


def test_pandalm_annotators_agree_as_published(data_dir: Path) -> None:
    rows, golden = pandalm(data_dir)
    for name, expected in golden["pandalm-annotator-kappa"]["cohen_kappa_unweighted_3class"].items():
        one, other = (int(part) - 1 for part in name.split("-"))
        kappa = cohen_kappa([row["meta"]["votes"][one] for row in rows], [row["meta"]["votes"][other] for row in rows])
        assert kappa is not None
        assert round(kappa, 4) == expected
