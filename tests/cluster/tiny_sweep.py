"""A tiny study by the command line, its stages on an engine.

study = run_tiny(tmp_path, "dag_slurm", "hydra.launcher.partition=main", "method=sft,rft", "k=2")
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from cluster.conftest import PATIENCE_S
from composing import TINY

REPOSITORY = Path(__file__).resolve().parents[2]


def run_tiny(folder: Path, launcher: str, *words: str, python: str = sys.executable) -> Path:
    """The study's folder, with all its cells finished; beside it lies its store."""
    folder.mkdir(exist_ok=True)
    command = [python, "-m", "rft.run", "-m", *TINY, f"hydra/launcher={launcher}", "study_name=s", *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}
    with open(folder / "out.txt", "w") as out:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdout=out,
            stderr=subprocess.STDOUT,
            timeout=2 * PATIENCE_S,
            check=False,
        )
    assert done.returncode == 0, (folder / "out.txt").read_text()
    return folder / "multirun_outputs/s"
