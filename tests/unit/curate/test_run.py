import json
from dataclasses import replace
from pathlib import Path

import pytest

from goldsmith import Workspace, init, run, status
from goldsmith.cli.main import run as cli
from goldsmith.config.annotate import AnnotateConfig
from goldsmith.curate import stage1
from goldsmith.curate.context import Context
from goldsmith.curate.grow import asked_ids
from goldsmith.curate.rewards import closed_contexts, context_folds, trainable
from goldsmith.curate.run import changed_keys
from goldsmith.errors import StoreError, UserError
from goldsmith.gold.room import open_room
from goldsmith.gold.schema import QUEUE
from goldsmith.progress import Progress
from voting_room import Clock, SmallRoom

PAIRS = [{"prompt": f"question {n}", "chosen": f"good answer {n}", "rejected": f"bad answer {n}"} for n in range(8)]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    source = tmp_path / "pairs.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in PAIRS))
    config = tmp_path / "config.toml"
    config.write_text('[pool]\nsources = ["pairs.jsonl"]\n[gold]\nseed_budget = 3\n[llm]\nendpoints = []\n')
    return init(tmp_path / "w", config)


def test_changed_keys_are_named_with_their_path() -> None:
    before = {"seed": 1, "rounds": {"count": 2, "k_max": 8}, "gone": 1}
    assert changed_keys(before, {"seed": 1, "rounds": {"count": 3, "k_max": 8}, "new": 2}) == ["gone", "new", "rounds.count"]


