"""What a store of finished stages offers, whether its stages lie in a folder (rft.infra.store) or in a bucket
(rft.infra.bucket_store).

    store = named_store("multirun_outputs/.store")
    entry = store.get("select", key)             # None, or the finished stage with a local folder to read
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from rft.infra.entry import Entry, EntryInfo
from rft.infra.manifest import Manifest
from rft.infra.objects import Objects
from rft.infra.resume import ResumePoints
from rft.infra.timings import Timing

QUARANTINE = ".quarantine"  # below the root: damaged stages (of a bucket: their manifests) that were set aside
Fill = Callable[[Path], Mapping[str, Any] | None]


class StageStore(Protocol):
    """Finished stages by kind and key, each computed once. See rft.infra.store.Store for what each method promises."""

    @property
    def root(self) -> Path | str:
        """Where it is: a folder or a URL."""
        ...

    @property
    def objects(self) -> Objects:
        """What processes tell each other in it."""
        ...

    def announce(self, tell: Callable[[str], None]) -> None:
        """Mark the store as one of today's."""
        ...

    def folder(self, name: str, key: str) -> Path:
        """Where the stage lies on this machine once it was computed here or given by `get`."""
        ...

    def has(self, name: str, key: str) -> bool:
        """Whether the stage is finished."""
        ...

    def present(self, name: str, keys: Collection[str]) -> set[str]:
        """Those of the keys whose stages are finished."""
        ...

    def manifest(self, name: str, key: str) -> Manifest | None:
        """What a finished stage says of itself, or None; no other file is read, nothing is moved. Raises CorruptError."""
        ...

    def get(self, name: str, key: str, *, verify: bool = False) -> Entry | None:
        """The finished stage, or None."""
        ...

    def compute(
        self,
        name: str,
        key: str,
        fill: Fill,
        *,
        meta: Mapping[str, Any],
        wait: bool = True,
        on_wait: Callable[[float], None] | None = None,
    ) -> Entry:
        """The finished stage, computed when it is not there."""
        ...

    def entries(self) -> Iterator[EntryInfo]:
        """Every finished stage."""
        ...

    def timings(self) -> dict[str, list[Timing]]:
        """What past computations took."""
        ...

    def try_gate(self) -> AbstractContextManager[Callable[[], bool] | None]:
        """Try once to be the only one who removes or reserves stages; gives whether that still holds, or None."""
        ...

    def computing(self) -> list[tuple[str, str]]:
        """Kind and key of every stage that a live process computes now."""
        ...

    def resume_points(self, name: str, key: str) -> ResumePoints:
        """The checkpoints of a stage that is not finished."""
        ...

    def remove_checkpoints(self, *, spare: Collection[str]) -> int:
        """Remove all checkpoints but those of stages that are computed now, and of these keys; of how many stages."""
        ...

    def sweep(self) -> int:
        """Remove what dead owners left in scratch on this machine; of how many."""
        ...

    def remove(self, name: str, key: str) -> bool:
        """Remove a finished stage; False when a live process holds it, or when it is not the store's own."""
        ...
