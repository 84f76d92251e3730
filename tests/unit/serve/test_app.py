"""What a server refuses, how, and what it says of itself."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette.testclient import TestClient

from goldsmith.reward.checkpoint import load_tokenizer
from goldsmith.reward.model import RewardModel, as_reply
from goldsmith.serve.batcher import Batcher
from goldsmith.serve.dialects import DIALECTS
from goldsmith.serve.keys import add_key
from goldsmith.serve.logs import JsonLines
from goldsmith.serve.problem import Refusal
from goldsmith.serve.tracing import Tracing
from local_replica import LocalReplica
from serving import ANSWERED, QUESTION, valid_bodies

SCORE = "/goldsmith/v1/score"


def _score(server: TestClient, *conversations: Any, **more: Any) -> Any:
    return server.post(SCORE, json={"conversations": list(conversations), **more})


def _code(response: Any, status: int) -> str:
    assert response.status_code == status, response.text
    assert response.headers["x-goldsmith-error"] == response.json()["error"]["code"]
    return str(response.json()["error"]["code"])


def test_operation_routes_answer(server: TestClient, model: RewardModel) -> None:
    _score(server, ANSWERED)
    assert server.get("/health").json() == {"status": "ok"}
    assert server.get("/ready").json() == {"ready": True}
    (found,) = server.get("/goldsmith/v1/models").json()["models"]
    assert (found["name"], found["digest"], found["ready"], found["dtype"]) == ("tiny", model.digest, True, "float32")
    assert server.get("/v1/models").json()["data"][0]["id"] == "tiny"
    described = server.get("/openapi.json").json()
    assert described["security"][0] == {"key": []}
    assert {path for path, at in described["paths"].items() if at.get("get", {}).get("security") == []} == {
        "/health",
        "/ready",
        "/metrics",
    }
    metrics = server.get("/metrics").text
    assert 'goldsmith_requests_total{dialect="goldsmith",route="/v1/score",status="200"}' in metrics
    assert 'goldsmith_items_total{model="tiny"}' in metrics


def test_what_the_headers_say(server: TestClient, model: RewardModel) -> None:
    response = server.post("/classify", json={"messages": ANSWERED}, headers={"x-request-id": "mine-1"})
    assert response.headers["x-request-id"] == "mine-1"
    assert response.headers["x-goldsmith-model"] == "tiny"
    assert response.headers["x-goldsmith-digest"] == model.digest
    odd = server.post("/classify", json={"messages": ANSWERED}, headers={"x-request-id": "a b\tc"})
    assert odd.headers["x-request-id"] != "a b\tc"


def test_bodies_that_are_too_large_are_refused_before_they_are_read(start: Any, tiny_rm: Path) -> None:
    server = start({"tiny": tiny_rm}, max_body_mb=0.01)
    assert _code(_score(server, [*QUESTION, {"role": "assistant", "content": "x" * 20_000}]), 413) == "too-large"
    # Without a length in its head, it is counted as it comes.
    pieces = (b"x" * 1000 for _ in range(100))
    assert _code(server.post(SCORE, content=pieces), 413) == "too-large"
    for length in ("100000000", "9" * 5000, "0" * 5000 + "100000000"):
        lying = server.post(SCORE, content=b"{}", headers={"content-length": length})
        assert _code(lying, 413) == "too-large"


@pytest.mark.parametrize(
    ("conversation", "said"),
    [
        ([], "does not end in an assistant turn"),
        (QUESTION, "does not end in an assistant turn"),
        ([{"role": "assistant", "content": "4"}], "does not end in an assistant turn"),
        ([*QUESTION, {"role": "assistant", "content": ""}], "the reply is empty"),
        ([*QUESTION, {"role": "assistant", "content": None}], "has no content"),
        ([{"role": "user", "content": [{"type": "image", "url": "x"}]}, ANSWERED[1]], "part of type 'image'"),
        ([*QUESTION, {"role": "assistant", "content": [{"type": "image_url"}]}], "part of type 'image_url'"),
        ([*QUESTION, {"role": "assistant", "content": [{"type": "text", "text": 4}]}], "whose `text` is int, and no text"),
        ([{"role": "user", "content": [{"type": "text"}]}, ANSWERED[1]], "whose `text` is NoneType, and no text"),
        ([{"role": "wizard", "content": "x"}, *ANSWERED], "a turn has the role 'wizard', which tiny does not know"),
        ([{"role": "user", "content": "x" * 600}, ANSWERED[1]], "above the model's maximum of 512"),
        ([{"role": "user", "content": "x" * 100_000}, ANSWERED[1]], "characters, above the"),
    ],
)
def test_conversations_that_cannot_be_scored(server: TestClient, conversation: Any, said: str) -> None:
    response = _score(server, conversation)
    assert _code(response, 400) in ("no-reply", "not-scorable")
    assert said in response.text


def test_a_role_that_the_template_refuses(tmp_path: Path, tiny_rm: Path, start: Any) -> None:
    import shutil

    folder = shutil.copytree(tiny_rm, tmp_path / "strict")
    template = (folder / "chat_template.jinja").read_text()
    strict = (
        "{% for message in messages %}{% if message['role'] not in ['user', 'assistant'] %}{{ raise_exception('Unknown role') }}"
    )
    (folder / "chat_template.jinja").write_text(template.replace("{% for message in messages %}", strict + "{% endif %}", 1))
    response = _score(start({"strict": folder}), [{"role": "tool", "content": "x"}, *ANSWERED])
    assert _code(response, 400) == "not-scorable"
    assert "Unknown role" in response.text


def test_text_that_no_template_rendered_is_refused(server: TestClient, text: str) -> None:
    for given in ("What is 2 + 2? 4", "", "<|im_start|>user\nx<|im_end|>\n", text + "<|im_start|>user\nThanks<|im_end|>\n"):
        response = server.post("/classify", json={"input": given})
        assert response.status_code == 400, given
        assert "item 0" in response.json()["error"]["message"]


def test_token_ids_that_cannot_be(server: TestClient) -> None:
    for ids in ([5], [-1, 5], [5, 6, 10_000], [5, 6, 0]):
        assert server.post("/classify", json={"input": ids}).status_code == 400, ids
    assert server.post("/classify", json={"input": [2**80, 5]}).status_code == 400


def test_a_conversation_is_cut_when_that_is_asked_for_and_said(server: TestClient, model: RewardModel) -> None:
    turns = [{"role": "user", "content": "x" * 600}, ANSWERED[1]]
    response = _score(server, turns, truncate=True)
    assert response.json()["results"][0]["score"] == pytest.approx(model.score([turns])[0], abs=1e-4)
    assert response.json()["results"][0]["truncated_tokens"] > 0
    assert response.headers["x-goldsmith-truncated"] == "1"
    assert server.post("/classify", json={"messages": turns, "truncate_prompt_tokens": -1}).status_code == 200
    assert server.post("/predict", json={"inputs": ["x" * 600, "4"], "truncate": True}).status_code == 200
    assert server.post("/predict", json={"inputs": ["x" * 600, "4"]}).status_code == 422


def test_too_many_conversations(start: Any, tiny_rm: Path) -> None:
    server = start({"tiny": tiny_rm}, max_items=2)
    assert _code(_score(server, *[ANSWERED] * 3), 400) == "too-many"


def test_models_are_found_by_name(start: Any, tiny_rm: Path, other_rm: Path) -> None:
    server = start({"tiny": tiny_rm, "other": other_rm})
    first = _score(server, ANSWERED).json()
    assert first == _score(server, ANSWERED, model="tiny").json()
    assert _score(server, ANSWERED, model=str(tiny_rm)).json()["model"] == "tiny"
    other = _score(server, ANSWERED, model="other").json()
    assert other["results"][0]["score"] == pytest.approx(
        RewardModel.load(other_rm, dtype="float32").score([ANSWERED])[0], abs=1e-4
    )
    assert other["results"][0]["score"] != first["results"][0]["score"]
    assert _code(_score(server, ANSWERED, model="nobody"), 404) == "no-such-model"


def test_paths_and_methods_that_are_not_there(server: TestClient) -> None:
    assert server.get("/nowhere").json()["error"]["code"] == 404
    assert "error" in server.get("/tei/nowhere").json()
    response = server.get("/classify")
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert server.get("/predict").json()["error_type"] == "Validation"


def test_a_slow_answer_is_given_up_as_retryable(start: Any, tiny_rm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = start({"tiny": tiny_rm}, request_timeout_s=0.2)
    monkeypatch.setattr(LocalReplica, "delay_s", 1.0)
    response = _score(server, ANSWERED)
    assert _code(response, 503) == "too-late"
    assert response.json()["error"]["retryable"] is True
    assert int(response.headers["retry-after"]) >= 1


def test_overload_has_the_status_that_each_program_waits_for(start: Any, tiny_rm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = start({"tiny": tiny_rm})

    def refuse(self: Batcher, tokens: int, items: int) -> None:
        raise Refusal(503, "overloaded", "too much", retry_after_s=6.2)

    monkeypatch.setattr(Batcher, "admit", refuse)
    pair = {"query": "x", "documents": ["y"]}
    for path, body, status in (
        ("/classify", {"messages": ANSWERED}, 503),
        ("/verl/classify", {"messages": ANSWERED}, 503),
        ("/predict", {"inputs": ["x", "y"]}, 429),
        ("/cohere/v2/rerank", pair, 429),
    ):
        response = server.post(path, json=body)
        # Whole seconds, and never too early.
        assert (response.status_code, response.headers["retry-after"]) == (status, "7")


def test_a_number_that_is_none_is_an_error_and_no_score(start: Any, tiny_rm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = start({"tiny": tiny_rm})
    compute = LocalReplica._compute

    def broken(self: LocalReplica, sequences: Any) -> Any:
        answer = compute(self, sequences)
        answer.logits[0][0] = float("inf")
        return answer

    monkeypatch.setattr(LocalReplica, "_compute", broken)
    assert _code(_score(server, ANSWERED), 500) == "no-number"
    reported = _score(server, ANSWERED, [*QUESTION, {"role": "assistant", "content": "5"}], on_failure="report").json()
    assert reported["results"][0]["score"] is None
    assert "which is no score" in reported["results"][0]["failure"]
    assert reported["results"][1]["score"] is not None


def _deaf_to(folder: Path, letter: str, source: Path) -> Path:
    """A model whose weights are broken where one letter is read, and nowhere else."""
    import torch
    from safetensors.torch import load_file, save_file

    shutil.copytree(source, folder)
    (number,) = load_tokenizer(folder).encode(letter, add_special_tokens=False)
    weights = load_file(folder / "model.safetensors")
    weights["model.embed_tokens.weight"][number] = torch.nan
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def test_weights_that_give_no_number_for_one_text_are_an_error_in_every_dialect(
    start: Any, tiny_rm: Path, tmp_path: Path, text: str, golden: float
) -> None:
    server = start({"tiny": _deaf_to(tmp_path / "deaf", "~", tiny_rm)})
    asked = json.loads(json.dumps(valid_bodies(text)).replace("?", "~"))
    for path, body in asked.items():
        dialect = DIALECTS[path.split("/")[1]]
        response = server.post(path, json=body)
        assert response.status_code == 500, (path, response.text)
        assert response.headers["x-goldsmith-error"] == "no-number", path
        dialect.error.model_validate_json(response.content, strict=True, extra="forbid")
        assert "which is no score" in response.text
    # Nothing of it stays with whoever asks next, nor with whoever shares its batch.
    both = _score(server, [{"role": "user", "content": "~"}, ANSWERED[-1]], ANSWERED, on_failure="report").json()["results"]
    assert both[0]["score"] is None
    assert both[1]["score"] == pytest.approx(golden, abs=1e-4)
    assert _score(server, ANSWERED).json()["results"][0]["score"] == pytest.approx(golden, abs=1e-4)


def test_requests_for_one_prompt_share_a_batch_and_each_gets_its_own_score(start: Any, tiny_rm: Path, model: RewardModel) -> None:
    replies = ["4", "5", "four", "I do not know.", "4"]
    server = start({"tiny": tiny_rm})
    found = server.post("/score", json={"text_1": QUESTION[0]["content"], "text_2": replies}).json()
    expected = list(model.score_replies(QUESTION, replies))
    assert [entry["score"] for entry in found["data"]] == pytest.approx(expected, abs=1e-4)
    assert [len(batch) for batch in LocalReplica.batches] == [5]


def test_logs_tell_nothing_that_a_client_wrote(server: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="goldsmith.serve")
    secret = "the-secret-of-the-client"
    turns = [{"role": "user", "content": secret}, {"role": "assistant", "content": secret}]
    _score(server, turns)
    server.post("/classify", json={"input": secret})
    server.post("/classify", json={secret: 1, "input": {secret: secret}})
    server.post("/classify", content=secret.encode())
    lines = [JsonLines().format(record) for record in caplog.records if record.name == "goldsmith.serve"]
    assert len(lines) >= 4
    assert secret not in "\n".join(lines)
    told = [json.loads(line) for line in lines if json.loads(line).get("event") == "request"]
    assert told[0]["items"] == 1
    assert told[0]["status"] == 200


def test_an_exception_in_the_log_has_its_place_and_not_its_text() -> None:
    try:
        raise ValueError("what somebody wrote")
    except ValueError:
        import sys

        record = logging.LogRecord("x", logging.ERROR, "", 0, "a request failed", (), sys.exc_info())
    line = JsonLines().format(record)
    assert "what somebody wrote" not in line
    assert "ValueError at " in json.loads(line)["error"]


def _traced(processor: Any) -> tuple[InMemorySpanExporter, Tracing]:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(processor(exporter))
    return exporter, Tracing(provider)


def test_traces_have_counts_and_names_and_no_text(start: Any, tiny_rm: Path) -> None:
    exporter, tracing = _traced(SimpleSpanProcessor)
    server = start({"tiny": tiny_rm}, tracing=tracing)
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    server.post("/classify", json={"messages": ANSWERED}, headers={"traceparent": parent})
    (span,) = exporter.get_finished_spans()
    assert span.name == "vllm /classify"
    assert f"{span.context.trace_id:032x}" == "0af7651916cd43dd8448eb211c80319c"
    assert span.attributes["goldsmith.items"] == 1
    secret = "the-secret-of-the-client"
    said = [{"role": "user", "content": secret}, {"role": "assistant", "content": secret}]
    for body in ({"messages": said}, {"input": secret}, {secret: secret, "model": secret, "user": secret}):
        server.post("/classify", json=body, headers={"baggage": f"user={secret}"})
    spans = exporter.get_finished_spans()
    assert len(spans) == 4
    assert secret not in "".join(found.to_json() for found in spans)


def test_an_exception_leaves_its_text_out_of_the_trace(tiny_rm: Path) -> None:
    exporter, tracing = _traced(SimpleSpanProcessor)
    with pytest.raises(ValueError), tracing.request("vllm /classify", {}):
        raise ValueError("what somebody wrote")
    (span,) = exporter.get_finished_spans()
    assert "what somebody wrote" not in span.to_json()


def test_spans_that_wait_are_sent_when_the_server_stops() -> None:
    exporter, tracing = _traced(lambda exporter: BatchSpanProcessor(exporter, schedule_delay_millis=3_600_000))
    with tracing.request("vllm /classify", {}):
        pass
    assert exporter.get_finished_spans() == ()
    tracing.close()
    assert [span.name for span in exporter.get_finished_spans()] == ["vllm /classify"]
    Tracing().close()


def test_a_page_in_a_browser_cannot_reload(start: Any, tiny_rm: Path) -> None:
    server = start({"tiny": tiny_rm})
    refused = server.post(
        "/goldsmith/v1/reload", content="{}", headers={"origin": "https://page.test", "content-type": "text/plain"}
    )
    assert _code(refused, 403) == "not-admin"
    assert server.post("/goldsmith/v1/reload", content="{}").status_code == 200


def test_what_the_server_refuses_costs_the_key_no_tokens(
    start: Any, tiny_rm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = len(RewardModel.load(tiny_rm, dtype="float32").render(as_reply(ANSWERED, "x")).ids)
    key = add_key(tmp_path / "keys.json", "team", tokens_per_minute=2 * tokens - 1)
    server = start({"tiny": tiny_rm}, keys_file=tmp_path / "keys.json")
    refused_at: list[int] = []
    admit = Batcher.admit

    def refuse(self: Batcher, count: int, items: int) -> None:
        # The second look, at what was rendered; the first is at characters.
        refused_at.append(count)
        if len(refused_at) == 2:
            raise Refusal(503, "overloaded", "too much", retry_after_s=1.0)
        admit(self, count, items)

    monkeypatch.setattr(Batcher, "admit", refuse)
    body, headers = {"conversations": [ANSWERED]}, {"authorization": f"Bearer {key}"}
    assert [server.post(SCORE, json=body, headers=headers).status_code for _ in range(3)] == [503, 200, 429]
