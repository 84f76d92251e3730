"""Each dialect gets and gives the shapes of its own program, with the raw logit in them; the field names are those of their sources."""

from __future__ import annotations

import base64
import math
import struct
from typing import Any

import pytest
from starlette.testclient import TestClient

from goldsmith.reward.model import RewardModel, as_reply
from goldsmith.serve.dialects import DIALECTS
from serving import ANSWERED, QUESTION, valid_bodies

CLOSE = 1e-4


def _post(server: TestClient, path: str, body: Any, status: int = 200) -> Any:
    response = server.post(path, json=body)
    assert response.status_code == status, response.text
    return response.json()


def _ids(model: RewardModel) -> list[int]:
    return list(model.render(as_reply(ANSWERED, "x")).ids)


def _near(value: float) -> Any:
    return pytest.approx(value, abs=CLOSE)


@pytest.fixture(scope="module")
def both(model: RewardModel) -> list[float]:
    """Scores of the replies 4 and 5."""
    return list(model.score_replies(QUESTION, ["4", "5"]))


@pytest.fixture(scope="module")
def best_first(both: list[float]) -> list[int]:
    return [0, 1] if both[0] > both[1] else [1, 0]


def test_vllm_classify_takes_text_token_ids_and_messages_alike(
    server: TestClient, model: RewardModel, text: str, golden: float
) -> None:
    for given in ({"input": text}, {"input": [text]}, {"input": _ids(model)}, {"input": [_ids(model)]}, {"messages": ANSWERED}):
        found = _post(server, "/classify", {"model": "tiny", "use_activation": False, **given})
        assert set(found) == {"id", "object", "created", "model", "data", "usage"}
        assert found["object"] == "list"
        assert found["id"].startswith("classify-")
        assert found["data"] == [{"index": 0, "label": "LABEL_0", "probs": [_near(golden)], "num_classes": 1}]
        tokens = len(_ids(model))
        assert found["usage"] == {
            "prompt_tokens": tokens,
            "total_tokens": tokens,
            "completion_tokens": 0,
            "prompt_tokens_details": None,
        }


def test_an_activation_is_applied_when_asked_for_and_named(server: TestClient, text: str, golden: float) -> None:
    raw = server.post("/classify", json={"input": text})
    assert raw.json()["data"][0]["probs"] == [_near(golden)]
    assert raw.headers["x-goldsmith-activation"] == "none"
    for asked in ({"use_activation": True}, {"activation": True}):
        response = server.post("/classify", json={"input": text, **asked})
        assert response.json()["data"][0]["probs"] == [_near(1 / (1 + math.exp(-golden)))]
        assert response.headers["x-goldsmith-activation"] == "sigmoid"


def test_vllm_pooling(server: TestClient, text: str, golden: float) -> None:
    found = _post(server, "/pooling", {"input": [text, text], "task": "classify"})
    assert found["data"] == [{"index": index, "object": "pooling", "data": [_near(golden)]} for index in (0, 1)]
    packed = _post(server, "/pooling", {"input": text, "encoding_format": "base64"})["data"][0]["data"]
    assert struct.unpack("<f", base64.b64decode(packed)) == (_near(golden),)


@pytest.mark.parametrize("names", [("text_1", "text_2"), ("data_1", "data_2"), ("queries", "documents"), ("queries", "items")])
def test_vllm_score(server: TestClient, both: list[float], names: tuple[str, str]) -> None:
    question = QUESTION[0]["content"]
    for left in (question, [question], [question, question]):
        for path in ("/score", "/v1/score"):
            found = _post(server, path, {names[0]: left, names[1]: ["4", "5"]})
            assert found["data"] == [
                {"index": index, "object": "score", "score": _near(score)} for index, score in enumerate(both)
            ]


def test_vllm_rerank(server: TestClient, both: list[float], best_first: list[int]) -> None:
    question = QUESTION[0]["content"]
    expected = [
        {"index": index, "document": {"text": "45"[index], "multi_modal": None}, "relevance_score": _near(both[index])}
        for index in best_first
    ]
    for path in ("/rerank", "/v1/rerank", "/v2/rerank"):
        found = _post(server, path, {"query": question, "documents": ["4", "5"]})
        assert set(found) == {"id", "model", "usage", "results"}
        assert found["results"] == expected
    assert _post(server, "/rerank", {"query": question, "documents": ["4", "5"], "top_n": 1})["results"] == expected[:1]


def test_sglang_classify(server: TestClient, model: RewardModel, text: str, golden: float) -> None:
    assert _post(server, "/sglang/classify", {"text": text})["embedding"] == [_near(golden)]
    assert _post(server, "/sglang/classify", {"input_ids": _ids(model)})["embedding"] == [_near(golden)]
    for many in ({"text": [text, text]}, {"input_ids": [_ids(model)] * 2}):
        found = _post(server, "/sglang/classify", many)
        assert [entry["embedding"] for entry in found] == [[_near(golden)]] * 2
        assert found[0]["meta_info"]["prompt_tokens"] == len(_ids(model))


