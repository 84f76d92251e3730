"""What came back from models: order, titles, and the page; the tests of judges by task and together."""

from pathlib import Path

from goldsmith.evaluate.report.data import JudgeRow, Judges, Replies, ReportData, TaskRow
from goldsmith.evaluate.report.html import render
from goldsmith.evaluate.report.replies import reply_rows
from goldsmith.evaluate.report.words import write_words

HOSTILE = "<script>alert(1)</script>"


def bare(**parts: object) -> ReportData:
    return ReportData.model_validate({"title": "t", "created": "2026-11-22", "version": "0", "seed": 0, **parts})


def test_stages_stand_in_the_order_of_the_flow() -> None:
    asked = {"replies": {"total": 2, "usable": 1, "failed": {"timeout": 1}}}
    facts = {
        "stage2": asked, "round_10": asked, "round_2": asked, "verify_2": asked, "verify_0": asked, "silver_0": asked,
        "judges": asked, "attributes": asked, "pool": {"total": 3}, "round_1": {"replies": {}}, "gold_0": {"replies": {"total": 0}},
    }  # fmt: skip
    assert [row["stage"] for row in reply_rows(facts).values()] == [
        "attributes", "pre-verification of batch 0", "test of the judges", "silver of the seed", "silver of round 2",
        "pre-verification of batch 2", "silver of round 10", "stage 2",
    ]  # fmt: skip


def test_the_page_shows_failures_by_kind_and_judges_by_task() -> None:
    row = JudgeRow(
        model=HOSTILE, num_pairs=50, num_decided=40, num_correct=30, accuracy=0.75, low=0.6, high=0.86, num_both_orders=50, same_choice=35,
        calibration_error=0.123, kappa=0.5, beats_chance=True, used=True,
        by_task=[TaskRow(task="math", num_pairs=20, num_decided=16, num_correct=8, accuracy=0.5, low=0.28, high=0.72, kappa=0.0)],
    )  # fmt: skip
    data = bare(
        judges=Judges(tests=[row, JudgeRow(model="coin", num_pairs=50, num_decided=50, num_correct=25, accuracy=0.5, low=0.37, high=0.63)],
                      together=row.model_copy(update={"model": "a+b"})),
        replies=[Replies(stage="stage 2", total=9, usable=6, failed={"timeout": 2, HOSTILE: 1}, shortened=4, control_tokens=5, addressed=7)],
    )  # fmt: skip
    page = render(data)
    assert HOSTILE not in page
    for told in (
        "timeout 2",
        "by group of tasks",
        "8 of 16 decided",
        "70 %",
        "0.12",
        "a+b",
        "together",
        "no: at chance",
        "replies that address their judge",
    ):
        assert told in page, told
    assert "At chance, and not used: coin." in write_words(data)[0].text


def test_a_report_without_models_says_nothing_of_replies(tmp_path: Path) -> None:
    assert "What came back from the models" not in render(bare())
