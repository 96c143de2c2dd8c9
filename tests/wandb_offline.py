"""Runs of W&B that were kept offline, read back by wandb's own reader.

rows_of(next(study.glob("wandb/offline-run-*")))      # [{"type": "run", "run": {...}}, {"type": "history", ...}, ...]
runs_of(study)["cell", "nano-xs_sft_f1_s0-9e817454"].summary["eval/maj1@1"]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class OfflineRun:
    """What stands in one run."""

    run_id: str
    group: str
    tags: tuple[str, ...]
    config: dict[str, Any]
    history: list[dict[str, Any]]
    summary: dict[str, Any]


def rows_of(folder: Path) -> list[dict[str, Any]]:
    """All that a run's file holds, in its order."""
    inspect = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(folder)]
    places = dict.fromkeys(("WANDB_DIR", "WANDB_CONFIG_DIR", "WANDB_CACHE_DIR"), str(folder))
    out = subprocess.check_output(inspect, text=True, env={**os.environ, **places}, timeout=60)
    return [json.loads(line) for line in out.splitlines()]


def runs_of(study: Path) -> dict[tuple[str, str], OfflineRun]:
    """The runs of a study by job type and name."""
    found = {}
    for folder in sorted(study.glob("wandb/offline-run-*")):
        rows = rows_of(folder)
        said = next(row["run"] for row in rows if row["type"] == "run")
        summary: dict[str, Any] = {}
        for row in rows:
            summary |= row["summary"]["update"] if row["type"] == "summary" else {}
        key = said["job_type"], said["display_name"]
        assert key not in found, f"two runs are {key}"
        history = [row["history"]["item"] for row in rows if row["type"] == "history"]
        tags = tuple(said.get("tags", ()))
        found[key] = OfflineRun(said["run_id"], said["run_group"], tags, said["config"]["update"], history, summary)
    return found
