"""A server as a team runs it, over sockets: TLS, keys, two models with two workers each, traces; and what happens to it in a day."""

from __future__ import annotations

import datetime
import http.server
import ipaddress
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from goldsmith.client import Client, RewardRefused, RewardUnavailable
from goldsmith.reward.model import RewardModel
from goldsmith.serve.keys import add_key, withdraw_key
from serving import ANSWERED, QUESTION

SCORE = "/goldsmith/v1/score"
PATIENCE_S = 240.0
SECRET = "what-a-client-wrote"


class Collector(http.server.BaseHTTPRequestHandler):
    """Where OpenTelemetry sends its spans: keeps their bytes."""

    received: bytes = b""

    def do_POST(self) -> None:
        Collector.received += self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


@dataclass(frozen=True, kw_only=True)
class Team:
    """The running server, and what its people have."""

    url: str
    process: subprocess.Popen[str]
    certificate: Path
    keys: Path
    admin: str
    key: str

    def http(self, key: str | None = None) -> httpx2.Client:
        trusted = ssl.create_default_context(cafile=self.certificate)
        headers = {"authorization": f"Bearer {key or self.key}"}
        return httpx2.Client(base_url=self.url, headers=headers, verify=trusted, timeout=PATIENCE_S, trust_env=False)

    def workers(self) -> list[psutil.Process]:
        return [child for server in psutil.Process(self.process.pid).children() for child in server.children()]


def _certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    return folder / "cert.pem", folder / "key.pem"


@pytest.fixture(scope="module")
def team(tiny_rm: Path, other_rm: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    folder = tmp_path_factory.mktemp("team")
    certificate, key = _certificate(folder)
    keys = folder / "keys.json"
    admin, own = add_key(keys, "ops", scope="admin"), add_key(keys, "team")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector) as collector:
        threading.Thread(target=collector.serve_forever, daemon=True).start()
        command = [sys.executable, "-m", "goldsmith", "serve", f"first={tiny_rm}", f"second={other_rm}", "--port", "0"]
        command += ["--replicas", "2", "--threads", "1", "--dtype", "float32", "--keys", str(keys), "--telemetry"]
        command += ["--tls-cert", str(certificate), "--tls-key", str(key), "--set", "header_timeout_s=2"]
        environment = {
            **os.environ,
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server_port}",
            "OTEL_BSP_SCHEDULE_DELAY": "100",
        }
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as process:
            assert process.stdout is not None
            said: list[str] = []
            reader = threading.Thread(target=lambda: said.extend(process.stderr or ()))
            reader.start()
            try:
                url = process.stdout.readline().strip()
                assert url.startswith("https://"), "".join(said)
                yield Team(url=url, process=process, certificate=certificate, keys=keys, admin=admin, key=own)
            finally:
                process.terminate()
                process.wait(PATIENCE_S)
                reader.join(PATIENCE_S)
                collector.shutdown()
        assert SECRET not in "".join(said)


def _until(found: Any, *, seconds: float = PATIENCE_S) -> bool:
    ends = time.monotonic() + seconds
    while not found() and time.monotonic() < ends:
        time.sleep(0.05)
    return bool(found())


def test_the_client_checks_the_certificate(team: Team, model: RewardModel) -> None:
    with Client(team.url, api_key=team.key, ca_file=team.certificate) as client:
        assert client.score([ANSWERED]) == pytest.approx(list(model.score([ANSWERED])), abs=1e-4)
    with Client(team.url, api_key=team.key, deadline_s=1.0) as stranger, pytest.raises(RewardUnavailable):
        stranger.score([ANSWERED])
    with pytest.raises(httpx2.HTTPError):
        httpx2.get(team.url.replace("https://", "http://") + "/health")


def test_who_never_says_hello_is_not_waited_for(team: Team) -> None:
    host, port = team.url.removeprefix("https://").split(":")
    # By itself, asyncio would wait a minute for the handshake.
    with socket.create_connection((host, int(port)), timeout=40) as silent:
        assert silent.recv(1) == b""


