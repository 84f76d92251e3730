"""Programs and tests as replies and prompts write them."""

from __future__ import annotations

import pytest

from goldsmith.judge.programs import Block, PromptTests, code_blocks, programs_of, prompt_tests


def test_blocks_are_read_with_their_language() -> None:
    text = "One:\n```python\na = 1\n```\nTwo:\n~~~~ {.js}\nlet a\n~~~\n~~~~\n```\nplain\n```\n   ```Rust,ignore\nfn\n"
    assert code_blocks(text) == [
        Block("python", "a = 1"),
        Block("javascript", "let a\n~~~"),
        Block(None, "plain"),
        Block("rust,ignore", "fn\n"),
    ]


@pytest.mark.parametrize("text", ["", "no code", "    indented = 1", "`inline`", "``` not `a` fence"])
def test_texts_without_fences_have_no_blocks(text: str) -> None:
    assert code_blocks(text) == []


def test_the_longest_block_is_tried_first_and_then_all_of_them() -> None:
    reply = "```python\nx = 1\n```\n```bash\npip install something-long\n```\n```py\ndef f():\n    return x\n```"
    assert programs_of(reply, "python") == ["def f():\n    return x", "x = 1\n\ndef f():\n    return x"]
    assert programs_of(reply, "javascript") == []


def test_a_block_without_a_language_counts_when_it_is_python() -> None:
    assert programs_of("```\nx = 1\n```\n```\n$ ls -l\n```", "python") == ["x = 1"]
    assert programs_of("```ruby\nx = 1\n```", "python") == []


def test_tests_come_from_the_pair_or_from_the_last_question() -> None:
    asked = [
        {"role": "user", "content": "assert old() == 1"},
        {"role": "assistant", "content": "assert mine() == 1"},
        {"role": "user", "content": "Write f. Tests:\n  assert f(1) == 2\nassert that it works\n`assert f(2) == 3`"},
    ]
    assert prompt_tests(asked) == PromptTests("python", "assert f(1) == 2\nassert f(2) == 3")
    assert prompt_tests(asked, {"test_list": ["assert g()", "assert h()"]}) == PromptTests("python", "assert g()\nassert h()")
    assert prompt_tests(asked, {"tests": "ok(f(1));", "tests_language": "js"}) == PromptTests("javascript", "ok(f(1));")
    assert prompt_tests([{"role": "user", "content": "Write f."}]) is None
    assert prompt_tests([], {"tests": [1, 2], "test": ""}) is None
