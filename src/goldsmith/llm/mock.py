"""A scripted model server on loopback, for tests and documentation: right, wrong, late or malicious where you say so."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the server does with one call.

    Attributes:
        text: the assistant's message, wrapped as a chat completion; ignored when `raw` is given.
        raw: the response's body as it is.
        status: HTTP status.
        headers: further headers.
        delay_s: seconds until the response.
        closes: close the connection instead of answering.
        cut_at: close the connection after this many bytes of the body.
        drip_s: seconds between the body's bytes, which come one by one.
        finish_reason: of the completion.
        usage: of the completion, whatever it says; none: words are counted.
    """

    text: str = ""
    raw: bytes | None = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    closes: bool = False
    cut_at: int | None = None
    drip_s: float = 0.0
    finish_reason: str = "stop"
    usage: Any = None


Script = Callable[[dict[str, Any], int], Reply]
"""From the request's body and the number of calls before it, to what happens."""


class ScriptedServer:
    """Serves `/v1/chat/completions` from a script, in a thread of this process.

    with ScriptedServer(lambda body, number: Reply(text="4")) as server:
        EndpointConfig(name="scripted", base_url=server.base_url)
    """

    def __init__(self, script: Script) -> None:
        """Keep the script; the server starts with the block."""
        self.script = script
        self.bodies: list[dict[str, Any]] = []
        """The bodies of all calls so far, in order of arrival."""
        self.paths: list[str] = []
        self.most_at_once = 0
        self._at_once = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="goldsmith-scripted", daemon=True)
        self._server: asyncio.Server | None = None

    @property
    def base_url(self) -> str:
        """The address for `base_url`."""
        assert self._server is not None, "use ScriptedServer in a with block"
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        opening = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._serve, "127.0.0.1", 0), self._loop)
        self._server = opening.result()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _stop(self) -> None:
        assert self._server is not None
        self._server.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (request := await _read_request(reader)) is not None:
                path, body = request
                number = len(self.bodies)
                self.bodies.append(body)
                self.paths.append(path)
                reply = self.script(body, number)
                self._at_once += 1
                self.most_at_once = max(self.most_at_once, self._at_once)
                try:
                    await asyncio.sleep(reply.delay_s)
                finally:
                    self._at_once -= 1
                if reply.closes:
                    break
                await _write(writer, reply, body)
                if reply.cut_at is not None:
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            return
        finally:
            writer.close()


async def _read_request(reader: asyncio.StreamReader) -> tuple[str, dict[str, Any]] | None:
    line = await reader.readline()
    if not line:
        return None
    length = 0
    while (header := (await reader.readline()).decode("latin-1").strip()) != "":
        name, _, value = header.partition(":")
        if name.lower() == "content-length":
            length = int(value)
    return line.split()[1].decode("latin-1"), json.loads(await reader.readexactly(length) or b"{}")


async def _write(writer: asyncio.StreamWriter, reply: Reply, body: dict[str, Any]) -> None:
    content = _completion(reply, body) if reply.raw is None else reply.raw
    writer.write(_head(reply, content))
    for at in range(len(content)) if reply.drip_s else ():
        writer.write(content[at : at + 1])
        await writer.drain()
        await asyncio.sleep(reply.drip_s)
    if not reply.drip_s:
        writer.write(content[: reply.cut_at])
    await writer.drain()


def _head(reply: Reply, content: bytes) -> bytes:
    headers = {"Content-Type": "application/json", "Content-Length": str(len(content)), **reply.headers}
    head = f"HTTP/1.1 {reply.status} Scripted\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return head.encode("latin-1") + b"\r\n"


def _completion(reply: Reply, body: dict[str, Any]) -> bytes:
    words = sum(len(str(message["content"]).split()) for message in body.get("messages", []))
    choice = {
        "index": 0,
        "finish_reason": reply.finish_reason,
        "message": {"role": "assistant", "content": reply.text},
    }
    counted = {
        "prompt_tokens": words,
        "completion_tokens": len(reply.text.split()),
        "total_tokens": words + len(reply.text.split()),
    }
    completion = {
        "id": "scripted",
        "object": "chat.completion",
        "created": 0,
        "model": body.get("model", ""),
        "choices": [choice],
        "usage": counted if reply.usage is None else reply.usage,
    }
    return json.dumps(completion).encode()
