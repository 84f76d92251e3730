"""The database: what is made anew and what is brought up to date has one shape; what cannot be used is named."""

from __future__ import annotations

import sqlite3
from importlib.resources import files
from pathlib import Path

import pytest
import sqlalchemy as sa

from goldsmith.errors import StoreError, UserError
from goldsmith.gold.database import HEAD, Database
from goldsmith.gold.schema import METADATA
from goldsmith.gold.votes import VoteStore
from goldsmith.types import Vote


def _shape(engine: sa.Engine) -> dict[str, tuple[set[str], set[str | None]]]:
    found = sa.inspect(engine)
    return {
        name: ({column["name"] for column in found.get_columns(name)}, {index["name"] for index in found.get_indexes(name)})
        for name in found.get_table_names()
        if name != "alembic_version"
    }


def test_migrations_make_what_the_schema_says(tmp_path: Path) -> None:
    database = Database(tmp_path / "a.db")
    by_schema = sa.create_engine("sqlite://")
    METADATA.create_all(by_schema)
    assert _shape(database.engine) == _shape(by_schema)
    database.close()


def test_the_head_is_the_newest_migration() -> None:
    names = [
        entry.name for entry in files("goldsmith.gold").joinpath("migrations", "versions").iterdir() if entry.name.startswith("v")
    ]
    assert max(name[1:5] for name in names) == HEAD


def test_votes_of_before_the_migrations_are_kept(tmp_path: Path) -> None:
    # The two tables as earlier versions made them.
    old = sqlite3.connect(tmp_path / "a.db")
    old.execute(
        "CREATE TABLE votes (vote_id VARCHAR(64) PRIMARY KEY, pair_id VARCHAR(32) NOT NULL, annotator VARCHAR(200) NOT NULL, round VARCHAR(16) NOT NULL, recorded BOOLEAN NOT NULL, record TEXT NOT NULL)"
    )
    old.execute("CREATE INDEX ix_votes_pair_id ON votes (pair_id)")
    old.execute(
        "CREATE TABLE queue (pair_id VARCHAR(32) PRIMARY KEY, batch VARCHAR(64) NOT NULL, position INTEGER NOT NULL, record TEXT NOT NULL)"
    )
    vote = Vote(vote_id="v1", pair_id="p1", annotator="ann", round="first", choice="tie")
    old.execute("INSERT INTO votes VALUES ('v1', 'p1', 'ann', 'first', 0, ?)", [vote.model_dump_json()])
    old.execute("""INSERT INTO queue VALUES ('p1', 'seed', 0, '{"pair_id":"p1"}')""")
    old.commit()
    old.close()
    store = VoteStore(tmp_path / "a.db")
    assert store.votes_of(["p1"]) == {"p1": [vote]}
    store.fill_queue("seed", [{"pair_id": "p1"}])
    assert store.queue() == [{"batch": "seed", "pair_id": "p1"}]
    store.close()


def test_a_database_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    Database(tmp_path / "a.db").close()
    with sqlite3.connect(tmp_path / "a.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match="newer Goldsmith"):
        Database(tmp_path / "a.db")


@pytest.mark.parametrize(("url", "told"), [("no url", "is no database URL"), ("mysql://x/y", "'mysql' is not supported")])
def test_urls_that_are_none(url: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        Database(url)


def test_a_server_that_is_not_there_is_named_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_VOTES", "open-sesame")
    with pytest.raises(StoreError, match="'votes' cannot be reached") as caught:
        Database("postgresql://me:$SECRET_OF_VOTES@127.0.0.1:1/votes")
    assert "open-sesame" not in str(caught.value)
