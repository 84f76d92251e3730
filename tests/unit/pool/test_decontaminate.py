"""Decontamination on cases made by hand, and the quick ways against the plain definition."""

import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsmith.benchdata.prompts import BenchmarkPrompt
from goldsmith.pool.decontaminate import CONTAMINATED_GRAM, CONTAMINATED_SHORT, BenchmarkIndex
from goldsmith.pool.index_files import read_index, write_index
from goldsmith.pool.words import WordTable, normalised, words

THIRTEEN = "one two three four five six seven eight nine ten eleven twelve thirteen"


def found(prompts: list[str], texts: list[str], first: str = "") -> str | None:
    index = BenchmarkIndex.build(BenchmarkPrompt(prompt, f"set-{place}") for place, prompt in enumerate(prompts))
    hits = index.contaminated(WordTable.of([[words(text) for text in texts]]), [words(first)])
    return hits[0][0] if hits else None


def test_an_index_read_from_its_files_finds_the_same(tmp_path: Path) -> None:
    prompts = [BenchmarkPrompt(f"Please read: {THIRTEEN}!", "long"), BenchmarkPrompt("Say \ud800 ñandú!", "short")]
    for place, given_ in enumerate((prompts, prompts[1:], [])):
        write_index(BenchmarkIndex.build(given_), tmp_path / str(place))
        index = read_index(tmp_path / str(place))
        assert index.is_empty == (not given_)
        rows = [[words(THIRTEEN)], [words("say")], [words("harmless")]]
        hits = index.contaminated(WordTable.of(rows), [[], words("say \ud800 ÑANDÚ"), words("harmless")])
        expected = {0: (CONTAMINATED_GRAM, "long"), 1: (CONTAMINATED_SHORT, "short: say ñandú")}
        assert hits == {row: expected[row] for row in ([0, 1], [1], [])[place]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (THIRTEEN, CONTAMINATED_GRAM),
        (f"before {THIRTEEN} after", CONTAMINATED_GRAM),
        (THIRTEEN.upper().replace(" ", ", "), CONTAMINATED_GRAM),
        (THIRTEEN.replace(" ", "\n\n- "), CONTAMINATED_GRAM),
        ("\uff4f\uff4e\uff45" + THIRTEEN[3:], CONTAMINATED_GRAM),  # full-width letters are the same letters
        (THIRTEEN.removesuffix(" thirteen"), None),  # twelve words
        (THIRTEEN.replace("seven", "zeven"), None),
        (THIRTEEN.replace("seven", "seven unknown"), None),
        ("", None),
    ],
)
def test_any_thirteen_words_in_a_row_are_enough(text: str, expected: str | None) -> None:
    assert found([f"Please read this: {THIRTEEN}!"], ["harmless", text]) == expected


def test_a_run_over_two_texts_is_none() -> None:
    start, end = THIRTEEN[:30], THIRTEEN[30:]
    assert found([THIRTEEN], [start, end]) is None
    assert found([THIRTEEN], [start + end]) == CONTAMINATED_GRAM


def test_every_cjk_character_is_a_word() -> None:
    prompt = "\u8bf7\u4f60\u7528\u7b80\u5355\u7684\u8bdd\u89e3\u91ca\u4e00\u4e0b\u6f6e\u6c50"  # thirteen characters
    assert len(words(prompt)) == 13
    assert found([prompt], [f"\u300c{prompt[:5]}\uff0c{prompt[5:]}\u300d"]) == CONTAMINATED_GRAM
    assert found([prompt], [prompt[:12]]) is None
    assert words("GPT\u6a21\u578b2\u53f7") == [word.encode() for word in ("gpt", "\u6a21", "\u578b", "2", "\u53f7")]


def test_words_are_runs_of_letters_or_digits() -> None:
    assert words("Don't_stop 3.5x \u00c9t\u00e9 \u2026 Stra\u00dfe") == [
        word.encode() for word in ("don", "t", "stop", "3", "5x", "\u00e9t\u00e9", "strasse")
    ]
    assert words("\ud55c\uad6d\uc5b4 \ubb38\uc7a5") == [word.encode() for word in ("\ud55c\uad6d\uc5b4", "\ubb38\uc7a5")]


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        ("What is 2+2?", CONTAMINATED_SHORT),
        ("what IS: 2 2", CONTAMINATED_SHORT),
        ("What is 2+2? Explain.", None),
        ("What is 22?", None),
    ],
)
def test_a_short_prompt_counts_only_as_the_whole_first_prompt(first: str, expected: str | None) -> None:
    assert found(["What is 2+2?", THIRTEEN], [first], first) == expected
    assert found(["What is 2+2?"], ["What is 2+2?"], "Something else") is None


def test_a_prompt_of_signs_alone_matches_nothing() -> None:
    assert found(["???", ""], ["???"], "???") is None


def test_the_rows_of_a_batch_are_told_apart() -> None:
    index = BenchmarkIndex.build([BenchmarkPrompt(THIRTEEN, "long"), BenchmarkPrompt("say hi", "short")])
    rows = [["clean"], ["x", f"a {THIRTEEN} {THIRTEEN}"], ["say hi", "hello"], [THIRTEEN]]
    hits = index.contaminated(
        WordTable.of([[words(text) for text in texts] for texts in rows]), [words(texts[0]) for texts in rows]
    )
    assert hits == {1: (CONTAMINATED_GRAM, "long"), 2: (CONTAMINATED_SHORT, "short: say hi"), 3: (CONTAMINATED_GRAM, "long")}


def plain_words(text: str) -> list[str]:
    """The definition, letter by letter."""
    found: list[str] = []
    inside = False
    for char in unicodedata.normalize("NFKC", text).casefold():
        cjk = re.match(
            "[\u3005\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af]", char
        )
        if not char.isalnum():
            inside = False
        elif inside and not cjk:
            found[-1] += char
        else:
            found.append(char)
            inside = not cjk
    return found


@settings(deadline=None)  # a busy machine is no bug
@given(
    st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("aB1_ \u4e00\u30a2\u2019\u201c\u2026\u00b2\u00df\uff21"))
)
def test_words_are_those_of_the_definition(text: str) -> None:
    assert [word.decode() for word in words(text)] == plain_words(text)


@settings(deadline=None)  # a busy machine is no bug
@given(
    st.lists(st.sampled_from(["a", "b", "c"]), min_size=0, max_size=40),
    st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=60),
)
def test_the_index_finds_what_plain_search_finds(prompt: list[str], text: list[str]) -> None:
    grams = {tuple(prompt[start : start + 13]) for start in range(len(prompt) - 12)}
    expected = any(tuple(text[start : start + 13]) in grams for start in range(len(text) - 12))
    assert (found([" ".join(prompt)], [" ".join(text)]) == CONTAMINATED_GRAM) == expected


def test_normalised_text_ignores_case_signs_and_spacing() -> None:
    assert normalised("  Hello,\tWORLD! ") == normalised("hello world") == b"hello world"
