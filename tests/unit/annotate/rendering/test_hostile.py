"""No text, whatever its author intended, brings script, fetching, styles or links into this site onto the page."""

from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsmith.annotate.rendering import difference, render

MAY_STAND = {
    "p", "br", "hr", "h3", "h4", "h5", "h6", "strong", "em", "s", "a", "blockquote", "ul", "ol", "li", "pre", "code", "span", "div", "table", "thead",
    "tbody", "tr", "th", "td", "mark", "math", "mrow", "mi", "mn", "mo", "mtext", "ms", "mspace", "mfrac", "msqrt", "mroot", "mstyle", "mpadded",
    "mphantom", "menclose", "msub", "msup", "msubsup", "munder", "mover", "munderover", "mmultiscripts", "mprescripts", "none", "mtable", "mtr", "mtd",
}  # fmt: skip
"""Written by hand from the HTML and MathML Core standards: none of these runs, fetches, or takes what is typed."""
MAY_DESCRIBE = {"class", "href", "rel", "target", "start", "tabindex", "data-reason", "data-cut"}
CLASSES = {
    "image", "scroll", "formula", "tex", "left", "center", "right", "raw", "raw-note", "cut", "hl-c", "hl-k", "hl-s", "hl-n", "hl-f", "hl-d", "hl-i",
}  # fmt: skip

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)><script>alert(1)</script></svg>",
    "<svg><style><img src=x onerror=alert(1)></style></svg>",
    "<math><mtext><table><mglyph><style><!--</style><img title=\"--><img src=x onerror=alert(1)>\">",
    "<math><annotation-xml encoding='text/html'><script>alert(1)</script></annotation-xml></math>",
    "<iframe src='javascript:alert(1)'></iframe><object data=x></object><embed src=x>",
    "<form action=/sign-out method=post><button>ok</button><input name=csrf></form>",
    "<base href='https://evil.example/'><link rel=stylesheet href=//evil.example/x.css><meta http-equiv=refresh content='0;url=//evil.example'>",
    "<style>body{display:none}</style><p style='position:fixed;inset:0'>x</p>",
    "<details open ontoggle=alert(1)>x</details><video><source onerror=alert(1)></video>",
    "[a](javascript:alert(1)) [b](JaVaScRiPt:alert(1)) [c](java\tscript:alert(1)) [d](vbscript:x) [e](data:text/html,<script>alert(1)</script>)",
    "[a](&#106;avascript:alert(1)) [b](javascript&colon;alert(1)) <javascript:alert(1)> [c](\x01javascript:alert(1))",
    "[in](/sign-out) [rel](//evil.example) [hash](#main) [file](file:///etc/passwd) [q](?a=b)",
    "![x](https://evil.example/p.png) ![y](data:image/svg+xml;base64,PHN2Zy8+) ![z](javascript:alert(1)) ![w](/lead/export/votes.csv)",
    "![a][r]\n\n[r]: javascript:alert(1) 'title'\n",
    '[x](https://a.example "onmouseover=alert(1)") [y](https://a.example/"onclick="alert(1))',
    "$\\text{<script>alert(1)</script>}$ $<img src=x onerror=alert(1)>$",
    "$\\href{javascript:alert(1)}{x}$ $\\style{background:url(//evil.example)}{x}$ $\\class{dock}{x}$ $\\unicode{x3c}$",
    "$</mtext></math><img src=x onerror=alert(1)>$ $\\text{</math><iframe src=//evil.example>}$",
    "$\\text{&#x3c;script&#x3e;alert(1)&#x3c;/script&#x3e;}$ $&lt;script&gt;$ $\\unicode{x3cscript}$",
    '$\\color{red" onmouseover="alert(1)}{x}$ $\\rule{9999em}{9999em}$ $\\hspace{-999em}x$',
    "$\\def\\a{\\a\\a}\\a$ $\\newcommand{\\b}{\\b\\b}\\b$",
    "```<script>alert(1)</script>\n<script>alert(1)</script>\n```",
    "```html\n<script>alert(1)</script><img src=x onerror=alert(1)>\n```",
    '``` " onmouseover="alert(1)\nx\n```',
    "| a | b |\n|---|:-:|\n| <script>alert(1)</script> | <br onclick=alert(1)> |",
    "<a href=x>x</a> <!-- --><!--><script>alert(1)</script>--> <![CDATA[<script>alert(1)</script>]]> <?php x ?>",
    "&lt;script&gt;alert(1)&lt;/script&gt; &#60;script&#62; &#x3C;script&#x3E;",
    "<div class=dock id=answer>x</div> <p id=main>",
    "\x00<scr\x00ipt>alert(1)</scr\x00ipt>",
]  # fmt: skip


