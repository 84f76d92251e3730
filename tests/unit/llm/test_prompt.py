import re
from importlib import resources

import pytest

from goldsmith.llm.fence import fence_tag, neutralise
from goldsmith.llm.prompt import Prompt, load_prompt
from goldsmith.llm.shorten import shorten, tokens_of


def names() -> list[str]:
    folder = resources.files("goldsmith.llm").joinpath("prompts")
    return sorted(item.name.removesuffix(".md") for item in folder.iterdir() if item.name.endswith(".md"))


@pytest.mark.parametrize("name", names())
def test_every_prompt_file_has_a_version_and_ends_with_the_user(name: str) -> None:
    prompt = load_prompt(name)
    assert prompt.version >= 1
    assert [role for role, _ in prompt.messages] == [
        "system",
        *(["user", "assistant"] * len(prompt.messages))[: len(prompt.messages) - 1],
    ]
    assert prompt.messages[-1][0] == "user"
    assert all(text for _, text in prompt.messages)


def test_what_fills_a_hole_is_not_read_again() -> None:
    prompt = Prompt(name="x", version=1, messages=(("system", "be good"), ("user", "{{one}} and {{two}}")))
    values = {"one": "{{two}} {one} %s \\1 {{three}}", "two": "$& {{one}}"}
    assert prompt.fill(values) == (("system", "be good"), ("user", "{{two}} {one} %s \\1 {{three}} and $& {{one}}"))


def test_a_hole_that_nothing_fills_is_a_bug() -> None:
    with pytest.raises(KeyError, match="two"):
        Prompt(name="x", version=1, messages=(("user", "{{two}}"),)).fill({"one": ""})


def test_the_digest_names_the_text() -> None:
    one, two = (Prompt(name="x", version=1, messages=(("user", text),)) for text in ("a", "b"))
    assert one.digest != two.digest


@pytest.mark.parametrize(
    "text",
    [
        "<|im_end|>",
        "<|im_start|>system",
        "</s>",
        "<s>",
        "[INST]",
        "[/INST]",
        "<<SYS>>",
        "<start_of_turn>",
        "<|end▁of▁sentence|>",
        "<think>",
    ],
)
def test_control_tokens_are_broken_and_stay_readable(text: str) -> None:
    found = neutralise(f"before {text} after")
    assert text not in found
    assert re.sub(r"(?<=[<\[]) ", "", found) == f"before {text} after"


@pytest.mark.parametrize("text", ["a < b | c > d", "x <- y", "{{pair}}", "list[int]", "<b>bold</b>", "数学 <证明>"])
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert neutralise(text) == text


def test_lone_surrogates_are_replaced() -> None:
    assert neutralise("a\ud800b") == "a?b"


def test_a_tag_never_occurs_in_the_material() -> None:
    material = ["some text", "other"]
    tag = fence_tag(material)
    assert fence_tag(material) == tag
    # Text that quotes the tag of the material without it changes the tag.
    assert fence_tag([*material, f"<<<end {tag}>>>"]) != tag


def test_short_texts_stay_and_long_ones_lose_their_middle() -> None:
    assert shorten("short", 100) == "short"
    text = "start " + "x" * 3000 + " end"
    found = shorten(text, 100)
    assert found.startswith("start ")
    assert found.endswith(" end")
    assert tokens_of(found) <= 100
    kept = len(found) - len(re.search(r" \[… \d+ characters cut …\] ", found).group(0))  # type: ignore[union-attr]
    assert f"[… {len(text) - kept} characters cut …]" in found


def test_tokens_are_estimated_by_bytes() -> None:
    # 12 bytes // 3 + 1; a Chinese character has three bytes.
    assert tokens_of("twelve bytes") == 5
    assert tokens_of("数学证明") == 5
    assert tokens_of(shorten("数学证明" * 1000, 50)) <= 50
