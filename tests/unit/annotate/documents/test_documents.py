"""Documents from files to passages that are found: what is read, what is refused by name, what replaces what."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from goldsmith.annotate.documents import DocumentIndex, add_documents, list_documents, remove_documents
from goldsmith.annotate.documents.excerpt import excerpt
from goldsmith.annotate.documents.index import MOST_RANKED
from goldsmith.annotate.documents.passages import passages_of
from goldsmith.annotate.documents.reading import read_document
from goldsmith.annotate.documents.terms import terms_of_query
from goldsmith.cli.main import run
from goldsmith.errors import DataError, StoreError, UserError
from goldsmith.store import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "goldsmith.toml").write_text("", encoding="utf-8")
    return Workspace(tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inside = tmp_path / "docs"
    (inside / "deep").mkdir(parents=True)
    (inside / "moon.md").write_text(
        "# The Moon\n\nThe Moon orbits the Earth in 27.3 days.\n\nIts radius is 1737 km.", encoding="utf-8"
    )
    (inside / "deep" / "iron.txt").write_text("Iron melts at 1538 degrees.", encoding="utf-8")
    (inside / "tea.html").write_text(
        "<html><head><title>Tea &amp; time</title><style>p{}</style></head><body><p>Green tea brews at 80 degrees.</p><script>melts()</script></body></html>",
        encoding="utf-8",
    )
    (inside / "picture.png").write_bytes(b"\x89PNG")
    return inside


def _found(workspace: Workspace, question: str) -> list[str]:
    with DocumentIndex(workspace.root / "documents.db") as index:
        return [Path(hit.path).name for hit in index.search(question, 8)]


def test_a_folder_is_added_searched_changed_and_removed(workspace: Workspace, folder: Path) -> None:
    counts = add_documents(workspace, [folder])
    assert counts == {"files": 3, "added": 3, "changed": 0, "unchanged": 0, "empty": 0, "failed": []}
    assert _found(workspace, "IRON melts?") == ["iron.txt"]
    assert _found(workspace, "degrees") == ["iron.txt", "tea.html"] or _found(workspace, "degrees") == ["tea.html", "iron.txt"]
    assert [(Path(row["path"]).name, row["title"]) for row in list_documents(workspace)] == [
        ("iron.txt", "iron"),
        ("moon.md", "The Moon"),
        ("tea.html", "Tea & time"),
    ]
    (folder / "moon.md").write_text("Nothing of the old words.", encoding="utf-8")
    assert (add_documents(workspace, [folder, folder / "moon.md"])["changed"], _found(workspace, "orbits")) == (1, [])
    assert remove_documents(workspace, [folder / "deep"]) == {"removed": 1}
    assert (_found(workspace, "iron"), len(list_documents(workspace))) == ([], 2)
    with sqlite3.connect(workspace.root / "documents.db") as connection:
        assert connection.execute("SELECT count(*) FROM passages").fetchone()[0] == 2


def test_what_cannot_be_read_is_named_and_the_rest_is_added(workspace: Workspace, folder: Path) -> None:
    (folder / "latin.txt").write_bytes(b"caf\xe9")
    (folder / "nul.txt").write_bytes(b"a\x00b")
    (folder / "blank.md").write_text(" \n\n", encoding="utf-8")
    counts = add_documents(workspace, [folder, folder / "picture.png"])
    assert (counts["files"], counts["added"], counts["empty"]) == (7, 3, 1)
    assert sorted(reason.split(": ", 1)[1].split(",")[0] for reason in counts["failed"]) == [
        "'.png' is not read; give text",
        "holds NUL characters",
        "no UTF-8 text (byte 3); convert it",
    ]


def test_paths_that_are_not_there_and_folders_without_text(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no such file"):
        add_documents(workspace, [tmp_path / "nowhere"])
    with pytest.raises(UserError, match="no text, Markdown or HTML"):
        add_documents(workspace, [tmp_path / "empty"])
    with pytest.raises(UserError, match="no document of the index"):
        remove_documents(workspace, [tmp_path / "nowhere"])


@pytest.mark.parametrize("question", ['"', "NEAR(", "a* OR", "terms:x", "-", "…", "^moon", "((((", "moon\x00"])
def test_nothing_in_a_question_is_an_operator(workspace: Workspace, folder: Path, question: str) -> None:
    add_documents(workspace, [folder])
    assert _found(workspace, question) == (["moon.md"] if "moon" in question else [])


def test_chinese_is_found_by_pairs_of_characters(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("月球绕地球公转的周期约为二十七天。", encoding="utf-8")
    (tmp_path / "b.txt").write_text("地方的球场。", encoding="utf-8")
    add_documents(workspace, [tmp_path / "a.txt", tmp_path / "b.txt"])
    assert _found(workspace, "地球") == ["a.txt"]  # b.txt has both characters, but not side by side
    assert sorted(_found(workspace, "球")) == ["a.txt", "b.txt"]
    assert terms_of_query("地球 orbit") == ["orbit", "地球"]


def test_a_word_in_too_many_passages_is_left_out_beside_a_rare_one(tmp_path: Path) -> None:
    with DocumentIndex(tmp_path / "d.db", make=True) as index:
        index.put("many", "many", "0", ["common"] * (MOST_RANKED + 1), 0.0)
        index.put("one", "one", "0", ["common and rare"], 0.0)
        assert [hit.path for hit in index.search("common rare", 5)] == ["one"]
        assert [hit.path for hit in index.search("common", 5)] == ["many"]


def test_bm25_prefers_the_passage_with_the_rarer_word_and_one_passage_a_document(tmp_path: Path) -> None:
    with DocumentIndex(tmp_path / "d.db", make=True) as index:
        index.put("x", "x", "0", ["apple pear", "apple pear plum"], 0.0)
        index.put("y", "y", "0", ["apple quince"], 0.0)
        for number in range(5):
            index.put(f"z{number}", "z", "0", ["apple fig"], 0.0)
        assert next(hit.path for hit in index.search("apple quince", 3)) == "y"
        hits = index.search("pear plum", 3)
        assert [(hit.path, hit.number, hit.passages) for hit in hits] == [("x", 2, 2)]


def test_passages_hold_every_word_and_none_is_too_long() -> None:
    text = "One. " * 300 + "\n\n" + "short" + "\n\n" + "y" * 500 + "\n\n\n" + "Two words. " * 5
    passages = list(passages_of(text, longest=200))
    assert max(map(len, passages)) <= 200
    assert "".join("".join(passages).split()) == "".join(text.split())
    assert list(passages_of("a\n\nb", longest=200)) == ["a\n\nb"]
    assert list(passages_of(" \n \n", longest=200)) == []


def test_html_is_read_as_a_person_sees_it(tmp_path: Path) -> None:
    page = tmp_path / "a.html"
    page.write_text(
        "<title>T</title><body>a<br>b <script>var x = '<p>no</p>'</script><p>c &lt;d&gt;</p><style>q</style>", encoding="utf-8"
    )
    title, text = read_document(page)
    assert (title, text.split()) == ("T", ["a", "b", "c", "<d>"])
    with pytest.raises(DataError, match=r"'\.pdf' is not read"):
        read_document(tmp_path / "a.pdf")


def test_the_excerpt_shows_where_the_words_are() -> None:
    assert excerpt("The Moon orbits.", "moon")[0] == [("The ", False), ("Moon", True), (" orbits.", False)]
    text = "filler " * 200 + "the lunar radius is 1737 km " + "filler " * 200
    pieces, is_whole = excerpt(text, "lunar radius")
    assert [piece for piece, is_hit in pieces if is_hit] == ["lunar", "radius"]
    assert not is_whole
    assert excerpt("地球是圆的", "地球")[0] == [("地球", True), ("是圆的", False)]


def test_files_that_are_no_index(tmp_path: Path) -> None:
    (tmp_path / "bad.db").write_text("not a database " * 100, encoding="utf-8")
    with pytest.raises(StoreError, match="cannot be opened"):
        DocumentIndex(tmp_path / "bad.db")
    DocumentIndex(tmp_path / "new.db", make=True).close()
    with sqlite3.connect(tmp_path / "new.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="newer Goldsmith"):
        DocumentIndex(tmp_path / "new.db")


def test_the_verbs(workspace: Workspace, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def verb(*arguments: str) -> tuple[int, Any]:
        code = run(["annotate", "docs", *arguments, "-w", str(workspace.root), "--json"])
        return code, json.loads(capsys.readouterr().out)

    assert verb("add", str(folder))[1]["added"] == 3
    (folder / "latin.txt").write_bytes(b"caf\xe9")
    code, found = verb("add", str(folder))
    assert (code, found["unchanged"], len(found["failed"])) == (3, 3, 1)  # a partial result
    assert len(verb("list")[1]) == 3
    assert verb("remove", str(folder)) == (0, {"removed": 3})
