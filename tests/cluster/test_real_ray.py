"""A real Ray cluster of three nodes: every stage once, whatever is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from cluster.conftest import HERE, PATIENCE_S, RAY_PYTHON, Engine, lines, ray_cluster, wait_until

from rft.cli.stop import stop
from rft.infra.driver import read

pytestmark = pytest.mark.cluster

REPOSITORY = Path(__file__).resolve().parents[2]

ALL = sorted(["first", "wide 0", "wide 1", "wide 2", "wide 3", "last", "record"])
DONE = {name: ["done", None] for name in ALL}


def wide_begun(folder: Path) -> int:
    return sum(name.startswith("wide") for name in lines(folder / "begun.txt"))


def test_every_stage_runs_once_and_a_failure_stops_only_what_rests_on_it(ray_nodes: Engine, tmp_path: Path):
    results = ray_nodes.run(tmp_path, "--fails", "wide 1")
    assert results["wide 1"] == ["failed", "RuntimeError: it broke"]
    assert results["record"] == ["skipped", "needs wide 1, which failed: RuntimeError: it broke"]
    (tmp_path / "mended").touch()
    assert {one for one, _ in ray_nodes.run(tmp_path).values()} == {"done"}
    assert lines(tmp_path / "computed.txt") == ALL


def test_stages_of_a_lost_node_are_run_again(ray_nodes: Engine, tmp_path: Path):
    sweep = ray_nodes.start(tmp_path, "--seconds", "8")
    wait_until(lambda: wide_begun(tmp_path) >= 3)  # unless the machine is slow, all nodes have one
    ray_nodes.order("kill")
    assert ray_nodes.results(sweep, tmp_path) == DONE
    assert lines(tmp_path / "computed.txt") == ALL
    # nothing twice but what was killed, which on a slow machine had not begun
    assert sum((Counter(lines(tmp_path / "begun.txt")) - Counter(ALL)).values()) <= 1


def test_a_killed_worker_costs_its_stage_alone(ray_nodes: Engine, tmp_path: Path):
    sweep = ray_nodes.start(tmp_path, "--seconds", "5")
    wait_until(lambda: wide_begun(tmp_path) >= 1)
    begun = [line for line in (tmp_path / "begun.txt").read_text().splitlines() if line.startswith("wide")]
    os.kill(int(begun[0].split()[-1]), signal.SIGKILL)
    assert ray_nodes.results(sweep, tmp_path) == DONE
    assert lines(tmp_path / "computed.txt") == ALL
    assert len(lines(tmp_path / "begun.txt")) == len(ALL) + 1


def test_a_killed_driver_and_a_stopped_one_are_gone_on_with(ray_nodes: Engine, tmp_path: Path):
    sweep = ray_nodes.start(tmp_path, "--seconds", "4")
    wait_until(lambda: wide_begun(tmp_path) >= 1)
    sweep.send_signal(signal.SIGKILL)
    sweep.wait()
    again = ray_nodes.start(tmp_path, "--seconds", "4")
    wait_until(lambda: "wide 0" in lines(tmp_path / "computed.txt"))
    ended, text = stop(tmp_path / "study", wait_s=60.0)
    assert ended
    assert "the sweep by Ray tasks" in text
    assert again.wait(timeout=30) != 0
    assert {one for one, _ in ray_nodes.run(tmp_path).values()} == {"done"}
    assert lines(tmp_path / "computed.txt") == ALL


def test_a_sweep_whose_head_process_died_is_gone_on_with_on_a_new_cluster(tmp_path: Path):
    """What the cluster knows is gone with its GCS: Ray ends the driver itself, after a minute."""
    with ray_cluster(3) as nodes:
        sweep = nodes.start(tmp_path, "--seconds", "4")
        wait_until(lambda: "wide 0" in lines(tmp_path / "computed.txt"))
        nodes.order("kill-head")
        assert sweep.wait(timeout=300) != 0
    before = Counter(lines(tmp_path / "computed.txt"))
    assert 2 <= sum(before.values()) < len(ALL)
    with ray_cluster(3) as nodes:
        assert {one for one, _ in nodes.run(tmp_path).values()} == {"done"}
    assert lines(tmp_path / "computed.txt") == ALL, "what was done before is not done again"


def test_ctrl_c_of_a_terminal_ends_a_sweep_on_a_ray_of_its_own_and_it_is_gone_on_with(tmp_path: Path):
    """A terminal sends it to every process of the group, those of Ray included."""
    if not RAY_PYTHON.exists():
        pytest.skip("no environment with Ray: `make test-cluster` makes it")
    command = [str(RAY_PYTHON), str(HERE / "stub_sweep.py"), "ray", str(tmp_path), "--seconds", "20"]
    sweep = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        wait_until(lambda: wide_begun(tmp_path) >= 1)
        os.killpg(sweep.pid, signal.SIGINT)
        assert sweep.wait(timeout=60) != 0
        assert read(tmp_path / "study").how == "stopped"  # type: ignore[union-attr]
        before = lines(tmp_path / "computed.txt")
        assert before == ["first"]
        assert {one for one, _ in Engine("ray", str(RAY_PYTHON)).run(tmp_path).values()} == {"done"}
        assert lines(tmp_path / "computed.txt") == ALL
    finally:
        if sweep.poll() is None:
            os.killpg(sweep.pid, signal.SIGKILL)


def own_checkout(folder: Path) -> str:
    """A checkout of the code as it stands, whose commit no other one has; returns that."""
    for name in ("rft", "conf", "hydra_plugins", "tests/cluster", "tests/composing.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "-r", str(REPOSITORY / name), str(folder / name)], check=True)
    git = ["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@localhost"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", f"of {folder}"]):
        subprocess.run([*git, *command], check=True)
    return subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()


def test_code_that_is_shipped_runs_on_workers_without_it_and_tells_its_commit(ray_nodes: Engine, tmp_path: Path):
    commit = own_checkout(tmp_path / "code")
    (tmp_path / "cwd").mkdir()  # Ray lets workers find what lies where the driver was started

    def run(name: str, *more: str) -> dict[str, Any]:
        script = str(tmp_path / "code/tests/cluster/shipped_stage.py")
        command = [ray_nodes.python, script, str(tmp_path / name), *ray_nodes.arguments, *more]
        done = subprocess.run(
            command, cwd=tmp_path / "cwd", capture_output=True, text=True, check=True, timeout=PATIENCE_S
        )
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found

    assert run("shipped", "--ship") == {"result": ["done", None], "commit": commit, "dirty": False}
    with open(tmp_path / "code/rft/grade.py", "a") as file:
        file.write("# edited\n")
    assert run("edited", "--ship") == {"result": ["done", None], "commit": commit, "dirty": True}
    assert run("plain")["commit"] != commit  # without it there is another version there, or none
