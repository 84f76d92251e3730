"""README.md of an export: what it is, how to use it, how far it is from its original."""

from __future__ import annotations

from typing import Any

from goldsmith.export.parity import Compared, Parity
from goldsmith.export.targets import Way

_USE = {
    "onnx": "`goldsmith serve DIR`, `goldsmith score DIR PAIRS -o scored.jsonl`; or any ONNX Runtime: inputs and outputs are described below.",
    "openvino": "`goldsmith serve DIR`, `goldsmith score DIR PAIRS -o scored.jsonl`; or any OpenVINO runtime: inputs and outputs are described below.",
    "hf": "`AutoModelForSequenceClassification.from_pretrained(DIR)`, vLLM, SGLang, TRL.",
}
_W8A8 = (
    "W8A8 in the compressed-tensors layout, for `vllm serve DIR --runner pooling`. Its structure is tested; it has never been loaded on a "
    "GPU. The report below emulates its arithmetic. Check a server that runs it: `goldsmith verify-server URL --golden DIR --dialect vllm`."
)
_GRAPH = (
    "Inputs: `input_ids` int64 [batch, length], padded on the right; `last` int64 [batch], the index at which each sequence is read{past}. "
    "Output: `state` float32 [batch, hidden]; the reward is `state @ weight + bias` of `head.safetensors`."
)
_PAST = "; `past` float32 [2 * layers, batch, heads, tokens before, width], empty at first"


def readme(way: Way, parity: Parity, card: dict[str, Any], size: int) -> str:
    """Return the text of README.md.

    Args:
        way: runtime and weights.
        parity: the report.
        card: goldsmith.json.
        size: bytes of weights and structure.
    """
    lines = [
        "---",
        "pipeline_tag: text-classification",
        "tags: [reward-model, goldsmith]",
        "---",
        f"# Reward model, {way}",
        "",
        f"{size / 2**20:.0f} MiB. {_USE[way.target]}",
        "",
        *([_W8A8, ""] if way.target == "hf" and way.dtype == "int8" else []),
        *([_GRAPH.format(past=_PAST if way.target == "onnx" else ""), ""] if way.target != "hf" else []),
        f"- base: `{card.get('base', 'unknown')}`; maximum length {card.get('max_length')} tokens; pooling: {card.get('pooling', 'last')}",
        "- the head is float32; scores are raw logits, of which only differences within one context mean something",
        "",
        f"Compared with the original in float32 on {parity.pairs_from} (arithmetic: {parity.arithmetic}):",
        "",
        "| tokens | conversations | largest difference | mean | decisions | changed | Spearman |",
        "|---|---|---|---|---|---|---|",
        _row("all", parity.overall),
        *(_row(name, found) for name, found in parity.by_length.items()),
        "",
    ]
    return "\n".join(lines)


def _row(name: str, found: Compared) -> str:
    rank = "-" if found.spearman is None else f"{found.spearman:.5f}"
    return (
        f"| {name} | {found.conversations} | {found.largest:.3g} | {found.mean:.3g} | {found.pairs} | "
        f"{found.changed} ({100 * found.changed_share:.1f} %) | {rank} |"
    )
