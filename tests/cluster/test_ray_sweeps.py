"""A real cell on a real Ray cluster: its stages say where they were made."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from pathlib import Path

import pytest
from cluster.conftest import PATIENCE_S, Engine, ray_cluster
from composing import TINY

from rft.infra.origin import cpu_model
from rft.records import RECORD_FILE, read_json

pytestmark = pytest.mark.cluster

REPOSITORY = Path(__file__).resolve().parents[2]
SPREAD = "hydra.launcher.scheduling_strategy=SPREAD"
SMALL = "hydra.launcher.resources.all.memory_gb=0.5"


def on_nodes(nodes: Engine) -> list[str]:
    return [f"hydra.launcher.address='{nodes.arguments[-1]}'", SMALL]


OTHER_MACHINE = """
import pathlib
read_text = pathlib.Path.read_text
def of_another(path, *how, **said):
    return "model name : Another Processor\\n" if str(path) == "/proc/cpuinfo" else read_text(path, *how, **said)
pathlib.Path.read_text = of_another
"""


def other_machine(folder: Path) -> dict[str, str]:
    """The environment of a node whose processor, one library and instruction set are not this machine's."""
    (folder / "rapidfuzz-99.1.dist-info").mkdir(parents=True)
    (folder / "rapidfuzz-99.1.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: rapidfuzz\nVersion: 99.1\n")
    (folder / "sitecustomize.py").write_text(OTHER_MACHINE)
    return {"PYTHONPATH": f"{folder}{os.pathsep}{REPOSITORY}", "OPENBLAS_CORETYPE": "Haswell"}


def test_a_stage_tells_of_the_machine_that_computed_it_and_not_of_the_sweeps(tmp_path: Path):
    """Stages are spread over two unlike nodes: processor, library and instruction set are those of one of them."""
    with ray_cluster(1) as nodes:
        nodes.order("add " + json.dumps({"num_cpus": 1, "env_vars": other_machine(tmp_path / "other")}))
        words = ["-m", *TINY, "study_name=s", "method=sft", "+cluster=ray", *on_nodes(nodes), SPREAD]
        run = f"import sys; sys.path[:0] = [{str(REPOSITORY)!r}]; from rft.run import main; main()"
        clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}  # a worker would get it
        subprocess.run([nodes.python, "-c", run, *words], cwd=tmp_path, env=clean, check=True, timeout=2 * PATIENCE_S)
    origins = [
        read_json(path)["meta"]["origin"] for path in tmp_path.glob("multirun_outputs/.store/*/*/*/manifest.json")
    ]
    seen = {(one["cpu"], one["versions"]["rapidfuzz"], one["limits"].get("OPENBLAS_CORETYPE")) for one in origins}
    there = ("Another Processor", "99.1", "Haswell")
    assert there in seen
    assert {cpu for cpu, *_ in seen - {there}} == {cpu_model()}
    (record,) = tmp_path.glob(f"multirun_outputs/s/*/{RECORD_FILE}")
    assert {one["cpu"] for one in read_json(record)["provenance"]["origins"]} == {cpu_model(), "Another Processor"}
    assert platform.python_version() in {one["python"] for one in origins}
