"""An annotation room over HTTP, for every test of the server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from annotation_site import Site, make_site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = make_site(tmp_path / "annotation.db")
    yield made
    made.here.room.close()
