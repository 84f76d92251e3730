"""Samples replies of the embedded model; every reply is kept in a file at once, so a stopped run goes on where it was.

The last bits of the arithmetic depend on the processor and on what a server has just read: the same seeds give nearly, not
exactly, the same replies. The committed files are therefore the record.
"""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from checkers import is_right
from prompts import Prompt

from goldsmith.identity import unit_interval
from goldsmith.llm.embedded import EmbeddedServer

TEMPERATURES = (0.4, 0.8, 1.1, 0.7, 1.3)
WANTED = 8
"""Pairs of a right and a wrong reply after which a prompt needs no further samples."""
GIVE_UP_AFTER = 8
"""Samples after which a prompt is left alone when it has only right or only wrong replies."""


class Samples:
    """The replies so far, by prompt key, with a JSON Lines file behind them."""

    def __init__(self, path: Path) -> None:
        """Read what the file holds; a last line cut by a kill is dropped."""
        self.by_key: dict[str, list[dict[str, Any]]] = {}
        self._lock = threading.Lock()
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        whole = text[: text.rfind("\n") + 1]
        for line in whole.splitlines():
            row = json.loads(line)
            self.by_key.setdefault(row["key"], []).append(row)
        path.write_text(whole, encoding="utf-8")
        self._file = path.open("a", encoding="utf-8")

    def add(self, row: dict[str, Any]) -> None:
        """Keep one reply."""
        with self._lock:
            self.by_key.setdefault(row["key"], []).append(row)
            self._file.write(json.dumps(row, ensure_ascii=False) + "\n")
            self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def sample_all(prompts: Iterable[Prompt], path: Path, *, seed: int, most: int, minutes: float, servers: int = 2) -> Samples:
    """Return the replies to all prompts, at most `most` for each, within about `minutes`.

    Args:
        prompts: what to ask.
        path: the file of replies, extended.
        seed: seed of the sampler; each request has its own, made from this, the prompt's key and the sample's number.
        most: samples of one prompt at most.
        minutes: no request is made later.
        servers: model servers side by side, of one thread and one slot each. On few cores that is as fast as one server with
            many slots, it does not wait for busy neighbours, and a prompt is read once for all its samples.
    """
    samples = Samples(path)
    deadline = time.monotonic() + 60 * minutes
    queue = iter(sorted(prompts, key=lambda prompt: unit_interval(prompt.key, seed)))
    lock = threading.Lock()

    def work() -> None:
        with EmbeddedServer(slots=1, threads=1, context_tokens=512) as server:
            while True:
                with lock:
                    prompt = next(queue, None)
                if prompt is None or time.monotonic() > deadline:
                    return
                _sample_prompt(server.base_url, prompt, samples, seed, most, deadline)

    with ThreadPoolExecutor(servers) as pool:
        for job in [pool.submit(work) for _ in range(servers)]:
            job.result()
    samples.close()
    return samples


def _sample_prompt(base_url: str, prompt: Prompt, samples: Samples, seed: int, most: int, deadline: float) -> None:
    rows = samples.by_key.get(prompt.key, [])
    replies = {row["reply"] for row in rows}
    right = {reply for reply in replies if is_right(prompt.check, reply)}
    for number in range(len(rows), most):
        wrong = len(replies) - len(right)
        one_sided = number >= GIVE_UP_AFTER and not (right and wrong)
        if one_sided or len(right) * wrong >= WANTED or time.monotonic() > deadline:
            return
        row = _ask(base_url, prompt, number, int(unit_interval(f"{prompt.key}/{number}", seed) * 2**31))
        samples.add(row)
        replies.add(row["reply"])
        if is_right(prompt.check, row["reply"]):
            right.add(row["reply"])


def _ask(base_url: str, prompt: Prompt, number: int, seed: int) -> dict[str, Any]:
    temperature = TEMPERATURES[number % len(TEMPERATURES)]
    body = {"messages": prompt.messages, "max_tokens": prompt.max_tokens, "temperature": temperature, "top_p": 0.95, "seed": seed}
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{base_url}/chat/completions", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=120) as answer:
        choice = json.load(answer)["choices"][0]
    reply = choice["message"]["content"].strip()
    return {"key": prompt.key, "number": number, "temperature": temperature, "reply": reply, "end": choice["finish_reason"]}
