from __future__ import annotations

from pathlib import Path

import pytest

from goldsmith.reward.tiny import write_tiny_model
from goldsmith.types import Pair

WORDS = ["red", "blue", "green", "black", "white", "pink", "grey", "gold"]


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random Llama chat model."""
    return write_tiny_model(tmp_path_factory.mktemp("tiny"), seed=3)


@pytest.fixture
def pairs() -> list[Pair]:
    """Twelve pairs of six contexts; the polite reply is the better one."""
    made = []
    for index, word in enumerate(WORDS[:6]):
        context = [{"role": "user", "content": f"Say {word}."}]
        made.append(Pair.from_replies(context, f"{word}, please!", word))
        made.append(Pair.from_replies(context, f"{word}, please!", f"no {index}"))
    return made
