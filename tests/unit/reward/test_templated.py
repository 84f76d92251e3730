"""Text that other programs rendered gives the ids of its messages, whatever they did to its ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from goldsmith.errors import DataError
from goldsmith.reward.checkpoint import load_tokenizer
from goldsmith.reward.render import Renderer
from goldsmith.reward.templated import Templated

CONVERSATIONS = [
    [{"role": "user", "content": "What is 2 + 2?"}, {"role": "assistant", "content": "4"}],
    [{"role": "user", "content": "a"}, {"role": "assistant", "content": " b \n"}],
    [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Grüße 🙂"},
        {"role": "assistant", "content": "one"},
        {"role": "user", "content": "more"},
        {"role": "assistant", "content": "two\n\nlines"},
    ],
]


def _both(folder: Path) -> tuple[Renderer, Templated]:
    renderer = Renderer(load_tokenizer(folder), model_max_length=512)
    return renderer, Templated(renderer)


@pytest.mark.parametrize("turns", CONVERSATIONS)
def test_rendered_text_gives_the_ids_of_its_messages(tiny_rm: Path, turns: list[dict[str, Any]]) -> None:
    renderer, templated = _both(tiny_rm)
    expected = tuple(renderer.tokenizer.apply_chat_template(turns, tokenize=True, return_dict=False))
    text = renderer.tokenizer.apply_chat_template(turns, tokenize=False)
    assert templated.render(text).ids == expected
    assert renderer.render(turns[:-1], turns[-1]["content"]).ids == expected
    # Without the newline after the turn, without the end of the turn, without the BOS, with a second one.
    for changed in (text.removesuffix("\n"), text.removeprefix("<|im_start|>"), "<|im_start|>" + text):
        assert templated.render(changed).ids == expected
    if not turns[-1]["content"].endswith("\n"):
        assert templated.render(text.removesuffix("<|im_end|>\n")).ids == expected


def test_token_ids_have_one_bos_too(tiny_rm: Path) -> None:
    renderer, templated = _both(tiny_rm)
    ids = list(renderer.render(CONVERSATIONS[0][:1], "4").ids)
    bos = ids[0]
    assert renderer.leading_bos == bos
    for changed in (ids, [bos, *ids], ids[1:]):
        assert list(templated.ids(changed).ids) == ids


def test_a_template_that_ends_without_a_newline(tiny_rm: Path, tmp_path: Path, ends_in_end_token: Any) -> None:
    renderer, templated = _both(ends_in_end_token(tiny_rm, tmp_path / "model"))
    text = renderer.tokenizer.apply_chat_template(CONVERSATIONS[0], tokenize=False)
    expected = renderer.render(CONVERSATIONS[0][:1], "4").ids
    for changed in (text, text + "\n", text.removesuffix("<|im_end|>")):
        assert templated.render(changed).ids == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("What is 2 + 2? 4", "no text rendered by the chat template"),
        ("<|im_start|>user\nx<|im_end|>\n", "no text rendered by the chat template"),
        ("<|im_start|>user\nx<|im_end|>\n<|im_start|>assistant\n", "the reply is empty"),
        ("<|im_start|>user\nx<|im_end|>\n<|im_start|>assistant\n \n<|im_end|>\n", "the reply is empty"),
        ("<|im_start|>assistant\ny<|im_end|>\n<|im_start|>user\nx<|im_end|>\n", "its last turn is not the assistant's"),
    ],
)
def test_text_that_is_no_rendered_conversation(tiny_rm: Path, text: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        _both(tiny_rm)[1].render(text)


def test_what_is_too_long_is_cut_and_counted(tiny_rm: Path) -> None:
    renderer, templated = _both(tiny_rm)
    turns = [{"role": "user", "content": "x" * 600}, {"role": "assistant", "content": "4"}]
    text = renderer.tokenizer.apply_chat_template(turns, tokenize=False)
    found = templated.render(text)
    assert found.ids == renderer.render(turns[:1], "4").ids
    assert (len(found.ids), found.cut > 0, renderer.truncated) == (512, True, 2)
