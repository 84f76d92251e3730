"""Files as text: plain text, Markdown and HTML; what cannot be read is named with its reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from pathlib import Path

from goldsmith.errors import DataError, UserError

LARGEST_FILE = 50 * 2**20
PLAIN = {".txt", ".text", ".md", ".markdown", ".rst"}
HTML = {".html", ".htm", ".xhtml"}
SKIPPED = {"script", "style", "template", "noscript", "svg", "math", "head"}
BLOCKS = {
    "p", "div", "section", "article", "li", "ul", "ol", "tr", "table", "pre", "blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "br", "hr",
    "dt", "dd", "header", "footer", "main", "aside", "nav", "figure", "figcaption",
}  # fmt: skip


def files_in(paths: Sequence[Path]) -> Iterator[Path]:
    """Yield the files that paths name, folders with everything beneath them whose ending is known, each file once, in order.

    Raises:
        UserError: a path is not there.
    """
    seen: set[Path] = set()
    for path in paths:
        if not path.exists():
            raise UserError(f"{path}: there is no such file or folder")
        inside = sorted(one for one in path.rglob("*") if one.is_file() and one.suffix.lower() in PLAIN | HTML)
        for file in inside if path.is_dir() else [path]:
            if file.resolve() not in seen:
                seen.add(file.resolve())
                yield file


def read_document(path: Path) -> tuple[str, str]:
    """Return a document's title and its text.

    Raises:
        DataError: the file is too large, of another kind, or no UTF-8 text.
    """
    suffix = path.suffix.lower()
    if suffix not in PLAIN | HTML:
        raise DataError(
            f"{path}: '{suffix or 'no ending'}' is not read; give text, Markdown or HTML (`pdftotext FILE.pdf` makes text of a PDF)"
        )
    if path.stat().st_size > LARGEST_FILE:
        raise DataError(f"{path}: larger than {LARGEST_FILE // 2**20} MB; split it")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: no UTF-8 text (byte {error.start}); convert it, for instance with iconv") from None
    if "\x00" in text:
        raise DataError(f"{path}: holds NUL characters, so it is no text")
    if suffix in HTML:
        title, text = _text_of_html(text)
        return title or path.stem, text
    return _heading(text) or path.stem, text


def _heading(text: str) -> str:
    """The first Markdown heading near the beginning."""
    lines = [line.strip() for line in text[:2000].splitlines()]
    return next((line.lstrip("# ").strip()[:200] for line in lines if line.startswith("# ")), "")


class _Text(HTMLParser):
    """Collects what a reader of the page sees."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self.title = ""
        self._skipped: list[str] = []
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_title = tag == "title" and "svg" not in self._skipped
        if tag == "body":
            self._skipped.clear()  # whatever was left open before
        elif tag in SKIPPED:
            self._skipped.append(tag)
        elif tag in BLOCKS:
            self.pieces.append("\n\n" if tag not in ("br", "tr", "li") else "\n")

    def handle_endtag(self, tag: str) -> None:
        self._in_title = False
        if tag in self._skipped:
            del self._skipped[self._skipped.index(tag) :]
        elif tag in BLOCKS:
            self.pieces.append("\n\n" if tag not in ("br", "tr", "li") else "\n")

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title += data
        elif not self._skipped:
            self.pieces.append(data)


def _text_of_html(html: str) -> tuple[str, str]:
    parser = _Text()
    parser.feed(html)
    parser.close()
    lines = "".join(parser.pieces).splitlines()
    return " ".join(parser.title.split())[:200], "\n".join(" ".join(line.split()) for line in lines)
