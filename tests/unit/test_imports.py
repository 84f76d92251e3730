"""Imports point one way: `types` and `config` at the bottom, `cli` at the top; a room never imports one above it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "goldsmith"
LEVELS = [
    {"types", "errors", "identity", "config", "version", "progress", "wire"},
    {"store", "llm", "models", "client"},
    {"pool", "benchdata", "reward", "retrieve", "gold", "sandbox"},
    {"attributes", "judge", "train", "evaluate", "export"},
    {"curate"},
    {"annotate", "serve", "integrations"},
    {"cli", "__main__"},
]
LEVEL = {room: level for level, rooms in enumerate(LEVELS) for room in rooms}
FILES = sorted(path for path in SOURCE.rglob("*.py") if path != SOURCE / "__init__.py")


def _room(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def _imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Rooms that a file imports, and whether it is only for type checkers."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    only_types = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.dump(block.test)
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        names = [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        for name in names:
            parts = name.split(".")
            if parts[0] == "goldsmith" and len(parts) > 1:
                yield parts[1], id(node) in only_types


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_room_imports_only_its_own_level_and_below(path: Path) -> None:
    own = LEVEL[_room(path)]
    above = [room for room, only_types in _imports(path) if not only_types and LEVEL[room] > own]
    assert above == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_nothing_is_read_or_written_by_a_format_that_can_run_code(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    assert not imported & {"pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}


def test_every_room_has_a_level() -> None:
    assert {_room(path) for path in FILES} <= LEVEL.keys()
