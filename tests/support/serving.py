"""Conversations that the tests of the server send, and a server as a process of its own."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

QUESTION = [{"role": "user", "content": "What is 2 + 2?"}]
ANSWERED = [*QUESTION, {"role": "assistant", "content": "4"}]
PATIENCE_S = 120.0


def valid_bodies(text: str) -> dict[str, dict[str, object]]:
    """A request of every route that is answered with a score, by its path under its dialect's prefix.

    Args:
        text: `ANSWERED`, rendered by the model's chat template.
    """
    question = QUESTION[0]["content"]
    ranked = {"query": question, "documents": ["4", "5"]}
    return {
        "/goldsmith/v1/score": {"conversations": [ANSWERED]},
        "/goldsmith/v1/rank": {"context": QUESTION, "replies": ["4", "5"]},
        "/goldsmith/v1/compare": {"context": QUESTION, "first": "4", "second": "5"},
        "/vllm/classify": {"model": "tiny", "messages": ANSWERED},
        "/vllm/pooling": {"input": [text, text], "task": "classify"},
        "/vllm/score": {"text_1": question, "text_2": ["4", "5"]},
        "/vllm/v1/score": {"queries": question, "documents": ["4", "5"]},
        "/vllm/rerank": ranked,
        "/vllm/v1/rerank": ranked,
        "/vllm/v2/rerank": ranked,
        "/sglang/classify": {"text": [text]},
        "/sglang/v1/embeddings": {"input": text},
        "/sglang/v1/rerank": ranked,
        "/tei/predict": {"inputs": [[question, "4"], [text]]},
        "/tei/rerank": {"query": question, "texts": ["4", "5"]},
        "/cohere/v2/rerank": ranked,
        "/openrlhf/get_reward": {"query": [text], "prompts": [question], "labels": [""]},
        "/verl/classify": {"model": "tiny", "input": text, "use_activation": False},
        "/verl/v1/embeddings": {"model": "tiny", "input": text},
        "/llamafactory/v1/score/evaluation": {"model": "tiny", "messages": [text]},
    }


@contextmanager
def serving(*arguments: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run `goldsmith serve` in float32 on any free port; give its address and its process, which is ended afterwards."""
    command = [sys.executable, "-m", "goldsmith", "serve", *arguments, "--port", "0", "--dtype", "float32"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        errors: list[str] = []
        assert process.stdout is not None
        assert process.stderr is not None
        reader = threading.Thread(target=lambda: errors.extend(process.stderr or ()))
        reader.start()
        try:
            address = process.stdout.readline().strip()
            assert address.startswith("http"), "".join(errors)
            yield address, process
        finally:
            process.terminate()
            process.wait(PATIENCE_S)
            reader.join(PATIENCE_S)