def test_sglang_embeddings_and_rerank(
    server: TestClient, text: str, golden: float, both: list[float], best_first: list[int]
) -> None:
    found = _post(server, "/v1/embeddings", {"model": "tiny", "input": text})
    assert found["data"] == [{"object": "embedding", "embedding": [_near(golden)], "index": 0}]
    ranked = _post(server, "/sglang/v1/rerank", {"query": QUESTION[0]["content"], "documents": ["4", "5"]})
    assert [(entry["index"], entry["document"]) for entry in ranked] == [(index, "45"[index]) for index in best_first]
    assert [entry["score"] for entry in ranked] == [_near(both[index]) for index in best_first]
    body = {"query": QUESTION[0]["content"], "documents": ["4", "5"]}
    assert [entry["index"] for entry in _post(server, "/sglang/v1/rerank", {**body, "top_n": 1})] == best_first[:1]
    _post(server, "/sglang/v1/rerank", {**body, "top_n": -1}, 400)


def test_tei_predict(server: TestClient, text: str, golden: float, both: list[float]) -> None:
    question = QUESTION[0]["content"]
    assert _post(server, "/predict", {"inputs": text, "raw_scores": True}) == [{"score": _near(golden), "label": "LABEL_0"}]
    assert _post(server, "/predict", {"inputs": [question, "4"]}) == [{"score": _near(both[0]), "label": "LABEL_0"}]
    many = _post(server, "/predict", {"inputs": [[question, "4"], [question, "5"], [text]]})
    assert [entry[0]["score"] for entry in many] == [_near(both[0]), _near(both[1]), _near(golden)]
    # A list of one text is that text; a longer one is no batch, or two texts of it would pass for a prompt and its reply.
    assert _post(server, "/predict", {"inputs": [text]}) == [{"score": _near(golden), "label": "LABEL_0"}]
    for inputs in ([text] * 3, [text, [text]], [[text] * 3], [[]]):
        assert _post(server, "/predict", {"inputs": inputs}, 422)["error_type"] == "Validation"
    sigmoid = _post(server, "/predict", {"inputs": text, "raw_scores": False})
    assert sigmoid[0]["score"] == _near(1 / (1 + math.exp(-golden)))


def test_tei_rerank(server: TestClient, both: list[float], best_first: list[int]) -> None:
    body = {"query": QUESTION[0]["content"], "texts": ["4", "5"], "return_text": True}
    found = _post(server, "/tei/rerank", body)
    assert found == [{"index": index, "text": "45"[index], "score": _near(both[index])} for index in best_first]
    # Nobody asked for texts: the field is absent, not null.
    bare = _post(server, "/tei/rerank", {"query": QUESTION[0]["content"], "texts": ["4", "5"]})
    assert bare == [{"index": index, "score": _near(both[index])} for index in best_first]


def test_cohere_rerank(server: TestClient, both: list[float], best_first: list[int]) -> None:
    body = {"model": "tiny", "query": QUESTION[0]["content"], "documents": ["4", "5"], "top_n": 2}
    found = _post(server, "/cohere/v2/rerank", body)
    assert set(found) == {"id", "results", "meta"}
    assert found["results"] == [{"index": index, "relevance_score": _near(both[index])} for index in best_first]
    assert found["meta"] == {"api_version": {"version": "2"}, "billed_units": {"search_units": 1.0}}


def test_openrlhf_get_reward(server: TestClient, text: str, golden: float) -> None:
    # As its policy's tokenizer decodes it: without what the template writes after the turn.
    for query in (text, text.rstrip(), text.removesuffix("<|im_end|>\n")):
        found = _post(server, "/get_reward", {"query": [query], "prompts": ["x"], "labels": ["y"]})
        assert found == {"rewards": [_near(golden)], "scores": [_near(1 / (1 + math.exp(-golden)))], "extra_logs": {}}


def test_verl_router_calls(server: TestClient, text: str, golden: float) -> None:
    # verl takes the BOS off, as older vLLM adds one.
    stripped = text.removeprefix("<|im_start|>")
    found = _post(server, "/classify", {"model": "tiny", "input": stripped, "use_activation": False})
    assert found["data"][-1]["probs"][-1] == _near(golden)
    older = _post(server, "/verl/classify", {"model": "tiny", "input": stripped, "activation": False})
    assert older["data"][-1]["probs"][-1] == _near(golden)
    found = _post(server, "/verl/v1/embeddings", {"model": "tiny", "input": stripped})
    assert found["data"][-1]["embedding"][-1] == _near(golden)


def test_llamafactory_score(server: TestClient, text: str, golden: float) -> None:
    found = _post(server, "/v1/score/evaluation", {"model": "tiny", "messages": [text, text]})
    assert set(found) == {"id", "object", "model", "scores"}
    assert found["object"] == "score.evaluation"
    assert found["scores"] == [_near(golden)] * 2


