"""Recipes hold the settings of the paper; everything else of the user wins over them."""

import re
from pathlib import Path

import pytest

from goldsmith.config import load_config
from goldsmith.config.recipe import read_recipe, recipe_names
from goldsmith.errors import UserError

ROOT = Path(__file__).parents[3]
FILES = sorted((ROOT / "src" / "goldsmith" / "config" / "recipes").glob("*.toml"))

# From the specification: base, pairs in millions, development learning rate.
FAMILY = {
    "qwen3-0.6b": ("Qwen/Qwen3-0.6B", 26, 4e-6),
    "qwen3-1.7b": ("Qwen/Qwen3-1.7B", 26, 4e-6),
    "qwen3-4b": ("Qwen/Qwen3-4B", 26, 4e-6),
    "qwen3-8b": ("Qwen/Qwen3-8B", 26, 1e-6),
    "llama-3.2-1b": ("meta-llama/Llama-3.2-1B-Instruct", 26, 4e-6),
    "llama-3.2-3b": ("meta-llama/Llama-3.2-3B-Instruct", 26, 4e-6),
    "llama-3.1-8b": ("meta-llama/Llama-3.1-8B-Instruct", 26, 1e-6),
    "llama-3.1-8b-40m": ("meta-llama/Llama-3.1-8B-Instruct", 40, 1e-6),
}


def test_the_family_has_eight_members():
    assert sorted(recipe_names()) == sorted(FAMILY)


@pytest.mark.parametrize("name", FAMILY)
def test_final_settings_are_the_papers(name):
    recipe = read_recipe(name)
    config = load_config(below=recipe.settings)
    base, millions, _ = FAMILY[name]
    assert (config.reward.base, recipe.pairs, config.reward.max_length) == (base, millions * 10**6, 16_384)
    train = config.train
    assert (train.method, train.epochs, train.batch_size) == ("full", 1, 10_240)
    assert (train.learning_rate, train.schedule, train.warmup_ratio, train.center_rewards) == (3e-6, "constant", 0.0, 0.0)
    assert read_recipe(f"{name}/final").settings == recipe.settings


@pytest.mark.parametrize("name", FAMILY)
def test_development_settings_are_the_papers(name):
    train = load_config(below=read_recipe(f"{name}/development").settings).train
    assert (train.learning_rate, train.batch_size, train.schedule, train.epochs) == (FAMILY[name][2], 256, "linear", 1)
    assert train.warmup_ratio > 0


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_value_stands_under_a_comment_that_names_its_source(path):
    source = None
    for line in path.read_text(encoding="utf-8").split("\n"):
        if line.startswith("#"):
            source = f"{source or ''}{line}"  # a comment may have several lines
        elif not line.strip() or line.startswith("["):
            source = None
        elif not line.startswith("summary"):
            assert source, f"{path.name}: no source above: {line}"
            assert re.search(r"Paper:|Ours:|Source:|\[memory\]", source), f"{path.name}: {source} names no source for {line}"


def test_the_repository_shows_the_files_that_are_shipped():
    shown = sorted((ROOT / "configs" / "recipes").glob("*.toml"))
    assert [path.read_bytes() for path in shown] == [path.read_bytes() for path in FILES]
    assert len(shown) == 8


def test_files_and_overrides_win_over_a_recipe(tmp_path):
    mine = tmp_path / "mine.toml"
    mine.write_text("[train]\nbatch_size = 64\nlearning_rate = 1e-5\n")
    recipe = read_recipe("qwen3-8b")
    config = load_config([mine], ["train.batch_size=32"], below=recipe.settings)
    assert (config.train.batch_size, config.train.learning_rate, config.train.schedule) == (32, 1e-5, "constant")
    assert load_config(below=recipe.settings).train.batch_size == 10_240  # the recipe itself is not changed


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("qwen3-06b", "did you mean 'qwen3-0.6b'"),
        ("Qwen3-8B", "did you mean 'qwen3-8b'"),
        ("qwen3-8b/develop", "did you mean 'qwen3-8b/development'"),
        ("nonsense", "known here: llama-3.2-1b, "),
        ("", "known here: llama-3.2-1b, "),
        ("../../etc/passwd", "there is no"),
    ],
)
def test_an_unknown_name_is_told_with_the_closest_one(name, told):
    with pytest.raises(UserError, match=re.escape(told)):
        read_recipe(name)
