from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import goldsmith.serve.keys
from goldsmith.config.serve import ServeConfig
from goldsmith.errors import UserError
from goldsmith.serve.keys import Keys, add_key, read_keys, withdraw_key
from goldsmith.serve.problem import Refusal
from goldsmith.serve.server import check_exposure
from serving import ANSWERED

SCORE = "/goldsmith/v1/score"


def _bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def test_only_hashes_are_stored_and_only_the_owner_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    secret = add_key(path, "team")
    assert secret not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    assert Keys(path).caller(f"Bearer {secret}", None).name == "team"
    assert Keys(path).caller(None, secret).name == "team"


def test_keys_made_at_the_same_moment_are_all_there(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    names = [f"team-{number}" for number in range(24)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: add_key(path, name), names))
    assert {key.name for key in read_keys(path).keys} == set(names)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere/keys\.json: its folder cannot be written to"):
        add_key(tmp_path / "nowhere" / "keys.json", "team")


def test_no_key_or_a_wrong_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    secret = add_key(path, "team")
    for authorization, key in (
        (None, None),
        ("Bearer ", None),
        (f"Basic {secret}", None),
        ("Bearer x", None),
        (None, secret[:-1]),
    ):
        with pytest.raises(Refusal) as refusal:
            Keys(path).caller(authorization, key)
        assert refusal.value.status == 401


def test_a_server_notices_new_and_withdrawn_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(goldsmith.serve.keys, "CHECK_S", 0.0)
    path = tmp_path / "keys.json"
    old = add_key(path, "team")
    keys = Keys(path)
    assert keys.caller(f"Bearer {old}", None).name == "team"
    new = add_key(path, "team-2")
    assert keys.caller(f"Bearer {new}", None).name == "team-2"
    date = path.stat().st_mtime_ns
    assert withdraw_key(path, "team") == 1
    # The clock of files is coarse: two versions may have the same date.
    os.utime(path, ns=(1, date))
    with pytest.raises(Refusal):
        keys.caller(f"Bearer {old}", None)
    assert keys.caller(f"Bearer {new}", None).name == "team-2"


def test_a_file_that_cannot_be_read_any_more_lets_nobody_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(goldsmith.serve.keys, "CHECK_S", 0.0)
    path = tmp_path / "keys.json"
    secret = add_key(path, "team")
    keys = Keys(path)
    keys.caller(f"Bearer {secret}", None)
    path.write_text("{")
    os.utime(path, ns=(1, 1))
    with pytest.raises(Refusal) as refusal:
        keys.caller(f"Bearer {secret}", None)
    assert refusal.value.status == 503


def test_a_file_that_comes_back_lets_its_people_in_again(tmp_path: Path) -> None:
    path, away = tmp_path / "keys.json", tmp_path / "away.json"
    secret = add_key(path, "team")
    keys = Keys(path)
    keys.caller(f"Bearer {secret}", None)
    path.rename(away)
    keys._looked = float("-inf")
    for _ in range(2):
        with pytest.raises(Refusal) as refusal:
            keys.caller(f"Bearer {secret}", None)
        # Retryable each time: nobody has looked at the key.
        assert (refusal.value.status, refusal.value.code) == (503, "keys-unreadable")
    away.rename(path)
    assert keys.caller(f"Bearer {secret}", None).name == "team"


def test_a_key_ends(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    late = add_key(path, "late", expires=(datetime.now(UTC) - timedelta(seconds=1)).isoformat())
    good = add_key(path, "good", expires=(datetime.now(UTC) + timedelta(hours=1)).isoformat())
    with pytest.raises(Refusal, match="has expired"):
        Keys(path).caller(f"Bearer {late}", None)
    assert Keys(path).caller(f"Bearer {good}", None).name == "good"
    with pytest.raises(UserError, match="timezone"):
        add_key(path, "no-zone", expires="2027-01-01T00:00:00")


def test_limits_a_minute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(goldsmith.serve.keys.time, "monotonic", lambda: now[0])
    path = tmp_path / "keys.json"
    caller = Keys(path).caller(f"Bearer {add_key(path, 'x', requests_per_minute=2, tokens_per_minute=600)}", None)
    caller.charge(requests=1)
    caller.charge(requests=1)
    with pytest.raises(Refusal) as refusal:
        caller.charge(requests=1)
    # Two a minute: the next one in 30 s.
    assert (refusal.value.status, refusal.value.retry_after_s) == (429, 30.0)
    now[0] += 30.0
    caller.charge(requests=1)
    caller.charge(tokens=500)
    with pytest.raises(Refusal) as refusal:
        caller.charge(tokens=200)
    # 100 are left of 600 a minute; 100 more take 10 s.
    assert refusal.value.retry_after_s == pytest.approx(10.0)


def test_a_server_with_keys(start: Any, tiny_rm: Path, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    secret, admin = add_key(path, "team", tokens_per_minute=10), add_key(path, "ops", scope="admin")
    server = start({"tiny": tiny_rm}, keys_file=path)
    body = {"conversations": [ANSWERED]}
    assert server.post(SCORE, json=body).status_code == 401
    assert server.get("/goldsmith/v1/models").status_code == 401
    assert server.get("/health").status_code == server.get("/ready").status_code == 200
    assert server.post("/classify", json={"messages": ANSWERED}).json()["error"]["type"] == "AuthenticationError"
    assert server.post(SCORE, json=body, headers=_bearer(secret)).status_code == 200
    limited = server.post(SCORE, json=body, headers=_bearer(secret))
    assert limited.status_code == 429
    assert int(limited.headers["retry-after"]) >= 1
    assert server.post("/goldsmith/v1/reload", json={}, headers=_bearer(secret)).status_code in (403, 429)
    assert server.post("/goldsmith/v1/reload", json={}, headers=_bearer(admin)).status_code == 200


def test_files_that_are_no_files_of_keys(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="goldsmith serve-key NAME"):
        Keys(tmp_path / "none.json").check()
    odd = tmp_path / "odd.json"
    odd.write_text('{"keys": [{"name": "x", "sha256": "short"}]}')
    with pytest.raises(UserError, match=r"keys\.0\.sha256"):
        read_keys(odd)
    odd.write_text('{"keys": []}')
    with pytest.raises(UserError, match="no key of the name 'y'"):
        withdraw_key(odd, "y")


def test_an_address_that_others_reach_needs_keys(tmp_path: Path) -> None:
    for host in ("0.0.0.0", "::", "192.168.1.7", "example.org"):
        with pytest.raises(UserError, match="can be reached by others"):
            check_exposure(ServeConfig(host=host))
        check_exposure(ServeConfig(host=host, without_keys=True))
        check_exposure(ServeConfig(host=host, keys_file=tmp_path / "keys.json"))
    for host in ("127.0.0.1", "::1", "localhost"):
        check_exposure(ServeConfig(host=host))
    with pytest.raises(UserError, match="needs both"):
        check_exposure(ServeConfig(tls_cert=tmp_path / "cert.pem"))
