"""What planning takes for the device, before torch is imported."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import pytest
from composing import tiny

from rft.infra import devices
from rft.infra.devices import planned_kind


class Driver:
    """As CUDA's driver answers."""

    def __init__(self, status: int, count: int) -> None:
        self.status, self.count = status, count

    def cuInit(self, flags: int) -> int:
        return self.status

    def cuDeviceGetCount(self, count: object) -> int:
        count._obj.value = self.count  # type: ignore[attr-defined]
        return 0


@pytest.fixture
def with_driver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    def install(*, version: str = "2.13.0", status: int = 0, count: int = 1) -> None:
        devices._num_gpus.cache_clear()
        monkeypatch.delitem(sys.modules, "torch", raising=False)
        monkeypatch.setattr(devices.importlib.metadata, "version", lambda name: version)
        monkeypatch.setattr(devices.ctypes, "CDLL", lambda name: Driver(status, count))

    yield install
    devices._num_gpus.cache_clear()


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        ({}, "cuda"),
        ({"version": "2.11.0+cu130"}, "cuda"),
        ({"version": "2.13.0+cpu"}, "cpu"),
        ({"count": 0}, "cpu"),
        ({"status": 100}, "cpu"),
    ],
)
def test_auto_asks_the_driver_and_what_torch_was_built_for(with_driver: Callable[..., None], found: dict, kind: str):
    with_driver(**found)
    assert planned_kind("auto") == kind
    assert "torch" not in sys.modules


def test_a_named_device_stands():
    assert [planned_kind(name) for name in ("cpu", "cuda:1", "mps")] == ["cpu", "cuda", "mps"]


def test_portable_bits_are_refused_on_a_gpu():
    with pytest.raises(ValueError, match=r"numerics=portable with runtime\.device=cuda: .* set runtime\.device=cpu"):
        tiny("method=sft", "numerics=portable", "runtime.device=cuda")
