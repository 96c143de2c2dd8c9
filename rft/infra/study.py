"""A study folder: its manifest of current cells, and the lock under which cells register.

    study = Study(Path("multirun_outputs/quickstart"), name="quickstart")
    study.begin()                                   # once per multirun: cells of an earlier, edited sweep are forgotten
    owner = study.register("nano-s_sft_f1_s0-1a2b3c4d", folder="3", cell={...})   # '3', or the folder that has it already

`study.json`:
    {"schema_version": 1, "study": "quickstart", "group": "quickstart-20261122-211500",
     "cells": [{"cell_id": "nano-s_sft_f1_s0-1a2b3c4d", "folder": "3", "cell": {"model": "nano-s", ...}}]}
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from rft.records import FAILURE_FILE, MANIFEST_FILE, RECORD_FILE, read_json, write_json

MANIFEST_VERSION = 1
LOCK_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Study:
    """One study folder."""

    folder: Path
    name: str

    def begin(self) -> None:
        """Start a multirun: keep the study's group, forget its cells (finished ones register again at once)."""
        self._update(lambda manifest: manifest | {"cells": []})

    def group(self) -> str:
        """The W&B group: fixed when the study's folder is first used."""
        return str(self._update(lambda manifest: manifest)["group"])

    def cells(self) -> list[dict[str, Any]]:
        """The current cells: `cell_id`, `folder`, `cell`."""
        path = self.folder / MANIFEST_FILE
        return list(read_json(path)["cells"]) if path.exists() else []

    def folder_of(self, cell_id: str) -> str | None:
        """The folder that holds a registered cell."""
        return next((str(entry["folder"]) for entry in self.cells() if entry["cell_id"] == cell_id), None)

    def register(self, cell_id: str, *, folder: str, cell: Mapping[str, Any]) -> str:
        """Enter a cell; returns the folder that holds it, which is another one when the sweep names a cell twice."""

        def add(manifest: dict[str, Any]) -> dict[str, Any]:
            if any(entry["cell_id"] == cell_id for entry in manifest["cells"]):
                return manifest
            others = [entry for entry in manifest["cells"] if entry["folder"] != folder]
            return manifest | {"cells": [*others, {"cell_id": cell_id, "folder": folder, "cell": dict(cell)}]}

        entries = self._update(add)["cells"]
        return str(next(entry["folder"] for entry in entries if entry["cell_id"] == cell_id))

    def complete(self, folder: str, *, cell_key: str) -> bool:
        """Whether the folder holds the finished record of exactly this cell."""
        path = self.folder / folder / RECORD_FILE
        return path.exists() and read_json(path).get("cell_key") == cell_key

    def clear(self, folder: str) -> None:
        """Take a former cell's record or failure out of the way: the folder is about to hold another result."""
        for name in (RECORD_FILE, FAILURE_FILE):
            (self.folder / folder / name).unlink(missing_ok=True)

    def fail(self, folder: str, *, cell_id: str, cell: Mapping[str, Any], reason: str, stage: str | None) -> None:
        """Write why a cell has no record."""
        (self.folder / folder).mkdir(parents=True, exist_ok=True)
        row = {
            "cell_id": cell_id,
            "cell": dict(cell),
            "reason": reason,
            "stage": stage,
            "time": time.strftime("%FT%T%z"),
        }
        write_json(self.folder / folder / FAILURE_FILE, row)

    def summary(self) -> tuple[int, dict[str, str]]:
        """(finished cells, reason by cell id of every cell of the manifest without a record)."""
        missing: dict[str, str] = {}
        cells = self.cells()
        for entry in cells:
            folder = self.folder / entry["folder"]
            if (folder / RECORD_FILE).exists():
                continue
            failure = folder / FAILURE_FILE
            missing[entry["cell_id"]] = read_json(failure)["reason"] if failure.exists() else "not finished"
        return len(cells) - len(missing), missing

    def _update(self, change: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Any]:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / MANIFEST_FILE
        with FileLock(self.folder / f".{MANIFEST_FILE}.lock", timeout=LOCK_TIMEOUT_S):
            before = read_json(path) if path.exists() else self._fresh()
            after = change(before)
            if after != before or not path.exists():
                write_json(path, after)
        return after

    def _fresh(self) -> dict[str, Any]:
        group = f"{self.name}-{time.strftime('%Y%m%d-%H%M%S')}"
        return {"schema_version": MANIFEST_VERSION, "study": self.name, "group": group, "cells": []}
