"""Sampling engines by name: which serves a model, and how it is opened. None is imported before it is used.

    choose_engine("auto", "LlamaForCausalLM", device="cpu").engine      # 'ctranslate2', where it is installed
    choose_engine("auto", Path("model"), device="cpu").engine           # only if rft.core.sampling.forms knows it to agree
    choose_engine("auto", Path("neox"), device="cpu").passed      # (("ctranslate2", "CTranslate2's converter cannot ..."),)
    sampler = open_sampler("ctranslate2", folder, Place(device="cpu", threads=1, dtype="float32", batch=64))

The planner resolves an engine before anything is hashed, since it is part of a sample pool's identity. Another engine is a
function that opens a model (rft.core.sampling.base.Sampler), entered by `ENGINES.add(name)`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from rft.core.checkpoints import CONFIG_FILE, architecture
from rft.core.sampling.forms import disagreement, is_known
from rft.core.sampling.vllm_forms import head_size, vllm_refusal
from rft.registry import Registry

if TYPE_CHECKING:
    from rft.config import RuntimeConfig
    from rft.core.sampling.base import Sampler

AUTO = "auto"
REFERENCE = "torch"  # serves whatever transformers can load
PACKAGE_OF = {"ctranslate2": "ctranslate2", "torch": "torch", "vllm": "vllm"}  # what an engine needs installed


@dataclass(frozen=True)
class Place:
    """Where and how an engine runs; but for the type of the numbers nothing that a draw depends on."""

    device: str
    threads: int
    dtype: str
    batch: int | None = None  # sequences at once; where it would change the samples an engine has a constant of its own
    gpu_memory_utilization: float | None = None  # share of the memory that an engine reserves; None: the engine's own
    tensor_parallel: int = 1  # GPUs that share a model

    @staticmethod
    def of(runtime: RuntimeConfig, *, device: str, dtype: str) -> Place:
        """As a configuration says."""
        return Place(
            device=device,
            threads=runtime.threads,
            dtype=dtype,
            batch=runtime.sample_batch,
            gpu_memory_utilization=runtime.gpu_memory_utilization,
            tensor_parallel=runtime.tensor_parallel,
        )


Opener = Callable[[Path, Place], "Sampler"]  # of a model folder
ENGINES: Registry[Opener] = Registry("sampling.engine")


@ENGINES.add("ctranslate2")
def _ctranslate2(folder: Path, place: Place) -> Sampler:
    from rft.core.sampling.ctranslate2_backend import CTranslate2Sampler

    return CTranslate2Sampler(folder, device=place.device, threads=place.threads, dtype=place.dtype)


@ENGINES.add("vllm")
def _vllm(folder: Path, place: Place) -> Sampler:
    from rft.core.sampling.vllm_backend import VllmSampler

    return VllmSampler(folder, place)


@ENGINES.add("torch")
def _torch(folder: Path, place: Place) -> Sampler:
    from rft.core.sampling.torch_backend import TorchSampler

    return TorchSampler(folder, device=place.device, threads=place.threads, dtype=place.dtype, batch=place.batch)


def open_sampler(engine: str, model_folder: Path, place: Place) -> Sampler:
    """A sampler over a local model folder. `engine` is resolved already. Raises ValueError for an engine that cannot run."""
    assert engine != AUTO, "auto is resolved before a sampler is opened"
    return ENGINES[engine](model_folder, place)


@dataclass(frozen=True)
class Choice:
    """The engine that will run, and why `auto` took none of those before it."""

    engine: str
    passed: tuple[tuple[str, str], ...] = ()  # (engine, why it cannot serve the model)


def choose_engine(engine: str, model: Path | str, *, device: str, head: int | None = None) -> Choice:
    """The engine that will run. `model` is a local model folder, or the name of an architecture with heads of size `head`.

    `auto` is CTranslate2 on a CPU where it is installed and known to compute the model as transformers does, vLLM on a GPU
    where it is installed, and torch otherwise. A named engine stands. Raises ValueError for one that is unknown, not
    installed, or known not to serve the model or to compute something else.
    """
    if engine != AUTO:
        ENGINES[engine]  # ValueError for an unknown name
        reason = _not_installed(engine) or _known_against(engine, model, device=device, head=head)
        if reason is not None:
            raise ValueError(
                f"sampling.engine={engine} cannot serve the model {model}: {reason}; use sampling.engine=torch, or auto"
            )
        return Choice(engine)
    first = "vllm" if device.startswith("cuda") else "ctranslate2"
    reason = _not_installed(first) or (_not_known(model) if first == "ctranslate2" else None)
    return Choice(first) if reason is None else Choice(REFERENCE, ((first, reason),))


def _known_against(engine: str, model: Path | str, *, device: str, head: int | None) -> str | None:
    if engine == "ctranslate2":
        return refusal(Path(model))
    if engine == "vllm":
        is_here = (Path(model) / CONFIG_FILE).is_file()
        return vllm_refusal(head_size(Path(model)) if is_here else head, device=device)
    return None


def refusal(folder: Path) -> str | None:
    """Why CTranslate2 cannot serve a model folder; None where nothing is known against it."""
    return disagreement(folder) if (folder / CONFIG_FILE).is_file() else None


def _not_known(model: Path | str) -> str | None:
    if is_known(model):
        return None
    folder = Path(model)
    if not (folder / CONFIG_FILE).is_file():
        return f"whether it computes {model} as transformers does is not known before its files are here"
    return refusal(folder) or f"{architecture(folder)} is not among the forms that are known to be computed alike"


def _not_installed(engine: str) -> str | None:
    package = PACKAGE_OF.get(engine)
    installed = package is None or find_spec(package) is not None
    return None if installed else f"it needs the package {package!r}, which is not installed"
