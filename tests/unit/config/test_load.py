from pathlib import Path

import pytest

from goldsmith.config import GoldsmithConfig, load_config
from goldsmith.config.load import resolve_path
from goldsmith.errors import UserError

CONFIGS = sorted((Path(__file__).parents[3] / "configs").glob("*.toml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_shipped_configuration_parses(path: Path) -> None:
    assert load_config([path]).name


def test_later_files_and_overrides_win(tmp_path: Path) -> None:
    (tmp_path / "one.toml").write_text("seed = 1\n[rounds]\ncount = 3\n")
    (tmp_path / "two.toml").write_text("[rounds]\ncount = 4\n")
    config = load_config([tmp_path / "one.toml", tmp_path / "two.toml"], ["rounds.k_rule=paper"])
    assert (config.seed, config.rounds.count, config.rounds.k_rule) == (1, 4, "paper")


def test_the_resolved_configuration_reads_back_the_same() -> None:
    config = load_config(overrides=["gold.seed_budget=3"])
    assert GoldsmithConfig.model_validate_json(config.model_dump_json()) == config


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("rounds.cont=3", "unknown key 'rounds.cont'; did you mean 'count'"),
        ("rouns.count=3", "unknown key 'rouns'; did you mean 'rounds'"),
        ("curate.keep_rule=both", "curate.keep_rule = 'both': Input should be 'article', 'paper', 'stack' or 'joint'"),
        ("gold.min_alpha=2", "gold.min_alpha = 2"),
        ("rounds", "expected section.key=value"),
    ],
)
def test_a_wrong_setting_is_named_with_its_remedy(override: str, told: str) -> None:
    with pytest.raises(UserError, match=told.replace(".", r"\.").replace("(", r"\(")):
        load_config(overrides=[override])


def test_broken_toml_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("a = = 1")
    with pytest.raises(UserError, match=r"bad\.toml: not valid TOML"):
        load_config([tmp_path / "bad.toml"])


def test_a_missing_data_folder_is_explained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("GOLDSMITH_DATA", raising=False)
    with pytest.raises(UserError, match="GOLDSMITH_DATA, which is not set"):
        resolve_path("$GOLDSMITH_DATA/x.jsonl", tmp_path)
    assert resolve_path("hf:org/name", tmp_path) == "hf:org/name"
    assert resolve_path("x.jsonl", tmp_path) == str(tmp_path / "x.jsonl")
