"""Sampling engines by name: which serves a model, and how it is opened. None is imported before it is used.

    resolve_engine("auto", "LlamaForCausalLM", device="cpu")      # 'ctranslate2', where it is installed
    resolve_engine("auto", Path("model"), device="cpu")           # reads the architecture from config.json
    sampler = open_sampler("ctranslate2", folder, device="cpu", threads=1, dtype="float32", batch=64)

The planner resolves an engine before anything is hashed, since it is part of a sample pool's identity. Another engine is a
function that opens a model (rft.core.sampling.base.Sampler), entered by `ENGINES.add(name)`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from rft.registry import Registry

if TYPE_CHECKING:
    from rft.core.sampling.base import Sampler

AUTO = "auto"
# Causal architectures whose conversion keeps logits_to_keep's plain head; Llama is the one held to the torch engine by
# tests.
CTRANSLATE2_ARCHITECTURES = frozenset(
    {"LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM", "GPTNeoXForCausalLM", "GPT2LMHeadModel"}
)
PACKAGE_OF = {"ctranslate2": "ctranslate2", "torch": "torch", "vllm": "vllm"}  # what an engine needs installed

Opener = Callable[[Path, str, int, str, "int | None"], "Sampler"]  # folder, device, threads, dtype, sequences at once
ENGINES: Registry[Opener] = Registry("sampling.engine")


@ENGINES.add("ctranslate2")
def _ctranslate2(folder: Path, device: str, threads: int, dtype: str, batch: int | None) -> Sampler:  # noqa: ARG001
    from rft.core.sampling.ctranslate2_backend import CTranslate2Sampler

    return CTranslate2Sampler(folder, device=device, threads=threads, dtype=dtype)


@ENGINES.add("vllm")
def _vllm(folder: Path, device: str, threads: int, dtype: str, batch: int | None) -> Sampler:  # noqa: ARG001
    from rft.core.sampling.vllm_backend import VllmSampler

    return VllmSampler(folder, dtype=dtype)


@ENGINES.add("torch")
def _torch(folder: Path, device: str, threads: int, dtype: str, batch: int | None) -> Sampler:
    from rft.core.sampling.torch_backend import TorchSampler

    return TorchSampler(folder, device=device, threads=threads, dtype=dtype, batch=batch)


def open_sampler(
    engine: str, model_folder: Path, *, device: str, threads: int, dtype: str, batch: int | None = None
) -> Sampler:
    """A sampler over a local model folder. `engine` is resolved already; `batch` is sequences at once, and where it would
    change the samples the engine has a constant of its own instead. Raises ValueError for an engine that cannot run."""
    assert engine != AUTO, "auto is resolved before a sampler is opened"
    return ENGINES[engine](model_folder, device, threads, dtype, batch)


def resolve_engine(engine: str, model: Path | str, *, device: str) -> str:
    """The engine that will run. `model` is a local model folder or the name of an architecture.

    `auto` is CTranslate2 on a CPU where it is installed and knows the architecture, vLLM on a GPU where it is
    installed, and torch otherwise. A named engine stands. Raises ValueError for one that is unknown or not installed.
    """
    if engine != AUTO:
        _require_installed(engine)
        return engine
    if device.startswith("cuda"):
        return "vllm" if find_spec("vllm") else "torch"
    known = _architecture(model) in CTRANSLATE2_ARCHITECTURES
    return "ctranslate2" if known and find_spec("ctranslate2") else "torch"


def _architecture(model: Path | str) -> str:
    """The architecture of a model folder, or the name itself."""
    config_file = Path(model) / "config.json"
    if not config_file.is_file():
        return str(model)
    names = json.loads(config_file.read_text(encoding="utf-8")).get("architectures") or [""]
    return str(names[0])


def _require_installed(engine: str) -> None:
    ENGINES[engine]  # ValueError for an unknown name
    package = PACKAGE_OF.get(engine)
    if package is not None and find_spec(package) is None:
        raise ValueError(f"sampling.engine={engine} needs the package {package!r}, which is not installed")
