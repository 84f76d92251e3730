"""`goldsmith clean`: decisions on planted errors, the safe answers without gold, every row accounted for, and resumption."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from goldsmith.cli.main import run
from goldsmith.config import GoldsmithConfig
from goldsmith.config.curate import CurateConfig
from goldsmith.curate.clean import _stays, clean
from goldsmith.curate.cleaning import Known, clean_pairs
from goldsmith.curate.evidence import NONE, SIDES, codes
from goldsmith.errors import StoreError, UserError
from goldsmith.pool.sources import read_pairs
from goldsmith.reward.features import FeatureStore
from goldsmith.reward.tiny import write_tiny_model
from goldsmith.store.lock import exclusive
from goldsmith.types import Pair

STACK = CurateConfig(keep_rule="stack")
L2 = (0.01, 0.1, 1.0)


def _planted(count: int, wrong: float, num_gold: int, seed: int = 0) -> tuple[Known, np.ndarray, np.ndarray]:
    """Pairs whose features hold a direction of quality; a share of labels is wrong, and people saw the first `num_gold`."""
    rng = np.random.default_rng(seed)
    truth = rng.choice([0, 1], count)
    quality = rng.normal(size=(count, 2)) + 1.5 * np.stack([truth == 0, truth == 1], axis=1)
    features = [np.concatenate([quality[:, [side]], rng.normal(size=(count, 5))], axis=1).astype(np.float32) for side in (0, 1)]
    flipped = rng.random(count) < wrong
    label = np.where(flipped, 1 - truth, truth)
    pairs = []
    for at in range(count):
        pair = Pair.from_replies([{"role": "user", "content": f"q{at}"}], f"a{at}", f"b{at}")
        pairs.append(pair.model_copy(update={"label": SIDES[label[at]]}))
    human = codes([SIDES[truth[at]] if at < num_gold else None for at in range(count)])
    known = Known(
        pairs=pairs, is_asked=np.ones(count, dtype=bool), human=human, features=(features[0], features[1]), best=None,
        judged_p=np.full(count, np.nan),
    )  # fmt: skip
    return known, truth, flipped


def test_planted_errors_are_flipped_and_right_labels_kept() -> None:
    known, _, flipped = _planted(1200, wrong=0.3, num_gold=150)
    found = clean_pairs(known, STACK, L2, seed=0)
    unseen = [(row, bool(was)) for row, was in zip(found.decisions[150:], flipped[150:], strict=True)]
    kept = [was for row, was in unseen if row["action"] == "keep"]
    turned = [was for row, was in unseen if row["action"] == "flip"]
    # 30 % of the labels are wrong; what is kept must be far cleaner, and most of what is flipped must have been wrong.
    assert np.mean(kept) < 0.15
    assert np.mean(turned) > 0.6
    assert len(kept) > 0.6 * sum(not was for _, was in unseen)
    # The people's own labels stand, whatever the models say.
    assert {row["rule"] for row in found.decisions[:150]} == {"human"}
    audit = found.facts["audit"]
    assert audit["stack"]["value"] > audit["labels"]["value"]
    assert found.facts["stack"]["label_noise"]["wrong"] == pytest.approx(0.3, abs=0.1)


def test_without_gold_nothing_is_flipped_and_little_dropped() -> None:
    known, _, flipped = _planted(1200, wrong=0.2, num_gold=0)
    found = clean_pairs(known, STACK, L2, seed=0)
    actions = Counter(row["action"] for row in found.decisions)
    assert set(actions) <= {"keep", "drop"}
    assert actions["drop"] < 200
    dropped = [bool(was) for row, was in zip(found.decisions, flipped, strict=True) if row["action"] == "drop"]
    assert not dropped or np.mean(dropped) > 0.5
    assert any("no human labels were given" in text for text in found.statements)


def test_a_judge_who_stands_by_a_label_saves_it_without_gold() -> None:
    known, _, _ = _planted(400, wrong=0.2, num_gold=0)
    agreeing = np.array([1.0 if pair.label == "first" else 0.0 for pair in known.pairs])
    saved = clean_pairs(
        Known(
            pairs=known.pairs, is_asked=known.is_asked, human=known.human, features=known.features, best=None, judged_p=agreeing
        ),
        STACK,
        L2,
        seed=0,
    )
    assert {row["action"] for row in saved.decisions} == {"keep"}


def _brought_along(count: int, best: np.ndarray, longer: np.ndarray) -> Known:
    """Pairs without gold whose labels are random, with a model's margins; `longer` says which reply is."""
    pairs = []
    for at in range(count):
        replies = [f"a{at}" + " more" * int(9 * (longer[at] == 0)), f"b{at}" + " more" * int(9 * (longer[at] == 1))]
        pair = Pair.from_replies([{"role": "user", "content": f"q{at}"}], *replies)
        pairs.append(pair.model_copy(update={"label": SIDES[at % 2]}))
    return Known(
        pairs=pairs, is_asked=np.ones(count, dtype=bool), human=codes([None] * count), features=None, best=best, judged_p=np.full(count, np.nan)
    )  # fmt: skip


