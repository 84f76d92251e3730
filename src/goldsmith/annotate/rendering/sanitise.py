"""The last word on every foreign text: an explicit list of elements and attributes, everything else removed.

nh3's own defaults are not used: they delete MathML and let images load. Nothing here can fetch: no image, no style, no
frame, no form; links lead only to http, https and mail addresses, and tell the other side nothing.
"""

from __future__ import annotations

import nh3

from goldsmith.annotate.rendering.code import CLASSES as CODE_CLASSES

TEXT_TAGS = {
    "p", "br", "hr", "h2", "h3", "h4", "h5", "h6", "strong", "em", "s", "a", "blockquote", "ul", "ol", "li", "pre", "code", "span", "div",
    "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip
MATH_TAGS = {
    "math", "mrow", "mi", "mn", "mo", "mtext", "ms", "mspace", "mfrac", "msqrt", "mroot", "mstyle", "mpadded", "mphantom", "menclose",
    "msub", "msup", "msubsup", "munder", "mover", "munderover", "mmultiscripts", "mprescripts", "none", "mtable", "mtr", "mtd",
}  # fmt: skip
MATH_ATTRIBUTES = {
    "display", "displaystyle", "scriptlevel", "mathvariant", "stretchy", "fence", "form", "largeop", "movablelimits", "separator", "accent",
    "accentunder", "minsize", "maxsize", "width", "height", "depth", "lspace", "rspace", "voffset", "linethickness", "columnalign",
    "rowalign", "columnlines", "rowlines", "columnspacing", "rowspacing", "notation", "alttext",
}  # fmt: skip

_ATTRIBUTES: dict[str, set[str]] = {
    "a": {"href"},
    "ol": {"start"},
    **{tag: set(MATH_ATTRIBUTES) for tag in MATH_TAGS},
}
_CLASSES = {
    "a": {"image"},
    "span": CODE_CLASSES | {"image"},
    "div": {"scroll", "formula"},
    "code": {"tex"},
    "th": {"left", "center", "right"},
    "td": {"left", "center", "right"},
}
_CLEANER = nh3.Cleaner(
    tags=TEXT_TAGS | MATH_TAGS,
    clean_content_tags={"script", "style"},
    attributes=_ATTRIBUTES,
    allowed_classes=_CLASSES,
    tag_attribute_values={"pre": {"tabindex": {"0"}}, "div": {"tabindex": {"0"}}},
    set_tag_attribute_values={"a": {"target": "_blank"}},
    url_schemes={"http", "https", "mailto"},
    url_relative="deny",
    link_rel="noopener noreferrer nofollow",
    strip_comments=True,
    generic_attribute_prefixes=None,
)


def sanitise(html: str) -> str:
    """Return `html` with nothing in it but listed elements, attributes and classes."""
    return _CLEANER.clean(html)
