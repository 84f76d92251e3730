"""Both languages say the same things: equal keys, equal places to fill, and nothing that a page asks for is missing."""

import re
from pathlib import Path

import pytest

import goldsmith.annotate
from goldsmith.annotate.environment import LANGUAGES, environment, messages, script_messages, translate
from goldsmith.annotate.failures import STATUS
from goldsmith.gold.annotators import _Seen, flags

ROOM = Path(goldsmith.annotate.__file__).parent
TEMPLATES = sorted((ROOM / "templates").glob("*.html"))


def test_both_languages_have_the_same_keys_and_places() -> None:
    english, chinese = messages("en"), messages("zh")
    assert english.keys() == chinese.keys()
    for key in english:
        assert set(re.findall(r"\{\w+\}", english[key])) == set(re.findall(r"\{\w+\}", chinese[key])), key


def test_no_sentence_is_empty_and_chinese_is_chinese() -> None:
    for lang in LANGUAGES:
        assert all(text.strip() for text in messages(lang).values())
    foreign = {key for key, text in messages("zh").items() if not re.search(r"[\u3400-\u9fff]", text)}
    assert foreign <= {"annotators.ds", "annotators.mace", "outcome.None", "of-limit"}  # names, a dash and a number


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_every_sentence_that_a_template_names_is_there(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    named = re.findall(r"""\bt\(["']([^"']+)["']\s*[,)]""", source)
    assert [key for key in named if key not in messages("en")] == []
    stems = re.findall(r"""\bt\(["']([^"']+\.)["']\s*~""", source)
    assert [stem for stem in stems if not any(key.startswith(stem) for key in messages("en"))] == []


def test_every_sentence_that_the_script_names_is_there() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOM / "static").rglob("*.js"))
    named = set(re.findall(r'\bsay\("([^"]+)"', source))
    assert named
    assert {key for key in named if f"js.{key}" not in messages("en")} == set()


def test_every_refusal_is_said_in_the_language_of_the_page() -> None:
    own_words = {"signed-out": "js.signed-out", "csrf": "js.reload", "unavailable": "js.unavailable"}
    assert {code for code in STATUS if own_words.get(code, f"js.refused.{code}") not in messages("zh")} == set()


def test_no_template_holds_a_script_or_a_style_of_its_own() -> None:
    for path in TEMPLATES:
        source = path.read_text(encoding="utf-8")
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|javascript:", source), path.name
        assert "http://" not in source
        assert "https://" not in source


def test_values_are_escaped_and_reordering_characters_shown() -> None:
    page = {"lang": "en", "path": "/", "csrf": None, "version": "0", "person": None}
    html = environment().get_template("error.html").render(page=page, status=404, message="<script>\u202e", code="not-found")
    assert "&lt;script&gt;[U+202E]" in html


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_flag_says_its_figures_in_the_language_of_the_page(lang: str) -> None:
    fast = {"with_hint": 48, "hinted": 50, "same_hinted": 60, "compared_hinted": 100, "speeds": [2000.0] * 50}
    found = flags(_Seen(**fast, on_top=45, sided=50), 4, 10)
    assert [flag["kind"] for flag in found] == ["reliance", "speed", "checks", "one-sided"]
    template = environment().from_string("{% import 'parts.html' as parts with context %}{{ parts.flags(found) }}")
    html = template.render(page={"lang": lang}, found=found)
    for figure in ("96 %", "60 %", "2,000", "10", "90 %"):
        assert figure in html
    assert len(re.findall(r"<small>.*[^\x00-\x7f].*</small>", html)) == (4 if lang == "zh" else 0)
    assert not re.findall(r"[a-z]+ [a-z]+", re.sub(r"<[^>]*>", "", html)) or lang == "en"


def test_an_unknown_key_is_a_mistake_and_an_unknown_language_english() -> None:
    with pytest.raises(KeyError):
        translate("en", "no-such-key")
    assert translate("de", "sign-in") == "Sign in"
    assert '"sign-in"' in script_messages("en")
