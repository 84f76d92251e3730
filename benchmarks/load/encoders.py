"""An encoder classifier that infinity serves too: MiniLM with a random head of one label; its samples, and infinity's server."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

from load.texts import Sample, groups_of_texts
from rewardbench_parts.older import for_transformers_4

PATIENCE_S = 300.0
PYTHON = "GOLDSMITH_INFINITY_PYTHON"
SERVED = "encoder"
"""The model's name at infinity."""
QUIET = {"DO_NOT_TRACK": "1", "HF_HUB_OFFLINE": "1"}
"""It sends home what it serves unless told not to."""


def encoder_model(work: Path) -> Path:
    """Return the folder of MiniLM with a head; the same at every call."""
    import torch
    import transformers

    from goldsmith.models import minilm_path

    folder = work / "encoder"
    if not (folder / "model.safetensors").is_file():
        torch.manual_seed(7)
        model = transformers.BertForSequenceClassification.from_pretrained(minilm_path(), num_labels=1)
        torch.nn.init.normal_(model.classifier.weight, std=0.2)
        model.save_pretrained(folder)
        transformers.AutoTokenizer.from_pretrained(minilm_path()).save_pretrained(folder)
    return folder


def pair_samples(folder: Path, prompts: int) -> list[list[Sample]]:
    """Return groups of pairs with their scores in float32."""
    from goldsmith.reward.encoder import EncoderModel

    model = EncoderModel.load(folder, dtype="float32")
    groups = []
    for group in groups_of_texts(prompts):
        ids = [model.renderer.pair(turns[:1], turns[1]["content"]).ids for turns in group]
        scores = [float(model.logits([one])[0]) for one in ids]
        groups.append([Sample(turns, "", len(one), score) for turns, one, score in zip(group, ids, scores, strict=True)])
    return groups


@contextmanager
def infinity(command: str, model: Path, work: Path) -> Iterator[tuple[str, int]]:
    """Start infinity_emb on the encoder with its torch engine; yields its address and its process."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    folder = for_transformers_4(model, work / "encoder-for-infinity")
    arguments = [
        command,
        "v2",
        "--model-id",
        str(folder),
        "--served-model-name",
        SERVED,
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    arguments += ["--engine", "torch", "--device", "cpu", "--dtype", "float32", "--no-bettertransformer", "--no-compile"]
    log = (work / "infinity.log").open("w", encoding="utf-8")
    with log, subprocess.Popen(arguments, stdout=log, stderr=log, env=os.environ | QUIET) as process:
        try:
            address = f"http://127.0.0.1:{port}"
            _wait(address, process, work / "infinity.log")
            yield address, process.pid
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()


def infinity_command() -> str | None:
    """Return the program beside the Python that GOLDSMITH_INFINITY_PYTHON names, else the one on the PATH; None where there is none."""
    named = os.environ.get(PYTHON)
    if not named:
        return shutil.which("infinity_emb")
    found = Path(named).with_name("infinity_emb")
    if not found.is_file():
        raise SystemExit(f"FAILED: {PYTHON}={named}: no infinity_emb beside it; install it there as design/serving.md says")
    return str(found)


def _wait(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    ends = time.monotonic() + PATIENCE_S
    while time.monotonic() < ends and process.poll() is None:
        try:
            if httpx2.get(address + "/health", trust_env=False).status_code == 200:
                return
        except httpx2.HTTPError:
            pass
        time.sleep(0.5)
    raise SystemExit("FAILED: infinity_emb did not start:\n" + log.read_text(encoding="utf-8")[-3000:])
