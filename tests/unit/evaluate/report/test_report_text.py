"""Numbers and foreign text as they are printed."""

from goldsmith.evaluate.report import text as say


def test_numbers_read_as_people_write_them() -> None:
    assert say.percent(0.7234) == "72.3 %"
    assert say.points(-0.0123) == "−1.2 points"
    assert say.points(0.0001) == "0.0 points"
    assert say.span(0.701, 0.744) == "70.1 to 74.4 %"
    assert say.span_points(-0.004, 0.029) == "−0.4 to +2.9"
    assert say.count(1234567) == "1,234,567"
    assert say.count(None) == say.percent(None) == say.span(None, 0.5) == "–"
    assert say.duration(4.2) == "4.2 s"
    assert say.duration(561) == "9 min 21 s"
    assert say.duration(7500) == "2 h 05 min"
    assert say.plural(1, "pair") == "1 pair"
    assert say.enumerate_words(["x", "y", "z"]) == "x, y and z"
    assert say.enumerate_words([]) == ""


def test_text_that_hides_or_reorders_is_made_visible() -> None:
    assert say.clean("safe \u202eevil\u202c") == "safe [U+202E]evil[U+202C]"
    assert say.clean("a\x00b\ud800c\U000e0041") == "a[U+0000]b[U+D800]c[U+E0041]"
    assert say.clean("line\r\nnext\ttab") == "line\nnext\ttab"
    assert say.clean("שלום مرحبا 👩\u200d🚀") == "שלום مرحبا 👩\u200d🚀"


def test_shortening_ends_at_a_word() -> None:
    assert say.shorten("one two three four", 14) == "one two three …"
    assert say.shorten("x" * 30, 10) == "x" * 10 + " …"
    assert say.shorten("  short ", 10) == "short"