def test_each_model_answers_with_its_own_scores(team: Team, model: RewardModel, other_rm: Path) -> None:
    other = RewardModel.load(other_rm, dtype="float32")
    with team.http() as http:
        replicas = lambda: [found["replicas"] for found in http.get("/goldsmith/v1/models").json()["models"]]
        # The tests share a server: after one that kills workers, their successors run for a while before they serve.
        assert _until(lambda: replicas() == [2, 2])
        for name, loaded in ((None, model), ("first", model), ("second", other)):
            found = http.post(SCORE, json={"conversations": [ANSWERED], "model": name}).json()
            assert found["model_digest"] == loaded.digest
            assert found["results"][0]["score"] == pytest.approx(loaded.score([ANSWERED])[0], abs=1e-4)


def test_a_key_is_rotated_without_a_restart(team: Team) -> None:
    body = {"conversations": [ANSWERED]}
    old, new = add_key(team.keys, "rotated"), add_key(team.keys, "rotated-2")
    with team.http(old) as before, team.http(new) as after:
        # Both work until the old one is withdrawn.
        assert _until(lambda: before.post(SCORE, json=body).status_code == after.post(SCORE, json=body).status_code == 200)
        withdraw_key(team.keys, "rotated")
        assert _until(lambda: before.post(SCORE, json=body).status_code == 401)
        assert after.post(SCORE, json=body).status_code == 200
    with Client(team.url, api_key=old, ca_file=team.certificate) as client, pytest.raises(RewardRefused) as refused:
        client.score([ANSWERED])
    assert (refused.value.status, refused.value.code) == (401, "no-key")


def test_a_worker_that_dies_idle_costs_nobody_a_request(team: Team, model: RewardModel) -> None:
    killed = team.workers()
    assert len(killed) == 4
    for worker in killed:
        worker.send_signal(signal.SIGKILL)
    with team.http() as http:
        assert _until(lambda: 'workers_lost_total{model="second"} 2.0' in http.get("/metrics").text)
        assert _until(lambda: http.get("/ready").status_code == 200)
        assert _until(lambda: len(team.workers()) == 4)
        for name in ("first", "second"):
            assert http.post(SCORE, json={"conversations": [ANSWERED], "model": name}).status_code == 200


def test_a_reload_under_load_drops_nothing(team: Team, model: RewardModel, tiny_rm: Path) -> None:
    replies = [str(number) for number in range(20)]
    expected = dict(zip(replies, model.score_replies(QUESTION, replies), strict=True))
    wrong: list[Any] = []
    answered: list[str] = []
    stop = threading.Event()

    def ask(offset: int) -> None:
        with team.http() as http:
            while not stop.is_set():
                for reply in replies[offset:]:
                    body = {"conversations": [[*QUESTION, {"role": "assistant", "content": reply}]]}
                    response = http.post(SCORE, json=body)
                    if response.status_code != 200 or abs(response.json()["results"][0]["score"] - expected[reply]) > 1e-4:
                        wrong.append(response.text)
                    answered.append(reply)

    threads = [threading.Thread(target=ask, args=(5 * number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    try:
        before = {worker.pid for worker in team.workers()}
        with team.http(team.admin) as http:
            response = http.post("/goldsmith/v1/reload", json={"model": "first"})
        begun = len(answered)
        assert _until(lambda: len(answered) > begun + 10)
        assert _until(lambda: len(team.workers()) == 4)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert response.json() == {"model": "first", "digest_before": model.digest, "digest": model.digest}
    assert wrong == []
    # Two of the four are the other model's.
    assert len(before & {worker.pid for worker in team.workers()}) == 2


def test_spans_reach_the_collector_and_hold_no_text(team: Team) -> None:
    turns = [{"role": "user", "content": SECRET}, {"role": "assistant", "content": SECRET}]
    with team.http() as http:
        assert http.post(SCORE, json={"conversations": [turns]}).status_code == 200
        assert http.post("/classify", json={"input": SECRET, SECRET: 1}).status_code == 400
    # The name of the route, and of the server; protobuf keeps both as they are.
    assert _until(lambda: b"vllm /classify" in Collector.received and b"goldsmith.items" in Collector.received)
    assert b"goldsmith" in Collector.received
    assert SECRET.encode() not in Collector.received
    assert team.key.encode() not in Collector.received