class Found(HTMLParser):
    """Everything in a fragment that is not plain text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str, str]] = []
        self.other: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(tag, name, value or "") for name, value in attributes]

    def handle_comment(self, data: str) -> None:
        self.other.append(data)

    def handle_decl(self, decl: str) -> None:
        self.other.append(decl)

    def handle_pi(self, data: str) -> None:
        self.other.append(data)

    def unknown_decl(self, data: str) -> None:
        self.other.append(data)


def assert_harmless(html: str) -> None:
    found = Found(html)
    assert found.tags <= MAY_STAND
    assert found.other == []
    for tag, name, value in found.attributes:
        assert tag.startswith("m") or name in MAY_DESCRIBE, (tag, name, value)
        assert not name.startswith("on")
        assert name not in (
            "style",
            "src",
            "srcset",
            "id",
            "name",
            "action",
            "formaction",
            "xlink:href",
            "background",
            "actiontype",
        )
        if name == "href":
            assert tag == "a"
            assert value.startswith(("http://", "https://", "mailto:"))
        if name == "class":
            assert set(value.split()) <= CLASSES


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_harmless(text: str) -> None:
    assert_harmless(render(text))
    assert_harmless(render(f"> - **{text}**\n>   {text}"))
    assert_harmless(render(f"\\[\n{text}\n\\]\n\n$${text}$$\n\n\\begin{{align}}{text}\\end{{align}}"))
    for side in difference(text, "other " + text + " words"):
        assert_harmless(side)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_rather_than_swallowed(text: str) -> None:
    found = Found(render(text))
    assert found.tags  # something is there to be judged


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from([*HOSTILE, "`", "$", "\\(", "\\)", "*", "[", "](", ")", "<", ">", '"', "\n", "|", " ", "&", "\\", "~~~"]),
        max_size=8,
    ).map("".join)
)
def test_no_mixture_of_hostile_pieces_is_harmful(text: str) -> None:
    assert_harmless(render(text))


def test_links_leave_the_site_without_telling_where_from() -> None:
    attributes = {name: value for _, name, value in Found(render("[x](https://a.example/b?c=d)")).attributes}
    assert attributes["href"] == "https://a.example/b?c=d"
    assert attributes["target"] == "_blank"
    assert set(attributes["rel"].split()) >= {"noopener", "noreferrer"}


def test_an_image_is_a_link_with_its_description() -> None:
    assert '<a class="image" href="https://a.example/p.png"' in render("![two cats](https://a.example/p.png)")
    assert ">two cats</a>" in render("![two cats](https://a.example/p.png)")


def test_lengths_in_formulas_are_bounded() -> None:
    widths = [
        value
        for _, name, value in Found(render("$\\rule{9999em}{5em} \\hspace{-500em} x$")).attributes
        if name in ("width", "height")
    ]
    assert widths
    assert all(abs(float(value.removesuffix("em"))) <= 8 for value in widths)


@pytest.mark.parametrize("character", ["\u202e", "\u2066", "\u200f", "\u061c", "\ufeff", "\x07"])
def test_characters_that_reorder_or_hide_text_are_shown_by_number(character: str) -> None:
    marked = f"[U+{ord(character):04X}]"
    for text in (f"access {character}denied", f"`a{character}b`", f"```\na{character}b\n```", f"$\\text{{a{character}b}}$"):
        assert character not in render(text)
        assert marked in render(text)
    assert all(marked in side for side in difference(f"a{character}b", f"c{character}d"))


@pytest.mark.parametrize("written", ["&#x202e;", "&#8238;", "&#X202E;"])
def test_a_character_written_by_its_number_reorders_nothing_either(written: str) -> None:
    for text in (f"access {written}denied", f"[a{written}b](https://a.example/{written}c)", f"| a{written} |\n|---|\n| b |"):
        assert "\u202e" not in render(text)
        assert "[U+202E]" in render(text)


def test_no_name_or_formula_brings_such_a_character_in() -> None:
    assert "[U+200F]" in render("one &rlm;two")
    assert "[U+202E]" in render("$\\text{&#x202e;a}$")