def test_a_run_without_votes_waits_and_says_where(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli(["run", "-w", str(workspace.root)]) == 4
    told = capsys.readouterr().err
    assert "batch 'seed': 3 pairs need votes" in told
    assert str(workspace.annotation_db) in told
    assert status(workspace).queue == {"first": 3, "expert": 0}
    assert cli(["votes", "export", "-w", str(workspace.root), "-o", str(workspace.root / "q.jsonl")]) == 0
    items = [json.loads(line) for line in (workspace.root / "q.jsonl").read_text().splitlines()]
    assert len(items) == 3
    assert all("label" not in item and "source" not in item for item in items)


def test_what_the_models_may_cost_is_said_before_the_first_stage(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    place = workspace.root / "goldsmith.toml"
    place.write_text(
        place.read_text().replace("endpoints = []", 'endpoints = [{ name = "one", base_url = "http://127.0.0.1:9/v1" }]')
    )
    assert cli(["run", "-w", str(workspace.root)]) == 4
    told = " ".join(capsys.readouterr().err.split())
    assert "LLM calls at most" in told
    assert told.index("LLM calls at most") < told.index("Reading the sources")


def _vote_on_all(workspace: Workspace) -> int:
    """Three people say `first` to whatever waits; returned is how many pairs waited."""
    queue, votes = workspace.root / "q.jsonl", workspace.root / "v.jsonl"
    cli(["votes", "export", "-w", str(workspace.root), "-o", str(queue)])
    names = [json.loads(line)["pair_id"] for line in queue.read_text().splitlines()]
    rows = [
        {"vote_id": f"{name}-{n}", "pair_id": name, "annotator": f"a{n}", "round": "first", "choice": "first"}
        for name in names
        for n in range(3)
    ]
    votes.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert cli(["votes", "import", "-w", str(workspace.root), str(votes)]) == 0
    return len(names)


def test_an_undecided_gate_asks_for_more_pairs_up_to_a_bound_and_then_says_so(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli(["run", "-w", str(workspace.root)]) == 4
    # Votes that are all the same have no alpha: undecided. Half of the budget of 3, rounded up, is asked for at once; twice the budget is the bound.
    for waiting, told in (
        (3, "2 more pairs are in the queue"),
        (2, "1 more pairs are in the queue"),
        (1, "the gate says undecided"),
    ):
        assert _vote_on_all(workspace) == waiting
        assert cli(["run", "-w", str(workspace.root)]) == 4
        assert told in capsys.readouterr().err
    # Nobody is asked twice, and asking again changes nothing.
    assert cli(["run", "-w", str(workspace.root)]) == 4
    assert status(workspace).queue == {"first": 0, "expert": 0}


def test_pairs_that_were_asked_for_later_are_not_silver(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    cli(["run", "-w", str(workspace.root)])
    _vote_on_all(workspace)
    cli(["run", "-w", str(workspace.root)])
    context = Context(workspace, workspace.runs()[-1], Progress())
    asked = asked_ids(context, 0)
    assert len(set(asked)) == 5
    as_they_came = lambda _context, _print, rows, _round: ({row["pair_id"]: (row["label"], "unknown") for row in rows}, {}, {})
    monkeypatch.setattr(stage1, "label_by_judges", as_they_came)
    stage1.seed_silver(context, "fingerprint")
    silver = {row["pair_id"] for row in workspace.table("silver_0").rows(["pair_id"])}
    assert silver == {row["pair_id"] for row in workspace.table("seed").rows(["pair_id"])} - set(asked)
    assert len(silver) == 3
    context.close()


def test_votes_in_the_room_are_judged_again_before_the_gate_decides(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    cli(["run", "-w", str(workspace.root)])
    here = SmallRoom(replace(open_room(workspace), rules=AnnotateConfig(qualification_items=0, check_rate=0.0)), Clock())
    here.add("ann", "bob", "cat", "dan")
    with here.room.database.read() as connection:
        attributes = connection.execute(QUEUE.select()).mappings().first()["attributes"]  # type: ignore[index]
    assert "task" in json.loads(attributes)
    for name in ("ann", "bob", "cat"):
        for choice in ("first", "second", "first"):
            here.work(name, choice)
    assert cli(["run", "-w", str(workspace.root)]) == 4
    # 5 % of three pairs, rounded up, is one; at most half of them, rounded down, is one.
    assert "1 verified pairs are being judged again" in capsys.readouterr().err
    assert here.work("dan").round == "retest"
    assert cli(["run", "-w", str(workspace.root)]) == 4
    # Three pairs decide nothing, however well people agree: the batch grows.
    assert "2 more pairs are in the queue" in capsys.readouterr().err
    here.room.close()


def test_the_room_may_be_changed_while_a_run_waits(workspace: Workspace) -> None:
    assert cli(["run", "-w", str(workspace.root)]) == 4
    place = workspace.root / "goldsmith.toml"
    place.write_text(place.read_text() + "\n[annotate]\nport = 8601\n")
    assert cli(["run", "-w", str(workspace.root)]) == 4


def test_an_unfinished_run_refuses_another_configuration_and_names_the_key(workspace: Workspace) -> None:
    cli(["run", "-w", str(workspace.root)])
    place = workspace.root / "goldsmith.toml"
    place.write_text(place.read_text().replace("seed_budget = 3", "seed_budget = 4"))
    with pytest.raises(UserError, match=r"changed since: gold\.seed_budget.*--restart"):
        run(Workspace(workspace.root))
    assert cli(["run", "--restart", "-w", str(workspace.root)]) == 4
    assert [entry.name for entry in workspace.runs()] == ["1", "2"]


def test_two_runs_in_one_workspace_do_not_mix(workspace: Workspace) -> None:
    with workspace.locked(), pytest.raises(StoreError, match="in use by another Goldsmith process"):
        run(Workspace(workspace.root))


def test_folds_are_by_context_and_even() -> None:
    folds = context_folds([f"c{n}" for n in range(10)] * 2, 5, seed=3)
    assert sorted(folds.values()) == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert folds == context_folds([f"c{n}" for n in reversed(range(10))], 5, seed=3)


def test_closed_contexts_and_ties_are_never_trained_on() -> None:
    gold = [
        {"context_id": "a", "split": "audit"},
        {"context_id": "t", "split": "train"},
        {"context_id": "v", "split": "validation"},
    ]
    assert closed_contexts(gold) == {"a", "v"}
    rows = [
        {"context_id": name, "label": label} for name, label in (("a", "first"), ("t", "first"), ("t", "tie"), ("x", "second"))
    ]
    assert trainable(rows, closed_contexts(gold)) == [rows[1], rows[3]]
