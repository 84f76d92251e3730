"""Two-way sync with a Label Studio server: nothing is sent or taken twice, whatever fails in the middle."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from exchange_items import item
from goldsmith.config import GoldsmithConfig, load_config
from goldsmith.errors import ProviderError, UserError
from goldsmith.gold.exchange import server
from goldsmith.gold.exchange.label_studio_config import config
from goldsmith.gold.exchange.server import Server
from goldsmith.gold.exchange.sync import sync_votes
from goldsmith.gold.room import open_votes
from goldsmith.store import Workspace
from goldsmith.types import Vote
from scripted_label_studio import JWT, TOKEN, ScriptedLabelStudio

PAIRS = [item(f"question {number}", f"reply {number}", f"other {number}") for number in range(3)]


@pytest.fixture
def studio(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedLabelStudio]:
    monkeypatch.setenv("LABEL_STUDIO_TOKEN", TOKEN)
    monkeypatch.setattr(server, "FIRST_WAIT_S", 0.01)
    made = ScriptedLabelStudio()
    yield made
    made.close()


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path, GoldsmithConfig())
    store = open_votes(made)
    texts = [one.pair for one in PAIRS if one.pair]
    rows = [{"pair_id": p.pair_id, "context": p.messages, "first": p.first, "second": p.second} for p in texts]
    store.fill_queue("seed", rows)
    store.close()
    return made


def _left(**more: Any) -> dict[str, Any]:
    return {"from_name": "comparison", "to_name": "answer1", "type": "pairwise", "value": {"selected": "left"}, **more}


def _choice(control: str, value: str) -> dict[str, Any]:
    return {"from_name": control, "to_name": "prompt", "type": "choices", "value": {"choices": [value]}}


def _votes(workspace: Workspace) -> list[Vote]:
    store = open_votes(workspace)
    try:
        return [vote for given in store.votes_of([one.pair_id for one in PAIRS]).values() for vote in given]
    finally:
        store.close()


def test_pairs_go_there_once_and_votes_come_back_once(studio: ScriptedLabelStudio, workspace: Workspace) -> None:
    first = sync_votes(workspace, studio.url)
    assert (first["created"], first["pushed"], first["votes"]) == (True, 3, 0)
    (tasks,) = studio.tasks.values()
    task = tasks[0]
    studio.annotate(task, 7, _left(), _choice("strength", "much better"))
    studio.annotate(task, 8, _choice("verdict", "tie"), lead_time=3)
    again = sync_votes(workspace, studio.url)
    assert (again["created"], again["pushed"], again["there"], again["votes"], again["new"]) == (False, 0, 3, 2, 2)
    once_more = sync_votes(workspace, studio.url)
    assert (once_more["new"], once_more["known"], len(tasks)) == (0, 2, 3)
    by_rater = {vote.annotator: vote for vote in _votes(workspace)}
    shown = task["data"]["shown_order"]
    given = by_rater["label-studio:7"]
    # Left is the reply that this task shows first; nobody who looks at the pair's own sides needs to know where it stood.
    assert (given.choice, given.strength, given.seconds, given.shown_order) == (shown[0], 2, 12.5, shown)
    assert (by_rater["label-studio:8"].choice, by_rater["label-studio:8"].strength) == ("tie", 0)


def test_tasks_tell_nothing_of_other_peoples_votes(studio: ScriptedLabelStudio, workspace: Workspace) -> None:
    name = PAIRS[0].pair_id
    store = open_votes(workspace)
    store.add([Vote(vote_id="v", pair_id=name, annotator="ann", round="first", choice="first")], recorded=False)
    store.close()
    sync_votes(workspace, studio.url)
    (tasks,) = studio.tasks.values()
    assert [task["annotations"] for task in tasks] == [[], [], []]
    assert next(iter(studio.projects.values()))["show_collab_predictions"] is False


def test_an_answer_that_is_lost_on_the_way_sends_nothing_twice(studio: ScriptedLabelStudio, workspace: Workspace) -> None:
    studio.lose_answers = 1
    with pytest.raises(ProviderError, match="run the same command again"):
        sync_votes(workspace, studio.url)  # the project was made, and nobody was told
    studio.lose_answers = 1
    with pytest.raises(ProviderError, match=r"/import"):
        sync_votes(workspace, studio.url)  # the tasks were taken, and nobody was told
    assert sync_votes(workspace, studio.url)["pushed"] == 0
    assert [len(tasks) for tasks in studio.tasks.values()] == [3]


def test_a_server_that_starts_late_and_a_token_that_runs_out_are_waited_for(
    studio: ScriptedLabelStudio, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync_votes(workspace, studio.url)
    monkeypatch.setenv("LABEL_STUDIO_TOKEN", JWT)
    studio.expired = 1
    assert sync_votes(workspace, studio.url)["there"] == 3
    studio.unavailable = 2
    monkeypatch.setenv("LABEL_STUDIO_TOKEN", TOKEN)
    assert sync_votes(workspace, studio.url)["there"] == 3


def test_a_vote_that_was_changed_there_is_a_conflict_and_stays_as_it_was(
    studio: ScriptedLabelStudio, workspace: Workspace
) -> None:
    sync_votes(workspace, studio.url)
    (tasks,) = studio.tasks.values()
    given = studio.annotate(tasks[1], 7, _left())
    sync_votes(workspace, studio.url)
    before = _votes(workspace)
    given["result"] = [_choice("verdict", "tie")]
    found = sync_votes(workspace, studio.url)
    assert (found["new"], found["conflicting"], found["conflicts"][0]["found"]) == (0, 1, "tie")
    assert found["conflicts"][0]["vote_id"] == before[0].vote_id
    assert _votes(workspace) == before


def test_one_person_who_says_two_things_is_named_and_others_are_taken(studio: ScriptedLabelStudio, workspace: Workspace) -> None:
    sync_votes(workspace, studio.url)
    (tasks,) = studio.tasks.values()
    studio.annotate(tasks[0], 7, _left())
    studio.annotate(tasks[0], 7, _choice("verdict", "discard"))
    studio.annotate(tasks[0], 8, _left())
    studio.annotate(tasks[1], 7, _left(), _choice("verdict", "tie"))
    studio.annotate(tasks[2], 7, _left(), was_cancelled=True)
    found = sync_votes(workspace, studio.url)
    assert (found["votes"], found["new"], found["contradicting"], found["dropped"]) == (3, 1, 2, {"skipped": 1})
    assert found["contradictions"][0]["annotator"] == "label-studio:7"
    (told,) = found["unreadable_tasks"]
    assert f"task {tasks[1]['id']}" in told
    assert "field 'result' contradicts itself" in told


def test_votes_fill_the_seats_of_the_queue(studio: ScriptedLabelStudio, workspace: Workspace) -> None:
    sync_votes(workspace, studio.url)
    (tasks,) = studio.tasks.values()
    for user in (7, 8, 9):
        studio.annotate(tasks[0], user, _left())
    sync_votes(workspace, studio.url)
    # Three votes are a verdict: the pair waits for nobody any more, so the next sync has two pairs to look for.
    assert sync_votes(workspace, studio.url)["there"] == 2


def test_suggestions_go_there_once(studio: ScriptedLabelStudio, workspace: Workspace) -> None:
    import pyarrow as pa

    sync_votes(workspace, studio.url)
    rows = [{"pair_id": one.pair_id, "model_digest": "d", "first": 1.0, "second": 0.0, "fold": None} for one in PAIRS]
    columns = [
        ("pair_id", pa.string()),
        ("model_digest", pa.string()),
        ("first", pa.float64()),
        ("second", pa.float64()),
        ("fold", pa.int64()),
    ]
    with workspace.writer("scores_best", step="scores", fingerprint="f") as out:
        out.write_rows(rows, pa.schema(columns))
    assert sync_votes(workspace, studio.url)["predictions"] == 3
    assert sync_votes(workspace, studio.url)["predictions"] == 0
    (tasks,) = studio.tasks.values()
    (said,) = tasks[0]["predictions"]
    # A margin of 1 is a probability of 1 / (1 + exp(-1)) = 0.7310585786.
    assert (said["model_version"], said["score"]) == ("best-rm", pytest.approx(0.7310585786))
    left = tasks[0]["data"]["shown_order"][0] == "first"
    assert said["result"][0]["value"] == {"selected": "left" if left else "right"}


def test_what_is_wrong_is_said(studio: ScriptedLabelStudio, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="check the address and --project"):
        sync_votes(workspace, studio.url, project=99)
    studio.projects[50], studio.tasks[50] = {"id": 50, "title": "theirs", "label_config": "<View/>"}, []
    with pytest.raises(UserError, match="compares no pairs"):
        sync_votes(workspace, studio.url, project=50)
    with pytest.raises(UserError, match="no address of Label Studio"):
        sync_votes(workspace)
    with pytest.raises(UserError, match="expected https://HOST"):
        sync_votes(workspace, "label.example.org")
    studio.no_json = True
    with pytest.raises(ProviderError, match="gave no JSON"):
        sync_votes(workspace, studio.url)
    studio.no_json = False
    monkeypatch.setenv("LABEL_STUDIO_TOKEN", "wrong")
    with pytest.raises(UserError, match="LABEL_STUDIO_TOKEN is not valid there"):
        sync_votes(workspace, studio.url)
    monkeypatch.delenv("LABEL_STUDIO_TOKEN")
    with pytest.raises(UserError, match="the environment variable LABEL_STUDIO_TOKEN is not set"):
        sync_votes(workspace, studio.url)
    monkeypatch.setenv("LABEL_STUDIO_TOKEN", TOKEN)
    studio.close()
    with pytest.raises(ProviderError, match="no answer to GET"):
        sync_votes(workspace, studio.url)


@pytest.mark.parametrize(
    ("path", "lie", "told"),
    [
        ("/api/projects/", {"results": {"id": 1}}, "expected a list of projects"),
        ("/api/projects/", {"results": ["x"], "next": "more"}, "expected a list of projects"),
        ("/api/projects/", {"results": [{"title": "mine", "id": "seven"}]}, "its 'id' is 'seven'"),
        ("/api/projects/1/export", {"tasks": []}, "expected a list of tasks"),
        ("/api/projects/1/export", [{"data": {}}], "its 'id' is 'None'"),
        ("/api/projects/1/", ["x"], "expected a project"),
    ],
)
def test_a_server_that_is_none_is_told_and_changes_nothing(
    studio: ScriptedLabelStudio, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, path: str, lie: Any, told: str
) -> None:
    studio.projects[1], studio.tasks[1] = {"id": 1, "title": "mine", "label_config": config()}, []
    workspace = Workspace(workspace.root, load_config(overrides=["annotate.label_studio.title='mine'"]))
    honest = studio.answer
    monkeypatch.setattr(
        studio, "answer", lambda method, asked, *more: (200, lie) if asked == path else honest(method, asked, *more)
    )

    with pytest.raises(ProviderError, match=told):
        sync_votes(workspace, studio.url)

    assert studio.tasks[1] == []


def test_a_server_that_always_has_a_next_page_is_asked_no_more(
    studio: ScriptedLabelStudio, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "MOST_PAGES", 3)
    monkeypatch.setattr(studio, "_projects", lambda *_: (200, {"results": [{"id": 1, "title": "theirs"}], "next": "more"}))

    with Server(studio.url, "LABEL_STUDIO_TOKEN") as asked:
        assert asked.project_titled("mine") is None

    assert studio.calls == ["GET /api/projects/"] * 3
