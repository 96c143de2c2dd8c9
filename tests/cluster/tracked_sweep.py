"""A small sweep by any launcher whose W&B runs are kept offline, and what those show: for comparing launchers.

    study = tracked_sweep(folder, "dag_slurm", "hydra.launcher.poll_s=0.2")
    assert shown(study) == shown(tracked_sweep(other, "dag_local"))

What W&B's own reader (`wandb leet inspect`) finds is compared, without what tells the time.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from composing import TINY
from wandb_offline import rows_of

REPOSITORY = Path(__file__).resolve().parents[2]
SWEEP = (
    *(word for word in TINY if not word.startswith("tracking.")),
    "study_name=tracked", "model=nano-xs", "method=sft,rft", "k=4", "temperature=1.5",
    "tracking.mode=offline", "tracking.finish_s=300",
)  # fmt: skip
OF_TIME = re.compile(r"_runtime|_timestamp|_wandb|seconds|remaining_s|_hours|per_s|_s$")


@dataclass
class Shown:
    """One run, as W&B has it."""

    job_type: str
    name: str
    group: str
    tags: list[str]
    config: dict[str, Any]
    history_keys: set[str] = field(default_factory=set)  # of all points
    last: dict[str, Any] = field(default_factory=dict)  # the last value of each key, what tells the time aside


def tracked_sweep(folder: Path, launcher: str, *words: str, python: str = sys.executable, timeout_s: float) -> Path:
    """Runs the sweep in a folder, with a store of its own; returns the study's folder."""
    folder.mkdir(parents=True)
    command = [python, "-m", "rft.run", "-m", *SWEEP, f"hydra/launcher={launcher}", *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}
    with open(folder / "said.log", "wb") as said:
        done = subprocess.run(
            command, cwd=folder, env=environment, stdout=said, stderr=said, timeout=timeout_s, check=False
        )
    assert done.returncode == 0, (folder / "said.log").read_text()[-3000:]
    return folder / "multirun_outputs/tracked"


def shown(study: Path) -> dict[str, Shown]:
    """The runs by their ids. Every id has one folder."""
    found: dict[str, Shown] = {}
    for folder in sorted(study.glob("wandb/offline-run-*")):
        run_id = folder.name.split("-", 4)[-1]
        assert run_id not in found, f"{run_id} has two folders"
        found[run_id] = _shown(rows_of(folder))
    return found


def _shown(rows: list[dict[str, Any]]) -> Shown:
    run = next(row["run"] for row in rows if row["type"] == "run")
    one = Shown(run["job_type"], run["display_name"], run["run_group"], run["tags"], run["config"]["update"])
    one.config.pop("_wandb", None)
    for row in rows:
        if row["type"] == "history":
            one.history_keys |= set(row["history"]["item"])
            one.last |= row["history"]["item"]
        if row["type"] == "summary":
            one.last |= row["summary"]["update"]
    one.last = {key: value for key, value in one.last.items() if not OF_TIME.search(key)}
    return one
