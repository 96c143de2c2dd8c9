"""Launchers of others, which know no graph: cells share their stages through the store's locks, each computed once.

`make test-cluster` puts what the environment lacks into .stock-launchers; RFT_STOCK_LAUNCHERS names another folder:
pip install --no-deps --target FOLDER hydra-submitit-launcher hydra-ray-launcher
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cluster.conftest import PATIENCE_S, RAY_PYTHON
from composing import TINY

from rft.records import RECORD_FILE, read_jsonl

pytestmark = pytest.mark.cluster

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("RFT_STOCK_LAUNCHERS", REPOSITORY / ".stock-launchers")).absolute()
SETTINGS = {
    "basic": [],
    "joblib": ["hydra.launcher.n_jobs=2"],
    "submitit_local": ["hydra.launcher.timeout_min=20"],
    "submitit_slurm": ["hydra.launcher.timeout_min=20", "hydra.launcher.mem_gb=1"],
    "ray": ["hydra.launcher.ray.init.address=local"],  # of itself it takes a cluster that it finds
}


@pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no folder {FOLDER} with launchers: `make test-cluster` makes it")
@pytest.mark.parametrize("launcher", SETTINGS)
def test_two_cells_compute_each_stage_once(launcher: str, tmp_path: Path, request: pytest.FixtureRequest):
    if launcher == "submitit_slurm":
        request.getfixturevalue("slurm")
    if launcher == "ray" and not RAY_PYTHON.exists():
        pytest.skip("no environment with Ray: `make test-cluster` makes it")
    sweep = ["-m", *TINY, f"hydra/launcher={launcher}", *SETTINGS[launcher], "study_name=s", "data_frac=0.5,1"]
    command = [str(RAY_PYTHON) if launcher == "ray" else sys.executable, "-m", "rft.run", *sweep, "method=sft"]
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": f"{REPOSITORY}{os.pathsep}{FOLDER}",
        "RAY_worker_niceness": "0",  # of itself 15: on a machine with other work they would never end
    }
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, timeout=4 * PATIENCE_S)
    outputs = tmp_path / "multirun_outputs"
    assert len(list((outputs / "s").glob(f"*/{RECORD_FILE}"))) == 2
    computed = [(row["name"], row["key"]) for row in read_jsonl(outputs / ".store/timings.jsonl")]
    assert len(computed) == len(set(computed)) == 12
