"""Runs of W&B that were kept offline, read back by wandb's own reader.

rows_of(next(study.glob("wandb/offline-run-*")))      # [{"type": "run", "run": {...}}, {"type": "history", ...}, ...]
runs_of(study)["cell", stable_run_id("mine", "nano-xs_sft_f1_s0-9e817454")].summary["eval/maj1@1"]
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class OfflineRun:
    """What stands in one run."""

    name: str
    group: str
    tags: tuple[str, ...]
    config: dict[str, Any]
    history: list[dict[str, Any]]
    summary: dict[str, Any]


def rows_of(folder: Path) -> list[dict[str, Any]]:
    """All that a run's file holds, in its order: `wandb leet inspect --json`, without the start of a Python."""
    (file,) = folder.glob("*.wandb")
    spec = importlib.util.find_spec("wandb")
    assert spec is not None
    assert spec.origin is not None
    command = [str(Path(spec.origin).parent / "bin/wandb-core"), "leet", "inspect", "--no-observability", "--json"]
    command += ["--run-file", str(file), str(folder.parent)]
    places = dict.fromkeys(("WANDB_DIR", "WANDB_CONFIG_DIR", "WANDB_CACHE_DIR"), str(folder))
    out = subprocess.check_output(command, text=True, env={**os.environ, **places}, timeout=60)
    return [json.loads(line) for line in out.splitlines()]


def runs_of(study: Path) -> dict[tuple[str, str], OfflineRun]:
    """The runs of a study by job type and id; several may have one name."""
    found = {}
    for folder in sorted(study.glob("wandb/offline-run-*")):
        rows = rows_of(folder)
        said = next(row["run"] for row in rows if row["type"] == "run")
        summary: dict[str, Any] = {}
        for row in rows:
            summary |= row["summary"].get("update", {}) if row["type"] == "summary" else {}
        key = said["job_type"], said["run_id"]
        assert key not in found, f"two runs are {key}"
        history = [row["history"]["item"] for row in rows if row["type"] == "history"]
        tags = tuple(said.get("tags", ()))
        found[key] = OfflineRun(
            said["display_name"], said["run_group"], tags, said["config"]["update"], history, summary
        )
    return found
