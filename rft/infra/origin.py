"""Where one stage's output was made: commit, packages, processor, the instruction set that was really used, threads, device.

    origin(device="cpu", threads=1, blocks={"packing": False})
    -> {"commit": "c57b31c...", "dirty": false, "versions": {"torch": "2.13.0", ...}, "cpu": "...", "python": "3.11.7",
        "cpu_capability": "AVX512", "numerics": "native", "limits": {}, "threads": 1, "device": "cpu", ...}; "gpu" on CUDA

Kept in the stage's manifest by whoever computed it, and listed in the record of every cell that rests on it: so a stage
made by another commit or machine can be recognised. No host, user or secret. Imports no library that is not loaded already.
"""

from __future__ import annotations

import functools
import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rft.infra import numerics
from rft.infra.provenance import code_state, package_versions

# Variables that lower the instruction sets of the libraries
LIMITS = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS",
          "CT2_FORCE_CPU_ISA", "CT2_USE_MKL", "OPENBLAS_CORETYPE")  # fmt: skip


def origin(*, device: str, threads: int, blocks: Mapping[str, Any]) -> dict[str, Any]:
    """The origin of what this process computes now. `blocks`: how work is cut into products, which also decides last bits."""
    return {
        **_process(),
        "cpu_capability": _capability(),
        "numerics": numerics.current(),
        "limits": {name: os.environ[name] for name in LIMITS if name in os.environ},
        "threads": threads,
        "device": device,
        **_gpu(device),
        "blocks": dict(blocks),
    }


@functools.cache
def _process() -> dict[str, Any]:
    """What does not change while a process runs."""
    commit, dirty = code_state()
    return {
        "commit": commit,
        "dirty": dirty,
        "python": platform.python_version(),
        "platform": f"{sys.platform}-{platform.machine()}",
        "versions": {name: version for name, version in package_versions().items() if version is not None},
        "cpu": cpu_model(),
    }


def cpu_model() -> str:
    """The processor's name; its architecture where the system does not tell."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.lower().startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _gpu(device: str) -> dict[str, str]:
    """The graphics processor, where one computes: its kernels differ from maker to maker and from model to model."""
    torch = sys.modules.get("torch")
    return {"gpu": torch.cuda.get_device_name(device)} if torch is not None and device.startswith("cuda") else {}


def _capability() -> str | None:
    """The instruction set of torch's kernels; None where torch took no part."""
    torch = sys.modules.get("torch")
    return str(torch.backends.cpu.get_cpu_capability()) if torch is not None else None
