"""What is written: one page that runs and loads nothing whatever the texts say, and tables and files that others can read."""

import base64
import csv
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from markdown_it import MarkdownIt

from goldsmith.errors import UserError
from goldsmith.evaluate.compare import ComparisonData, write_comparison
from goldsmith.evaluate.compare.html import notes_of, render
from goldsmith.evaluate.compare.leaderboard import file_name, model_index
from goldsmith.evaluate.compare.markdown import inert
from goldsmith.evaluate.compare.tables import as_csv
from goldsmith.evaluate.statistics import Estimate

VOID = {"meta", "img", "source", "br", "input"}


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


@pytest.fixture(scope="module")
def written(evaluation: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    use = tmp_path_factory.mktemp("use") / "win_rate.csv"
    use.write_text("org/good,0.7\norg/twin,0.7\nweak,0.4\njudge,0.5\nmisspelt,1\n", encoding="utf-8")
    pool = use.with_name("pool.jsonl")
    pool.write_text(json.dumps({"prompt": "question r1", "chosen": "a", "rejected": "b"}) + "\n", encoding="utf-8")
    suite = evaluation.parent / "suite"
    return write_comparison([evaluation], tmp_path_factory.mktemp("report"), downstream=use, pool=pool, suite=suite).parent


@pytest.fixture(scope="module")
def hostile_report(hostile: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_comparison([hostile], tmp_path_factory.mktemp("hostile-report")).parent


def test_the_record_is_the_whole_report(written: Path) -> None:
    stored = ComparisonData.model_validate_json((written / "report.json").read_text("utf-8"))
    assert stored.schema_version == 1
    page = (written / "report.html").read_text("utf-8")
    assert all(model.name in page for model in stored.models)
    assert "The downstream file names models that were not given: misspelt." in page
    assert stored.contamination is not None
    assert {row.benchmark: sum(row.pairs.values()) for row in stored.contamination.rows}["rm-bench"] == 1


def test_the_page_loads_nothing_and_runs_nothing(written: Path) -> None:
    text = (written / "report.html").read_text("utf-8")
    page = Page(text)
    assert not page.open
    policy = next(attrs["content"] for _, attrs in page.tags if attrs.get("http-equiv") == "Content-Security-Policy")
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "iframe", "object", "embed", "form", "link", "base"})
    assert all(address.startswith("#") for address in page.values("href"))
    assert all(address.startswith("data:image/svg+xml;base64,") for address in page.values("src") + page.values("srcset"))
    assert {address[1:] for address in page.values("href")} <= set(page.values("id"))
    pictures = [attrs for tag, attrs in page.tags if tag == "img"]
    assert len(pictures) >= 10
    assert all(len(picture["alt"] or "") > 40 for picture in pictures)
    assert "published, not measured here" in text


def test_what_is_noted_of_every_model_stands_once(written: Path) -> None:
    stored = ComparisonData.model_validate_json((written / "report.json").read_text("utf-8"))
    shared, *others = notes_of(stored, "rewardbench")
    assert shared[0] == []
    assert any("not the official number of rows" in note for note in shared[1])
    assert all(names for names, _ in others)
    told = [note for _, notes in (shared, *others) for note in notes]
    assert len(told) == len(set(told)) > 0
    page = (written / "report.html").read_text("utf-8")
    assert page.count("absent: alpacaeval-length") == 1


def test_a_shortcut_that_no_pair_of_a_benchmark_could_show_is_no_row(written: Path) -> None:
    stored = ComparisonData.model_validate_json((written / "report.json").read_text("utf-8"))
    first, nothing = stored.panels[0], Estimate(reason="nothing to compare")
    blank = first.model_copy(update={"panel": replace(first.panel, accuracy_more=nothing, accuracy_less=nothing)})
    page = render(stored.model_copy(update={"panels": [blank, *stored.panels[1:]]}))
    table = page.split("Every panel, benchmark by benchmark")[1].split("</table>")[0]
    assert table.split("<tbody>")[1].count("<tr>") == len(stored.panels) - 1


