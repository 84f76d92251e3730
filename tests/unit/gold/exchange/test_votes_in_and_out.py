import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from goldsmith.config import GoldsmithConfig
from goldsmith.errors import DataError, StoreError
from goldsmith.gold import export_queue, import_votes
from goldsmith.gold.exchange import read_votes
from goldsmith.gold.split import split_of
from goldsmith.gold.votes import VoteStore
from goldsmith.store import Workspace

VOTE = {"vote_id": "v1", "pair_id": "p1", "annotator": "ann", "round": "first", "choice": "first"}


def _file(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def _row(votes: list[int], chosen_was: str = "response_2") -> dict[str, Any]:
    meta = {"votes": votes, "chosen_was": chosen_was, "is_tie": False}
    return {"id": "r1", "prompt": [{"role": "user", "content": "q"}], "chosen": "b", "rejected": "a", "meta": meta}


def test_recorded_numbers_become_the_pairs_own_sides(tmp_path: Path) -> None:
    found = read_votes(_file(tmp_path / "v.jsonl", _row([2, 1, 0])))
    # chosen "b" was response 2 and sorts second: a vote of 2 is for `second`, a vote of 1 for `first`.
    assert [vote.choice for vote in found.votes] == ["second", "first", "tie"]
    assert found.pairs[0].label == "second"


def test_rows_without_two_replies_are_counted(tmp_path: Path) -> None:
    found = read_votes(_file(tmp_path / "v.jsonl", _row([2, 2, 2]), {**_row([1, 1, 1]), "chosen": ""}))
    assert (found.num_rows, len(found.pairs), found.dropped) == (2, 1, {"empty-or-identical-replies": 1})


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "no votes in it"),
        (b"{oops", r"v\.jsonl:1: not JSON"),
        (b"[1]", r"v\.jsonl:1: expected an object"),
        (b'{"a": 1}', "neither a vote record"),
        (json.dumps({**VOTE, "choice": "left"}).encode(), "vote 'v1': field 'choice'"),
        (b"\xff\xfe", "not UTF-8"),
    ],
)
def test_bad_files_are_named(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "v.jsonl").write_bytes(content)
    with pytest.raises(DataError, match=told):
        read_votes(tmp_path / "v.jsonl")


def test_broken_gzip_and_missing_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "v.jsonl.gz").write_bytes(gzip.compress(b"x" * 1000)[:20])
    with pytest.raises(DataError, match="broken gzip"):
        read_votes(tmp_path / "v.jsonl.gz")
    with pytest.raises(DataError, match="no such file"):
        read_votes(tmp_path / "none.jsonl")


def test_importing_twice_adds_nothing_and_the_queue_shrinks(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, GoldsmithConfig())
    store = VoteStore(workspace.annotation_db)
    store.fill_queue("seed", [{"pair_id": "p1"}, {"pair_id": "p2"}])
    store.fill_queue("seed", [{"pair_id": "p1"}, {"pair_id": "p2"}])
    store.close()
    votes = _file(tmp_path / "v.jsonl", *({**VOTE, "vote_id": f"v{n}", "annotator": f"n{n}"} for n in range(3)))
    assert import_votes(workspace, votes)["new"] == 3
    assert import_votes(workspace, votes)["new"] == 0
    assert export_queue(workspace, tmp_path / "q.jsonl") == {"pairs": 1}
    assert json.loads((tmp_path / "q.jsonl").read_text())["pair_id"] == "p2"


def test_the_split_is_by_context_and_about_60_20_20() -> None:
    found = [split_of(f"context-{n}") for n in range(5000)]
    shares = [found.count(part) / 5000 for part in ("train", "validation", "audit")]
    assert shares == pytest.approx([0.6, 0.2, 0.2], abs=0.03)
    assert split_of("context-1") == split_of("context-1")


def test_votes_on_pairs_nobody_asked_about_are_told_apart(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, GoldsmithConfig())
    store = VoteStore(workspace.annotation_db)
    store.fill_queue("seed", [{"pair_id": "asked"}])
    store.close()
    votes = [
        {"vote_id": name, "pair_id": name, "annotator": "a", "round": "first", "choice": "first"} for name in ("asked", "askde")
    ]
    (tmp_path / "v.jsonl").write_text("".join(json.dumps(vote) + "\n" for vote in votes))
    found = import_votes(workspace, tmp_path / "v.jsonl")
    assert (found["new"], found["not_asked_for"]) == (2, 1)


def test_a_file_of_votes_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "annotation.db").write_text("no database " * 100)
    with pytest.raises(StoreError, match=r"annotation\.db: the votes cannot be read or written"):
        VoteStore(tmp_path / "annotation.db")
