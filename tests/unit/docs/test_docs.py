"""Documentation is tested: generated pages are fresh, every public name and verb is told of, every link leads somewhere."""

import re
import subprocess
import sys
import typing
from pathlib import Path

import goldsmith
from goldsmith.cli.main import VERBS
from goldsmith.config import load_config
from goldsmith.llm.request import FailureKind

ROOT = Path(__file__).parents[3]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "design").glob("*.md")),
]


def test_generated_pages_are_fresh() -> None:
    result = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "generate.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_public_name_can_be_imported_and_is_documented() -> None:
    text = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    for name in goldsmith.__all__:
        assert getattr(goldsmith, name) is not None
        assert f"`{name}`" in text, f"docs/python.md does not tell of {name}"


def test_every_verb_is_in_the_readme() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for verb in VERBS:
        assert f"goldsmith {verb}" in text, f"README.md does not show goldsmith {verb}"


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
            if not target.startswith(("http:", "https:", "mailto:")):
                assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_kind_of_failure_is_told_of_and_the_example_of_endpoints_parses(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "llm.md").read_text(encoding="utf-8")
    for kind in typing.get_args(FailureKind):
        assert f"| `{kind}` |" in text, f"docs/llm.md does not tell of {kind}"
    (tmp_path / "goldsmith.toml").write_text(text.split("```toml\n")[1].split("```")[0], encoding="utf-8")
    assert [endpoint.name for endpoint in load_config([tmp_path / "goldsmith.toml"]).llm.endpoints] == ["big", "local"]