@pytest.mark.parametrize(("sure", "side"), [(5.0, "longer"), (-5.0, "shorter")])
def test_without_gold_a_model_that_follows_length_drops_nothing(sure: float, side: str) -> None:
    longer = np.random.default_rng(0).choice([0, 1], 200)
    # Half of the labels are against the reply of that length, and the model is sure of it: 1 / (1 + e^-5) > 0.99.
    found = clean_pairs(_brought_along(200, np.where(longer == 0, sure, -sure), longer), STACK, L2, seed=0)
    assert {row["action"] for row in found.decisions} == {"keep"}
    assert any(f"follows length: it prefers the {side} reply in 100.0 % of 200 pairs" in text for text in found.statements)
    assert any("nothing is dropped on its word" in text for text in found.statements)
    # One that does not follow length is heard.
    other = np.where(np.random.default_rng(1).random(200) < 0.5, 5.0, -5.0)
    heard = clean_pairs(_brought_along(200, other, longer), STACK, L2, seed=0)
    assert Counter(row["action"] for row in heard.decisions)["drop"] > 50


def test_a_model_that_knows_the_labels_by_heart_is_told_of() -> None:
    longer = np.random.default_rng(0).choice([0, 1], 200)
    labels = np.where(np.arange(200) % 2 == 0, 2.0, -2.0)
    found = clean_pairs(_brought_along(200, labels, longer), STACK, L2, seed=0)
    assert any("agrees with 100.0 % of the 200 labels" in text and "--rm" in text for text in found.statements)
    labels[:10] *= -1  # 95 %
    found = clean_pairs(_brought_along(200, labels, longer), STACK, L2, seed=0)
    assert not any("agrees with" in text for text in found.statements)


def test_too_little_gold_keeps_every_label_and_says_so() -> None:
    known, _, _ = _planted(300, wrong=0.3, num_gold=15)
    found = clean_pairs(known, STACK, L2, seed=0)
    assert {row["action"] for row in found.decisions[15:]} == {"keep"}
    assert all(row["label_after"] == row["label_before"] for row in found.decisions[15:])
    assert any("20 are needed" in text for text in found.statements)


@pytest.mark.parametrize("rule", ["article", "paper"])
@pytest.mark.parametrize(
    ("num_gold", "told"), [(3, "20 are needed"), (15, "20 are needed"), (120, "not clearly better than a coin")]
)
def test_the_articles_and_the_papers_rule_reverse_nothing_where_gold_carries_no_gold_rm(
    rule: Any, num_gold: int, told: str
) -> None:
    known, _, _ = _planted(300, wrong=0.3, num_gold=num_gold)
    if num_gold > 20:  # people who toss a coin
        known.human[:num_gold] = np.random.default_rng(1).choice([0, 1], num_gold)
    found = clean_pairs(known, CurateConfig(keep_rule=rule), L2, seed=0)
    assert {row["action"] for row in found.decisions[num_gold:]} == {"keep"}
    assert all(row["label_after"] == row["label_before"] for row in found.decisions[num_gold:])
    assert any(told in text and "every label stays as it came" in text for text in found.statements)


@pytest.mark.parametrize("rule", ["article", "paper"])
def test_with_good_gold_the_articles_and_the_papers_rule_clean(rule: Any) -> None:
    known, truth, flipped = _planted(1200, wrong=0.3, num_gold=150)
    found = clean_pairs(known, CurateConfig(keep_rule=rule), L2, seed=0)
    assert not any("every label stays as it came" in text for text in found.statements)
    right = [row["label_after"] == SIDES[truth[at]] for at, row in enumerate(found.decisions[150:], 150)]
    assert np.mean(right) > 1.0 - flipped[150:].mean() + 0.05


def test_the_articles_rule_needs_gold() -> None:
    known, _, _ = _planted(100, wrong=0.2, num_gold=0)
    with pytest.raises(UserError, match=r"'article' needs a gold RM.*--gold"):
        clean_pairs(known, CurateConfig(), L2, seed=0)


