"""What a reply's author wrote is what a person sees: structure, tables, code, formulas; raw text beyond the limits."""

from typing import get_args

import pytest

from goldsmith.annotate.environment import LANGUAGES as LANGUAGES_OF_THE_PAGE
from goldsmith.annotate.environment import messages
from goldsmith.annotate.rendering import difference, latex, render
from goldsmith.annotate.rendering.code import LANGUAGES
from goldsmith.annotate.rendering.limits import MAX_CHARS, MAX_LINE_CHARS, MAX_RAW_CHARS
from goldsmith.annotate.rendering.text import RawReason


def test_nothing_gives_nothing() -> None:
    assert render("") == ""


def test_headings_stand_below_the_page_s_own() -> None:
    assert render("# one") == "<h3>one</h3>\n"
    assert render("##### five") == "<h6>five</h6>\n"


def test_a_line_break_of_the_author_is_kept() -> None:
    assert render("roses\nviolets") == "<p>roses<br>\nviolets</p>\n"


def test_a_table_has_its_columns_aligned_and_breaks_in_its_cells() -> None:
    html = render("| a | b |\n|:--|--:|\n| 1<br>2 | 3 |")
    assert '<div class="scroll" tabindex="0"><table>' in html
    assert '<th class="left">a</th>' in html
    assert '<td class="right">3</td>' in html
    assert "1<br>\n2" in html


def test_code_keeps_every_character_and_is_coloured() -> None:
    html = render('```python\nif a < b:  # less\n    print("x")\n```')
    assert '<span class="hl-k">if</span>' in html
    assert "a &lt; b:" in html
    assert '<span class="hl-c"># less</span>' in html


def test_code_in_an_unknown_language_is_plain() -> None:
    assert "<span" not in render("```klingon\nif a\n```")


@pytest.mark.parametrize("written", ["$x^2$", "\\(x^2\\)", "$$x^2$$", "\\[x^2\\]"])
def test_formulas_in_any_delimiters_become_mathml(written: str) -> None:
    assert "<msup><mi>x</mi><mn>2</mn></msup>" in render(f"so {written} holds")


@pytest.mark.parametrize("written", ["\\[\nx\n= 1\n\\]", "$$\nx\n= 1\n$$", "\\begin{align*}\nx\n&= 1\n\\end{align*}"])
def test_a_formula_over_several_lines_is_one_block(written: str) -> None:
    html = render(f"therefore\n\n{written}\n\nas said")
    assert html.count("<math") == 1
    assert '<div class="formula"><math display="block"' in html


def test_a_comparison_in_a_formula_is_no_tag() -> None:
    assert "<mo>&lt;</mo>" in render("$a<b>c$")
    assert "<b>" not in render("$a<b>c$")


@pytest.mark.parametrize("text", ["it costs $5 and $6", "from $100/$200", "US$5 or US$6", "a $ b $ c"])
def test_amounts_of_money_are_no_formula(text: str) -> None:
    assert "<math" not in render(text)


def test_a_formula_that_cannot_be_read_shows_its_source() -> None:
    assert '<code class="tex">\\frac{</code>' in render("$\\frac{$")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a" * 200_000, "too-long"),
        ("word " * (MAX_CHARS // 4), "too-long"),
        ("a" * (MAX_LINE_CHARS + 1), "too-long"),
        (">" * 3000 + " deep", "too-deep"),
        ("- " * 3000 + "deep", "too-deep"),
        ("[" * 3000, "too-deep"),
    ],
)
def test_text_beyond_a_limit_is_shown_raw_and_says_why(text: str, reason: str) -> None:
    html = render(text)
    assert html.startswith(f'<p class="raw-note" data-reason="{reason}" data-cut="0">')
    assert html.endswith("</pre>")


def test_what_is_left_out_of_an_immense_text_is_counted() -> None:
    html = render("a\n" * MAX_RAW_CHARS)  # twice the bound
    assert f'data-cut="{MAX_RAW_CHARS}"' in html


def test_deeply_nested_braces_are_not_converted() -> None:
    html = render("$" + "{" * 1400 + "x" + "}" * 1400 + "$")
    assert "<math" not in html
    assert '<code class="tex">' in html
    assert "<math" not in render("$" + "x^" * 1000 + "y$")


def test_a_formula_that_never_closes_costs_no_more_than_its_text() -> None:
    assert "<math" not in render("$$ a\n" * 5000)


def test_the_difference_marks_words_of_one_side_only() -> None:
    # common: "the cat " ... " on the mat"; sat / lies differ
    assert difference("the cat sat on the mat", "the cat lies on the mat") == (
        "the cat <mark>sat</mark> on the mat",
        "the cat <mark>lies</mark> on the mat",
    )


def test_equal_replies_have_no_difference_and_unlike_ones_nothing_in_common() -> None:
    assert difference("same <words>", "same <words>") == ("same &lt;words&gt;", "same &lt;words&gt;")
    assert difference("alpha beta", "gamma") == ("<mark>alpha beta</mark>", "<mark>gamma</mark>")
    assert difference("", "") == ("", "")


def test_chinese_is_compared_character_by_character() -> None:
    assert difference("今天天气很好", "今天天气不好") == ("今天天气<mark>很</mark>好", "今天天气<mark>不</mark>好")


def test_the_difference_of_long_replies_is_cut_and_says_so() -> None:
    one, two = difference("a b " * 20_000, "short")
    assert one.endswith('<span class="cut">…</span>')
    assert two == "<mark>short</mark>"


@pytest.mark.parametrize(
    ("formula", "rows"),
    [
        ("\\begin{aligned} a &= b \\\\ c &= d \\end{aligned}", 2),
        ("\\begin{alignedat}{2} a &= b \\end{alignedat}", 1),
        ("\\begin{gathered} a \\\\ b \\\\ c \\end{gathered}", 3),
        ("\\begin{align} a &= b \\nonumber \\\\ c &= d \\label{eq:1} \\end{align}", 2),
    ],
)
def test_equations_below_one_another_are_rows_of_a_table(formula: str, rows: int) -> None:
    html = render(f"\\[{formula}\\]")
    assert html.count("<mtr>") == rows
    assert "<mi>&amp;</mi>" not in html
    assert ">\\" not in html  # no command is left as a word


def test_an_escaped_dollar_stays_inside_its_formula() -> None:
    assert "<math" in render("$10\\% + \\$5$")
    assert render("$10\\% + \\$5$ and $x$").count("<math") == 2


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_every_language_that_is_coloured_has_a_reader(language: str) -> None:
    # `kt` had none, and a reply with such a fence could not be shown
    assert render(f"```{language}\nx = 1\n```").startswith("<pre")


def test_a_text_that_a_library_stumbles_over_is_shown_raw(monkeypatch: pytest.MonkeyPatch) -> None:
    def stumble(*_: object) -> str:
        raise ValueError

    monkeypatch.setattr("goldsmith.annotate.rendering.text.to_html", stumble)
    assert render("a < b").startswith('<p class="raw-note" data-reason="failed"')
    assert "a &lt; b</pre>" in render("a < b")


def test_every_reason_for_raw_text_is_said_in_both_languages() -> None:
    for reason in get_args(RawReason):
        assert all(f"js.raw.{reason}" in messages(lang) for lang in LANGUAGES_OF_THE_PAGE)


def test_a_formula_that_cannot_be_read_shows_its_source_and_is_counted() -> None:
    before = latex.UNREAD.total()
    assert '<code class="tex">\\left( 1 + 987</code>' in render("so $\\left( 1 + 987$ it is")
    assert latex.UNREAD.total() == before + 1
