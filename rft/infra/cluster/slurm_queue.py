"""SLURM's queue, asked by its own commands: no accounting data base is needed (`sacct` is never called).

find()                          # ValueError where the commands are not there
jobs("rft-5f0c4a1e")            # {"12": QueuedJob("12", "RUNNING", "node1"), "13_0": ...}; None: no answer now
state_of("12")                  # "CANCELLED (None)", for a few minutes after the job's end; "" later
cancel("rft-5f0c4a1e")
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

COMMANDS = ("sbatch", "squeue", "scancel", "scontrol", "srun")
PATIENCE_S = 60.0  # for one command: a controller that is busy or being started again
MAX_ARRAY = 1001  # SLURM's own default of MaxArraySize


@dataclass(frozen=True)
class QueuedJob:
    """One line of squeue."""

    id: str  # "12", or "12_3" for an element of an array
    state: str  # PENDING, RUNNING, COMPLETING, REQUEUED, ...
    place: str  # its node, or in brackets why it waits

    @property
    def reason(self) -> str:
        """Why it waits, as SLURM says it; empty where it has a node."""
        return self.place[1:-1] if self.place.startswith("(") else ""


def find() -> None:
    """Raises ValueError where SLURM's commands are not on the path."""
    missing = [name for name in COMMANDS if shutil.which(name) is None]
    if missing:
        raise ValueError(
            f"{', '.join(missing)} not found: hydra/launcher=dag_slurm submits jobs with SLURM's own commands, so start it "
            "on a login node, or put them on PATH"
        )


def jobs(name: str) -> dict[str, QueuedJob] | None:
    """The jobs of this name that have not ended, by id; None when the controller does not answer."""
    text = _said(["squeue", "--noheader", "--array", f"--name={name}", "--format=%i|%T|%R"])
    if text is None:
        return None
    rows = [line.split("|", 2) for line in text.splitlines() if line.count("|") >= 2]
    return {row[0].strip(): QueuedJob(row[0].strip(), row[1].strip(), row[2].strip()) for row in rows}


def state_of(job_id: str) -> str:
    """How an ended job ended, as long as the controller remembers it."""
    text = _said(["scontrol", "--oneliner", "show", "job", job_id]) or ""
    said = dict(word.split("=", 1) for word in text.split() if "=" in word)
    state = said.get("JobState", "")
    exit_code = said.get("ExitCode", "0:0")
    return state + (f", exit code {exit_code}" if state and exit_code != "0:0" else "")


def cancel(name: str, job_ids: Sequence[str] = ()) -> bool:
    """End these jobs, or all of the name; False when the controller does not answer."""
    return _said(["scancel", f"--name={name}", *job_ids]) is not None


def requeue(job_id: str) -> bool:
    """Put a running job back into the queue; False when the controller does not answer."""
    return _said(["scontrol", "requeue", job_id]) is not None


def max_array_size() -> int:
    """Most elements of an array on this cluster, which allows indices below MaxArraySize; 1 where it allows no arrays."""
    for line in (_said(["scontrol", "show", "config"]) or "").splitlines():
        name, _, value = line.partition("=")
        if name.strip() == "MaxArraySize" and value.strip().isdigit():
            return max(1, int(value))
    return MAX_ARRAY


def _said(command: Sequence[str]) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    except (subprocess.TimeoutExpired, OSError):
        return None
    return done.stdout if done.returncode == 0 else None
