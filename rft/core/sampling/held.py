"""The sampler that a process keeps open: shards and evaluations of one model open (and convert) it once.

    sampler = held_sampler(Engine.ctranslate2, folder, device="cpu", threads=1, dtype="float32", batch=64)
    release_sampler()                       # before other work needs the memory, and at the end

At most one is held: asking for another model closes it first. What a sampler returns does not depend on what it returned
before (`rft.core.sampling.base`), so holding it changes no sample.
"""

from __future__ import annotations

from pathlib import Path

from rft.config import Engine
from rft.core.sampling.base import Sampler, open_sampler

_Key = tuple[Engine, Path, str, int, str, int | None]
_held: dict[_Key, Sampler] = {}  # the one that is open, if any


def held_sampler(
    engine: Engine, model_folder: Path, *, device: str, threads: int, dtype: str, batch: int | None = None
) -> Sampler:
    """The open sampler of exactly these settings, or a new one in its place. The folder's content must not change."""
    key = (engine, model_folder, device, threads, dtype, batch)
    if key not in _held:
        release_sampler()
        _held[key] = open_sampler(engine, model_folder, device=device, threads=threads, dtype=dtype, batch=batch)
    return _held[key]


def release_sampler() -> None:
    """Close the open sampler, if any."""
    while _held:
        _held.popitem()[1].close()
