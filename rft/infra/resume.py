"""Checkpoints of a stage that takes long: the newest whole one, kept until the stage is finished.

    points = ResumePoints(root / ".resume" / f"finetune-{key}", name="finetune", key=key, basis=digest)
    points.save(write, number=400)        # write(folder) makes the files; beside, flushed, then renamed
    folder = points.latest()              # files as written, by their digests; None where there is no such checkpoint

They lie below the store's root, in `.resume/finetune-5f0c.../000000400-9e10a2b4/`, each with a manifest, so that a stage
whose process was killed goes on in another one, on another machine too. One that was made on another basis (by other code, or
from inputs with other bytes) is removed: the stage begins anew. One that cannot be written (a full disk) is a
warning, and the stage goes on.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import time
from collections.abc import Callable, Collection
from pathlib import Path

from rft.infra.disk import StoreError, children, disk_errors, fsync_folder, own_children
from rft.infra.manifest import CorruptError, find_fault, read_manifest, write_manifest

PART = ".part"  # ends the name of one that is being written

log = logging.getLogger("rft")


def remove_points(folder: Path, *, spare: Collection[str]) -> int:
    """Remove the checkpoints below the folder of a store's checkpoints but those of stages with these keys.

    Returns of how many stages. Links are left alone.
    """
    removed = 0
    with disk_errors(folder, "removing checkpoints"):
        for path in own_children(folder):
            if path.name.rpartition("-")[2] not in spare and not path.is_symlink():
                shutil.rmtree(path)
                removed += 1
    return removed


class ResumePoints:
    """See the module."""

    def __init__(self, folder: Path, *, name: str, key: str, basis: str = "") -> None:
        self.folder = folder
        self.basis = basis
        self._name, self._key = name, key

    def on(self, basis: str) -> ResumePoints:
        """The same for checkpoints of this basis: a digest of the code that makes them and of what it reads."""
        return ResumePoints(self.folder, name=self._name, key=self._key, basis=basis)

    def latest(self) -> Path | None:
        """The newest one whose files are as they were written; what a killed process left half done is removed."""
        for point in sorted(children(self.folder), reverse=True):
            fault = "half written" if point.suffix == PART else self._fault(point)
            if fault is None:
                return point
            if point.suffix != PART:
                log.warning(f"checkpoint {point} is of no use ({fault}): removed")
            shutil.rmtree(point, ignore_errors=True)
        return None

    def save(self, write: Callable[[Path], None], *, number: int) -> bool:
        """Replace the checkpoint by a newer one, which `write` fills; False where the disk refuses."""
        started = time.perf_counter()
        target = self.folder / f"{number:09d}-{secrets.token_hex(4)}"
        part = target.with_name(target.name + PART)
        try:
            with disk_errors(self.folder, "writing a checkpoint"):
                part.mkdir(parents=True)
                write(part)
                seconds = time.perf_counter() - started
                write_manifest(
                    part, name=self._name, key=self._key, seconds=seconds, meta={"number": number, "basis": self.basis}
                )
                os.rename(part, target)
                fsync_folder(self.folder)
        except (StoreError, OSError) as error:
            log.warning(f"no checkpoint of {self._name}-{self._key} at {number}, which goes on without: {error}")
            shutil.rmtree(part, ignore_errors=True)
            return False
        for point in children(self.folder):
            if point.name < target.name and point.suffix != PART:
                shutil.rmtree(point, ignore_errors=True)
        return True

    def _fault(self, point: Path) -> str | None:
        try:
            manifest = read_manifest(point)
            if manifest is None:
                return "no manifest"
            if (manifest.name, manifest.key) != (self._name, self._key):
                return f"belongs to {manifest.name}-{manifest.key}"
            if manifest.meta.get("basis") != self.basis:
                return "made by other code, or from inputs with other bytes"
            return find_fault(point, manifest, reread=True)
        except CorruptError as error:
            return str(error)
