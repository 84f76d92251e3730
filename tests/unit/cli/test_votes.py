import json
from pathlib import Path

import pytest

from exchange_items import item, vote
from goldsmith.cli.main import run
from goldsmith.gold.exchange import jsonl
from goldsmith.gold.exchange.item import Item


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "goldsmith.toml").write_text("")
    return tmp_path


def test_votes_in_and_out_with_counts_of_what_is_not_held(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = item()
    votes = (vote(one.pair_id, 1, seconds=3.0), vote(one.pair_id, 1, vote_id="again", round="retest"))
    jsonl.write([Item(pair_id=one.pair_id, pair=one.pair, votes=votes)], workspace / "v.jsonl", 0)
    assert run(["votes", "import", str(workspace / "v.jsonl"), "-w", str(workspace)]) == 0
    assert "2 votes, 2 of them new; 1 pairs came along that were not known" in capsys.readouterr().out
    out = str(workspace / "task")
    assert run(["votes", "export", "-w", str(workspace), "--format", "potato", "-o", out, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["pairs"], found["votes"]) == (1, 2)
    assert found["carried"] == {"round": 1, "seconds": 1, "vote_id": 2, "votes": 1}
    assert run(["votes", "export", "-w", str(workspace), "--format", "potato", "-o", out]) == 0
    assert "kept there and given back, but not shown: 1 round, 1 seconds, 2 vote_id, 1 votes" in capsys.readouterr().out


def test_contradictions_are_a_partial_result(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = item()
    rows = [vote(one.pair_id, 1, vote_id=name, choice=choice).model_dump() for name, choice in (("x", "first"), ("y", "second"))]
    (workspace / "v.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert run(["votes", "import", str(workspace / "v.jsonl"), "-w", str(workspace)]) == 3
    assert "not stored, they contradict each other: " in capsys.readouterr().out


def test_a_wrong_file_ends_with_a_message(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workspace / "v.csv").write_text("first,second\n")
    assert run(["votes", "import", str(workspace / "v.csv"), "-w", str(workspace)]) == 1
    assert "v.csv:1: column 'choice' is missing; found first, second" in capsys.readouterr().err


def test_a_sync_without_an_address_says_what_to_set(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["votes", "sync", "-w", str(workspace)]) == 1
    assert "set annotate.label_studio.url" in capsys.readouterr().err
