"""Sign-in through an OpenID Connect provider: authorization code with PKCE, the ID token checked against the provider's keys.

An account is found by the provider's subject, the first time by an address that the provider has verified: of an account without a subject, or of an open
invitation. Nobody gets in without one of these.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from goldsmith.annotate.people.invitations import from_invitation
from goldsmith.config.annotate import OidcConfig
from goldsmith.errors import GoldsmithError, UserError
from goldsmith.gold.people import Person, change_person, find_person, person_of
from goldsmith.gold.room import Room
from goldsmith.gold.schema import INVITATIONS

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"]
TIMEOUT_SECONDS = 10.0
LEEWAY_SECONDS = 60


class Refused(GoldsmithError):
    """The provider's answer is not to be believed, or there was none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What a browser keeps (in a cookie) between the way out and the way back."""

    state: str
    nonce: str
    verifier: str
    next: str


class Provider:
    """One OpenID Connect provider.

    Args:
        config: its address and our id there.

    Raises:
        UserError: the issuer is no https address (plain http is for this machine only), or the secret's variable is not set.
    """

    def __init__(self, config: OidcConfig) -> None:
        self.name = config.name
        self._config = config
        self._issuer = config.issuer.rstrip("/")
        is_local = self._issuer.startswith(("http://127.0.0.1", "http://localhost"))
        if not (self._issuer.startswith("https://") or is_local):
            raise UserError(f"annotate.oidc.issuer = {config.issuer!r}; an https address is expected")
        secret = os.environ.get(config.client_secret_env)
        if not secret or not config.client_id:
            raise UserError(
                f"annotate.oidc needs client_id, and the secret in the environment variable {config.client_secret_env}"
            )
        self._secret = secret
        self._metadata: dict[str, Any] | None = None

    def begin(self, redirect_uri: str, next_path: str) -> tuple[str, Attempt]:
        """Return where to send the browser, and what it must bring back.

        Raises:
            Refused: the provider cannot be reached.
        """
        attempt = Attempt(
            state=secrets.token_urlsafe(24), nonce=secrets.token_urlsafe(24), verifier=secrets.token_urlsafe(48), next=next_path
        )
        with self._client(redirect_uri) as client:
            address, _ = client.create_authorization_url(
                self._known("authorization_endpoint"), state=attempt.state, nonce=attempt.nonce, code_verifier=attempt.verifier
            )
        return str(address), attempt

    def finish(self, redirect_uri: str, attempt: Attempt, code: str) -> dict[str, Any]:
        """Return the claims of the person who has signed in at the provider.

        Raises:
            Refused: the code or the token is not what was asked for.
        """
        from authlib.common.errors import AuthlibBaseError
        from httpx import HTTPError

        try:
            with self._client(redirect_uri) as client:
                token = client.fetch_token(self._known("token_endpoint"), code=code, code_verifier=attempt.verifier)
        except (AuthlibBaseError, HTTPError, ValueError) as error:
            raise Refused(f"the provider did not take the code: {error}") from None
        return self._claims(str(token.get("id_token", "")), attempt.nonce)

    def _claims(self, id_token: str, nonce: str) -> dict[str, Any]:
        from joserfc import jwt
        from joserfc.errors import JoseError
        from joserfc.jwk import KeySet

        wanted: Any = {
            "iss": {"essential": True, "value": self._known("issuer")},
            "aud": {"essential": True, "value": self._config.client_id},
            "nonce": {"essential": True, "value": nonce},
            "sub": {"essential": True},
            "exp": {"essential": True},
        }
        try:
            published: Any = self._fetch(self._known("jwks_uri"))
            keys = KeySet.import_key_set(published)
            claims = jwt.decode(id_token, keys, algorithms=ALGORITHMS).claims
            jwt.JWTClaimsRegistry(leeway=LEEWAY_SECONDS, **wanted).validate(claims)
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise Refused(f"the provider's ID token is not valid: {error}") from None
        return dict(claims)

    def _client(self, redirect_uri: str) -> Any:
        from authlib.integrations.httpx_client import OAuth2Client

        return OAuth2Client(
            self._config.client_id,
            self._secret,
            scope="openid email profile",
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
            timeout=TIMEOUT_SECONDS,
        )

    def _known(self, name: str) -> str:
        if self._metadata is None:
            found = self._fetch(f"{self._issuer}/.well-known/openid-configuration")
            if str(found.get("issuer", "")).rstrip("/") != self._issuer:
                raise Refused(f"the provider calls itself {found.get('issuer')!r}, not {self._issuer!r}")
            self._metadata = found
        if name not in self._metadata:
            raise Refused(f"the provider does not tell its {name}")
        return str(self._metadata[name])

    def _fetch(self, address: str) -> dict[str, Any]:
        import httpx

        try:
            found = httpx.get(address, timeout=TIMEOUT_SECONDS).raise_for_status().json()
        except (httpx.HTTPError, ValueError) as error:
            raise Refused(f"{address}: {error}") from None
        if not isinstance(found, dict):
            raise Refused(f"{address}: not a JSON object")
        return found


def person_of_claims(room: Room, issuer: str, claims: dict[str, Any]) -> Person | None:
    """Return the account of a person whom the provider has vouched for; None when there is neither an account nor an invitation."""
    subject, name = f"{issuer}|{claims['sub']}"[:500], str(claims.get("name", ""))
    address = str(claims.get("email", "")).lower() if claims.get("email_verified") is True else ""
    with room.database.write() as connection:
        found = find_person(connection, subject=subject)
        if found is not None:
            return person_of(found)
        if not address or "@" not in address:
            return None
        known = find_person(connection, email=address)
        if known is not None:
            if known["subject"] is not None:
                return None
            change_person(connection, room.clock(), known["person_id"], known["person_id"], subject=subject)
            return person_of(known)
        open_one = (INVITATIONS.c.email == address, INVITATIONS.c.expires_at > room.clock())
        row = connection.execute(sa.select(INVITATIONS).where(*open_one)).mappings().first()
        return from_invitation(room, connection, row, name, subject=subject) if row is not None else None
