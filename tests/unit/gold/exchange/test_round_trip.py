"""What goes out comes back: pairs, all raters, ties, strengths, and everything else of a vote, in every format."""

import csv
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from exchange_items import REASONS, item, items, vote
from goldsmith.gold.exchange import csv_file
from goldsmith.gold.exchange.formats import HOMES, format_named, recognised
from goldsmith.gold.exchange.item import Item, Read, Suggestion

NAMES = {
    "jsonl": "v.jsonl",
    "csv": "v.csv",
    "parquet": "v.parquet",
    "label-studio": "v.json",
    "argilla": "argilla-out",
    "potato": "potato-out",
}
HOLDS_SUGGESTIONS = ("jsonl", "csv", "parquet")


def _there_and_back(name: str, known: list[Item], folder: Path) -> Read:
    path = folder / NAMES[name]
    chosen = format_named(name)
    chosen.write(known, path, 0)
    assert recognised(path) in (name, "recorded")
    return chosen.read(path)


def _by_rater(one: Item) -> dict[str, list[object]]:
    found: dict[str, list[object]] = {}
    for given_vote in one.votes:
        found.setdefault(given_vote.annotator, []).append(given_vote)
    return found


@pytest.mark.parametrize("name", HOMES)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(known=items())
def test_every_pair_and_vote_comes_back_as_it_was(name: str, known: list[Item]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = _there_and_back(name, known, Path(folder))
    assert (found.dropped, found.edited) == ({}, [])
    back = {one.pair_id: one for one in found.items}
    assert back.keys() == {one.pair_id for one in known}
    for one in known:
        assert back[one.pair_id].pair == one.pair
        # A tool that knows raters may list them in another order; each rater's votes keep theirs.
        assert _by_rater(back[one.pair_id]) == _by_rater(one)
        assert back[one.pair_id].attributes == one.attributes
        if name in HOLDS_SUGGESTIONS:
            assert back[one.pair_id].suggestions == one.suggestions


@pytest.mark.parametrize("name", HOMES)
def test_what_the_other_side_cannot_hold_is_counted(name: str, tmp_path: Path) -> None:
    said = (Suggestion(model="judges", choice="second", p_first=0.2), Suggestion(model="best-rm", choice="first", margin=1.5))
    one = item(suggestions=said)
    first = vote(one.pair_id, tools=[{"tool": "search", "input": "q", "at": "now"}])
    again = vote(one.pair_id, 1, vote_id="again", round="retest", choice="tie", strength=0)
    one = Item(pair_id=one.pair_id, pair=one.pair, suggestions=said, votes=(first, again))
    held = format_named(name).write([one], tmp_path / NAMES[name], 0)
    # Argilla has room for one suggestion a question, Potato for none; both for one answer of a rater to an item.
    assert dict(held.not_held) == {"argilla": {"suggestions": 1}, "potato": {"suggestions": 2}}.get(name, {})
    if name in ("label-studio", "argilla", "potato"):
        assert (held.carried["tools"], held.carried["vote_id"], held.carried["round"]) == (1, 2, 1)
        assert held.carried["votes"] == (0 if name == "label-studio" else 1)
    else:
        assert not held.carried


@pytest.mark.parametrize("name", ["label-studio", "argilla", "potato"])
def test_an_answer_that_was_changed_there_is_named_and_not_taken(name: str, tmp_path: Path) -> None:
    one = item()
    one = Item(pair_id=one.pair_id, pair=one.pair, votes=(vote(one.pair_id, choice="first"),))
    path = tmp_path / NAMES[name]
    format_named(name).write([one], path, 0)
    file = {"argilla": path / "records.json", "potato": path / "annotation_output" / "ann-1" / "user_state.json"}.get(name, path)
    changed = file.read_text().replace("it is right", "on second thought")
    # The rationale that is shown is changed, and the vote that rides along is not.
    file.write_text(
        changed.replace('"rationale": "on second thought"', '"rationale": "it is right"').replace(
            '\\"rationale\\":\\"on second thought', '\\"rationale\\":\\"it is right'
        )
    )
    found = format_named(name).read(path)
    assert found.edited == [one.votes[0].vote_id]
    assert found.items[0].votes == one.votes


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠", "'="])
def test_a_spreadsheet_finds_no_formula_in_a_csv(sign: str, tmp_path: Path) -> None:
    evil = f'{sign}HYPERLINK("http://evil.example")'
    one = item("q", evil, "b")
    one = Item(pair_id=one.pair_id, pair=one.pair, votes=(vote(one.pair_id, annotator=evil, rationale=evil),))
    csv_file.write([one], tmp_path / "v.csv", 0)

    with (tmp_path / "v.csv").open(encoding="utf-8", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert sum("HYPERLINK" in cell for cell in cells) == 3
    assert not any(cell.startswith(sign) for cell in cells)
    assert csv_file.read(tmp_path / "v.csv").items == [one]


@pytest.mark.parametrize("name", HOMES)
def test_writing_twice_gives_the_same_bytes(name: str, tmp_path: Path) -> None:
    one = item(votes=(vote(item().pair_id), vote(item().pair_id, 2, choice="discard", strength=0, reason=REASONS[3])))
    written = []
    for folder in ("one", "two"):
        path = tmp_path / folder / NAMES[name]
        path.parent.mkdir()
        format_named(name).write([one], path, 3)
        written.append({str(f.relative_to(path.parent)): f.read_bytes() for f in sorted(path.parent.rglob("*")) if f.is_file()})
    assert written[0] == written[1]
