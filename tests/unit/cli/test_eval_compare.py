"""`goldsmith eval compare`: a report from results, exit codes, and messages that name the place."""

import json
from pathlib import Path

import pytest

from evaluated import NoisyTruth, evaluate, write_suite
from goldsmith.cli.main import run


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("eval")
    return evaluate(write_suite(folder / "suite"), folder / "out", [NoisyTruth("one", truth=0.4)], rules=())


def test_the_report_is_written_and_named(out: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert (
        run(["eval", "compare", str(out), "--out", str(tmp_path / "report"), "--title", "My models", "--no-published", "--json"])
        == 0
    )
    told = json.loads(capfd.readouterr().out)
    assert told == {"report": str(tmp_path / "report" / "report.html")}
    page = Path(told["report"]).read_text("utf-8")
    assert "<h1>My models</h1>" in page
    assert "published, not measured here" not in page
    assert "the longer reply wins" in page


def test_a_folder_without_results_is_a_user_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["eval", "compare", str(tmp_path), "--out", str(tmp_path / "report")]) == 1
    assert f"{tmp_path}: no result in it" in capfd.readouterr().err
    assert not (tmp_path / "report").exists()


def test_a_bad_downstream_file_is_named_before_anything_is_written(
    out: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    use = tmp_path / "use.csv"
    use.write_text("one,good\n", encoding="utf-8")
    assert run(["eval", "compare", str(out), "--out", str(tmp_path / "report"), "--downstream", str(use)]) == 1
    assert "use.csv:1: 'one,good' is not `model,value`" in capfd.readouterr().err
    assert not (tmp_path / "report").exists()


def test_wrong_use(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["eval", "compare"]) == 2
    assert "RESULTS" in capfd.readouterr().err
