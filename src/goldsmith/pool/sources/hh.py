r"""Transcripts as Anthropic's HH wrote them: "\n\nHuman: ... \n\nAssistant: ...", chosen and rejected in full."""

from __future__ import annotations

import re

from goldsmith.pool.sources.draft import Draft, Format, Reject, Row, leftovers

_TURN = re.compile(r"(?:^|\n\n)(Human|Assistant): ?")
_ROLE = {"Human": "user", "Assistant": "assistant"}


def _matches(row: Row) -> bool:
    values = [row.get("chosen"), row.get("rejected")]
    return "prompt" not in row and all(isinstance(value, str) and value.lstrip().startswith("Human:") for value in values)


def _turns(text: str) -> list[Row]:
    """The turns of one transcript; speakers that follow each other are one turn."""
    pieces = _TURN.split(text.strip("\n"))
    turns: list[Row] = []
    for speaker, said in zip(pieces[1::2], pieces[2::2], strict=True):
        if turns and turns[-1]["role"] == _ROLE[speaker]:
            turns[-1]["content"] += f"\n\n{said.strip()}"
        else:
            turns.append({"role": _ROLE[speaker], "content": said.strip()})
    return turns


def _before_last(text: str) -> str:
    return text[: text.rfind("\n\nAssistant:")].strip()


def _read(row: Row) -> list[Draft]:
    chosen, rejected = row["chosen"], row["rejected"]
    if not isinstance(chosen, str) or not isinstance(rejected, str):
        raise Reject("wrong-type", "a transcript is not text")
    chosen, rejected = (text.replace("\r\n", "\n") if "\r" in text else text for text in (chosen, rejected))
    first, second = _turns(chosen), _turns(rejected)
    if not first or not second or first[-1]["role"] != "assistant" or second[-1]["role"] != "assistant":
        raise Reject("no-assistant-turn", "a transcript does not end with a turn of the assistant")
    # Compared as written: speakers may follow themselves, and merging such turns would hide an earlier difference.
    if first[:-1] != second[:-1] or _before_last(chosen) != _before_last(rejected):
        raise Reject("differs-before-last-turn", "chosen and rejected differ before the last turn of the assistant")
    return [
        Draft(
            first[:-1],
            first[-1]["content"],
            second[-1]["content"],
            label_origin="human",
            meta=leftovers(row, ("chosen", "rejected")),
        )
    ]


HH = Format("hh-transcripts", 'chosen, rejected ("\\n\\nHuman: ... \\n\\nAssistant: ...")', _matches, _read)
