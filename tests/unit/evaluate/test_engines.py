"""Servers in every dialect, stored scores, judges and checkpoints: what they are asked, what is read, and how they fail."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import bench_files
from goldsmith.benchdata.item import Item, one_turn
from goldsmith.benchdata.suite import find_suite
from goldsmith.config import GoldsmithConfig
from goldsmith.config.evaluate import EvalModelConfig
from goldsmith.config.llm import EndpointConfig, LlmConfig
from goldsmith.errors import DataError, ProviderError, UserError
from goldsmith.evaluate.engines.dialects import DIALECTS, NotFinite, Query, parsed
from goldsmith.evaluate.engines.engine import Rated, Text
from goldsmith.evaluate.engines.http import HttpEngine
from goldsmith.evaluate.engines.judge import JudgeEngine
from goldsmith.evaluate.engines.open import label_of, opener
from goldsmith.evaluate.engines.patience import Patience
from goldsmith.evaluate.engines.score_file import ScoreFileEngine
from goldsmith.llm import LlmGroup
from goldsmith.llm.mock import Reply, ScriptedServer
from goldsmith.reward.tiny import write_tiny_model
from scripted_judge import choose, right


def vllm(data: list[dict[str, Any]]) -> dict[str, Any]:
    usage = {"prompt_tokens": 3, "total_tokens": 3, "completion_tokens": 0, "prompt_tokens_details": None}
    return {"id": "x", "object": "list", "created": 1, "model": "m", "data": data, "usage": usage}


REPLIES: dict[str, Callable[[list[float]], Any]] = {
    "vllm-classify": lambda scores: vllm([{"index": place, "label": "x", "probs": [score], "num_classes": 1} for place, score in reversed(list(enumerate(scores)))]),
    "vllm-chat": lambda scores: vllm([{"index": 0, "label": None, "probs": scores, "num_classes": 1}]),
    "vllm-pooling": lambda scores: vllm([{"index": place, "object": "pooling", "data": [score]} for place, score in enumerate(scores)]),
    "vllm-score": lambda scores: vllm([{"index": place, "object": "score", "score": score} for place, score in enumerate(scores)]),
    "vllm-rerank": lambda scores: {"id": "x", "model": "m", "usage": {"total_tokens": 3}, "results": [{"index": place, "document": {"text": ""}, "relevance_score": score} for place, score in reversed(list(enumerate(scores)))]},
    "cohere-rerank": lambda scores: {"id": "x", "results": [{"index": place, "relevance_score": score} for place, score in enumerate(scores)]},
    "sglang-classify": lambda scores: [{"embedding": [score], "meta_info": {}} for score in scores],
    "sglang-embeddings": lambda scores: {"object": "list", "model": "m", "usage": {"prompt_tokens": 3, "total_tokens": 3}, "data": [{"index": place, "embedding": [0.0, score]} for place, score in enumerate(scores)]},
    "sglang-rerank": lambda scores: [{"score": score, "document": "", "index": place} for place, score in reversed(list(enumerate(scores)))],
    "tei-predict": lambda scores: [[{"score": score, "label": "x"}] for score in scores],
    "tei-rerank": lambda scores: [{"index": place, "score": score} for place, score in enumerate(scores)],
    "infinity-classify": lambda scores: {"object": "classify", "data": [[{"score": score, "label": "x"}] for score in scores]},
    "infinity-rerank": lambda scores: {"object": "rerank", "results": [{"relevance_score": score, "index": place} for place, score in enumerate(scores)]},
    "llamafactory": lambda scores: {"id": "x", "object": "score.evaluation", "model": "m", "scores": scores},
    "openrlhf": lambda scores: {"rewards": scores, "scores": scores, "extra_logs": {}},
}  # fmt: skip
"""What each server answers, as its documentation shows it."""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("tiny") / "model", seed=3, num_labels=1)


def texts(count: int, contexts: int = 1) -> list[Text]:
    return [
        Text(
            text_id=f"{place:032x}",
            context_id=f"c{place % contexts}",
            context=one_turn(f"question {place % contexts}"),
            reply="x" * (place + 1),
        )
        for place in range(count)
    ]


def engine_of(server: ScriptedServer, dialect: str, tiny: Path | None = None, **settings: Any) -> HttpEngine:
    config = EvalModelConfig(
        model="served", served_model="m", tokenizer=str(tiny) if tiny else None, **{"max_retries": 1, **settings}
    )
    return HttpEngine(DIALECTS[dialect], server.base_url.removesuffix("/v1"), config, base_delay_s=0.0)


def rate(engine: HttpEngine, wanted: list[Text]) -> dict[str, Rated]:
    return {text.text_id: rated for part in engine.rate(wanted) for text, rated in part}


def told(body: dict[str, Any]) -> list[str]:
    """The replies that a request asks about, whatever its dialect; rendered ones by the last run of x."""
    for key in ("documents", "text_2", "texts"):
        if key in body:
            return [str(text) for text in body[key]]
    if body.get("messages") and isinstance(body["messages"][0], dict):
        return [body["messages"][-1]["content"]]
    found = (
        body.get("input") or body.get("text") or body.get("query") or body.get("messages") or [item[0] for item in body["inputs"]]
    )
    return ["x" * text.count("x") for text in found]


@pytest.mark.parametrize("dialect", list(DIALECTS))
def test_scores_come_back_in_the_order_of_the_texts(tiny: Path, dialect: str) -> None:
    assert DIALECTS.keys() == REPLIES.keys()
    script = lambda body, _number: Reply(raw=json.dumps(REPLIES[dialect]([float(len(text)) for text in told(body)])).encode())
    with ScriptedServer(script) as server:
        engine = engine_of(server, dialect, tiny, batch=3)
        found = rate(engine, texts(7))
        assert {path.split("?")[0] for path in server.paths} == {DIALECTS[dialect].path}
        assert len(server.bodies) == (7 if DIALECTS[dialect].asks == "chat" else 3)
    assert [found[f"{place:032x}"].value for place in range(7)] == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]


def test_raw_logits_are_asked_for() -> None:
    query = [Query(messages=[*one_turn("question"), {"role": "assistant", "content": "reply"}], rendered="text")]
    messages = [{"role": "user", "content": "question"}, {"role": "assistant", "content": "reply"}]
    raw = {"use_activation": False}
    # Whole bodies, by each server's documentation: a field too many is refused by some servers.
    assert {name: dialect.body("m", query) for name, dialect in DIALECTS.items()} == {
        "vllm-classify": {"model": "m", "input": ["text"], "add_special_tokens": False, "activation": False, **raw},
        "vllm-chat": {"model": "m", "messages": messages, "add_generation_prompt": False, **raw},
        "vllm-pooling": {"model": "m", "input": ["text"], "task": "classify", "add_special_tokens": False, **raw},
        "vllm-score": {"model": "m", "text_1": ["question"], "text_2": ["reply"], **raw},
        "vllm-rerank": {"model": "m", "query": "question", "documents": ["reply"], "top_n": 0, **raw},
        "cohere-rerank": {"model": "m", "query": "question", "documents": ["reply"], "top_n": 1},
        "sglang-classify": {"model": "m", "text": ["text"]},
        "sglang-embeddings": {"model": "m", "input": ["text"]},
        "sglang-rerank": {"model": "m", "query": "question", "documents": ["reply"]},
        "tei-predict": {"inputs": [["text"]], "raw_scores": True, "truncate": False},
        "tei-rerank": {"query": "question", "texts": ["reply"], "raw_scores": True, "truncate": False},
        "infinity-classify": {"model": "m", "input": ["text"], "raw_scores": True},
        "infinity-rerank": {"model": "m", "query": "question", "documents": ["reply"], "raw_scores": True},
        "llamafactory": {"model": "m", "messages": ["text"]},
        "openrlhf": {"query": ["text"], "prompts": ["question"], "labels": [None]},
    }
    assert "model" not in DIALECTS["vllm-chat"].body(None, query)
    # LLaMA-Factory refuses a request without a model's name, and reads none.
    assert DIALECTS["llamafactory"].body(None, query) == {"model": "", "messages": ["text"]}


def test_a_reply_of_another_length_or_form_is_refused_and_nothing_is_guessed() -> None:
    with pytest.raises(ProviderError, match="1 scores came for 2 texts"):
        parsed(DIALECTS["llamafactory"], REPLIES["llamafactory"]([0.5]), 2)
    with pytest.raises(ProviderError, match=r"none of vllm-classify \(2 labels"):
        parsed(DIALECTS["vllm-classify"], vllm([{"index": 0, "label": None, "probs": [0.1, 0.9], "num_classes": 2}]), 1)
    with pytest.raises(ProviderError, match=r"none of vllm-classify \(data: Field required"):
        parsed(DIALECTS["vllm-classify"], {"object": "list", "id": "x", "created": 1, "model": "m", "usage": {}}, 1)
    with pytest.raises(ProviderError, match="places"):
        parsed(DIALECTS["tei-rerank"], [{"index": 1, "score": 0.1}, {"index": 1, "score": 0.2}], 2)
    for nothing in (float("nan"), float("inf"), None):
        with pytest.raises(NotFinite, match="not finite"):
            parsed(DIALECTS["openrlhf"], {"rewards": [nothing, 1.0]}, 2)


@pytest.mark.parametrize("dialect", list(DIALECTS))
def test_a_score_that_is_no_number_is_that_text_s_failure_and_no_other_s(tiny: Path, dialect: str) -> None:
    def script(body: dict[str, Any], _number: int) -> Reply:
        scores = [float("nan") if len(text) == 3 else float(len(text)) for text in told(body)]
        return Reply(raw=json.dumps(REPLIES[dialect](scores)).encode())

    with ScriptedServer(script) as server:
        found = rate(engine_of(server, dialect, tiny, batch=5), texts(5))
    assert [found[f"{place:032x}"].value for place in range(5)] == [1.0, 2.0, None, 4.0, 5.0]
    assert "not finite" in found[f"{2:032x}"].failure


def test_a_server_that_fails_for_good_says_so_and_what_came_before_is_kept() -> None:
    def script(body: dict[str, Any], number: int) -> Reply:
        if number >= 2:
            return Reply(status=503, raw=b"overloaded")
        return Reply(raw=json.dumps(REPLIES["vllm-chat"]([1.0])).encode())

    came: list[tuple[Text, Rated]] = []

    def gather(engine: HttpEngine) -> None:
        for part in engine.rate(texts(5)):
            came.extend(part)

    with ScriptedServer(script) as server:
        engine = engine_of(server, "vllm-chat", concurrency=1)
        with pytest.raises(ProviderError, match=r"no scores after 2 attempts.*run the same command again"):
            gather(engine)
    assert len(came) == 2


def test_a_server_that_accepts_and_never_answers_is_given_up_after_the_silence() -> None:
    with ScriptedServer(lambda _body, _number: Reply(delay_s=30.0)) as server:
        engine = engine_of(server, "vllm-chat", concurrency=4, timeout_s=0.3, silence_s=0.5, max_retries=50)
        with pytest.raises(
            ProviderError, match=r"no answer within .* no more is waited than 300 s for a request and 0.5 s without any answer"
        ):
            rate(engine, texts(40))
        # Four in flight, each at most asked at 0.0 s, at 0.3 s, and with what is left once or twice more; none of the other 36.
        assert 4 <= len(server.bodies) <= 16


def test_one_request_has_its_own_limit_where_others_are_answered() -> None:
    def script(body: dict[str, Any], _number: int) -> Reply:
        if body["messages"][-1]["content"] == "x":
            return Reply(status=503, raw=b"overloaded", headers={"Retry-After": "0.01"})
        return Reply(raw=json.dumps(REPLIES["vllm-chat"]([1.0])).encode(), delay_s=0.02)

    came: dict[str, Rated] = {}

    def gather(engine: HttpEngine) -> None:
        for part in engine.rate(texts(400)):
            came.update((text.text_id, rated) for text, rated in part)

    with ScriptedServer(script) as server:
        engine = engine_of(server, "vllm-chat", concurrency=2, timeout_s=0.3, give_up_s=0.3, silence_s=60.0, max_retries=100_000)
        with pytest.raises(ProviderError, match=r"HTTP 503: overloaded.*no more is waited than 0.3 s for a request and 60 s"):
            gather(engine)
    assert came, "what was answered beside it is kept"


def test_a_pause_that_is_too_long_is_not_begun() -> None:
    reply = Reply(status=429, raw=b"later", headers={"Retry-After": "3600"})
    with ScriptedServer(lambda _body, _number: reply) as server:
        with pytest.raises(ProviderError, match=r"after 1 attempt in .*it asks for a pause of 3600 s.*give_up_s and silence_s"):
            rate(engine_of(server, "vllm-chat", max_retries=4), texts(1))
        assert len(server.bodies) == 1


def test_patience_ends_with_the_request_or_with_the_silence() -> None:
    now = [100.0]
    patience = Patience(request_s=300.0, silence_s=150.0, clock=lambda: now[0])
    assert patience.left_s(begun=100.0) == 150.0
    now[0] = 240.0
    assert patience.left_s(begun=100.0) == 10.0
    patience.answered()
    # The request's own 300 s end at 400; the silence would end at 390.
    assert patience.left_s(begun=100.0) == 150.0
    now[0] = 380.0
    patience.answered()
    assert patience.left_s(begun=100.0) == 20.0
    now[0] = 401.0
    assert patience.left_s(begun=100.0) == -1.0


def test_one_attempt_always_has_its_own_time() -> None:
    with ScriptedServer(lambda _body, _number: Reply(raw=b"{}")) as server:
        engine = engine_of(server, "vllm-chat", timeout_s=600.0)
    assert engine._patience.left_s(engine._patience.clock()) > 590.0


def test_a_busy_server_is_asked_again() -> None:
    def script(body: dict[str, Any], number: int) -> Reply:
        return Reply(status=429, raw=b"") if number == 0 else Reply(raw=json.dumps(REPLIES["vllm-chat"]([2.0])).encode())

    with ScriptedServer(script) as server:
        assert rate(engine_of(server, "vllm-chat"), texts(1))[f"{0:032x}"].value == 2.0


def test_a_text_that_the_server_refuses_is_that_text_s_failure(tiny: Path) -> None:
    def script(body: dict[str, Any], _number: int) -> Reply:
        lengths = [len(text) for text in told(body)]
        return Reply(status=413, raw=b"too long") if max(lengths) > 3 else Reply(raw=json.dumps({"rewards": lengths}).encode())

    with ScriptedServer(script) as server:
        found = rate(engine_of(server, "openrlhf", tiny), texts(4))
    assert [found[f"{place:032x}"].value for place in range(4)] == [1.0, 2.0, 3.0, None]
    assert "too long" in found[f"{3:032x}"].failure


def test_dialects_of_prompt_and_reply_take_one_turn_only() -> None:
    turns = [*one_turn("question"), {"role": "assistant", "content": "a"}, {"role": "user", "content": "b"}]
    with ScriptedServer(lambda _body, _number: Reply(status=500)) as server:
        found = rate(engine_of(server, "vllm-score"), [Text(text_id="t", context_id="c", context=turns, reply="x")])
        assert server.bodies == []
    assert "one user turn" in found["t"].failure


def test_what_can_be_wrong_with_an_address_is_said_before_anything_is_asked(tmp_path: Path) -> None:
    config = GoldsmithConfig()
    for spec, message in (
        ("http://there", "needs its dialect"),
        ("vllm-chat:http://user:secret@there", "address alone"),
        ("judge:nobody", "names no llm.endpoints"),
        ("scores:absent.jsonl", "no such file"),
    ):
        with pytest.raises(UserError, match=message) as caught:
            opener(EvalModelConfig(model=spec), config, tmp_path)
        assert "secret" not in str(caught.value)
    with pytest.raises(UserError, match="--tokenizer"):
        opener(EvalModelConfig(model="vllm-classify:http://there"), config, tmp_path)()


@pytest.mark.parametrize(
    "spec", ["random", "oracle", "scores:{folder}/a.b.jsonl", "vllm-chat:http://there:80/x", "judge:scripted", "{tiny}"]
)
def test_a_model_s_name_is_known_before_it_is_opened(tmp_path: Path, tiny: Path, spec: str) -> None:
    bench_files.write_lines(tmp_path / "a.b.jsonl", [{"item_id": "p0", "scores": [1, 0]}])
    config = GoldsmithConfig(llm=LlmConfig(endpoints=[EndpointConfig(name="scripted", base_url="http://127.0.0.1:9/v1")]))
    for served in (None, "m"):
        model = EvalModelConfig(model=spec.format(folder=tmp_path, tiny=tiny), served_model=served)
        with opener(model, config, tmp_path)() as engine:
            assert engine.info.name == label_of(model)


def item(name: str = "p0", better: int = 0, benchmark: str = "judgebench") -> Item:
    replies = ["good reply", "bad reply"] if better == 0 else ["bad reply", "good reply"]
    good = [better == 0, better == 1]
    return Item(
        benchmark=benchmark, subset="Knowledge", item_id=name, context=one_turn(f"question {name}"), replies=replies, good=good,
        comparisons=[(better, 1 - better)], is_ordered=True, meta={"split": "gpt"},
    )  # fmt: skip


def stored(folder: Path, rows: list[dict[str, Any]]) -> ScoreFileEngine:
    return ScoreFileEngine(bench_files.write_lines(folder / "scores.jsonl", rows))


def test_stored_scores_are_matched_by_the_benchmark_s_ids(tmp_path: Path) -> None:
    engine = stored(tmp_path, [{"pair_id": "p0", "scores": [1.5, 0.5]}, {"item_id": "p1", "scores": [None, 2]}])
    answers = engine.answer([item("p0"), item("p1"), item("p2")])
    assert [answer.scores for answer in answers] == [[1.5, 0.5], [None, 2.0], [None, None]]
    assert "reply 0" in answers[1].reason
    assert "holds no score" in answers[2].reason


def test_stored_scores_that_are_nan_are_missing_and_those_of_another_length_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    path.write_text('[{"pair_id": "p0", "scores": [NaN, 1.0]}]', encoding="utf-8")
    assert ScoreFileEngine(path).answer([item("p0")])[0].scores == [None, 1.0]
    with pytest.raises(DataError, match=r"scores.jsonl:1: 3 scores, and judgebench p0 has 2 replies"):
        stored(tmp_path, [{"pair_id": "p0", "scores": [1, 2, 3]}]).answer([item("p0")])
    with pytest.raises(DataError, match=r"scores.jsonl:2: p0 stands at scores.jsonl:1"):
        stored(tmp_path, [{"pair_id": "p0", "scores": [1, 2]}] * 2)
    with pytest.raises(DataError, match="no known layout"):
        stored(tmp_path, [{"name": "p0", "value": 1}])


def test_stored_scores_of_other_items_altogether_are_refused(tmp_path: Path) -> None:
    engine = stored(tmp_path, [{"pair_id": "elsewhere", "scores": [1, 2]}])
    engine.answer([item("p0")])
    with pytest.raises(DataError, match=r"none of its 1 items, 'elsewhere' for one, is an item of the benchmarks"):
        engine.finish()


def test_stored_scores_that_nobody_asked_for_are_counted(tmp_path: Path) -> None:
    engine = stored(tmp_path, [{"pair_id": name, "scores": [1, 2]} for name in ("p0", "zz", "p9")])
    engine.answer([item("p0")])
    engine.finish()
    assert engine.info.facts == {"items": 3, "items_of_no_benchmark": 2, "such_as": "p9"}


def test_an_item_that_repeats_another_to_the_letter_has_its_stored_score_and_any_other_has_none(tmp_path: Path) -> None:
    engine = stored(tmp_path, [{"pair_id": "p0", "scores": [1.5, 0.5]}])
    repeated, other = replace(item("p0"), item_id="p0#2"), replace(item("p0", better=1), item_id="p0#3")
    assert [answer.scores for answer in engine.answer([item("p0"), repeated, other])] == [[1.5, 0.5], [1.5, 0.5], [None, None]]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ('{"item_id": "p0", "scores": [1%s, 0]}' % ("0" * 400), r"scores.jsonl:1: the score 10+… has 401 digits"),
        ('{"id": [1, 2], "scores_chosen": 5, "scores_rejected": [1, 2]}', "scores.jsonl:1: .* have 2, no list of, 2 values"),
        ('{"pair_id": "p0", "judgments": 5}', "scores.jsonl:1: decisions are 5; each must be"),
        ('{"pair_id": "p0", "judgments": null}', "scores.jsonl:1: decisions are None; each must be"),
        ('{"pair_id": "p0", "decisions": [["A>B"]]}', r"scores.jsonl:1: decisions are \[\['A>B'\]\]; each must be"),
    ],
)
def test_a_stored_score_of_no_known_form_is_named_with_its_place(tmp_path: Path, row: str, told: str) -> None:
    path = tmp_path / "scores.jsonl"
    path.write_text(row + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=told):
        ScoreFileEngine(path)


def test_stored_decisions_of_two_games_turn_the_second_round(tmp_path: Path) -> None:
    engine = stored(
        tmp_path,
        [
            {"pair_id": "p0", "decisions": ["A>B", "B>A"]},
            {"pair_id": "p1", "judgments": [{"decision": "A=B"}, {"decision": None}]},
        ],
    )
    assert engine.answer([item("p0"), item("p1")])[0].games == [[1, 1]]
    assert engine.answer([item("p1")])[0].games == [[0, None]]
    assert stored(tmp_path, [{"pair_id": "p0", "decisions": ["A>B", "A>B"]}]).answer([item("p0", better=1)])[0].games == [[-1, 1]]


def judge(tmp_path: Path, server: ScriptedServer) -> JudgeEngine:
    endpoint = EndpointConfig(name="scripted", base_url=server.base_url)
    return JudgeEngine(LlmGroup(LlmConfig(endpoints=[endpoint], max_retries=0), tmp_path / "llm.sqlite", seed=0), "scripted")


def test_a_judge_plays_two_games_with_the_replies_swapped(tmp_path: Path) -> None:
    with ScriptedServer(right) as server, judge(tmp_path, server) as engine:
        answers = engine.answer([item("p0"), item("p1", better=1)])
        assert [answer.games for answer in answers] == [[[1, 1]], [[1, 1]]]
        assert len(server.bodies) == 4
        engine.answer([item("p0")])
        assert len(server.bodies) == 4


def test_a_judge_that_always_takes_the_first_is_right_once_in_each_pair_of_games(tmp_path: Path) -> None:
    with ScriptedServer(lambda _body, _number: choose(1)) as server, judge(tmp_path, server) as engine:
        # The first game shows the file's order, so it is right where reply 0 is the better one.
        assert [answer.games for answer in engine.answer([item("p0"), item("p1", better=1)])] == [[[1, -1]], [[-1, 1]]]


def test_a_judge_s_failure_is_no_verdict_and_single_replies_are_not_judged(tmp_path: Path) -> None:
    tied = find_suite(None, [f"rewardbench-2={bench_files.write_lines(tmp_path / 't.jsonl', [bench_files.ties(0)])}"]).data[0]
    with ScriptedServer(lambda _body, _number: Reply(text="I would rather not")) as server, judge(tmp_path, server) as engine:
        answers = engine.answer([item("p0"), *tied.items()])
    assert answers[0].games == [[None, None]]
    assert answers[0].reason
    assert all(game == [None, None] for game in answers[1].games)
    assert "single replies" in answers[1].reason


def test_a_checkpoint_scores_as_reward_model_does_empty_replies_too(tiny: Path, tmp_path: Path) -> None:
    from goldsmith.reward import RewardModel

    engine = opener(EvalModelConfig(model=str(tiny), max_length=64, dtype="float32"), GoldsmithConfig(), tmp_path)()
    wanted = [*texts(2), Text(text_id="e", context_id="c0", context=one_turn("question 0"), reply=""), *texts(90)[-1:]]
    found = {text.text_id: rated for part in engine.rate(wanted) for text, rated in part}
    model = RewardModel.load(tiny, max_length=64, dtype="float32")
    expected = model.score_replies(one_turn("question 0"), [text.reply for text in texts(2)])
    assert [found[f"{place:032x}"].value for place in range(2)] == pytest.approx(list(expected), abs=1e-5)
    assert found["e"].value is not None
    long = found[f"{89:032x}"]
    assert long.cut > 0
    assert long.tokens == 64 + long.cut
    assert engine.info.facts["max_length"] == 64


def test_a_checkpoint_that_was_opened_before_is_not_loaded_until_something_must_be_scored(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from goldsmith.reward import RewardModel

    load, loads = RewardModel.load, []
    monkeypatch.setattr(RewardModel, "load", lambda *args, **settings: loads.append(args) or load(*args, **settings))
    folder = tmp_path / "model"
    shutil.copytree(tiny, folder)
    model = EvalModelConfig(model=str(folder))
    first, again = (opener(model, GoldsmithConfig(), tmp_path)() for _ in range(2))
    assert (len(loads), again.info) == (1, first.info)
    scores = [[rated for part in engine.rate(texts(2)) for _, rated in part] for engine in (first, again)]
    assert (len(loads), scores[1]) == (2, scores[0])
    # Other settings, or another file, are another model.
    opener(EvalModelConfig(model=str(folder), max_length=64), GoldsmithConfig(), tmp_path)()
    (folder / "goldsmith.json").write_text('{"pooling": "as-published"}')
    changed = opener(model, GoldsmithConfig(), tmp_path)()
    assert (len(loads), changed.info.facts["pooling"]) == (4, "as-published")


def test_scores_of_another_arithmetic_are_not_taken_for_a_models_own(tiny: Path, tmp_path: Path) -> None:
    digests = []
    for dtype in ("float32", "bfloat16"):
        model = EvalModelConfig(model=str(tiny), dtype=dtype)
        digests.append(opener(model, GoldsmithConfig(), tmp_path)().info.digest)
    assert digests[0] != digests[1]


def test_a_model_that_computes_otherwise_here_than_where_its_scores_were_kept_is_refused(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from goldsmith.reward import classifier

    model = EvalModelConfig(model=str(tiny))
    monkeypatch.setattr(classifier, "choose_dtype", lambda _wanted, _device: torch.bfloat16)
    opener(model, GoldsmithConfig(), tmp_path)()
    monkeypatch.setattr(classifier, "choose_dtype", lambda _wanted, _device: torch.float32)
    engine = opener(model, GoldsmithConfig(), tmp_path)()
    with pytest.raises(UserError, match="kept in bfloat16, and here it would compute in float32; name another --score-cache, or"):
        next(iter(engine.rate(texts(1))))


def test_files_that_change_between_opening_and_scoring_are_another_model(tiny: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny, folder)
    first, again = (opener(EvalModelConfig(model=str(folder)), GoldsmithConfig(), tmp_path)() for _ in range(2))
    shutil.rmtree(folder)
    write_tiny_model(folder, seed=4, num_labels=1)
    # The first was loaded when it was opened.
    assert [rated.failure for part in first.rate(texts(1)) for _, rated in part] == [""]
    with pytest.raises(UserError, match="its files changed while it was evaluated"):
        next(iter(again.rate(texts(1))))
