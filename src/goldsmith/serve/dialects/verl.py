"""verl's router calls: vLLM's /classify and SGLang's /v1/embeddings. verl retries 5xx and gives up on 4xx, so overload is 503."""

from __future__ import annotations

from goldsmith.serve.dialects.base import Dialect
from goldsmith.serve.dialects.sglang import EMBEDDINGS
from goldsmith.serve.dialects.vllm import CLASSIFY, problem
from goldsmith.wire.vllm import ErrorReply

DIALECT = Dialect(name="verl", routes=(CLASSIFY, EMBEDDINGS), error=ErrorReply, problem=problem, statuses={"rate-limit": 503})