def test_the_filter_of_failures_knows_every_model_and_benchmark(written: Path) -> None:
    text = (written / "report.html").read_text("utf-8")
    page = Page(text)
    for kind in ("model", "benchmark"):
        used = set(page.values(f"data-{kind}"))
        chosen = {name.removeprefix(f"{kind}-") for name in page.values("id") if name.startswith(f"{kind}-")} - {"all"}
        assert used == chosen
        assert all(f"#{kind}-{number}:checked" in text for number in used)


def test_hostile_text_stays_text(hostile_report: Path) -> None:
    text = (hostile_report / "report.html").read_text("utf-8")
    page = Page(text)
    assert not page.open
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "svg", "iframe"})
    assert not [attrs for _, attrs in page.tags if any(name.startswith("on") for name in attrs)]
    assert {tag for tag, attrs in page.tags if "src" in attrs} <= {"img"}
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", text)
    assert "&lt;script&gt;" in text
    assert "[U+202E]" in text
    style = re.search(r"<style>(.*?)</style>", text, re.S)
    assert style is not None
    assert "alert" not in style[1].replace("--alert", "").replace(".alert", "")


def test_hostile_text_stays_text_in_pictures(hostile_report: Path) -> None:
    drawings = re.findall(r"data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)", (hostile_report / "report.html").read_text("utf-8"))
    assert drawings
    for drawing in drawings:
        root = ElementTree.fromstring(base64.b64decode(drawing))
        assert {element.tag.rpartition("}")[2] for element in root.iter()}.isdisjoint(
            {"script", "img", "image", "foreignObject", "a"}
        )
        assert not [name for element in root.iter() for name in element.attrib if name.lower().startswith("on")]


def test_hostile_text_stays_text_in_markdown(hostile_report: Path) -> None:
    text = (hostile_report / "report.md").read_text("utf-8")
    html = MarkdownIt("commonmark", {"html": True, "linkify": False}).enable("table").render(text)
    assert not re.search(r"<(script|svg|img|a|code|p></details)\b", html)
    assert "\u202e" not in text
    tables = [block for block in text.split("\n\n") if block.startswith("| ")]
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1  # no cell breaks out of its row


@pytest.mark.parametrize(
    "text",
    [
        "# title",
        "1. item",
        "- item",
        "> quote",
        "*a* _b_ `c` [d](e) ![f](g) <h> &i; ~~j~~ |k|",
        "http://x.yz www.x.yz",
        "a\n\n# b",
        "===",
    ],
)
def test_inert_markdown_shows_what_was_written(text: str) -> None:
    html = MarkdownIt("commonmark", {"html": True}).render(f"- {inert(text)}")
    shown = re.sub(r"</?(ul|li)>|\n", "", html)
    plain = " ".join(text.split())
    assert shown == plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def test_tables_are_csv_without_formulas(hostile_report: Path, written: Path) -> None:
    rows = list(csv.DictReader(io.StringIO((hostile_report / "report-files" / "tables" / "scores.csv").read_text("utf-8"))))
    assert {row["model"][:6] for row in rows if "cmd" in row["model"]} == {"'=cmd()"[:6]}
    plain = list(csv.DictReader(io.StringIO((written / "report-files" / "tables" / "scores.csv").read_text("utf-8"))))
    stored = ComparisonData.model_validate_json((written / "report.json").read_text("utf-8"))
    good = next(model for model in stored.models if model.name == "org/good")
    row = next(row for row in plain if (row["model"], row["benchmark"], row["level"]) == ("org/good", "judgebench", "official"))
    assert float(row["value"]) == good.scores["judgebench"].official.value
    assert {row["measured"] for row in plain if row["kind"] == "published"} == {"False"}
    assert {path.name for path in (written / "report-files" / "tables").iterdir()} == {
        "scores.csv", "differences.csv", "curves.csv", "panels.csv", "calibration.csv", "correlations.csv", "agreement.csv", "failures.csv",
    }  # fmt: skip


def test_numbers_are_not_taken_for_formulas() -> None:
    assert as_csv(["a", "b"], [[-0.5, "-x"], [None, "=1"]]) == "a,b\n-0.5,'-x\n,'=1\n"


