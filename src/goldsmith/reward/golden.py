"""Golden scores: conversations with the rewards a model gives them in float32, which travel with it in `golden_scores.jsonl`.

Whatever computes the model elsewhere (another runtime, another server, another machine) is checked against them. Each row holds the
messages, the text and the token ids of their rendering, so that it can be sent to a server in whichever form that takes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from goldsmith.errors import DataError, UserError
from goldsmith.store.atomic import write_bytes

if TYPE_CHECKING:
    from goldsmith.reward.model import RewardModel

GOLDEN = "golden_scores.jsonl"

_USER, _ASSISTANT = "user", "assistant"
_LONG = " ".join(
    f"Item {number}: measure {number * 7 % 11} grams, stir, and wait {number % 5 + 1} minutes." for number in range(1, 41)
)
_TURNS: tuple[tuple[str, ...], ...] = (
    ("What is 2 + 2?", "4"),
    ("What is 2 + 2?", "It is 5, without any doubt."),
    ("What is 2 + 2?", "2 + 2 equals 4: two and two more make four."),
    ("Name three primary colours.", "Red, yellow and blue."),
    ("Name three primary colours.", "Table, chair, lamp."),
    ("Write a haiku about rain.", "Grey light on the roof,\nthe gutters begin to sing,\nthe garden listens."),
    ("Translate 'good morning' into German and Japanese.", "Guten Morgen; おはようございます。"),
    ("Reverse a string in Python.", "```python\ndef reverse(text: str) -> str:\n    return text[::-1]\n```"),
    ("Reverse a string in Python.", "Use a loop. 🙂"),
    ("Tell me a fact about the sea.", "It is salty.", "And another one?", "Its deepest known place lies about 11 km down."),
    ("Tell me a fact about the sea.", "It is salty.", "And another one?", "No."),
    ("Summarise these steps.\n" + _LONG, "Weigh, stir and wait, forty times over."),
    ("Give me forty steps.", _LONG),
)
"""Our own texts, of several lengths, turns and scripts; user and assistant in turn."""


class GoldenScore(BaseModel):
    """One row of `golden_scores.jsonl`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    messages: list[dict[str, Any]] = Field(min_length=2)
    text: str = Field(min_length=1)
    ids: list[int] = Field(min_length=2)
    score: FiniteFloat


def standard_conversations() -> list[list[dict[str, str]]]:
    """Return the conversations that are scored when the caller has none of his own."""
    return [[{"role": (_USER, _ASSISTANT)[index % 2], "content": text} for index, text in enumerate(turns)] for turns in _TURNS]


def golden_scores(model: RewardModel, conversations: Sequence[Sequence[Mapping[str, Any]]] | None = None) -> list[GoldenScore]:
    """Return golden scores of a model that was loaded in float32.

    Args:
        model: its rewards are the golden ones.
        conversations: each ending in an assistant turn; none: `standard_conversations`. One that is longer than the model's maximum is
            left out, as its text would not say what was scored.

    Raises:
        UserError: the model computes in another arithmetic, or every conversation is too long.
        DataError: a conversation cannot be scored.
    """
    from goldsmith.reward.model import as_reply

    if str(model.trunk.dtype) != "torch.float32":
        raise UserError(f"golden scores are float32, and the model computes in {model.trunk.dtype}; load it with dtype float32")
    chosen = [list(map(dict, turns)) for turns in (standard_conversations() if conversations is None else conversations)]
    replies = [as_reply(turns, f"conversation {index}") for index, turns in enumerate(chosen)]
    rendered = [model.render(reply) for reply in replies]
    kept = [index for index, item in enumerate(rendered) if not item.cut]
    if not kept:
        raise UserError(f"every conversation is longer than {model.renderer.max_length} tokens; give shorter ones")
    scores = model.score_replies([replies[index] for index in kept])
    template = model.renderer.tokenizer.apply_chat_template
    return [
        GoldenScore(
            messages=chosen[index], text=str(template(chosen[index], tokenize=False)), ids=list(rendered[index].ids), score=score
        )
        for index, score in zip(kept, scores, strict=True)
    ]


def write_golden(folder: Path, rows: Sequence[GoldenScore]) -> Path:
    """Write golden scores into a model's folder and return the file."""
    path = folder / GOLDEN
    write_bytes(path, "".join(row.model_dump_json() + "\n" for row in rows).encode())
    return path


def read_golden(path: Path) -> list[GoldenScore]:
    """Return the rows of a file, or of the file in a model's folder.

    Raises:
        UserError: there is no such file.
        DataError: it is empty, or a row is no golden score.
    """
    path = path / GOLDEN if path.is_dir() else path
    if not path.is_file():
        raise UserError(f"{path}: no such file; `goldsmith models golden MODEL` writes it")
    rows = []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            rows.append(GoldenScore.model_validate_json(line))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            raise DataError(
                f"{path}:{number}: no golden score ({'.'.join(map(str, first['loc']))}: {first['msg']}); "
                "write the file again with `goldsmith models golden MODEL`"
            ) from None
    if not rows:
        raise DataError(f"{path}: holds no golden scores; write the file again with `goldsmith models golden MODEL`")
    return rows
