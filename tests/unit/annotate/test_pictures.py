"""The lead's pictures: figures in, one self-contained SVG out."""

import re
import xml.etree.ElementTree as ET
from typing import Any

import pytest

from goldsmith.annotate.pictures import MOST_TASKS, NAMES, draw

DATA: dict[str, Any] = {
    "throughput": [{"day": "2026-11-21", "votes": 30, "gold": 8, "hours": 1.5}, {"day": "2026-11-22", "votes": 12, "gold": 4, "hours": 0.5}],
    "alpha_over_time": [
        {"day": "2026-11-21", "alpha": None, "low": None, "high": None, "num_pairs": 0},
        {"day": "2026-11-22", "alpha": 0.9, "low": 0.8, "high": 0.95, "num_pairs": 40},
    ],
    "min_alpha": 0.85,
    "coverage": [{"task": "<script>alert(1)</script>", "objectivity": "factual", "controversiality": "low", "pairs": 9, "settled": 5, "gold": 4}],
    "batches": [{"batch": "seed", "gold": 4, "discarded": 1, "disputed": 2, "open": 2}],
    "annotators": [
        {"name": "<script>alert(1)</script>", "agreement": 0.9, "check_accuracy": 0.8},
        {"name": "Bo", "agreement": None, "check_accuracy": None},
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("is_narrow", [False, True])
def test_a_picture_is_one_svg_that_loads_and_runs_nothing(name: str, is_narrow: bool) -> None:
    tree = ET.fromstring(draw(name, DATA, lang="en", is_narrow=is_narrow))
    tags = {element.tag.rpartition("}")[2] for element in tree.iter()}
    assert tree.tag.endswith("svg")
    assert not tags & {"script", "image", "foreignObject", "a", "use"}
    assert not any(name.rpartition("}")[2] == "href" for element in tree.iter() for name in element.attrib)


def test_labels_are_in_the_reader_s_language_and_days_as_given() -> None:
    assert "金标" in draw("throughput", DATA, lang="zh", is_narrow=False)
    assert "争议" in draw("progress", DATA, lang="zh", is_narrow=False)
    assert "抽查" in draw("annotators", DATA, lang="zh", is_narrow=False)
    assert re.search(r">21\.11\.<", draw("throughput", DATA, lang="en", is_narrow=False))


def test_the_coverage_picture_shows_the_largest_tasks_alone() -> None:
    cells = [
        {"task": f"group/leaf-{at:02d}", "objectivity": "", "controversiality": "", "pairs": at + 1, "settled": 0, "gold": 0}
        for at in range(40)
    ]
    svg = draw("coverage", {**DATA, "coverage": cells}, lang="en", is_narrow=False)
    assert len(set(re.findall(r"group/leaf-\d\d", svg))) == MOST_TASKS
    assert "group/leaf-39" in svg
    assert "group/leaf-00" not in svg


def test_who_cannot_be_compared_yet_stands_in_no_picture() -> None:
    svg = draw("annotators", DATA, lang="en", is_narrow=False)
    assert "&lt;script&gt;" in svg
    assert ">Bo<" not in svg


def test_there_is_no_picture_of_another_name() -> None:
    with pytest.raises(KeyError):
        draw("secrets", DATA, lang="en", is_narrow=False)
