"""A reward model behind a server, in any dialect of `dialects`: batches in flight together, retries, and every failure told apart.

A server that is down for good stops the run, and what came before is in the cache; a text that it refuses is that text's failure.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncGenerator, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from goldsmith.config.evaluate import EvalModelConfig
from goldsmith.errors import ProviderError, UserError
from goldsmith.evaluate.engines.dialects import Dialect, NotFinite, Query, parsed
from goldsmith.evaluate.engines.engine import Progress, Rated, Text, TextEngine
from goldsmith.evaluate.engines.patience import Patience
from goldsmith.evaluate.result import ModelInfo
from goldsmith.identity import digest
from goldsmith.llm.retry import Attempt, delay_s
from goldsmith.llm.wire import exchange, open_session

_ABOUT_THE_TEXT = (400, 413, 422)
"""Refusals that can be about one text: the batch is then asked text by text."""
_SHORTEST_S = 0.1
"""Seconds of a last attempt at least."""


class HttpEngine(TextEngine):
    """Scores texts with a server."""

    is_cached = True

    def __init__(
        self, dialect: Dialect, base_url: str, config: EvalModelConfig, name: str = "", *, base_delay_s: float = 0.5
    ) -> None:
        """Check what must be known before the first request.

        Args:
            dialect: the server's.
            base_url: its address, without the dialect's path.
            config: served model, key, tokenizer, batch, concurrency, time-out, retries, and how long is waited in all.
            name: label in reports; empty: the served model, or the address.
            base_delay_s: first delay between retries.

        Raises:
            UserError: a rendered conversation is needed and no tokenizer is named, or the key's variable is not set.
        """
        self.dialect, self.config, self.url = dialect, config, base_url.rstrip("/") + dialect.path
        self._base_url, self._base_delay_s = base_url, base_delay_s
        self._patience = self._new_patience()
        self._key = _key(config.api_key_env)
        self._render = _renderer(config.tokenizer, without_bos=dialect.adds_bos) if dialect.asks == "text" else None
        if dialect.asks == "text" and self._render is None:
            raise UserError(
                f"{dialect.name} wants rendered conversations; name the model's tokenizer with --tokenizer (a folder or hub id), or use a "
                "dialect that sends messages, as vllm-chat"
            )
        deciding = [dialect.name, self.url, config.served_model, config.tokenizer]
        facts = {
            "dialect": dialect.name, "address": self.url, "served_model": config.served_model, "tokenizer": config.tokenizer,
            "activation": "none asked for",
        }  # fmt: skip
        self.info = ModelInfo(
            name=name or config.served_model or base_url,
            spec=f"{dialect.name}:{base_url}",
            kind="http",
            digest=digest(deciding),
            facts=facts,
        )

    def rate(self, texts: Sequence[Text], progress: Progress | None = None) -> Iterator[list[tuple[Text, Rated]]]:
        """See `TextEngine.rate`."""
        batches = self._batches(texts)
        loop = asyncio.new_event_loop()
        stream = self._stream(batches)
        done = 0
        try:
            while True:
                try:
                    part = loop.run_until_complete(anext(stream))
                except StopAsyncIteration:
                    return
                yield part
                done += len(part)
                if progress:
                    progress(done, len(texts), "texts")
        finally:
            loop.run_until_complete(stream.aclose())
            loop.close()

    def _new_patience(self) -> Patience:
        """Return patience that begins now; one attempt always has its own time."""
        shortest = self.config.timeout_s
        return Patience(request_s=max(shortest, self.config.give_up_s), silence_s=max(shortest, self.config.silence_s))

    def _batches(self, texts: Sequence[Text]) -> list[list[Text]]:
        size = 1 if self.dialect.asks == "chat" else self.config.batch
        if self.dialect.asks == "rank":
            groups = [list(group) for _, group in groupby(texts, key=lambda text: text.context_id)]
        else:
            groups = [list(texts)]
        return [group[start : start + size] for group in groups for start in range(0, len(group), size)]

    async def _stream(self, batches: Sequence[list[Text]]) -> AsyncGenerator[list[tuple[Text, Rated]], None]:
        """Yield the scores of batches as they come; after a failure, those under way are waited for first."""
        self._patience = self._new_patience()
        session = open_session(self._base_url, self._key)
        try:
            waiting = iter(batches)
            running: set[asyncio.Task[list[tuple[Text, Rated]]]] = set()
            failure: ProviderError | None = None
            while True:
                while failure is None and len(running) < self.config.concurrency:
                    batch = next(waiting, None)
                    if batch is None:
                        break
                    running.add(asyncio.create_task(self._ask(session, batch)))
                if not running:
                    break
                ended, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in ended:
                    try:
                        yield task.result()
                    except ProviderError as error:
                        failure = failure or error
            if failure is not None:
                raise failure
        finally:
            await session.close()

    async def _ask(self, session: Any, batch: list[Text]) -> list[tuple[Text, Rated]]:
        unfit = [(text, why) for text in batch if (why := self._unfit(text))]
        fit = [text for text in batch if not self._unfit(text)]
        refused = [(text, Rated(value=None, failure=why)) for text, why in unfit]
        if not fit:
            return refused
        queries = [self._query(text) for text in fit]
        content = json.dumps(self.dialect.body(self.config.served_model, queries)).encode()
        attempt = await self._attempts(session, content, fit[0].text_id)
        if attempt.cause == "status" and attempt.status in _ABOUT_THE_TEXT:
            return refused + await self._one_by_one(session, fit, f"the server refuses this text: {attempt.detail[:200]}")
        try:
            scores = parsed(self.dialect, _json(attempt, self.url), len(fit))
        except NotFinite as error:
            return refused + await self._one_by_one(session, fit, str(error))
        return refused + [(text, Rated(value=score)) for text, score in zip(fit, scores, strict=True)]

    async def _one_by_one(self, session: Any, batch: list[Text], failure: str) -> list[tuple[Text, Rated]]:
        """Ask for each text of a batch by itself, so that only those that cannot be scored fail; a batch of one has failed."""
        if len(batch) == 1:
            return [(batch[0], Rated(value=None, failure=failure))]
        parts = [await self._ask(session, [text]) for text in batch]
        return [pair for part in parts for pair in part]

    async def _attempts(self, session: Any, content: bytes, key: str) -> Attempt:
        """Return an answer, or a refusal that is about the texts.

        Raises:
            ProviderError: neither came after all retries, or within the time that is waited.
        """
        begun = self._patience.clock()
        limit = self.config.timeout_s
        for number in range(self.config.max_retries + 1):
            attempt = await exchange(session, self.url, content, limit)
            if (attempt.cause == "answered" and not attempt.problem) or attempt.status in _ABOUT_THE_TEXT:
                self._patience.answered()
                return attempt
            pause = delay_s(attempt, number, key, 0, self._base_delay_s)
            if not attempt.may_retry or number == self.config.max_retries or pause >= self._patience.left_s(begun):
                break
            await asyncio.sleep(pause)
            limit = min(self.config.timeout_s, max(_SHORTEST_S, self._patience.left_s(begun)))
        raise ProviderError(self._given_up(attempt, number + 1, pause, begun))

    def _given_up(self, attempt: Attempt, attempts: int, pause: float, begun: float) -> str:
        """Say why a request is given up, and what may be changed."""
        told = attempt.problem or attempt.detail
        if attempt.retry_after_s is not None:
            told += f"; it asks for a pause of {attempt.retry_after_s:g} s"
        limits = ""
        if attempt.may_retry and attempts <= self.config.max_retries and pause >= self._patience.left_s(begun):
            limits = (
                f"; no more is waited than {self._patience.request_s:g} s for a request and {self._patience.silence_s:g} s without any "
                "answer (give_up_s and silence_s of [[evaluate.models]])"
            )
        return (
            f"{self.url}: no scores after {attempts} attempt{'s' * (attempts > 1)} in {self._patience.clock() - begun:.0f} s "
            f"({told[:300]}){limits}; the scores that came are kept: mend the server, and run the same command again to go on"
        )

    def _unfit(self, text: Text) -> str:
        """Say why a text does not fit the dialect; empty when it does."""
        is_single = len(text.context) == 1 and text.context[0]["role"] == "user"
        if self.dialect.asks in ("pair", "rank") and not is_single:
            return f"{self.dialect.name} has room for one user turn, and the context has {len(text.context)} turns"
        return ""

    def _query(self, text: Text) -> Query:
        messages = [*text.context, {"role": "assistant", "content": text.reply}]
        return Query(messages=messages, rendered=self._render(messages) if self._render else "")


def _json(attempt: Attempt, url: str) -> Any:
    try:
        return json.loads(attempt.body)
    except ValueError:
        raise ProviderError(
            f"{url}: the reply is no JSON: {attempt.body[:200].decode('utf-8', 'replace')!r}; is the address right?"
        ) from None


def _key(variable: str | None) -> str | None:
    if variable is None:
        return None
    key = os.environ.get(variable)
    if not key:
        raise UserError(f"the environment variable {variable}, named by --api-key-env, is not set; export it and run again")
    return key


def _renderer(tokenizer: str | None, *, without_bos: bool) -> Any:
    """Return what renders messages with a tokenizer's own template; its BOS is left out where the server puts one before every text."""
    if tokenizer is None:
        return None
    from goldsmith.reward.checkpoint import load_tokenizer, locate

    folder = Path(tokenizer)
    loaded = load_tokenizer(folder if folder.is_dir() else locate(tokenizer))
    if not getattr(loaded, "chat_template", None):
        raise UserError(f"{tokenizer} has no chat template, so conversations cannot be rendered; name the model's own tokenizer")
    bos = loaded.bos_token if without_bos else None

    def render(messages: Sequence[dict[str, Any]]) -> str:
        text = str(loaded.apply_chat_template(list(messages), tokenize=False))
        return text.removeprefix(bos) if bos else text

    return render
