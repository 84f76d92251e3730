"""Imported once by the process that workers are forked from, so that a killed worker's successor need not import torch again."""

import torch  # noqa: F401
import transformers.models.auto.modeling_auto
import transformers.models.llama.modeling_llama
import transformers.models.qwen3.modeling_qwen3  # noqa: F401

import goldsmith.serve.engines.check
import goldsmith.serve.engines.torch_engine
import goldsmith.serve.worker  # noqa: F401
