from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from goldsmith.config import GoldsmithConfig
from goldsmith.config.rounds import RoundsConfig
from goldsmith.curate.context import Context
from goldsmith.curate.step import Step, fingerprint_of, read_marker, run_steps
from goldsmith.progress import Progress
from goldsmith.store import Workspace

SCHEMA = pa.schema([("n", pa.int64())])


def _context(root: Path, **config: Any) -> Context:
    return Context(Workspace(root, GoldsmithConfig(**config)), root / "runs" / "1", Progress())


def _writes(table: str, value: int) -> Any:
    def run(context: Context, fingerprint: str) -> dict[str, Any]:
        with context.workspace.writer(table, step=table, fingerprint=fingerprint) as out:
            out.write_rows([{"n": value}], SCHEMA)
        return {"value": value}

    return run


def _steps(first: int = 1) -> list[Step]:
    return [
        Step(name="one", title="One", run=_writes("one", first), writes=["one"], version=first),
        Step(name="two", title="Two", run=_writes("two", 2), reads=["one"], sections=["rounds"], writes=["two"]),
    ]


def test_what_is_up_to_date_is_not_run_again(tmp_path: Path) -> None:
    assert run_steps(_context(tmp_path), _steps()) == ["one", "two"]
    assert run_steps(_context(tmp_path), _steps()) == []


def test_a_change_reruns_the_step_and_what_reads_its_table(tmp_path: Path) -> None:
    run_steps(_context(tmp_path), _steps())
    assert run_steps(_context(tmp_path), _steps(first=5)) == ["one", "two"]
    assert run_steps(_context(tmp_path, rounds=RoundsConfig(count=7)), _steps(first=5)) == ["two"]
    assert run_steps(_context(tmp_path, seed=9), _steps(first=5)) == ["one", "two"]


def test_a_lost_table_is_made_again(tmp_path: Path) -> None:
    context = _context(tmp_path)
    run_steps(context, _steps())
    (context.workspace.table("one").path / "manifest.json").unlink()
    assert run_steps(_context(tmp_path), _steps()) == ["one"]


def test_a_step_that_fails_leaves_no_marker_and_keeps_what_came_before(tmp_path: Path) -> None:
    def fail(_context: Context, _fingerprint: str) -> dict[str, Any]:
        raise KeyboardInterrupt

    steps = [_steps()[0], Step(name="bad", title="Bad", run=fail)]
    with pytest.raises(KeyboardInterrupt):
        run_steps(_context(tmp_path), steps)
    workspace = _context(tmp_path).workspace
    assert read_marker(workspace, "bad") is None
    assert read_marker(workspace, "one") is not None


def test_facts_are_kept_with_the_run_also_when_the_step_is_skipped(tmp_path: Path) -> None:
    run_steps(_context(tmp_path), _steps())
    later = Context(_context(tmp_path).workspace, tmp_path / "runs" / "2", Progress())
    run_steps(later, _steps())
    assert later.workspace.read_facts(tmp_path / "runs" / "2", "one") == {"value": 1}


def test_the_fingerprint_reads_only_what_is_named(tmp_path: Path) -> None:
    one, two = _steps()
    before = fingerprint_of(_context(tmp_path), one)
    assert fingerprint_of(_context(tmp_path, rounds=RoundsConfig(count=7)), one) == before
    assert fingerprint_of(_context(tmp_path, rounds=RoundsConfig(count=7)), two) != fingerprint_of(_context(tmp_path), two)


def test_a_step_that_changes_its_own_inputs_is_not_run_again_for_that(tmp_path: Path) -> None:
    added: list[str] = []

    def add(_context: Context, _fingerprint: str) -> dict[str, Any]:
        added.append("source")
        return {}

    step = Step(name="add", title="Add", run=add, extra=lambda _context: list(added))
    assert run_steps(_context(tmp_path), [step]) == ["add"]
    assert run_steps(_context(tmp_path), [step]) == []
    added.append("from elsewhere")
    assert run_steps(_context(tmp_path), [step]) == ["add"]
