"""The real thing: `goldsmith serve` as a process of its own, with worker processes, over sockets."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from goldsmith.client import Client
from goldsmith.reward.golden import golden_scores, write_golden
from goldsmith.reward.model import RewardModel
from goldsmith.serve.verify import verify_server
from serving import ANSWERED, PATIENCE_S, QUESTION, serving

SCORE = "/goldsmith/v1/score"


@pytest.fixture(scope="module")
def served(tiny_rm: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    with serving(
        str(tiny_rm), "--set", "header_timeout_s=0.5", "--set", "body_timeout_s=0.5", "--set", "max_body_mb=1"
    ) as server:
        yield server


def _worker(process: subprocess.Popen[str]) -> psutil.Process:
    """The process that holds the model: it, and no other, has threads and memory of torch, and is a child of the fork server."""
    servers = psutil.Process(process.pid).children()
    (worker,) = [child for one in servers for child in one.children()]
    return worker


def _until_answered(address: str, seconds: float) -> Any:
    ends = time.monotonic() + seconds
    while True:
        response = httpx2.post(address + SCORE, json={"conversations": [ANSWERED]}, timeout=PATIENCE_S)
        if response.status_code == 200 or time.monotonic() > ends:
            return response
        assert response.status_code == 503
        assert response.json()["error"]["retryable"] is True
        time.sleep(0.1)


def test_a_served_model_gives_its_golden_scores_in_every_dialect(
    served: tuple[str, Any], model: RewardModel, tmp_path: Path
) -> None:
    address, _ = served
    golden = write_golden(tmp_path, golden_scores(model))
    for dialect, prefix in (
        ("goldsmith", ""),
        ("vllm", ""),
        ("sglang", "/sglang"),
        ("tei", ""),
        ("openrlhf", ""),
        ("llamafactory", ""),
    ):
        found = verify_server(address + prefix, golden, dialect=dialect, model="tiny")
        assert found.is_same, (dialect, found)
        assert found.rows >= 8


def test_a_killed_worker_costs_a_retryable_error_and_no_wrong_score(served: tuple[str, Any], model: RewardModel) -> None:
    address, process = served
    replies = [str(number) for number in range(40)]
    expected = dict(zip(replies, model.score_replies(QUESTION, replies), strict=True))
    wrong: list[Any] = []
    retried: list[int] = []
    stop = threading.Event()

    def ask(offset: int) -> None:
        with httpx2.Client(timeout=PATIENCE_S) as http:
            for reply in (replies[offset:] + replies[:offset]) * 1000:
                if stop.is_set():
                    return
                body = {"conversations": [[*QUESTION, {"role": "assistant", "content": reply}]]}
                response = http.post(address + SCORE, json=body)
                if response.status_code == 503 and response.headers["retry-after"]:
                    retried.append(response.status_code)
                    time.sleep(0.05)
                elif response.status_code != 200 or abs(response.json()["results"][0]["score"] - expected[reply]) > 1e-4:
                    wrong.append((reply, response.text))

    threads = [threading.Thread(target=ask, args=(5 * number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    killed = _worker(process)
    killed.send_signal(signal.SIGKILL)
    response = _until_answered(address, PATIENCE_S)
    stop.set()
    for thread in threads:
        thread.join()
    assert response.status_code == 200
    assert wrong == []
    assert retried
    assert _worker(process).pid != killed.pid


def test_a_folder_written_over_is_another_model_once_it_is_reloaded_and_not_before(
    tiny_rm: Path, other_rm: Path, model: RewardModel, tmp_path: Path
) -> None:
    """Neither the weights in use nor the states that are kept of earlier requests mix two versions."""
    folder = shutil.copytree(tiny_rm, tmp_path / "live")
    new = RewardModel.load(other_rm, dtype="float32")
    body = {"context": QUESTION, "replies": ["4", "5"]}
    with serving(f"live={folder}") as (address, _), httpx2.Client(timeout=PATIENCE_S) as http:

        def ask() -> tuple[str, Any]:
            found = http.post(address + "/goldsmith/v1/rank", json=body).json()
            scores = {place["index"]: place["score"] for place in found["ranking"]}
            return found["model_digest"], pytest.approx([scores[0], scores[1]], abs=1e-4)

        before = (model.digest, list(model.score_replies(QUESTION, body["replies"])))
        for _ in range(2):
            assert ask() == before
        assert 'goldsmith_reused_tokens_total{model="live"} 0.0' not in http.get(address + "/metrics").text
        for path in other_rm.iterdir():
            (folder / path.name).write_bytes(path.read_bytes())
        assert ask() == before
        assert http.post(address + "/goldsmith/v1/reload", json={}).json()["digest"] == new.digest
        assert ask() == (new.digest, list(new.score_replies(QUESTION, body["replies"])))


def test_connections_that_send_nothing_are_closed(served: tuple[str, Any]) -> None:
    address, _ = served
    host, port = address.removeprefix("http://").split(":")
    begun = b"POST /classify HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 50\r\n"
    with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as silent:
        assert silent.recv(1) == b""
    with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as half:
        half.sendall(begun)
        assert half.recv(1) == b""
    with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as slow:
        slow.sendall(begun + b"\r\n{")
        assert b"408" in slow.recv(1000)
    assert _until_answered(address, 0).status_code == 200


def test_a_hundred_megabytes_are_refused_by_their_head(served: tuple[str, Any]) -> None:
    address, _ = served
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as large:
        large.sendall(b"POST /classify HTTP/1.1\r\nhost: x\r\ncontent-length: 104857600\r\n\r\n" + b"x" * 1000)
        assert b"413" in large.recv(1000)


def test_who_goes_away_is_not_waited_for(served: tuple[str, Any]) -> None:
    address, _ = served
    body = {"conversations": [[*QUESTION, {"role": "assistant", "content": "x" * 400 + str(number)}] for number in range(200)]}
    with pytest.raises(httpx2.TimeoutException):
        httpx2.post(address + SCORE, json=body, timeout=httpx2.Timeout(PATIENCE_S, read=0.02))
    ends = time.monotonic() + PATIENCE_S
    while "goldsmith_cancelled_total 0.0" in (metrics := httpx2.get(address + "/metrics").text) and time.monotonic() < ends:
        time.sleep(0.05)
    assert "goldsmith_cancelled_total 0.0" not in metrics
    assert 'goldsmith_waiting_tokens{model="tiny"} 0.0' in httpx2.get(address + "/metrics").text


def test_the_client_talks_to_it(served: tuple[str, Any], model: RewardModel) -> None:
    address, _ = served
    with Client(address) as client:
        assert client.score([ANSWERED]) == pytest.approx(list(model.score([ANSWERED])), abs=1e-4)
        assert len(client.rank(QUESTION, ["4", "5"]).ranking) == 2
        assert 0.0 <= client.compare(QUESTION, "4", "5").p_first <= 1.0


def test_what_was_accepted_is_answered_before_it_stops(tiny_rm: Path, model: RewardModel) -> None:
    replies = [f"{'x' * 300}{number}" for number in range(150)]
    found: list[Any] = []
    with serving(str(tiny_rm), "--set", "token_budget=512", "--set", "prefix_cache_mb=0") as (address, process):
        pids = [child.pid for child in psutil.Process(process.pid).children(recursive=True)]
        with httpx2.Client(timeout=PATIENCE_S) as http:
            body = {"context": QUESTION, "replies": replies}
            asking = threading.Thread(target=lambda: found.append(http.post(address + "/goldsmith/v1/rank", json=body)))
            asking.start()
            ends = time.monotonic() + PATIENCE_S
            while "goldsmith_active_requests 0.0" in httpx2.get(address + "/metrics").text and time.monotonic() < ends:
                time.sleep(0.005)
            process.send_signal(signal.SIGTERM)
            asking.join()
        assert process.wait(PATIENCE_S) == 0
    assert found[0].status_code == 200
    scores = {place["index"]: place["score"] for place in found[0].json()["ranking"]}
    expected = model.score_replies(QUESTION, replies)
    assert [scores[index] for index in range(len(replies))] == pytest.approx(list(expected), abs=1e-4)
    assert _left_running(pids) == []


def test_workers_do_not_outlive_a_killed_server(tiny_rm: Path) -> None:
    with serving(str(tiny_rm)) as (_, process):
        pids = [child.pid for child in psutil.Process(process.pid).children(recursive=True)]
        assert pids
        process.kill()
        assert _left_running(pids) == []


def _left_running(pids: list[int]) -> list[int]:
    """Those that have not ended after some patience."""
    ends = time.monotonic() + PATIENCE_S
    while (alive := [pid for pid in pids if _is_running(pid)]) and time.monotonic() < ends:
        time.sleep(0.05)
    return alive


def _is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none-such"], "none-such"),
        (["MODEL", "--host", "0.0.0.0"], "can be reached by others"),
        (["MODEL", "--keys", "none.json"], "none.json"),
        (["MODEL", "--set", "colour=1"], "unknown key 'serve.colour'"),
        (["MODEL", "--tls-cert", "none.pem"], "needs both"),
    ],
)
def test_it_refuses_to_start_with_a_reason(tiny_rm: Path, arguments: list[str], said: str, tmp_path: Path) -> None:
    given = [str(tiny_rm) if argument == "MODEL" else argument for argument in arguments]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    result = subprocess.run(
        [sys.executable, "-m", "goldsmith", "serve", *given, "--port", "0"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=environment,
        timeout=PATIENCE_S,
    )
    assert result.returncode == 1
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_a_port_in_use_is_told_before_anything_is_loaded(tiny_rm: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        command = [sys.executable, "-m", "goldsmith", "serve", str(tiny_rm), "--port", str(taken.getsockname()[1])]
        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert result.returncode == 1
    assert "choose another --port" in result.stderr
