"""The engine: no telemetry, errors that keep their type between processes, and the same tables on Ray."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from goldsmith.config.pool import EngineConfig
from goldsmith.errors import DataError, StoreError
from goldsmith.pool.ingest import ingest_chunk
from goldsmith.store.engine import Chunk, daft_module, guarded, map_chunks, num_workers


def double(chunk: Chunk) -> Chunk:
    if chunk["value"] < 0:
        raise DataError(f"value {chunk['value']} is negative")
    return {"value": 2 * chunk["value"], "process": os.getpid()}


def test_telemetry_is_off_before_daft_is_there() -> None:
    # A fresh process: here Daft may be imported already.
    script = (
        "import os, sys\n"
        "from goldsmith.store import engine\n"
        "assert 'daft' not in sys.modules\n"
        "engine.daft_module()\n"
        "print(os.environ['DO_NOT_TRACK'], os.environ['DAFT_ANALYTICS_ENABLED'])"
    )
    clean = {name: value for name, value in os.environ.items() if name not in ("DO_NOT_TRACK", "DAFT_ANALYTICS_ENABLED")}
    done = subprocess.run([sys.executable, "-c", script], env=clean, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "0"]


def test_the_runner_may_be_named_again_but_not_changed() -> None:
    daft_module(EngineConfig())
    daft_module(EngineConfig())
    with pytest.raises(StoreError, match="start a new process"):
        daft_module(EngineConfig(runner="ray", workers=1))


def test_one_worker_works_here_and_in_order() -> None:
    results = list(map_chunks(double, [{"value": value} for value in range(3)], EngineConfig(workers=1)))
    assert results == [{"value": 2 * value, "process": os.getpid()} for value in range(3)]
    assert list(map_chunks(double, [], EngineConfig())) == []
    assert num_workers(EngineConfig(workers=3)) == 3
    assert num_workers(EngineConfig()) >= 1


def test_an_error_keeps_its_type_and_message_on_its_way(tmp_path: Path) -> None:
    assert json.loads(guarded(double, '{"value": -1}')) == {"error": "DataError", "message": "value -1 is negative"}
    # Across processes the function must be one that a worker can import.
    document = {"path": str(tmp_path / "a.jsonl"), "name": "a.jsonl", "compression": "none", "member": None}
    (tmp_path / "a.jsonl").write_text("", encoding="utf-8")
    chunk = {
        "documents": [document],
        "alone": True,
        "column_map": {},
        "max_line_mb": 1,
        "size": 1,
        "raw": str(tmp_path),
        "rejects": str(tmp_path),
    }
    with pytest.raises(DataError, match=r"a\.jsonl: the file is empty"):
        list(map_chunks(ingest_chunk, [{"number": number, **chunk} for number in range(2)], EngineConfig(workers=2)))


def test_a_worker_that_the_system_ends_is_an_error_with_a_way_out() -> None:
    with pytest.raises(StoreError, match=r"engine\.workers=1"):
        list(map_chunks(os._exit, [3, 4], EngineConfig(workers=2)))  # type: ignore[arg-type, list-item]


SCRIPT = """
import sys
from goldsmith.benchdata.prompts import BenchmarkPrompt
from goldsmith.config import GoldsmithConfig
from goldsmith.pool import plan
from goldsmith.pool.build import build_pool
from goldsmith.pool.ingest import add
import time
from goldsmith.store import Workspace
if __name__ == "__main__":
    runner, folder, data = sys.argv[1:]
    plan.CHUNK_BYTES = 2000
    ws = Workspace(folder, GoldsmithConfig.model_validate({"engine": {"runner": runner, "workers": 2}, "pool": {"flip_share": 0.5}}))
    add(ws, [data])
    build_pool(ws, "f", [BenchmarkPrompt("Is 7 more than 3?", "short")])
"""


def test_two_workers_on_ray_give_the_same_tables(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    rows = [{"prompt": f"Is {n % 80} more than 3?", "chosen": "Yes, it is.", "rejected": f"No {n % 75}."} for n in range(100)]
    rows += [{**rows[5], "chosen": rows[5]["rejected"], "rejected": rows[5]["chosen"]}]
    data = tmp_path / "a.jsonl"
    data.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    script = tmp_path / "build.py"
    script.write_text(SCRIPT, encoding="utf-8")
    from goldsmith.config import GoldsmithConfig
    from goldsmith.store import Workspace

    tables = []
    for runner in ("native", "ray"):
        command = [sys.executable, str(script), runner, str(tmp_path / runner), str(data)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, done.stderr[-3000:]
        ws = Workspace(tmp_path / runner, GoldsmithConfig())
        tables.append({table.name: sorted(table.rows(), key=json.dumps) for table in ws.tables()})
    assert set(tables[0]) == set(tables[1])
    for name in tables[0]:
        assert tables[0][name] == tables[1][name], name
    assert len(tables[0]["contradictions"]) == 2
    assert tables[0]["flipped_on_purpose"]
