"""A Label Studio server over its HTTP API: the few requests that a sync needs."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from goldsmith.errors import ProviderError, UserError
from goldsmith.gold.exchange.label_studio_config import config

if TYPE_CHECKING:
    import httpx

TRIED_AGAIN = frozenset({429, 502, 503, 504})
TRIES, FIRST_WAIT_S = 4, 0.5
AT_ONCE = 100
"""Tasks of one request."""
MOST_PAGES = 1000
"""Of a hundred projects each; a server that always has a next page is none."""


class Server:
    """One Label Studio server.

    Args:
        url: its address, `https://label.example.org`.
        token_env: name of the environment variable that holds a personal access token, or a legacy token.
        timeout_s: longest wait for one answer; an export of many tasks takes its time.

    Raises:
        UserError: the address is none, the variable is not set, or the package `httpx` is missing.
    """

    def __init__(self, url: str, token_env: str, timeout_s: float = 300.0) -> None:
        self.url = url.rstrip("/")
        if not self.url.startswith(("http://", "https://")):
            raise UserError(f"Label Studio's address {url!r} is none; expected https://HOST or http://127.0.0.1:PORT")
        self._token_env = token_env
        self._token = os.environ.get(token_env, "").strip()
        if not self._token:
            raise UserError(
                f"the environment variable {token_env} is not set; put a token of {self.url} into it (Label Studio: Account & Settings, Personal Access "
                "Token), or name another variable in annotate.label_studio.token_env"
            )
        self._client = _client(timeout_s)
        self._authorization: str | None = None

    def __enter__(self) -> Self:
        """Use the server for a block."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the connections."""
        self._client.close()

    def project(self, number: int) -> dict[str, Any]:
        """Return a project."""
        return _object(self._call("GET", f"/api/projects/{number}/"), "a project")

    def project_titled(self, title: str) -> int | None:
        """Return the id of the oldest project of a title; None when there is none."""
        found: list[int] = []
        for page in range(1, MOST_PAGES + 1):
            answer = _object(self._call("GET", "/api/projects/", params={"page": page, "page_size": 100}), "a list of projects")
            rows = _objects(answer.get("results"), "a list of projects")
            found += [_number(one, "id", "a project") for one in rows if one.get("title") == title]
            if not answer.get("next") or not rows:
                break
        return min(found) if found else None

    def create_project(self, title: str, votes_per_pair: int) -> int:
        """Make a project for pairs and return its id; suggestions are not shown before somebody votes."""
        made = {
            "title": title,
            "label_config": config(),
            "maximum_annotations": votes_per_pair,
            "show_collab_predictions": False,
            "description": "Pairs of replies from Goldsmith; votes go back with `goldsmith votes sync`.",
        }
        return _number(_object(self._call("POST", "/api/projects/", json=made), "a project"), "id", "a project")

    def tasks(self, number: int) -> list[dict[str, Any]]:
        """Return every task of a project with its annotations and predictions, as the JSON export has them."""
        params = {"exportType": "JSON", "download_all_tasks": "true"}
        found = _objects(self._call("GET", f"/api/projects/{number}/export", params=params), "a list of tasks")
        for task in found:
            _number(task, "id", "a task")
        return found

    def models_heard(self, number: int) -> dict[int, set[str]]:
        """Return which models have made a prediction for each task; the export of tasks has their ids only."""
        answer = self._call("GET", "/api/predictions/", params={"project": number})
        rows = answer.get("results") if isinstance(answer, dict) else answer
        found: dict[int, set[str]] = {}
        for row in _objects(rows, "a list of predictions"):
            found.setdefault(_number(row, "task", "a prediction"), set()).add(str(row.get("model_version")))
        return found

    def push(self, number: int, tasks: Sequence[dict[str, Any]]) -> None:
        """Add tasks to a project, a hundred at a time."""
        for start in range(0, len(tasks), AT_ONCE):
            self._call("POST", f"/api/projects/{number}/import", json=list(tasks[start : start + AT_ONCE]))

    def predict(self, task: int, prediction: dict[str, Any]) -> None:
        """Add a prediction to a task."""
        self._call("POST", "/api/predictions/", json={"task": task, **prediction})

    def _call(self, method: str, path: str, **more: Any) -> Any:
        """One request; what only reads is tried again while the server is away."""
        import httpx

        wait = FIRST_WAIT_S
        for attempt in range(1, TRIES + 1):
            is_last = attempt == TRIES or method != "GET"
            try:
                answer = self._client.request(method, f"{self.url}{path}", headers=self._headers(), **more)
            except httpx.HTTPError as error:
                if is_last:
                    raise ProviderError(
                        f"{self.url}: no answer to {method} {path} ({type(error).__name__}: {error}); "
                        "run the same command again, nothing is sent or taken twice"
                    ) from None
            else:
                if answer.status_code == 401 and self._authorization is not None and not is_last:
                    self._authorization = None  # an access token lives for minutes
                elif is_last or answer.status_code not in TRIED_AGAIN:
                    return self._read(answer, method, path)
            time.sleep(wait)
            wait *= 2
        raise AssertionError("unreachable")

    def _headers(self) -> dict[str, str]:
        """A personal access token buys access tokens; a legacy token is used as it is."""
        if self._authorization is None:
            self._authorization = f"Token {self._token}"
            if self._token.count(".") == 2:
                answer = self._client.post(f"{self.url}/api/token/refresh/", json={"refresh": self._token})
                access = _object(self._read(answer, "POST", "/api/token/refresh/"), "a token").get("access")
                self._authorization = f"Bearer {access}"
        return {"Authorization": self._authorization}

    def _read(self, answer: httpx.Response, method: str, path: str) -> Any:
        if answer.status_code in (401, 403):
            raise UserError(
                f"{self.url}: {method} {path} was refused ({answer.status_code}); the token in {self._token_env} is not valid there, or may not do this"
            )
        if answer.status_code == 404:
            raise UserError(f"{self.url}: {path} is not there; check the address and --project")
        if not answer.is_success:
            raise ProviderError(f"{self.url}: {method} {path} failed with {answer.status_code}: {answer.text[:300]}")
        try:
            return answer.json()
        except ValueError:
            raise ProviderError(f"{self.url}: {method} {path} gave no JSON; is this a Label Studio server?") from None


def _client(timeout_s: float) -> httpx.Client:
    try:
        import httpx
    except ModuleNotFoundError:
        raise UserError("a sync with Label Studio needs the package httpx; pip install 'goldsmith[annotate]'") from None
    return httpx.Client(timeout=httpx.Timeout(timeout_s, connect=10.0))


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ProviderError(f"expected {what} from Label Studio, found {type(value).__name__}; is this a Label Studio server?")
    return value


def _objects(value: Any, what: str) -> list[dict[str, Any]]:
    if not isinstance(value, list):
        raise ProviderError(f"expected {what} from Label Studio, found {type(value).__name__}; is this a Label Studio server?")
    return [_object(one, what) for one in value]


def _number(row: dict[str, Any], name: str, what: str) -> int:
    value = row.get(name)
    if not isinstance(value, int):
        raise ProviderError(f"expected {what} with a number from Label Studio, but its '{name}' is {str(value)[:60]!r}")
    return value
