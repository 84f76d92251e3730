"""The one way from a foreign text to HTML: limits, Markdown, sanitising; raw text where a limit says no."""

from __future__ import annotations

import logging
from html import escape
from typing import Literal

from goldsmith.annotate.rendering.budget import Budget, TooCostlyError
from goldsmith.annotate.rendering.limits import MAX_HTML_CHARS, MAX_RAW_CHARS, too_much
from goldsmith.annotate.rendering.markdown import to_html
from goldsmith.annotate.rendering.sanitise import sanitise
from goldsmith.evaluate.report.text import clean

LOG = logging.getLogger("goldsmith.annotate")
RawReason = Literal["too-long", "too-deep", "too-costly", "failed"]


def render(text: str) -> str:
    """Return a reply or a turn of a conversation as HTML that is safe to place into a page.

    Characters that reorder the text around them are made visible, as `[U+202E]`. A text beyond a limit comes back raw, in
    `<pre class="raw">` after a `<p class="raw-note">` whose `data-reason` says why and whose `data-cut` counts the characters
    that are left out. The empty text gives the empty string.
    """
    shown = clean(text[:MAX_RAW_CHARS])
    num_cut = len(text) - len(text[:MAX_RAW_CHARS])
    reason: RawReason | None = "too-long" if num_cut else too_much(shown)
    if reason is not None:
        return _raw(shown, reason, num_cut)
    try:
        # Once more at the end: Markdown and LaTeX know ways to write such characters by number.
        html = clean(sanitise(to_html(shown, Budget())))
    except (TooCostlyError, RecursionError):
        return _raw(shown, "too-costly", 0)
    except Exception:  # a text that a library stumbles over must not keep its pair from being judged
        LOG.exception("a text of %d characters could not be formatted; it is shown raw", len(text))
        return _raw(shown, "failed", 0)
    return html if len(html) <= MAX_HTML_CHARS else _raw(shown, "too-costly", 0)


def _raw(text: str, reason: RawReason, num_cut: int) -> str:
    cut = f" {num_cut:,} characters are left out." if num_cut else ""
    return (
        f'<p class="raw-note" data-reason="{reason}" data-cut="{num_cut}">Not formatted ({reason}).{cut}</p>'
        f'<pre class="raw" tabindex="0">{escape(text, quote=False)}</pre>'
    )
