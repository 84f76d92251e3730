"""The page: whole, self-contained, and deaf to what is written in the data."""

import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from goldsmith.evaluate.report.data import CoverageCell, ReportData, Step
from goldsmith.evaluate.report.html import render, write_report
from goldsmith.evaluate.report.pool_parts import ExamplePair, MapPoint

HOSTILE = '</pre></details><script>alert(1)</script><img src=x onerror="alert(2)">\u202egnp.exe \'"&`'
VOID = {"meta", "img", "source", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """Collects tags and checks that they nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def values(self, name: str) -> list[str]:
        return [attrs[name] or "" for _, attrs in self.tags if name in attrs]


def bare() -> ReportData:
    return ReportData(title="Empty", created="2026-11-22T10:00:00+00:00", version="0.1.0", seed=0)


@pytest.fixture(scope="module")
def hostile_page(sample: ReportData) -> str:
    data = sample
    example = ExamplePair(
        pair_id="ab" * 16, action=HOSTILE, rule=HOSTILE, reason=HOSTILE, prompt=HOSTILE, chosen=HOSTILE, rejected=HOSTILE
    )
    update = {
        "title": HOSTILE, "simulated": [HOSTILE], "config": {HOSTILE: HOSTILE}, "notes": [HOSTILE], "machine": HOSTILE,
        "funnel": [Step(name=HOSTILE, total=3, kept=1, dropped={HOSTILE: 1}, failed={HOSTILE: 1})],
        "coverage": data.coverage.model_copy(update={"cells": [CoverageCell(task=HOSTILE, objectivity=HOSTILE, controversiality="low", num_pairs=1)]}),
        "stage2": data.stage2.model_copy(update={"examples": [example], "by_task": {HOSTILE: {"keep": 1}}, "by_rule": {HOSTILE: 1}}),
        "final": data.final.model_copy(update={"sets": [s.model_copy(update={"name": HOSTILE + s.name}) for s in data.final.sets]}),
        "pool_map": data.pool_map.model_copy(update={"points": [
            MapPoint(x=0.5, y=0.3, pair_id=HOSTILE, action=HOSTILE, label_before=HOSTILE, label_after=HOSTILE, reason=HOSTILE, prompt=HOSTILE, first=HOSTILE, second=HOSTILE)
        ]}),
        "training": {HOSTILE: {HOSTILE: HOSTILE}},
    }  # fmt: skip
    return render(data.model_copy(update=update))


@pytest.fixture(scope="module")
def written(sample: ReportData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(sample, tmp_path_factory.mktemp("report"))


def test_page_and_json_hold_the_same(written: Path) -> None:
    stored = ReportData.model_validate_json((written.parent / "report.json").read_text("utf-8"))
    text = written.read_text("utf-8")
    assert stored.words
    assert stored.words[0].text.split(".")[0] in text.replace("\u00a0", " ")
    assert sorted(path.name for path in written.parent.iterdir()) == ["report.html", "report.json"]
    assert json.loads((written.parent / "report.json").read_text("utf-8"))["schema_version"] == 1


def test_sections_stand_in_order_and_words_before_all(written: Path) -> None:
    text = written.read_text("utf-8")
    places = [
        text.index(f'<h2 id="{name}"')
        for name in ("funnel", "coverage", "gold", "rounds", "margins", "stage2", "map", "final", "cost", "config")
    ]
    assert places == sorted(places)
    assert text.index('class="words"') < places[0]
    assert text.index("No LLM judge beat chance") < text.index("Simulated in this run") < text.index('class="tiles"')


def test_page_loads_nothing_and_runs_nothing(written: Path) -> None:
    page = Page(written.read_text("utf-8"))
    assert not page.open
    policy = next(attrs["content"] for tag, attrs in page.tags if attrs.get("http-equiv") == "Content-Security-Policy")
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "iframe", "object", "embed", "form", "link", "base"})
    assert all(address.startswith("#") for address in page.values("href"))
    assert all(address.startswith("data:image/svg+xml;base64,") for address in page.values("src") + page.values("srcset"))
    style = re.search(r"<style>(.*?)</style>", written.read_text("utf-8"), re.S)
    assert style is not None
    assert "url(" not in style[1]
    assert "@import" not in style[1]


def test_every_anchor_exists_and_every_picture_has_words(written: Path) -> None:
    page = Page(written.read_text("utf-8"))
    assert {address[1:] for address in page.values("href")} <= set(page.values("id"))
    pictures = [attrs for tag, attrs in page.tags if tag == "img"]
    assert len(pictures) == 13
    assert all(len(picture["alt"] or "") > 40 for picture in pictures)


def test_hostile_text_stays_text(hostile_page: str) -> None:
    page = Page(hostile_page)
    assert not page.open
    assert "script" not in {tag for tag, _ in page.tags}
    assert not [attrs for _, attrs in page.tags if any(name.startswith("on") for name in attrs)]
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", hostile_page)
    assert "&lt;script&gt;" in hostile_page
    assert "[U+202E]" in hostile_page


def test_hostile_text_stays_text_in_pictures(hostile_page: str) -> None:
    drawings = re.findall(r"data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)", hostile_page)
    assert len(drawings) == 26
    for drawing in drawings:
        elements = [element.tag.rpartition("}")[2] for element in ElementTree.fromstring(base64.b64decode(drawing)).iter()]
        assert "script" not in elements
        assert "img" not in elements


def test_nothing_has_run_yet() -> None:
    text = render(bare())
    assert text.count("has not run") >= 7
    assert "Not run yet: pool, attributes, gold, judge tests, rounds, stage 2 and evaluation" in text
    assert "<img" not in text
    assert not Page(text).open


def test_narrow_screens_get_their_own_drawing(written: Path) -> None:
    page = Page(written.read_text("utf-8"))
    sources = [attrs for tag, attrs in page.tags if tag == "source"]
    assert len(sources) == 13
    for attrs in sources:
        drawing = ElementTree.fromstring(base64.b64decode((attrs["srcset"] or "").partition(",")[2]))
        assert float(drawing.attrib["width"]) <= 400
