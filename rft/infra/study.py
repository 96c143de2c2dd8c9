"""A study folder: its manifest of cells, and the lock under which cells register.

    study = Study(Path("multirun_outputs/quickstart"), name="quickstart")
    study.begin(replace=False)                                # once per multirun; sweeps into one study add to it
    study.register(["nano-s_sft_f1_s0-1a2b3c4d"])             # in one write
    study.path_of("nano-s_sft_f1_s0-1a2b3c4d")                # the cell's own folder, which no other cell ever uses

`study.json`:
    {"schema_version": 2, "study": "quickstart", "group": "quickstart-20261122-211500",
     "cells": [{"cell_id": "nano-s_sft_f1_s0-1a2b3c4d", "folder": "nano-s_sft_f1_s0-1a2b3c4d"}]}

A job that could not be planned is no cell. It stands in the list with `"invalid": true` until the next multirun begins, so
that nobody takes the study for complete.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from rft.archive.files import json_at, present
from rft.records import FAILURE_FILE, RECORD_FILE, SCHEMA_VERSION, STUDY_FILE, Record, read_json, write_json

LOCK_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Study:
    """One study folder."""

    folder: Path
    name: str

    def begin(self, *, replace: bool = False) -> list[str]:
        """Start a multirun; returns the cells that the study has. Invalid jobs of the last one are forgotten, and all cells
        with `replace`: their folders stay."""
        dropped = [entry for entry in self.cells() if replace or entry.get("invalid")]
        gone = {entry["cell_id"] for entry in dropped}
        after = self._update(lambda m: m | {"cells": [entry for entry in m["cells"] if entry["cell_id"] not in gone]})
        for entry in dropped:
            if entry.get("invalid"):
                shutil.rmtree(self.folder / entry["folder"], ignore_errors=True)
        return [str(entry["cell_id"]) for entry in after["cells"]]

    def group(self) -> str:
        """The W&B group: fixed when the study's folder is first used."""
        return str(self._update(lambda manifest: manifest)["group"])

    def cells(self) -> list[dict[str, Any]]:
        """The cells of the manifest: `cell_id`, `folder`, and `invalid` for jobs that could not be planned."""
        path = self.folder / STUDY_FILE
        return list(json_at(path)["cells"]) if path.exists() else []

    def path_of(self, cell_id: str) -> Path:
        """The folder of a cell."""
        return self.folder / cell_id

    def register(self, cell_ids: Sequence[str]) -> None:
        """Enter cells that are not there yet, in one write."""

        def add(manifest: dict[str, Any]) -> dict[str, Any]:
            known = {entry["cell_id"] for entry in manifest["cells"]}
            new = [name for name in dict.fromkeys(cell_ids) if name not in known]
            return manifest | {"cells": [*manifest["cells"], *({"cell_id": name, "folder": name} for name in new)]}

        self._update(add)

    def register_invalid(self, job: str, *, reason: str) -> None:
        """Enter a job that could not be planned, with the reason; `job` names it by its overrides."""
        folder = f"invalid-{hashlib.sha256(job.encode()).hexdigest()[:8]}"
        name = f"invalid job ({job})"
        entry = {"cell_id": name, "folder": folder, "invalid": True}

        def add(manifest: dict[str, Any]) -> dict[str, Any]:
            others = [one for one in manifest["cells"] if one["cell_id"] != name]
            return manifest | {"cells": [*others, entry]}

        self._update(add)
        self._write_failure(folder, {"cell_id": name, "reason": reason, "stage": None})

    def complete(self, cell_id: str, *, cell_key: str) -> bool:
        """Whether the finished record of exactly this cell is there. One that cannot be read is not finished."""
        path = self.path_of(cell_id) / RECORD_FILE
        try:
            return path.exists() and Record.from_json(read_json(path)).cell_key == cell_key
        except (ValueError, TypeError, KeyError, AttributeError, OSError):
            return False

    def clear(self, cell_id: str) -> None:
        """Take a cell's record or failure out of the way: another result is about to be made."""
        for name in (RECORD_FILE, FAILURE_FILE):
            (self.path_of(cell_id) / name).unlink(missing_ok=True)

    def fail(self, cell_id: str, *, reason: str, stage: str | None) -> None:
        """Write why a cell has no record."""
        self._write_failure(cell_id, {"cell_id": cell_id, "reason": reason, "stage": stage})

    @contextmanager
    def failing(self, cell_id: str) -> Iterator[None]:
        """Context of work on a cell: an exception is written down as the reason why it has no record, and raised again."""
        try:
            yield
        except BaseException as error:
            self.fail(cell_id, reason=f"{type(error).__name__}: {error}".removesuffix(": "), stage=None)
            raise

    def _write_failure(self, folder: str, row: Mapping[str, Any]) -> None:
        (self.folder / folder).mkdir(parents=True, exist_ok=True)
        write_json(self.folder / folder / FAILURE_FILE, {**row, "time": time.strftime("%FT%T%z")})

    def summary(self) -> tuple[int, dict[str, str]]:
        """(finished cells, reason by cell id of every cell of the manifest without a record)."""
        missing: dict[str, str] = {}
        cells = self.cells()
        for entry in cells:
            folder = self.folder / entry["folder"]
            if present(folder / RECORD_FILE):
                continue
            failure = folder / FAILURE_FILE
            missing[entry["cell_id"]] = json_at(failure)["reason"] if present(failure) else "not finished"
        return len(cells) - len(missing), missing

    def summary_text(self) -> str:
        """The summary in words, a line for each missing cell; empty where the study has no cells."""
        finished, missing = self.summary()
        if finished + len(missing) == 0:
            return ""
        lines = [f"{self.folder}: {finished} of {finished + len(missing)} cells have a record"]
        return "\n".join([*lines, *(f"  missing: {cell_id}: {reason}" for cell_id, reason in missing.items())])

    def _update(self, change: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Any]:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / STUDY_FILE
        with FileLock(self.folder / f".{STUDY_FILE}.lock", timeout=LOCK_TIMEOUT_S):
            before = read_json(path) if path.exists() else self._fresh()
            after = change(before)
            if after != before or not path.exists():
                write_json(path, after)
        return after

    def _fresh(self) -> dict[str, Any]:
        group = f"{self.name}-{time.strftime('%Y%m%d-%H%M%S')}"
        return {"schema_version": SCHEMA_VERSION, "study": self.name, "group": group, "cells": []}
