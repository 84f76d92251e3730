"""Exported folders behind the server: recognised, checked, and the same scores whatever they are batched with."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

import httpx2
import pytest
from starlette.testclient import TestClient

from goldsmith.errors import UserError
from goldsmith.export.export import ExportOptions, export_model
from goldsmith.reward.golden import read_golden, write_golden
from goldsmith.reward.model import RewardModel
from goldsmith.serve.engines import EngineSpec, open_engine
from goldsmith.serve.engines.check import score_sequences
from goldsmith.serve.verify import verify_server

CLOSE = 1e-4
Start = Callable[..., TestClient]


@pytest.fixture(scope="session")
def exports(tiny_rm: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A tiny model's exports by runtime; OpenVINO's weights are int8."""
    pytest.importorskip("onnxruntime")
    pytest.importorskip("openvino")
    folder = tmp_path_factory.mktemp("exports")
    for name, dtype in (("onnx", "fp32"), ("openvino", "int8")):
        export_model(tiny_rm, folder / name, target=name, dtype=dtype, options=ExportOptions(max_pairs=4, force=True))
    return {name: folder / name for name in ("onnx", "openvino")}


def _spec(folder: Path, engine: str = "auto", **settings: object) -> EngineSpec:
    return EngineSpec(engine=engine, path=str(folder), **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["onnx", "openvino"])
def test_a_score_does_not_depend_on_its_neighbours(exports: dict[str, Path], model: RewardModel, name: str) -> None:
    engine = open_engine(_spec(exports[name], token_budget=128))
    assert engine.facts["engine"] == name
    random = Random(3)
    batch = [tuple(random.randrange(3, 250) for _ in range(random.randrange(2, 90))) for _ in range(12)]
    together = score_sequences(engine, batch)
    alone = [score_sequences(engine, [ids])[0] for ids in batch]
    assert together == pytest.approx(alone, abs=CLOSE)
    if name == "onnx":
        import torch

        with torch.inference_mode():
            own = [float(model.classifier(input_ids=torch.tensor([ids])).logits[0, 0]) for ids in batch]
        assert together == pytest.approx(own, abs=CLOSE)
    assert engine.computed > 0


@pytest.mark.parametrize("name", ["onnx", "openvino"])
def test_a_folder_that_is_written_over_does_not_change_a_model_in_use(
    exports: dict[str, Path], tmp_path: Path, name: str
) -> None:
    folder = shutil.copytree(exports[name], tmp_path / name)
    engine = open_engine(_spec(folder))
    before = score_sequences(engine, [(5, 6, 7, 8)])
    for path in folder.iterdir():
        path.write_bytes(bytes(path.stat().st_size))
    assert score_sequences(engine, [(5, 6, 7, 9), (5, 6, 7, 8)])[1] == pytest.approx(before[0], abs=CLOSE)


def test_an_engine_that_the_folder_is_not_made_for_is_refused(exports: dict[str, Path], tiny_rm: Path) -> None:
    with pytest.raises(UserError, match="is computed by onnx, and the engine 'torch' is asked for"):
        open_engine(_spec(exports["onnx"], "torch"))
    with pytest.raises(UserError, match=r"computed by torch.*--to openvino"):
        open_engine(_spec(tiny_rm, "openvino"))


def test_golden_scores_are_checked_within_the_parity_report(exports: dict[str, Path], tmp_path: Path) -> None:
    for name, beyond in (("onnx", 0.01), ("openvino", 5.0)):
        folder = tmp_path / name
        shutil.copytree(exports[name], folder)
        rows = read_golden(folder)
        write_golden(folder, [rows[0].model_copy(update={"score": rows[0].score + beyond}), *rows[1:]])
        with pytest.raises(UserError, match=r"golden_scores\.jsonl:1: the golden score is"):
            open_engine(_spec(folder))


def test_a_server_of_an_export_is_verified_by_its_own_report(exports: dict[str, Path], start: Start) -> None:
    """The parity report's largest difference is the tolerance; a smaller one, given by hand, finds the rounding."""
    client = start({"exported": exports["openvino"]}, dtype="auto")
    told = client.get("/goldsmith/v1/models").json()
    assert "openvino" in str(told)

    def handler(request: httpx2.Request) -> httpx2.Response:
        found = client.post(request.url.path, content=request.content, headers={"content-type": "application/json"})
        return httpx2.Response(found.status_code, content=found.content)

    transport = httpx2.MockTransport(handler)
    assert verify_server("http://x", exports["openvino"], transport=transport).is_same
    assert not verify_server("http://x", exports["openvino"], tolerance=1e-7, transport=transport).is_same
