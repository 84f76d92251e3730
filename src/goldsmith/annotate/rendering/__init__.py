"""Untrusted text made fit for a page: Markdown, code and formulas rendered on the server and sanitised last.

Nothing that a reply holds may run, fetch, imitate the page or hide. `render` gives the formatted form or, where a text is
too large or too deep for that, the raw one with the reason; `difference` marks the words that only one of two replies has.
"""

from goldsmith.annotate.rendering.difference import difference
from goldsmith.annotate.rendering.text import render

__all__ = ["difference", "render"]
