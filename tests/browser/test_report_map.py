"""The map of the run report in a browser that runs no script: points, panels and the switches of kinds."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from goldsmith.evaluate.report.data import ReportData
from goldsmith.evaluate.report.html import write_report
from goldsmith.evaluate.report.pool_parts import MapPoint, PoolMap

POINTS = [
    MapPoint(x=0.3, y=0.3, pair_id="aa", action="keep", label_before="first", label_after="first", prompt="one", first="1", second="2"),
    MapPoint(x=0.6, y=0.3, pair_id="bb", action="flip", label_before="first", label_after="second", prompt="two", first="3",
             second="<script>document.title = 'harm'</script>"),
]  # fmt: skip


@pytest.fixture
def page(chromium: Any, tmp_path: Path) -> Iterator[Any]:
    pool_map = PoolMap(points=POINTS, num_decided=2, by_action={"keep": 1, "flip": 1}, variance=0.5)
    data = ReportData(title="map", created="2026-11-22T10:00:00+00:00", version="0", seed=0, pool_map=pool_map)
    context = chromium.new_context(java_script_enabled=False)
    found = context.new_page()
    found.goto(write_report(data, tmp_path).as_uri())
    yield found
    context.close()


def visible(page: Any) -> list[str]:
    return [panel.get_attribute("id") for panel in page.locator(".canvas article").all() if panel.is_visible()]


def test_the_keyboard_opens_a_pair_and_walks_on(page: Any) -> None:
    assert visible(page) == []
    page.get_by_text("Skip the map").focus()
    page.keyboard.press("Tab")  # the switch of the kept
    page.keyboard.press("Tab")  # the switch of those turned round
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert visible(page) == ["m1"]
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # `next`
    assert visible(page) == ["m2"]
    assert "<script>document.title = 'harm'</script>" in page.locator("#m2").inner_text()
    assert "label first before, second after" in page.locator("#m2").inner_text()
    assert page.title().startswith("map")


def test_a_click_opens_a_pair_and_the_ring_stands_on_its_point(page: Any) -> None:
    mark = page.locator('.canvas > svg a[href="#m2"]')
    mark.click()
    assert visible(page) == ["m2"]
    ring, point = page.locator("#m2 i").bounding_box(), mark.bounding_box()
    for side, size in (("x", "width"), ("y", "height")):
        assert ring[side] + ring[size] / 2 == pytest.approx(point[side] + point[size] / 2, abs=2)


def test_a_kind_can_be_hidden(page: Any) -> None:
    page.get_by_text("turned round (1)").click()
    assert page.locator('.canvas > svg a[href="#m1"]').is_visible()
    assert not page.locator('.canvas > svg a[href="#m2"]').is_visible()
