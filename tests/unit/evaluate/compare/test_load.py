"""Which results are compared: found in folders, each once, rules last; what is no result is named."""

import json
from pathlib import Path

import pytest

from goldsmith.errors import UserError
from goldsmith.evaluate.compare.load import load


def test_models_come_before_rules_in_the_order_given(evaluation: Path) -> None:
    found = load([evaluation])
    assert [model.name for model in found] == ["judge", "org/good", "org/twin", "weak", "the longer reply wins", "random scores"]
    assert [model.is_baseline for model in found] == [False] * 4 + [True] * 2


def test_single_models_and_whole_evaluations_mix_without_repetition(evaluation: Path) -> None:
    weak = next(folder for folder in (evaluation / "models").iterdir() if "weak" in folder.name)
    found = load([weak, evaluation, evaluation / "models"])
    assert [model.name for model in found][:2] == ["weak", "judge"]
    assert len(found) == 6


def test_two_results_of_one_name_are_two_rows_and_a_rule_is_one(evaluation: Path, tmp_path: Path) -> None:
    for folder in (evaluation / "models").iterdir():
        copy = tmp_path / "models" / folder.name
        copy.mkdir(parents=True)
        for file in folder.iterdir():
            (copy / file.name).write_bytes(file.read_bytes())
    names = [model.name for model in load([evaluation, tmp_path])]
    assert names.count("org/good") == names.count("org/good (2)") == 1
    assert names.count("the longer reply wins") == 1


@pytest.mark.parametrize("what", ["nowhere", "empty", "half", "broken", "future"])
def test_what_is_no_result_is_named(evaluation: Path, tmp_path: Path, what: str) -> None:
    folder = tmp_path / what
    if what != "nowhere":
        folder.mkdir()
    if what in ("half", "broken", "future"):
        source = next((evaluation / "models").iterdir())
        text = (source / "result.json").read_text("utf-8")
        if what == "future":
            text = json.dumps({**json.loads(text), "schema_version": 99})
        (folder / "result.json").write_text(text[:200] if what == "broken" else text, encoding="utf-8")
    with pytest.raises(UserError, match=what) as failure:
        load([folder])
    assert "goldsmith eval" in str(failure.value)


def test_nothing_given() -> None:
    with pytest.raises(UserError, match="no results to compare"):
        load([])
