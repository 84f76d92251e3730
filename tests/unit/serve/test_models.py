"""Reloading a model, and workers that are lost."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import Any, ClassVar

import pytest

import goldsmith.serve.pool
from goldsmith.errors import UserError
from goldsmith.reward.model import RewardModel
from goldsmith.serve.models import Models
from goldsmith.serve.replica import WorkerLost
from local_replica import LocalReplica
from serving import ANSWERED, QUESTION

SCORE = "/goldsmith/v1/score"


def _reload(server: Any, **body: Any) -> Any:
    return server.post("/goldsmith/v1/reload", json=body)


def test_a_reload_changes_the_model_and_drops_no_request(
    start: Any, tiny_rm: Path, other_rm: Path, model: RewardModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LocalReplica, "delay_s", 0.02)
    server = start({"tiny": tiny_rm}, allow_models=[other_rm.parent], min_queue_items=1000)
    new = RewardModel.load(other_rm, dtype="float32")
    expected = {loaded.digest: list(loaded.score_replies(QUESTION, [str(n) for n in range(8)])) for loaded in (model, new)}
    seen: list[tuple[int, Any]] = []
    stop = threading.Event()

    def ask(number: int) -> None:
        while not stop.is_set():
            body = {"conversations": [[*QUESTION, {"role": "assistant", "content": str(number)}]]}
            response = server.post(SCORE, json=body)
            seen.append((number, response.json() if response.status_code == 200 else response.text))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    while len(seen) < 8:
        threading.Event().wait(0.01)
    answer = _reload(server, path=str(other_rm))
    after = server.post(SCORE, json={"conversations": [ANSWERED]}).json()
    stop.set()
    for thread in threads:
        thread.join()
    assert answer.json() == {"model": "tiny", "digest_before": model.digest, "digest": new.digest}
    # Who asks from now on gets the new version, while others may still wait for the old one.
    assert after["model_digest"] == new.digest
    assert model.digest in {found["model_digest"] for _, found in seen if isinstance(found, dict)}
    for number, found in seen:
        assert isinstance(found, dict), found
        # Whichever version answered, its name and its score belong together.
        assert found["results"][0]["score"] == pytest.approx(expected[found["model_digest"]][number], abs=1e-4)


def test_a_version_that_cannot_be_used_leaves_the_old_one(start: Any, tiny_rm: Path, tmp_path: Path, golden: float) -> None:
    from goldsmith.reward.tiny import write_tiny_model

    several = write_tiny_model(tmp_path / "several", seed=1, num_labels=3)
    pickled = tmp_path / "pickled"
    pickled.mkdir()
    (pickled / "config.json").write_text("{}")
    (pickled / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    server = start({"tiny": tiny_rm}, allow_models=[tmp_path])
    for folder, said in ((several, "it has 3"), (pickled, "is a pickle"), (tmp_path, "no config.json")):
        refused = _reload(server, path=str(folder))
        assert refused.status_code == 409
        assert said in refused.json()["error"]["message"]
    assert server.post(SCORE, json={"conversations": [ANSWERED]}).json()["results"][0]["score"] == pytest.approx(golden, abs=1e-4)


def test_a_version_that_is_still_being_written_is_refused(
    start: Any, tiny_rm: Path, other_rm: Path, tmp_path: Path, golden: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(other_rm, tmp_path / "new")
    server = start({"tiny": tiny_rm}, allow_models=[tmp_path])
    begin = LocalReplica.start

    async def late(self: LocalReplica, timeout_s: float) -> None:
        # Another template, after the server has read the one that was there.
        (folder / "chat_template.jinja").write_text("{{ messages }}")
        await begin(self, timeout_s)

    monkeypatch.setattr(LocalReplica, "start", late)
    refused = _reload(server, path=str(folder))
    assert refused.status_code == 409
    assert "changed while the model was loaded" in refused.json()["error"]["message"]
    assert server.post(SCORE, json={"conversations": [ANSWERED]}).json()["results"][0]["score"] == pytest.approx(golden, abs=1e-4)


def test_a_reload_stays_within_the_allowed_folders(start: Any, tiny_rm: Path, other_rm: Path, tmp_path: Path) -> None:
    server = start({"tiny": tiny_rm}, allow_models=[tmp_path])
    (tmp_path / "link").symlink_to(other_rm)
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    odd = ("", "zero\0byte", "x" * 5000, "/".join(["x" * 200] * 40), tmp_path / "circle")
    for path in (
        other_rm,
        tmp_path / ".." / other_rm.parent.name,
        tmp_path / "link",
        tmp_path / "none",
        "/etc",
        "hub/name",
        *odd,
    ):
        refused = _reload(server, path=str(path))
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "path-not-allowed")
    assert _reload(server, path=str(tiny_rm)).status_code == 200
    assert _reload(server, model="nobody").status_code == 404


class Flaky(LocalReplica):
    """A worker that dies with the second batch it is given, and does not come back at the first try."""

    starts: ClassVar[list[int]] = []

    async def start(self, timeout_s: float) -> None:
        self.starts.append(len(self.batches))
        if len(self.starts) == 2:
            raise WorkerLost("not yet")
        await super().start(timeout_s)

    async def compute(self, sequences: Any, timeout_s: float) -> Any:
        answer = await super().compute(sequences, timeout_s)
        if len(self.batches) == 2:
            raise WorkerLost("a worker died")
        return answer


def test_a_lost_worker_is_a_retryable_error_and_comes_back(
    start: Any, tiny_rm: Path, golden: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Flaky, "starts", [])
    start_server = start
    server = None
    with monkeypatch.context() as patch:
        patch.setattr(goldsmith.serve.pool, "Replica", Flaky)
        patch.setattr(Flaky, "batches", [])
        server = start_server({"tiny": tiny_rm})
        body = {"conversations": [ANSWERED]}
        answers = [server.post(SCORE, json=body) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 503, 200]
        assert answers[1].json()["error"] | {"message": ""} == {
            "code": "worker-lost",
            "message": "",
            "retryable": True,
            "details": [],
        }
        assert answers[1].headers["retry-after"] == "1"
        assert answers[2].json()["results"][0]["score"] == pytest.approx(golden, abs=1e-4)
        assert len(Flaky.starts) == 3
        assert 'goldsmith_workers_lost_total{model="tiny"} 1.0' in server.get("/metrics").text


def test_a_server_needs_a_model() -> None:
    from goldsmith.config.serve import ServeConfig
    from goldsmith.serve.metrics import Metrics

    with pytest.raises(UserError, match="no model to serve"):
        Models({}, ServeConfig(), Metrics())
