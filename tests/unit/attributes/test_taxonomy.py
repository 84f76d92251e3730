from pathlib import Path

import pytest

from goldsmith.attributes.taxonomy import load_taxonomy
from goldsmith.errors import UserError

SMALL = """
schema_version = 1
[[group]]
id = "math"
en = "Mathematics"
zh = "数学"
[[leaf]]
id = "math/proof"
en = "Proof"
zh = "证明"
definition = "Prove a statement."
objectivity = "factual"
controversiality = "low"
[[leaf]]
id = "math/sums"
en = "Sums"
zh = "求和"
definition = "Add numbers."
objectivity = "factual"
controversiality = "low"
"""


def test_the_built_in_one_has_what_the_specification_asks_for() -> None:
    taxonomy = load_taxonomy()
    assert len(taxonomy.leaf) >= 50
    assert {leaf.group for leaf in taxonomy.leaf} == {group.id for group in taxonomy.group}
    for leaf in taxonomy.leaf:
        assert leaf.definition.endswith(".")
        assert any("\u4e00" <= character <= "\u9fff" for character in leaf.zh)
        assert len(leaf.phrasings) >= 2
    assert {leaf.objectivity for leaf in taxonomy.leaf} == {"factual", "opinion", "open-ended"}
    assert {leaf.controversiality for leaf in taxonomy.leaf} == {"low", "medium", "high"}
    for names in ([leaf.en for leaf in taxonomy.leaf], [leaf.zh for leaf in taxonomy.leaf]):
        assert len(set(names)) == len(names)


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(SMALL, encoding="utf-8")
    taxonomy = load_taxonomy(path)
    assert list(taxonomy.by_id) == ["math/proof", "math/sums"]
    assert taxonomy.digest != load_taxonomy().digest


@pytest.mark.parametrize("name", ["math/proof", "Math/Proof", "proof", "PROOF", "证明", " math / proof ".replace(" / ", "/")])
def test_names_that_mean_a_leaf(tmp_path: Path, name: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(SMALL, encoding="utf-8")
    assert load_taxonomy(path).resolve(name) == "math/proof"
    assert load_taxonomy(path).resolve(name + "s of love") is None


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ('id = "math/sums"', 'id = "math/proof"', "'math/proof' occurs twice"),
        ('id = "math/sums"', 'id = "logic/sums"', "group 'logic'"),
        ('id = "math/sums"', 'id = "sums"', r"leaf\.1\.id"),
        ('objectivity = "factual"', 'objectivity = "fact"', r"leaf\.0\.objectivity"),
        ('en = "Sums"', 'en = "Sums"\ncues = ["(open"]', "no regular expression"),
        ('en = "Sums"', 'en = "Sums"\ncolour = "red"', "colour"),
        ("schema_version = 1", "schema_version = 2", "schema_version"),
        ("schema_version = 1", "schema_version = ", "not valid TOML"),
    ],
)
def test_mistakes_are_named_with_file_and_key(tmp_path: Path, before: str, after: str, message: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(SMALL.replace(before, after, 1), encoding="utf-8")
    with pytest.raises(UserError, match=message) as caught:
        load_taxonomy(path)
    assert "own.toml" in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"attributes\.taxonomy"):
        load_taxonomy(tmp_path / "none.toml")
