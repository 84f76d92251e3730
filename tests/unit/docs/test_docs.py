"""Documentation is tested: generated pages are fresh, every public name and verb is told of, every link leads somewhere."""

import re
import subprocess
import sys
from pathlib import Path

import goldsmith
from goldsmith.cli.main import VERBS

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
