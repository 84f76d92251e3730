"""The neighbours' own packages read what we write, and we read what they write.

Each check runs in a Python that has the package: this one, or the one that GOLDSMITH_<NAME>_PYTHON names (their pins do not go together with ours).
"""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from exchange_items import item, vote
from goldsmith.gold.exchange import argilla, label_studio, potato
from goldsmith.gold.exchange.item import Item, Suggestion, user_uuid
from goldsmith.types import Vote

CHECKS = Path(__file__).parents[3] / "support" / "neighbours"
JUDGES = Suggestion(model="judges", choice="second", p_first=0.2)
MARGIN = Suggestion(model="best-rm", choice="first", margin=1.5)
TIE = Suggestion(model="gold-rm", choice="tie", margin=0.0)


def _items() -> list[Item]:
    plain, other = item("Which?", "blue  \n", "<b>red</b>"), item("你好", "=1+1", "'x'")
    votes: tuple[Vote, ...] = (
        vote(plain.pair_id, 1, choice="first", strength=2, tools=[{"tool": "search", "input": "q", "at": "now"}]),
        vote(plain.pair_id, 2, choice="second", strength=1, confidence=1, rationale="two\nlines"),
        vote(plain.pair_id, 3, choice="tie", strength=0, rationale=""),
        vote(plain.pair_id, 4, choice="discard", strength=0, reason="both-harmful"),
        vote(plain.pair_id, 5, choice="discard", strength=0, reason="a reason of our own", round="expert"),
    )
    with_votes = Item(pair_id=plain.pair_id, pair=plain.pair, votes=votes, suggestions=(JUDGES, MARGIN, TIE))
    return [with_votes, Item(pair_id=other.pair_id, pair=other.pair, attributes={"task": "math/proof"})]


def _run(package: str, script: str, *arguments: Path) -> dict[str, Any]:
    """What a check prints; the test is skipped where no Python has the package."""
    variable = f"GOLDSMITH_{script.upper()}_PYTHON"
    python = os.environ.get(variable) or (sys.executable if importlib.util.find_spec(package) else None)
    if python is None:
        pytest.skip(f"the package {package} is not installed here, and {variable} names no Python that has it")
    command = [python, str(CHECKS / f"{script}_check.py"), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.strip().splitlines()[-1])
    assert isinstance(found, dict)
    return found


def test_label_studios_own_validation_accepts_tasks_votes_and_suggestions(tmp_path: Path) -> None:
    path = tmp_path / "tasks.json"
    label_studio.write(_items(), path, 0)
    found = _run("label_studio_sdk", "label_studio", path, label_studio.config_path(path))
    assert (found["tasks"], found["bad"]) == (2, [])


def test_argilla_reads_our_folder_and_we_read_what_it_writes(tmp_path: Path) -> None:
    known = _items()
    argilla.write(known, tmp_path / "pairs", 0)
    found = _run("argilla", "argilla", tmp_path / "pairs", tmp_path)
    # Every one of five people ranks (5) and says how sure they are (5); four give a reason in words; two name a strength; two discard.
    assert (found["records"], found["responses"], found["suggestions"]) == (2, 5 + 5 + 4 + 2 + 2, 1)
    assert (found["dataset"], found["fields"]) == ("pairs", ["prompt", "response_1", "response_2"])
    assert list(found["questions"]) == ["preference", "strength", "confidence", "rationale", "discard"]
    for name in ("nested.json", "flat.json"):
        back = {one.pair_id: one for one in argilla.read(tmp_path / name).items}
        for one in known:
            assert (back[one.pair_id].pair, set(map(str, back[one.pair_id].votes))) == (one.pair, set(map(str, one.votes)))


def test_what_people_answer_in_argilla_becomes_votes_of_the_pairs_own_sides(tmp_path: Path) -> None:
    (bare,) = [one for one in _items() if not one.votes]
    record = argilla.record_of(bare, 0)
    user = user_uuid("somebody")
    shown_first = record["metadata"]["shown_order"].split(",")[0]
    ranking = [{"value": "response_1", "rank": 2}, {"value": "response_2", "rank": 1}]
    record["responses"] = {"preference": [{"value": ranking, "user_id": user}]}
    (tmp_path / "r.json").write_text(json.dumps([record]))
    (given,) = argilla.read(tmp_path / "r.json").items[0].votes
    assert (given.choice != shown_first, given.annotator, given.shown_order[0]) == (True, f"argilla:{user}", shown_first)


def test_potato_accepts_our_configuration_and_reads_our_annotations(tmp_path: Path) -> None:
    known = _items()
    potato.write(known, tmp_path / "task", 0)
    found = _run("potato", "potato", tmp_path / "task")
    assert found["items"] == [one.pair_id for one in known]
    labels = {one["user"]: one["labels"] for one in found["annotations"]}
    shown = potato.row_of(known[0], 0)["shown_order"].split(",")
    assert labels["ann-1"]["preference"] == {"selection": "A" if shown[0] == "first" else "B"}
    assert labels["ann-3"]["preference"] == {"selection": "tie"}
    assert list(labels["ann-4"]["discard"]) == ["both-harmful"]
    assert labels["ann-2"]["rationale"] == {"text_box": "two\nlines"}