def test_rewardbench_files_have_the_leaderboards_shape(written: Path) -> None:
    folder = written / "report-files" / "rewardbench" / "reward-bench-results"
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.json")) == sorted(
        f"{part}/{name}.json"
        for part in ("eval-set", "eval-set-scores")
        for name in ("org/good", "org/twin", "goldsmith/weak", "goldsmith/judge")
    )
    subsets: dict[str, Any] = json.loads((folder / "eval-set" / "org" / "good.json").read_text("utf-8"))
    rows: dict[str, Any] = json.loads((folder / "eval-set-scores" / "org" / "good.json").read_text("utf-8"))
    assert (subsets["model"], subsets["model_type"], subsets["chat_template"]) == ("org/good", "Seq. Classifier", "tokenizer")
    assert {len(rows[name]) for name in ("results", "subset", "id", "scores_chosen", "scores_rejected")} == {36}
    for name in ("math-prm", "hep-python"):
        results = [result for result, subset in zip(rows["results"], rows["subset"], strict=True) if subset == name]
        assert subsets[name] == pytest.approx(sum(results) / len(results))
    won = [int(right > wrong) for right, wrong in zip(rows["scores_chosen"], rows["scores_rejected"], strict=True)]
    assert won == rows["results"]
    assert rows["id"] == list(range(36))
    judge = json.loads((folder / "eval-set" / "goldsmith" / "judge.json").read_text("utf-8"))
    assert judge["model_type"] == "Generative RM"


def test_model_index_is_read_by_the_hub(written: Path, hostile_report: Path) -> None:
    from huggingface_hub import ModelCard

    card = ModelCard((written / "report-files" / "model-index" / "org--good.md").read_text("utf-8"))
    results = {result.dataset_type: result for result in card.data.eval_results}
    assert results["allenai/reward-bench"].dataset_split == "filtered"
    stored = ComparisonData.model_validate_json((written / "report.json").read_text("utf-8"))
    score = next(model for model in stored.models if model.name == "org/good").scores["rewardbench"].official.value
    assert results["allenai/reward-bench"].metric_value == pytest.approx(score, abs=1e-6)
    assert results["allenai/reward-bench"].metric_name == "official score (not the official number of rows)"
    for path in (hostile_report / "report-files" / "model-index").iterdir():
        assert ModelCard(path.read_text("utf-8")).data.eval_results


def test_a_score_over_several_datasets_is_that_of_none_of_them(written: Path) -> None:
    stored = ComparisonData.model_validate_json((written / "report.json").read_text("utf-8"))
    model = next(model for model in stored.models if model.name == "org/good")
    as_if = model.model_copy(update={"scores": {"ppe-correctness": model.scores["rewardbench"]}})
    text = model_index(as_if, {"ppe-correctness": "PPE Correctness"})
    assert '"type": "ppe-correctness"' in text
    assert "lmarena-ai" not in text


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("org/name", "org/name.json"), ("name", "goldsmith/name.json"), ("../../etc/passwd", "etc/passwd.json"), ("/abs/olute/x", "abs/olute-x.json"),
        ("..", "goldsmith/model.json"), ("a b<c>/d\u202ee", "a-b-c/d-U-202E-e.json"),
    ],
)  # fmt: skip
def test_no_name_leaves_the_folder(name: str, file: str) -> None:
    assert file_name(name) == file


def test_a_pool_needs_benchmarks(evaluation: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--suite or --benchmark"):
        write_comparison([evaluation], tmp_path, pool="pool.jsonl")


def test_an_earlier_report_leaves_nothing_behind_and_foreign_folders_stay(evaluation: Path, tmp_path: Path) -> None:
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "mine.txt").write_text("mine", encoding="utf-8")
    folders = {name: folder for folder in (evaluation / "models").iterdir() for name in ("weak", "judge") if name in folder.name}
    write_comparison([folders["weak"]], tmp_path)
    write_comparison([folders["judge"]], tmp_path)
    assert [path.name for path in (tmp_path / "report-files" / "model-index").iterdir()] == ["goldsmith--judge.md"]
    assert (tmp_path / "tables" / "mine.txt").read_text("utf-8") == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "report-files",
        "report.html",
        "report.json",
        "report.md",
        "tables",
    ]
