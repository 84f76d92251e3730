"""The application over HTTP, without a network: templates that answer with their data as JSON, so that tests see exactly what a page is given."""

from __future__ import annotations

import html
import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from goldsmith.annotate.app import create_app
from goldsmith.annotate.people.sessions import find_session, open_session
from voting_room import SmallRoom, small_room


class _DataTemplate:
    def __init__(self, name: str) -> None:
        self._name = name

    def render(self, **data: Any) -> str:
        return json.dumps({"template": self._name, **data})


class DataEnvironment:
    """Every template exists, and shows its data."""

    def get_template(self, name: str) -> _DataTemplate:
        return _DataTemplate(name)


@dataclass
class Browser:
    """One signed-in person's client."""

    client: TestClient
    csrf: str

    def post(self, path: str, body: dict[str, Any] | None = None, **more: Any) -> Any:
        return self.client.post(path, json=body or {}, headers={"X-CSRF-Token": self.csrf}, **more)

    def put(self, path: str, body: dict[str, Any]) -> Any:
        return self.client.put(path, json=body, headers={"X-CSRF-Token": self.csrf})

    def form(self, path: str, **fields: Any) -> Any:
        return self.client.post(path, data={"csrf": self.csrf, **fields}, follow_redirects=False)

    def get(self, path: str, **more: Any) -> Any:
        return self.client.get(path, follow_redirects=False, **more)

    def next(self, queue: str = "work") -> Any:
        return self.post("/api/next", {"queue": queue}).json()["task"]

    def vote(self, task: dict[str, Any], choice: str = "first", **more: Any) -> Any:
        body = {
            "vote_id": secrets.token_hex(16),
            "lease_id": task["lease_id"],
            "choice": choice,
            "strength": 1,
            "seconds": 20.0,
            **more,
        }
        return self.post("/api/votes", body)


@dataclass
class Site:
    """The application and the room under it."""

    here: SmallRoom
    app: Any

    def visitor(self) -> TestClient:
        return TestClient(self.app, base_url="https://testserver", raise_server_exceptions=False)

    def browser(self, name: str, role: str = "annotator", **more: Any) -> Browser:
        if name not in self.here.people:
            self.here.add(name, role=role, **more)
        token = open_session(self.here.room, self.here.people[name].person_id, "test")
        client = self.visitor()
        client.cookies.set("goldsmith_session", token)
        session = find_session(self.here.room, token)
        assert session is not None
        return Browser(client, session.csrf)


def make_site(place: Path | str, **settings: Any) -> Site:
    here = small_room(place, **settings)
    app = create_app(
        here.room,
        environment=DataEnvironment(),
        render=lambda text: f"<p>{html.escape(text)}</p>",
        difference=lambda one, other: (one, other),
    )
    return Site(here, app)
