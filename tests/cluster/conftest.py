"""Real engines: a SLURM whose commands are on PATH, a Ray in an environment of its own: `make test-cluster` has both."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
RAY_PYTHON = Path(os.environ.get("RFT_RAY_PYTHON", HERE.parents[1] / ".venv-ray/bin/python")).absolute()
PATIENCE_S = 480.0  # machines that run tests may have little to spare


@dataclass
class Engine:
    """Where stub sweeps (stub_sweep.py) run."""

    name: str
    python: str = sys.executable
    arguments: list[str] = field(default_factory=list)
    nodes: Any = None  # of Ray: the process that holds the nodes

    def order(self, line: str) -> None:
        """A line for ray_nodes.py; returns when it is done: a sweep that starts before a node has joined does without it."""
        self.nodes.stdin.write(f"{line}\n")
        self.nodes.stdin.flush()
        assert any(told.strip() in ("killed", "added") for told in self.nodes.stdout), f"the nodes ended before {line}"

    def start(self, folder: Path, *more: str) -> subprocess.Popen[bytes]:
        folder.mkdir(parents=True, exist_ok=True)
        command = [self.python, str(HERE / "stub_sweep.py"), self.name, str(folder), *self.arguments, *more]
        with open(folder / "driver.err", "a") as told, open(folder / "results.json", "w") as out:
            return subprocess.Popen(command, stdout=out, stderr=told)

    def results(
        self, sweep: subprocess.Popen[bytes], folder: Path, *, seconds: float = PATIENCE_S
    ) -> dict[str, list[str | None]]:
        """By task: how it ended, and why."""
        try:
            sweep.wait(timeout=seconds)
        finally:
            sweep.kill()  # one that is too slow would go on beside the next test
            sweep.wait()
        told = (folder / "results.json").read_text().splitlines()  # Ray tells of killed workers in lines of its own
        return json.loads(next(line for line in told if line.startswith("{")))["results"]

    def run(self, folder: Path, *more: str) -> dict[str, list[str | None]]:
        return self.results(self.start(folder, *more), folder)


@pytest.fixture(scope="session")
def slurm() -> Engine:
    if shutil.which("sbatch") is None:
        pytest.skip("no SLURM on PATH: `make test-cluster` starts one of one node")
    return Engine("slurm")


@contextmanager
def ray_cluster(count: int, *, head: Mapping[str, Any] | None = None) -> Iterator[Engine]:
    """Nodes on this machine, of one CPU each; `head`: what the first has instead, as Ray takes it."""
    if not RAY_PYTHON.exists():
        pytest.skip("no environment with Ray: `make test-cluster` makes it")
    command = [str(RAY_PYTHON), str(HERE / "ray_nodes.py"), str(count), "--head", json.dumps(head or {})]
    environment = {**os.environ, "RAY_worker_niceness": "0"}
    nodes = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    )
    assert nodes.stdout is not None
    told = (line.strip() for line in nodes.stdout)
    address = next((line for line in told if line[:1].isdigit() and line[-1].isdigit()), None)
    if address is None:  # a busy machine can be slower than Ray's own patience with its processes
        nodes.wait(timeout=120)
        pytest.fail("the nodes of the Ray cluster did not start: see what tests/cluster/ray_nodes.py 3 says")
    try:
        yield Engine("ray", str(RAY_PYTHON), ["--address", address], nodes)
    finally:
        nodes.communicate("end\n", timeout=120)


@pytest.fixture
def ray_nodes() -> Iterator[Engine]:
    """Three nodes."""
    with ray_cluster(3) as engine:
        yield engine


def lines(path: Path) -> list[str]:
    """Names of stages in a file of stub_sweep.py."""
    return sorted(line.rpartition(" ")[0] for line in path.read_text().splitlines()) if path.exists() else []


def wait_until(is_so: Callable[[], Any], *, seconds: float = PATIENCE_S) -> Any:
    until = time.monotonic() + seconds
    while not (found := is_so()):
        assert time.monotonic() < until, "it did not come"
        time.sleep(0.1)
    return found
