"""Which sampling engine serves a model: `auto` resolved without importing any of them.

    resolve_engine(Engine.auto, "LlamaForCausalLM", device="cpu")      # Engine.ctranslate2, where it is installed
    resolve_engine(Engine.auto, Path("model"), device="cpu")           # reads the architecture from config.json

The planner calls this before anything is hashed, since the engine is part of a sample pool's identity.
"""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

from rft.config import Engine

# Causal architectures whose conversion keeps logits_to_keep's plain head; Llama is the one held to the torch engine by
# tests.
CTRANSLATE2_ARCHITECTURES = frozenset(
    {"LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM", "GPTNeoXForCausalLM", "GPT2LMHeadModel"}
)


def resolve_engine(engine: Engine, model: Path | str, *, device: str) -> Engine:
    """The engine that will run. `model` is a local model folder or the name of an architecture.

    `auto` is CTranslate2 on a CPU where it is installed and knows the architecture, vLLM on a GPU where it is
    installed, and torch otherwise. A named engine stands. Raises ValueError for an engine that is not installed.
    """
    if engine is not Engine.auto:
        _require_installed(engine)
        return engine
    if device.startswith("cuda"):
        return Engine.vllm if find_spec("vllm") else Engine.torch
    known = _architecture(model) in CTRANSLATE2_ARCHITECTURES
    return Engine.ctranslate2 if known and find_spec("ctranslate2") else Engine.torch


def _architecture(model: Path | str) -> str:
    """The architecture of a model folder, or the name itself."""
    config_file = Path(model) / "config.json"
    if not config_file.is_file():
        return str(model)
    names = json.loads(config_file.read_text(encoding="utf-8")).get("architectures") or [""]
    return str(names[0])


def _require_installed(engine: Engine) -> None:
    if find_spec(engine.value) is None:
        raise ValueError(f"sampling.engine={engine.value} needs the package {engine.value!r}, which is not installed")
