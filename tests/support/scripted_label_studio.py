"""A Label Studio server for tests: the requests of a sync, answered as release 1.23 answers them, and ways to fail in the middle."""

from __future__ import annotations

import json
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlparse

TOKEN = "0123456789abcdef"
JWT = "eyJ.refresh.sig"


class ScriptedLabelStudio:
    """Holds projects and tasks in memory; `calls` lists what was asked, `lose_answers` and `unavailable` count down failures."""

    def __init__(self) -> None:
        self.projects: dict[int, dict[str, Any]] = {}
        self.tasks: dict[int, list[dict[str, Any]]] = {}
        self.calls: list[str] = []
        self.lose_answers = self.unavailable = self.expired = 0
        self.no_json = False
        self._next = 1
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"studio": self}))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()

    def number(self) -> int:
        """A new id."""
        self._next += 1
        return self._next

    def annotate(self, task: dict[str, Any], user: int, *results: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Somebody submits an annotation, as the labelling page does."""
        made = {
            "id": self.number(),
            "completed_by": user,
            "result": list(results),
            "was_cancelled": False,
            "ground_truth": False,
            "created_at": "2026-11-22T10:00:00.000000Z",
            "updated_at": "2026-11-22T10:00:00.000000Z",
            "lead_time": 12.5,
            "unique_id": str(uuid.UUID(int=self._next)),
            "task": task["id"],
            **more,
        }
        task["annotations"].append(made)
        return made

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> tuple[int, Any]:
        """Status and JSON of one request."""
        parts = [part for part in path.split("/") if part][1:]
        if parts == ["token", "refresh"]:
            return (200, {"access": f"access-{self.number()}"}) if body == {"refresh": JWT} else (401, {"detail": "invalid"})
        if parts == ["projects"]:
            return self._projects(method, body)
        if parts == ["predictions"] and method == "GET":
            return 200, [one for task in self.tasks[int(query["project"][0])] for one in task["predictions"]]
        if parts == ["predictions"]:
            task = next(task for tasks in self.tasks.values() for task in tasks if task["id"] == body["task"])
            task["predictions"].append({"id": self.number(), **body})
            return 201, task["predictions"][-1]
        if parts[0] == "projects" and int(parts[1]) in self.projects:
            number = int(parts[1])
            if parts[2:] == ["export"]:
                assert query["exportType"] == ["JSON"]
                wanted = query.get("download_all_tasks") == ["true"]
                # The export tells the ids of predictions only.
                ids = [{**task, "predictions": [one["id"] for one in task["predictions"]]} for task in self.tasks[number]]
                return 200, [task for task in ids if wanted or task["annotations"]]
            if parts[2:] == ["import"]:
                self.tasks[number] += [self._task(number, one) for one in body]
                return 201, {"task_count": len(body)}
            return 200, self.projects[number]
        return 404, {"detail": "Not found."}

    def _projects(self, method: str, body: Any) -> tuple[int, Any]:
        if method == "GET":
            return 200, {"count": len(self.projects), "next": None, "results": list(self.projects.values())}
        number = self.number()
        self.projects[number], self.tasks[number] = {"id": number, **body}, []
        return 201, self.projects[number]

    def _task(self, number: int, one: dict[str, Any]) -> dict[str, Any]:
        name = self.number()
        made = {"id": name, "project": number, "data": one["data"], "annotations": [], "predictions": []}
        for annotation in one.get("annotations", []):
            self.annotate(made, 1, *annotation["result"], lead_time=annotation.get("lead_time"))
        made["predictions"] = [{"id": self.number(), "task": name, **prediction} for prediction in one.get("predictions", [])]
        return made


class _Handler(BaseHTTPRequestHandler):
    studio: ScriptedLabelStudio

    def do_GET(self) -> None:
        self._serve("GET")

    def do_POST(self) -> None:
        self._serve("POST")

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _serve(self, method: str) -> None:
        studio, parsed = self.studio, urlparse(self.path)
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "null")
        studio.calls.append(f"{method} {parsed.path}")
        authorization = self.headers.get("Authorization", "")
        is_refresh = parsed.path == "/api/token/refresh/"
        if studio.unavailable:
            studio.unavailable -= 1
            self._send(503, {"detail": "starting"})
        elif not is_refresh and studio.expired and authorization.startswith("Bearer"):
            studio.expired -= 1
            self._send(401, {"detail": "token expired"})
        elif not is_refresh and authorization != f"Token {TOKEN}" and not authorization.startswith("Bearer access-"):
            self._send(401, {"detail": "Invalid token."})
        else:
            status, answer = studio.answer(method, parsed.path, parse_qs(parsed.query), body)
            if studio.lose_answers and method == "POST":
                studio.lose_answers -= 1
                self.close_connection = True  # the work is done and the answer never arrives
                return
            self._send(status, answer)

    def _send(self, status: int, answer: Any) -> None:
        data = b"<html>" if self.studio.no_json else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
