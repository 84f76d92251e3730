"""Sign-in through a provider of our own on this machine: what is believed, and what is not."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from annotation_site import Site, make_site


class LocalProvider:
    """A small OpenID provider: one key, one code, and claims that a test may spoil."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "one"})
        self.claims: dict[str, Any] = {}
        self.signing_key = self.key
        self.challenge = ""
        self.spent = False
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._send(
                    200,
                    provider.metadata()
                    if self.path.endswith("openid-configuration")
                    else {"keys": [provider.key.as_dict(private=False)]},
                )

            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
                self._send(*provider.token(form))

            def _send(self, status: int, body: dict[str, Any]) -> None:
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def metadata(self) -> dict[str, str]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
        }

    def token(self, form: dict[str, list[str]]) -> tuple[int, dict[str, Any]]:
        verifier = form.get("code_verifier", [""])[0]
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        if form["code"] != ["good"] or challenge != self.challenge or self.spent:
            return 400, {"error": "invalid_grant"}
        self.spent = True
        signed = jwt.encode({"alg": "RS256", "kid": "one"}, self.claims, self.signing_key)
        return 200, {"access_token": "x", "token_type": "Bearer", "id_token": signed}


@pytest.fixture
def provider() -> Iterator[LocalProvider]:
    made = LocalProvider()
    yield made
    made.server.shutdown()


@pytest.fixture
def site(tmp_path: Path, provider: LocalProvider, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("GOLDSMITH_OIDC_SECRET", "s3cret")
    made = make_site(tmp_path / "a.db", oidc={"issuer": provider.issuer, "client_id": "goldsmith", "name": "Example ID"})
    yield made
    made.here.room.close()


def _come_back(site: Site, provider: LocalProvider, code: str = "good", state: str | None = None, **spoiled: Any) -> Any:
    """Walk to the provider and back with its answer, parts of it spoiled."""
    client = site.visitor()
    asked = {
        name: values[0]
        for name, values in parse_qs(
            urlsplit(client.get("/sign-in/oidc?next=/history", follow_redirects=False).headers["location"]).query
        ).items()
    }
    provider.challenge = asked["code_challenge"]
    now = 4_000_000_000 if "exp" not in spoiled else 0
    claims = {
        "iss": provider.issuer,
        "aud": "goldsmith",
        "sub": "42",
        "nonce": asked["nonce"],
        "exp": now,
        "email": "ann@example.org",
        "email_verified": True,
        "name": "Ann",
    }
    provider.claims = {name: value for name, value in {**claims, **spoiled}.items() if value is not None}
    answer = client.get(f"/sign-in/oidc/callback?code={code}&state={state or asked['state']}", follow_redirects=False)
    return client, answer.headers["location"]


def test_an_account_is_found_by_its_verified_address_and_then_by_its_subject(site: Site, provider: LocalProvider) -> None:
    site.here.add("ann")
    client, where = _come_back(site, provider)
    assert where == "/history"
    assert client.get("/history").json()["page"]["person"]["name"] == "ann"
    provider.spent = False
    assert _come_back(site, provider, email="new-address@example.org")[1] == "/history"


def test_an_invitation_becomes_an_account_without_a_password(site: Site, provider: LocalProvider) -> None:
    site.browser("lea", "lead").form("/lead/people/invite", email="ann@example.org", role="expert")
    client, where = _come_back(site, provider)
    assert where == "/history"
    shown = client.get("/me").json()
    assert (shown["has_password"], shown["page"]["person"]["role"]) == (False, "expert")


@pytest.mark.parametrize(
    ("spoiled", "where"),
    [
        ({"email": "stranger@example.org"}, "no-account"),
        ({"email_verified": False}, "no-account"),
        ({"email_verified": "true"}, "no-account"),
        ({"nonce": "another"}, "oidc-refused"),
        ({"aud": "another"}, "oidc-refused"),
        ({"iss": "https://evil.example"}, "oidc-refused"),
        ({"exp": 1}, "oidc-refused"),
        ({"sub": None}, "oidc-refused"),
        ({"code": "bad"}, "oidc-refused"),
        ({"state": "another"}, "oidc-refused"),
    ],
)
def test_what_is_not_believed(site: Site, provider: LocalProvider, spoiled: dict[str, Any], where: str) -> None:
    site.here.add("ann")
    client, location = _come_back(site, provider, **spoiled)
    assert location == f"/sign-in?error={where}"
    assert client.get("/api/standing").status_code == 401


def test_a_token_signed_with_another_key_is_not_believed(site: Site, provider: LocalProvider) -> None:
    site.here.add("ann")
    provider.signing_key = RSAKey.generate_key(2048, {"kid": "one"})
    assert _come_back(site, provider)[1] == "/sign-in?error=oidc-refused"


def test_an_address_that_belongs_to_another_subject_is_not_taken_over(site: Site, provider: LocalProvider) -> None:
    site.here.add("ann")
    _come_back(site, provider)
    provider.spent = False
    assert _come_back(site, provider, sub="43")[1] == "/sign-in?error=no-account"