def test_pairs_that_are_in_gold_alone_help_but_get_no_decision() -> None:
    known, _, _ = _planted(400, wrong=0.3, num_gold=200)
    asked = np.arange(400) >= 200
    found = clean_pairs(
        Known(pairs=known.pairs, is_asked=asked, human=known.human, features=known.features, best=None, judged_p=known.judged_p),
        STACK,
        L2,
        seed=0,
    )
    assert [row["pair_id"] for row in found.decisions] == [pair.pair_id for pair in known.pairs[200:]]


# The command, on a tiny random model.


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("tiny-clean"), seed=3)


def _write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def _rows(count: int) -> list[dict[str, Any]]:
    return [{"prompt": f"Say {n}.", "chosen": f"{n}, please", "rejected": f"no {n}"} for n in range(count)]


def test_every_row_has_its_fate_in_the_command(tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = _rows(30)
    swapped = {"prompt": "Say 1.", "chosen": "no 1", "rejected": "1, please"}
    data = _write(tmp_path / "pairs.jsonl", [*rows, rows[0], swapped, {"prompt": "x", "chosen": "same", "rejected": "same"}])
    gold = _write(tmp_path / "gold.jsonl", rows[:10])
    out = tmp_path / "out.jsonl"
    arguments = ["clean", str(data), "-o", str(out), "--gold", str(gold), "--set", f'reward.base="{tiny}"', "--json"]
    assert run(arguments) == 3
    told = json.loads(capsys.readouterr().out)
    decisions = [json.loads(line) for line in Path(told["decisions_file"]).read_text().splitlines()]
    # 33 rows: one fails, one is a copy, and pair 1 stands there under both labels (two rows).
    assert (told["rows"], len(decisions), sum(told["failed"].values())) == (33, 33, 1)
    assert told["dropped"]["the same pair and label came before"] == 1
    assert told["dropped"]["the dataset has the pair under both labels"] == 2
    assert told["rows"] == told["kept"] + told["flipped"] + told["relabelled"] + sum(told["dropped"].values()) + 1
    clean_rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(clean_rows) == told["kept"] + told["flipped"] + told["relabelled"]
    assert all(0 <= row["p_chosen"] <= 1 and 0 <= row["weight"] <= 1 for row in clean_rows)
    # Who made a label goes with it to whatever reads the file, so that `train.people` knows people's: gold without pair 1.
    origins = {row["prompt"][-1]["content"]: row["label_origin"] for row in clean_rows}
    assert {prompt for prompt, origin in origins.items() if origin == "human"} == {f"Say {n}." for n in range(10) if n != 1}
    assert [pair.label_origin for pair in read_pairs(out) if isinstance(pair, Pair)] == [
        row["label_origin"] for row in clean_rows
    ]


def test_what_sources_say_speaks_of_the_reply_that_became_the_chosen_one() -> None:
    pair = Pair.from_replies([{"role": "user", "content": "x"}], "yes", "no")
    decision = {
        "action": "flip",
        "label_after": "second",
        "p_label": 0.9,
        "p_sources": 0.4,
        "p_trusted": 1.0,
        "rule": "recycle-all",
    }
    turned = _stays(pair, decision)
    assert turned is not None
    assert (turned["chosen"], turned["p_chosen"], turned["p_chosen_by_sources"]) == (pair.second, 0.9, 0.6)
    assert turned["p_chosen_by_trusted"] == 0.0
    kept = _stays(pair, decision | {"action": "keep", "label_after": "first"})
    assert kept is not None
    assert (kept["chosen"], kept["p_chosen_by_sources"], kept["p_chosen_by_trusted"]) == (pair.first, 0.4, 1.0)
    unsaid = _stays(pair, decision | {"p_sources": None, "p_trusted": None})
    assert unsaid is not None
    assert unsaid["p_chosen_by_sources"] is unsaid["p_chosen_by_trusted"] is None


def test_features_are_not_computed_twice(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, out = _write(tmp_path / "pairs.jsonl", _rows(20)), tmp_path / "out.jsonl"
    config = GoldsmithConfig.model_validate({"curate": {"keep_rule": "stack"}, "reward": {"base": str(tiny)}})
    first = clean(data, out, config=config).decisions

    def never(*_: Any) -> Any:
        raise AssertionError("computed again")

    monkeypatch.setattr(FeatureStore, "_forward", never)
    assert clean(data, out, config=config).decisions == first


def test_a_dataset_goes_in_and_comes_out(tiny: Path) -> None:
    datasets = pytest.importorskip("datasets")
    config = GoldsmithConfig.model_validate({"curate": {"keep_rule": "stack"}, "reward": {"base": str(tiny)}})
    result = clean(datasets.Dataset.from_list(_rows(12)), config=config)
    assert result.out is None
    assert result.dataset.num_rows == result.kept
    assert {"prompt", "chosen", "rejected", "p_chosen", "weight"} <= set(result.dataset.column_names)


@pytest.mark.parametrize(
    ("rows", "more", "told"),
    [
        ([], [], "pairs.jsonl"),
        ([{"prompt": "a", "chosen": "b", "rejected": "b"}], [], "no usable pair in 1 rows"),
        (_rows(3), [], "only 3 different prompts"),
        (_rows(9), ["--rule", "paper"], "'paper' needs a gold RM"),
        (_rows(9), ["--gold", "nowhere.jsonl"], "nowhere.jsonl"),
        (_rows(9), ["--judge", "nowhere.jsonl"], "nowhere.jsonl"),
        (_rows(9), ["--rm", "/nowhere"], "/nowhere"),
    ],
)
def test_bad_inputs_are_told_with_place_and_remedy(
    rows: list[dict[str, Any]], more: list[str], told: str, tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = _write(tmp_path / "pairs.jsonl", rows)
    arguments = ["clean", str(data), "-o", str(tmp_path / "o.jsonl"), "--set", f'reward.base="{tiny}"', *more]
    assert run(arguments) == 1
    shown = capsys.readouterr().err
    assert told in shown
    assert "a bug in Goldsmith" not in shown
    assert not (tmp_path / "o.jsonl").exists()


def test_an_address_needs_the_models_name(tmp_path: Path) -> None:
    data = _write(tmp_path / "pairs.jsonl", _rows(9))
    assert run(["clean", str(data), "-o", str(tmp_path / "o.jsonl"), "--judge", "http://127.0.0.1:9/v1"]) == 2


def test_gold_under_both_labels_is_left_out_and_told(tiny: Path, tmp_path: Path) -> None:
    rows = _rows(20)
    both = {"prompt": "Say 0.", "chosen": "no 0", "rejected": "0, please"}
    config = GoldsmithConfig.model_validate({"curate": {"keep_rule": "stack"}, "reward": {"base": str(tiny)}})
    found = clean(_write(tmp_path / "p.jsonl", rows), gold=_write(tmp_path / "g.jsonl", [*rows[:8], both]), config=config)
    assert any("gold contradicts itself: 1 of 8 pairs" in text for text in found.statements)
    assert found.relabelled == 0
    assert NONE not in {row.get("label_after") for row in found.decisions}


def test_rows_of_gold_that_are_no_pairs_are_told_of(tiny: Path, tmp_path: Path) -> None:
    rows = _rows(20)
    gold = _write(tmp_path / "g.jsonl", [*rows[:8], {"prompt": "x", "chosen": "", "rejected": "y"}])
    config = GoldsmithConfig.model_validate({"reward": {"base": str(tiny)}})
    found = clean(_write(tmp_path / "p.jsonl", rows), gold=gold, config=config)
    assert any("1 rows of gold are no pairs" in text and "g.jsonl:9" in text for text in found.statements)


def test_a_configuration_that_names_no_rule_gets_the_stack(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "g.toml").write_text(f'[reward]\nbase = "{tiny}"\n')
    data, out = _write(tmp_path / "p.jsonl", _rows(9)), tmp_path / "o.jsonl"
    # The workspace's default, `article`, would refuse a file without gold.
    assert run(["clean", str(data), "-o", str(out), "--config", str(tmp_path / "g.toml")]) == 0
    assert (
        run(["clean", str(data), "-o", str(out), "--config", str(tmp_path / "g.toml"), "--set", "curate.keep_rule=article"]) == 1
    )
    assert "'article' needs a gold RM" in capsys.readouterr().err


def test_when_every_pair_stands_under_both_labels_that_is_said(tmp_path: Path) -> None:
    both = [{"prompt": "Say 0.", "chosen": "no 0", "rejected": "0"}, {"prompt": "Say 0.", "chosen": "0", "rejected": "no 0"}]
    with pytest.raises(UserError, match=r"no usable pair in 2 rows.*under both labels': 2"):
        clean(_write(tmp_path / "p.jsonl", both))


def test_a_dataset_may_hold_columns_that_json_lacks(tiny: Path) -> None:
    datasets = pytest.importorskip("datasets")
    config = GoldsmithConfig.model_validate({"reward": {"base": str(tiny)}})
    rows = [{**row, "at": datetime(2026, 1, 1, tzinfo=UTC)} for row in _rows(12)]
    assert clean(datasets.Dataset.from_list(rows), config=config).rows == 12


def _with_columns(count: int) -> list[dict[str, Any]]:
    told = [{"id": n, "meta": {"tags": [n]}, "score_chosen": 2.0, "score_rejected": 1.0, "weight": n} for n in range(count)]
    return [{**row, **more, "at": datetime(2026, 1, 1, tzinfo=UTC)} for row, more in zip(_rows(count), told, strict=True)]


@pytest.mark.parametrize("container", ["jsonl", "parquet", "dataset"])
def test_the_inputs_further_columns_come_back_with_the_pairs_that_stay(container: str, tiny: Path, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    data: Any = datasets.Dataset.from_list(_with_columns(20))
    if container == "jsonl":
        data = _write(tmp_path / "p.jsonl", [{**row, "at": str(row["at"])} for row in _with_columns(20)])
    elif container == "parquet":
        data.to_parquet(tmp_path / "p.parquet")
        data = tmp_path / "p.parquet"
    # People turn the first pair and stand by seven others.
    gold = _write(tmp_path / "g.jsonl", [{"prompt": "Say 0.", "chosen": "no 0", "rejected": "0, please"}, *_rows(8)[1:]])
    config = GoldsmithConfig.model_validate({"reward": {"base": str(tiny)}})
    result = clean(data, tmp_path / "o.jsonl", gold=gold, config=config)
    lines = [json.loads(line) for line in (tmp_path / "o.jsonl").read_text().splitlines()]
    assert len(lines) == 20
    assert [line["id"] for line in lines] == [line["input_weight"] for line in lines] == list(range(20))
    assert all(line["meta"] == {"tags": [line["id"]]} and line["at"].startswith("2026-01-01") for line in lines)
    # The reply that people chose is the one that the dataset gave 1.0.
    assert [(line["score_chosen"], line["score_rejected"]) for line in lines] == [(1.0, 2.0)] + [(2.0, 1.0)] * 19
    assert "`weight` as `input_weight`" in " ".join(result.statements)
    assert {"label_origin", "p_chosen_by_sources", "p_chosen_by_trusted", "weight"} <= lines[0].keys()
    # `train` reads the file as before.
    origins = [pair.label_origin for pair in read_pairs(tmp_path / "o.jsonl") if isinstance(pair, Pair)]
    assert origins == ["human"] * 8 + ["unknown"] * 12
    if container == "dataset":
        assert result.dataset.to_list() == lines


def test_judges_are_not_tested_on_ties_as_if_they_were_decided(tiny: Path, tmp_path: Path) -> None:
    rows = [{"context": row["prompt"], "first": row["chosen"], "second": row["rejected"], "label": "tie"} for row in _rows(20)]
    # Ties and decided pairs of gold, in Goldsmith's own layout.
    decided = [{**row, "label": "first"} for row in rows[:10]]
    for row in [*rows, *decided]:
        row["context"] = [{"role": "user", "content": row["context"]}]
    gold = _write(tmp_path / "g.jsonl", [*decided, *rows[10:]])
    verdict = {"model": "J", "sample": 0, "shown_order": ["first", "second"], "choice": "first", "failure": None, "usage": {}}
    ids = [pair.pair_id for pair in read_pairs(gold) if isinstance(pair, Pair)]
    verdicts = _write(tmp_path / "v.jsonl", [{"pair_id": name, **verdict} for name in ids])
    config = GoldsmithConfig.model_validate(
        {"reward": {"base": str(tiny)}, "llm": {"endpoints": []}, "judge": {"recorded": [{"path": str(verdicts)}]}}
    )
    clean(_write(tmp_path / "p.jsonl", _rows(20)), tmp_path / "o.jsonl", gold=gold, judges=True, config=config)
    shown = read_pairs(tmp_path / "o.jsonl.work" / "judged.gold.jsonl")
    assert Counter(pair.label for pair in shown if isinstance(pair, Pair))["tie"] == 10


def test_outputs_that_cannot_be_are_refused_before_anything_is_computed(tmp_path: Path) -> None:
    data = _write(tmp_path / "p.jsonl", _rows(9))
    with pytest.raises(UserError, match=r"p.jsonl is a file, not a folder"):
        clean(data, data / "o.jsonl")
    verdicts = _write(tmp_path / "v.jsonl", [])
    config = GoldsmithConfig.model_validate({"judge": {"recorded": [{"path": str(verdicts)}]}})
    with pytest.raises(UserError, match="read as well"):
        clean(data, verdicts, judges=True, config=config)


def test_a_second_call_on_the_same_output_is_told_to_wait(tmp_path: Path) -> None:
    data, out = _write(tmp_path / "p.jsonl", _rows(9)), tmp_path / "o.jsonl"
    with (
        exclusive(tmp_path / "o.jsonl.work" / ".lock", "the test"),
        pytest.raises(StoreError, match=r"o\.jsonl is in use by another Goldsmith process"),
    ):
        clean(data, out)


def test_the_joint_rule_finds_planted_errors_and_measures_itself() -> None:
    known, _, flipped = _planted(1200, wrong=0.3, num_gold=150)
    found = clean_pairs(known, CurateConfig(keep_rule="joint"), L2, seed=0)
    unseen = [(row, bool(was)) for row, was in zip(found.decisions[150:], flipped[150:], strict=True)]
    kept, turned = ([was for row, was in unseen if row["action"] == action] for action in ("keep", "flip"))
    assert np.mean(kept) < 0.15
    assert np.mean(turned) > 0.6
    assert {row["rule"] for row in found.decisions[:150]} == {"human"}
    assert {row["rule"] for row, _ in unseen} == {"joint-keep", "recycle-all"}
    # Labels alone say which side they are on, and how often they are right; people's need no such word.
    assert {(row["p_sources"], row["p_trusted"]) for row in found.decisions[:150]} == {(None, None)}
    assert all(row["p_trusted"] == float(row["label_before"] == "first") for row, _ in unseen)
    assert all((row["p_sources"] > 0.5) == (row["label_before"] == "first") for row, _ in unseen)
    assert np.mean([max(row["p_sources"], 1.0 - row["p_sources"]) for row, _ in unseen]) == pytest.approx(0.7, abs=0.07)
    assert found.facts["audit"]["stack"]["value"] > found.facts["audit"]["labels"]["value"]
    assert found.facts["stack"]["label_noise"]["wrong"] == pytest.approx(0.3, abs=0.07)
    assert found.facts["stack"]["low"] > 0.5


def test_a_promised_precision_keeps_fewer_pairs_and_says_from_where_on() -> None:
    known, _, _ = _planted(1200, wrong=0.3, num_gold=150)
    found = clean_pairs(known, CurateConfig(keep_rule="joint", keep_precision=0.97), L2, seed=0)
    bars = found.facts["stack"]["bars"]
    assert bars["flip"] == 0.6
    # People's labels are certain, whatever the estimate said: only the others show the bar.
    unseen = found.decisions[150:]
    right = np.array([row["p_first"] if row["label_before"] == "first" else 1.0 - row["p_first"] for row in unseen])
    assert right[right > bars["keep"]].mean() == pytest.approx(0.97, abs=0.01)
    assert [row["action"] == "keep" for row in unseen] == (right > bars["keep"]).tolist()


def test_the_joint_rule_takes_a_model_that_is_brought_along_for_one_more_source() -> None:
    known, truth, _ = _planted(600, wrong=0.4, num_gold=100)
    sure = np.where(truth == 0, 3.0, -3.0) * np.where(np.random.default_rng(1).random(600) < 0.9, 1.0, -1.0)
    right = {}
    for name, best in (("without", None), ("with", sure)):
        made = Known(
            pairs=known.pairs,
            is_asked=known.is_asked,
            human=known.human,
            features=known.features,
            best=best,
            judged_p=known.judged_p,
        )
        rows = clean_pairs(made, CurateConfig(keep_rule="joint"), L2, seed=0).decisions[100:]
        right[name] = np.mean([(row["p_first"] > 0.5) == (truth[at + 100] == 0) for at, row in enumerate(rows)])
    assert right["with"] > right["without"] + 0.03


def test_the_joint_rule_keeps_every_label_on_too_little_gold() -> None:
    known, _, _ = _planted(300, wrong=0.3, num_gold=15)
    found = clean_pairs(known, CurateConfig(keep_rule="joint"), L2, seed=0)
    assert {row["action"] for row in found.decisions[15:]} == {"keep"}
    assert any("20 are needed" in text for text in found.statements)
