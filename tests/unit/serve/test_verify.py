"""verify-server finds servers that give other scores, and says what they look like."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
from starlette.testclient import TestClient

from goldsmith.cli import verify_server as verify_server_command
from goldsmith.errors import ProviderError, UserError
from goldsmith.reward.golden import GoldenScore, golden_scores, read_golden, write_golden
from goldsmith.reward.model import RewardModel
from goldsmith.serve.dialects import DIALECTS
from goldsmith.serve.verify import WAYS, Verification, verify_server

SCORES = [1.25, -0.5, 3.0, 0.125]
ROWS = [
    GoldenScore(
        messages=[{"role": "user", "content": "q"}, {"role": "assistant", "content": str(n)}],
        text=f"text {n}",
        ids=[7, n],
        score=score,
    )
    for n, score in enumerate(SCORES)
]


@pytest.fixture
def golden(tmp_path: Path) -> Path:
    return write_golden(tmp_path, ROWS)


def _vllm(golden: Path, score: Callable[[float, int], float]) -> Verification:
    """Check a server that gives `score(golden, conversations in the request)`."""

    def handler(request: httpx2.Request) -> httpx2.Response:
        body = json.loads(request.content)
        assert body["use_activation"] is False
        given = [score(SCORES[ids[1]], len(body["input"])) for ids in body["input"]]
        data = [{"index": index, "label": "LABEL_0", "probs": [value], "num_classes": 1} for index, value in enumerate(given)]
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        # Out of order, as a server may be.
        return httpx2.Response(200, json={"id": "x", "created": 1, "model": "m", "data": data[::-1], "usage": usage})

    return verify_server("http://x", golden, dialect="vllm", transport=httpx2.MockTransport(handler))


def test_a_server_that_gives_the_golden_scores(golden: Path) -> None:
    found = _vllm(golden, lambda score, count: score + 5e-4)
    assert found.is_same
    assert found.rows == 4
    assert found.largest == pytest.approx(5e-4)


@pytest.mark.parametrize(
    ("score", "said"),
    [
        (lambda score, count: 1.0, "softmax"),
        (lambda score, count: 0.25, "head was lost"),
        (lambda score, count: 1 / (1 + math.exp(-score)), "sigmoid"),
        (lambda score, count: score if count == 1 else score + 0.5, "padding or neighbours"),
        (lambda score, count: score if count > 1 else score + 0.5, "together the scores are right"),
        (lambda score, count: -score, "opposite sign"),
        (lambda score, count: score + 2.0, "shifted by 2.0000"),
        (lambda score, count: 1.01 * score, "reduced precision"),
        (lambda score, count: math.sin(9 * score), "other weights"),
    ],
)
def test_a_server_that_gives_others_and_what_they_look_like(
    golden: Path, score: Callable[[float, int], float], said: str
) -> None:
    found = _vllm(golden, score)
    assert not found.is_same
    assert said in found.diagnosis


@pytest.mark.parametrize(
    "answer",
    [
        httpx2.Response(500, text="oops"),
        httpx2.Response(200, text="no json"),
        httpx2.Response(200, json={"data": []}),
        httpx2.Response(
            200,
            content=b'{"id":"x","created":1,"model":"m","data":[{"index":0,"label":"","probs":[],"num_classes":1}],"usage":{}}',
        ),
        httpx2.ConnectError("refused"),
    ],
)
def test_a_server_that_does_not_answer_as_it_should(golden: Path, answer: httpx2.Response | Exception) -> None:
    def handler(request: httpx2.Request) -> httpx2.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    with pytest.raises(ProviderError):
        verify_server("http://x", golden, dialect="vllm", transport=httpx2.MockTransport(handler))


@pytest.mark.parametrize("dialect", list(DIALECTS))
def test_our_server_gives_the_golden_scores_in_every_dialect_that_it_speaks(
    dialect: str, server: TestClient, model: RewardModel, tmp_path: Path
) -> None:
    write_golden(tmp_path, golden_scores(model))

    def handler(request: httpx2.Request) -> httpx2.Response:
        found = server.post(request.url.path, content=request.content, headers={"content-type": "application/json"})
        return httpx2.Response(found.status_code, content=found.content, headers=dict(found.headers))

    transport = httpx2.MockTransport(handler)
    prefix = "" if dialect == "goldsmith" else f"/{dialect}"  # its paths name it
    found = verify_server(f"http://x{prefix}", tmp_path, dialect=dialect, transport=transport)
    assert found.is_same, found
    # Two of the standard conversations have four turns, which a prompt and its replies cannot say.
    all_rows = len(read_golden(tmp_path))
    assert (found.rows, found.left_out) == ((all_rows - 2, 2) if dialect == "cohere" else (all_rows, 0))


def test_a_reranker_that_loses_the_order_of_its_documents_is_found(tmp_path: Path) -> None:
    asked = {f"{n}": score for n, score in enumerate(SCORES)}
    first = ROWS[0].model_copy(update={"messages": [{"role": "system", "content": "s"}, *ROWS[0].messages]})
    write_golden(tmp_path, [first, *ROWS[1:]])

    def handler(request: httpx2.Request) -> httpx2.Response:
        documents = json.loads(request.content)["documents"]
        scores = sorted((asked[document] for document in documents), reverse=True)
        return httpx2.Response(
            200, json={"id": "x", "results": [{"index": n, "relevance_score": score} for n, score in enumerate(scores)]}
        )

    found = verify_server("http://x", tmp_path, dialect="cohere", transport=httpx2.MockTransport(handler))
    # -0.5, 3 and 0.125 come back as 3, 0.125 and -0.5; the file's first line cannot be asked for.
    assert [(row.row, row.golden, row.alone, row.together) for row in found.differing] == [
        (2, -0.5, -0.5, 3.0),
        (3, 3.0, 3.0, 0.125),
        (4, 0.125, 0.125, -0.5),
    ]
    assert found.left_out == 1
    assert "neighbours" in found.diagnosis


def test_golden_conversations_that_a_dialect_cannot_send_are_no_success(tmp_path: Path) -> None:
    turns = [{"role": "system", "content": "s"}, *ROWS[0].messages]
    write_golden(tmp_path, [ROWS[0].model_copy(update={"messages": turns})])
    with pytest.raises(UserError, match="cohere sends one prompt and its replies"):
        verify_server("http://x", tmp_path, dialect="cohere")


def test_the_command_offers_what_is_there() -> None:
    assert sorted(verify_server_command.WAYS) == sorted(WAYS)
    assert set(WAYS) == set(DIALECTS)


def test_a_dialect_that_is_not_there(golden: Path) -> None:
    with pytest.raises(UserError, match="dialect 'morse'"):
        verify_server("http://x", golden, dialect="morse")


def test_golden_scores_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="goldsmith models golden"):
        read_golden(tmp_path)
    path = tmp_path / "golden_scores.jsonl"
    path.write_text(ROWS[0].model_dump_json() + '\n{"score": NaN}\n')
    with pytest.raises(UserError, match=r"golden_scores\.jsonl:2"):
        read_golden(tmp_path)
    path.write_text("")
    with pytest.raises(UserError, match="holds no golden scores"):
        read_golden(path)
