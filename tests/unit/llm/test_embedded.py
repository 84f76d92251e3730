"""The embedded server: it answers, holds to a schema, and never outlives its parent."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from goldsmith.errors import ProviderError, UserError
from goldsmith.llm.embedded import EmbeddedServer
from goldsmith.models import home, smollm2


@pytest.fixture(autouse=True)
def _model_is_installed() -> None:
    if home.packaged_file(smollm2.DISTRIBUTION, smollm2.GGUF_NAME) is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("no embedded model; run `goldsmith models install`")
    if os.environ.get("CI") != "true":
        pytest.importorskip("xllamacpp")


def ask(server: EmbeddedServer, path: str, **body: Any) -> dict[str, Any]:
    request = urllib.request.Request(
        server.base_url + path, json.dumps(body).encode(), headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as reply:
        return json.load(reply)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until_gone(pid: int) -> bool:
    for _ in range(100):
        if not is_alive(pid):
            return True
        time.sleep(0.1)
    return False


def test_answers_holds_to_a_schema_and_stops() -> None:
    schema = {
        "type": "object",
        "properties": {"choice": {"enum": ["first", "second"]}, "strength": {"type": "integer", "minimum": 0, "maximum": 2}},
        "required": ["choice", "strength"],
        "additionalProperties": False,
    }
    question = [{"role": "user", "content": "Which is better? Reply as JSON."}]
    with EmbeddedServer(slots=2, context_tokens=512) as server:
        pid = server.pid
        assert server.base_url.startswith("http://127.0.0.1:")
        plain = ask(server, "/chat/completions", model=server.model, messages=question, max_tokens=8, temperature=0)
        assert plain["usage"]["completion_tokens"] == 8
        held = ask(
            server,
            "/chat/completions",
            model=server.model,
            messages=question,
            max_tokens=60,
            temperature=1.0,
            seed=3,
            response_format={"type": "json_schema", "json_schema": {"name": "verdict", "strict": True, "schema": schema}},
        )
        verdict = json.loads(held["choices"][0]["message"]["content"])
        assert set(verdict) == {"choice", "strength"}
        assert verdict["choice"] in ("first", "second")
        assert verdict["strength"] in (0, 1, 2)
    assert pid is not None
    assert wait_until_gone(pid)
    with pytest.raises(ProviderError, match="not running"):
        _ = server.base_url


def test_stops_after_an_exception_and_reports_a_death() -> None:
    server = EmbeddedServer(slots=1, context_tokens=256)
    pids = []

    def fail() -> None:
        with server:
            pids.append(server.pid)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert wait_until_gone(pids[0])
    with server:
        os.kill(server.pid, signal.SIGKILL)
        while server.is_running:
            time.sleep(0.02)
        with pytest.raises(ProviderError, match="ended with code -9"):
            server.check()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_goes_when_its_parent_is_killed_or_interrupted(how: signal.Signals) -> None:
    code = (
        "import time; from goldsmith.llm.embedded import EmbeddedServer\n"
        "with EmbeddedServer(slots=1, context_tokens=256) as server:\n"
        "    print(server.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert is_alive(pid)
    parent.send_signal(how)
    parent.wait(30)
    parent.stdout.close()
    assert wait_until_gone(pid)


def test_a_broken_model_file_is_told_with_the_server_s_words(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF no model")
    with pytest.raises(ProviderError, match="ended with code"):
        EmbeddedServer(gguf=broken).start()


def test_senseless_options_are_refused() -> None:
    with pytest.raises(UserError, match="slots=0"):
        EmbeddedServer(slots=0)
