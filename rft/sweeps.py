"""The sweeps of a study, as its manifest lists them: which cells each one asked for, and when.

    sweeps = sweeps_of(read_json(folder / "study.json"))
    sweeps[-1].number, sweeps[-1].cells       # 2, ("nano-s_sft_f1_s0-1a2b3c4d", ...)
    sweep_named(manifest, "latest", folder=folder)

A cell that two sweeps ask for is in both. Standard library alone: the analysis reads it too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LATEST = "latest"
_NO_NAMES = ("", ".", "..")
_PARTED = re.compile(r"[/\\\0]")  # what makes a path of a name; thousands of cells are checked at every registration


@dataclass(frozen=True)
class Sweep:
    """One multirun into a study."""

    number: int  # from 1
    started: str | None  # None: from before sweeps were noted
    command: str  # words after the program; '' where unknown
    cells: tuple[str, ...]  # ids, in the order in which they were planned

    def to_json(self) -> dict[str, Any]:
        """The entry of a manifest."""
        return {"number": self.number, "started": self.started, "command": self.command, "cells": list(self.cells)}

    def text(self) -> str:
        """'sweep 2: 4 cells, 2026-11-27T10:00:00+0000, model=nano-s method=sft,rft'."""
        when = self.started or "from before sweeps were noted"
        return ", ".join(part for part in (f"sweep {self.number}: {len(self.cells)} cells", when, self.command) if part)


def entries_of(manifest: Any, *, path: Path) -> list[dict[str, Any]]:
    """The cells of a manifest that was read from `path`. Raises ValueError for no manifest and cells outside the study."""
    cells = manifest.get("cells") if isinstance(manifest, dict) else None
    if not isinstance(cells, list):
        raise ValueError(f"{path} is no manifest of a study: it lists no cells")
    for entry in cells:
        folder = entry.get("folder") if isinstance(entry, dict) else None
        if (
            not isinstance(folder, str)
            or folder in _NO_NAMES
            or _PARTED.search(folder)
            or not isinstance(entry.get("cell_id"), str)
        ):
            raise ValueError(
                f"{path} lists {entry!r}: a cell has a cell_id, and a folder directly in the study, no path"
            )
    return cells


def study_named(manifest: Any, *, path: Path) -> str:
    """The study's name in a manifest that was read from `path`. Raises ValueError where it has none."""
    name = manifest.get("study") if isinstance(manifest, dict) else None
    if not isinstance(name, str):
        raise ValueError(f"{path} is no manifest of a study: its study is {name!r:.80}, not a name")
    return name


def sweeps_of(manifest: Mapping[str, Any]) -> list[Sweep]:
    """The sweeps of a manifest, oldest first; none where it was written before they were noted. Raises ValueError."""
    try:
        return [_sweep(row) for row in manifest.get("sweeps", [])]
    except (TypeError, KeyError) as error:
        raise ValueError(f"the manifest's sweeps are none: {type(error).__name__}: {error}") from error


def _sweep(row: Mapping[str, Any]) -> Sweep:
    found = Sweep(**{**row, "cells": tuple(row["cells"])})
    if not isinstance(found.number, int) or not isinstance(found.command, str):
        raise TypeError(f"sweep {found.number!r:.40} of the command {found.command!r:.40}")
    return found


def sweep_named(manifest: Mapping[str, Any], name: str, *, folder: Path) -> Sweep:
    """The sweep with this number, or the `latest`. Raises ValueError listing those that there are."""
    sweeps = sweeps_of(manifest)
    found = sweeps[-1:] if name == LATEST else [one for one in sweeps if str(one.number) == name]
    if not found:
        listed = "".join(f"\n  {one.text()}" for one in sweeps) or " none (it was written before sweeps were noted)"
        raise ValueError(f"{folder} has no sweep {name!r}: give a number, or {LATEST!r}; there are{listed}")
    return found[0]
