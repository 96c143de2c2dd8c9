"""What this machine computes on. torch is imported only when a function needs it.

resolve_device("auto")      # 'cuda', 'mps' or 'cpu'
available_bytes("cpu")      # e.g. 21474836480
num_cpus()                  # e.g. 2
planned_kind("auto")        # 'cuda' or 'cpu', before torch is imported
"""

from __future__ import annotations

import ctypes
import functools
import importlib.metadata
import os
import sys
from pathlib import Path

DEVICES = ("auto", "cuda", "mps", "cpu")

_CGROUP_LIMITS = (  # version 2, then 1: what a container or a SLURM job may use, against what the machine has
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


def resolve_device(name: str) -> str:
    """The device to use: `auto` is the first available of cuda, mps, cpu.

    Raises ValueError for an unknown name, or a device that is not there.
    """
    kind, _, index = name.partition(":")
    if kind not in DEVICES or (index and not (kind == "cuda" and index.isdigit())):
        raise ValueError(f"runtime.device is {name!r}, allowed are {', '.join(DEVICES)} and cuda:N")
    if kind == "cpu":
        return "cpu"
    import torch

    found = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if kind == "auto":
        return next(device for device, is_there in found.items() if is_there)
    if not found[kind] or int(index or 0) >= max(1, torch.cuda.device_count()):
        raise ValueError(f"runtime.device is {name!r}, but torch finds no such device here: use auto or cpu")
    return name


def planned_kind(name: str) -> str:
    """The kind of device that a run will take, for planning: torch is not imported, and `auto` asks CUDA's driver."""
    if name != "auto":
        return name.partition(":")[0]
    if "torch" in sys.modules:
        return resolve_device(name)
    return "cuda" if _torch_has_cuda() and _num_gpus() > 0 else "cpu"


def _torch_has_cuda() -> bool:
    """Whether the installed torch is more than a build for processors."""
    try:
        return "+cpu" not in importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return False


@functools.cache
def _num_gpus() -> int:
    """GPUs that CUDA's driver shows to this process; 0 without a driver."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    is_told = driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0
    return count.value if is_told else 0


def available_bytes(device: str) -> int | None:
    """Memory that is free on a resolved device, within a container's limit; None where it cannot be told."""
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.mem_get_info(device)[0])
    return _host_bytes()


def num_cpus() -> int:
    """CPUs that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _host_bytes() -> int | None:
    candidates = [_cgroup_bytes(Path(limit), Path(usage)) for limit, usage in _CGROUP_LIMITS]
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        kibibytes = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
        candidates.append(kibibytes * 1024)
    except (OSError, StopIteration, ValueError):
        pass
    known = [candidate for candidate in candidates if candidate is not None]
    return min(known, default=None)


def _cgroup_bytes(limit: Path, usage: Path) -> int | None:
    try:
        return max(0, int(limit.read_text()) - int(usage.read_text()))
    except (OSError, ValueError):  # no such file, or 'max'
        return None
