"""What the files of a model say it was made from; broken files say nothing."""

from pathlib import Path

import pytest

from goldsmith.evaluate.lineage import Lineage, lineage


def test_the_cards_front_matter_comes_first(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(
        "---\nbase_model: org/base\ndatasets:\n- org/data\n- other/data\n---\n# Card\nbase_model: no\n", encoding="utf-8"
    )
    (tmp_path / "config.json").write_text('{"_name_or_path": "elsewhere"}', encoding="utf-8")
    assert lineage(tmp_path) == Lineage(base_model="org/base", training_data=("org/data", "other/data"))


def test_lists_and_other_files(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("---\nbase_model: [org/one, org/two]\n---\n", encoding="utf-8")
    (tmp_path / "goldsmith.json").write_text('{"base": "embedded", "data_digest": "0123456789abcdef"}', encoding="utf-8")
    assert lineage(tmp_path) == Lineage(base_model="org/one, org/two", training_data=("data digest 0123456789ab",))
    (tmp_path / "README.md").unlink()
    assert lineage(tmp_path).base_model == "embedded"
    (tmp_path / "goldsmith.json").unlink()
    (tmp_path / "config.json").write_text('{"_name_or_path": "org/base"}', encoding="utf-8")
    assert lineage(tmp_path).base_model == "org/base"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# no front matter",
        "---\nbase_model: [unclosed\n---\n",
        "---\n- a list\n---\n",
        "---\nbase_model: {a: 1}\ndatasets: 7\n---\n",
    ],
)
def test_a_broken_card_says_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "README.md").write_text(text, encoding="utf-8")
    (tmp_path / "config.json").write_text("{", encoding="utf-8")
    assert lineage(tmp_path) == Lineage()


def test_yaml_cannot_make_objects(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("---\nbase_model: !!python/object/apply:os.system ['true']\n---\n", encoding="utf-8")
    assert lineage(tmp_path) == Lineage()


def test_no_files(tmp_path: Path) -> None:
    assert lineage(tmp_path / "nowhere") == Lineage()