def test_our_own_scores_ranks_and_comparisons(
    server: TestClient, model: RewardModel, both: list[float], best_first: list[int]
) -> None:
    found = _post(server, "/goldsmith/v1/score", {"conversations": [ANSWERED]})
    assert found["results"] == [{"score": _near(both[0]), "failure": None, "std": None, "truncated_tokens": 0}]
    assert found["model_digest"] == model.digest
    ranked = _post(server, "/goldsmith/v1/rank", {"context": QUESTION, "replies": ["4", "5"]})
    assert [place["index"] for place in ranked["ranking"]] == best_first
    chance = 1 / (1 + math.exp(both[1] - both[0]))
    assert {place["index"]: place["p_best"] for place in ranked["ranking"]} == {0: _near(chance), 1: _near(1 - chance)}
    assert ranked["calibrated"] is False
    compared = _post(server, "/goldsmith/v1/compare", {"context": QUESTION, "first": "4", "second": "5"})
    assert (compared["first"], compared["second"]) == (_near(both[0]), _near(both[1]))
    assert compared["p_first"] == _near(chance)


def test_one_bad_conversation_refuses_all_or_is_reported(server: TestClient) -> None:
    empty = [*QUESTION, {"role": "assistant", "content": " "}]
    refused = _post(server, "/goldsmith/v1/score", {"conversations": [ANSWERED, empty]}, 400)
    assert refused["error"]["code"] == "not-scorable"
    assert "item 1: the reply is empty" in refused["error"]["message"]
    found = _post(server, "/goldsmith/v1/score", {"conversations": [ANSWERED, empty], "on_failure": "report"})
    assert found["results"][0]["failure"] is None
    assert found["results"][1]["score"] is None
    assert "the reply is empty" in found["results"][1]["failure"]


def test_the_preferred_dialect_has_the_shared_paths(start: Any, tiny_rm: Any, text: str, golden: float) -> None:
    server = start({"tiny": tiny_rm}, dialect="sglang")
    assert _post(server, "/classify", {"text": text})["embedding"] == [_near(golden)]
    assert _post(server, "/vllm/classify", {"input": text})["data"][0]["probs"] == [_near(golden)]
    server = start({"tiny": tiny_rm}, dialect="cohere")
    assert set(_post(server, "/v2/rerank", {"query": "x", "documents": ["y"]})) == {"id", "results", "meta"}


def test_every_route_says_which_activation_was_applied_and_none_is_where_none_was_asked_for(
    server: TestClient, text: str
) -> None:
    bodies = valid_bodies(text)
    assert set(bodies) == {f"/{dialect.name}{route.path}" for dialect in DIALECTS.values() for route in dialect.routes}
    for path, body in bodies.items():
        response = server.post(path, json=body)
        assert (response.status_code, response.headers["x-goldsmith-activation"]) == (200, "none"), path
        assert response.headers["x-goldsmith-model"] == "tiny"
    for path, asked in (
        ("/goldsmith/v1/score", {"activation": "sigmoid"}),
        ("/vllm/classify", {"use_activation": True}),
        ("/vllm/score", {"activation": True}),
        ("/tei/predict", {"raw_scores": False}),
    ):
        assert server.post(path, json={**bodies[path], **asked}).headers["x-goldsmith-activation"] == "sigmoid", path


ERRORS = {
    "/classify": lambda body: body["error"]["message"] and body["error"]["code"] == 400 and body["error"]["type"],
    "/sglang/classify": lambda body: body["object"] == "error" and body["message"] and body["code"] == 400,
    "/predict": lambda body: body["error"] and body["error_type"] == "Validation",
    "/cohere/v2/rerank": lambda body: body["message"],
    "/get_reward": lambda body: body["error"] and body["retryable"] is False,
    "/verl/classify": lambda body: body["error"]["message"],
    "/v1/score/evaluation": lambda body: body["detail"],
    "/goldsmith/v1/score": lambda body: body["error"]["code"] == "malformed" and body["error"]["retryable"] is False,
}


@pytest.mark.parametrize("path", ERRORS)
def test_each_dialect_has_one_shape_of_error(server: TestClient, path: str) -> None:
    for content in (b"{", b"[]", b'"x"', b"", b'{"nothing": 1}', b"\xff\xfe"):
        response = server.post(path, content=content)
        assert response.status_code in (400, 422), (content, response.text)
        if content == b"{":
            assert ERRORS[path](response.json())
        assert response.headers["x-goldsmith-error"] in ("malformed", "invalid", "no-input")


def test_fields_that_would_change_a_score_are_refused_and_strange_ones_named(server: TestClient, text: str) -> None:
    for field in ({"chat_template": "x"}, {"add_generation_prompt": True}, {"continue_final_message": True}):
        refused = _post(server, "/classify", {"input": text, **field}, 400)
        assert next(iter(field)) in refused["error"]["message"]
    response = server.post("/classify", json={"input": text, "colour": "red", "normalize": True})
    assert response.headers["x-goldsmith-ignored"] == "colour,normalize"
    # The cache of prefixes is everybody's, whatever salt a client counts on.
    salted = server.post("/classify", json={"input": text, "cache_salt": "mine", "priority": 3, "user": "me"})
    assert salted.headers["x-goldsmith-ignored"] == "cache_salt,priority"
    assert _post(server, "/goldsmith/v1/score", {"conversations": [ANSWERED], "colour": 1}, 400)["error"]["details"] == [
        "colour: Extra inputs are not permitted"
    ]
