"""What a real Ray cluster cannot give: said before anything runs, waited for where that is wished, given up in the end."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from cluster.conftest import PATIENCE_S, RAY_PYTHON, Engine, lines, ray_cluster, wait_until
from cluster.test_real_ray import ALL, DONE

pytestmark = pytest.mark.cluster


def told(folder: Path) -> str:
    return (folder / "driver.err").read_text()


def asking(**asked: float) -> list[str]:
    return ["--ask", json.dumps(asked)]


def test_what_no_node_has_is_an_error_before_anything_runs_and_a_node_that_joins_late_is_taken(tmp_path: Path):
    with ray_cluster(1) as nodes:
        for number, (asked, named) in enumerate(
            [({"gpus": 1}, "1 GPU"), ({"cpus": 2}, "2 CPU"), ({"memory_gb": 1e6}, "1000000.0 GiB of memory")]
        ):
            refused = tmp_path / f"refused {number}"
            assert nodes.start(refused, *asking(**asked)).wait(timeout=PATIENCE_S) == 1
            assert "ValueError: no node of the Ray cluster has what stages ask for: " in told(refused)
            assert named in told(refused)
            assert "hydra.launcher.wait_for_nodes=true" in told(refused)
            assert not (refused / "begun.txt").exists()
        how = ["--how", json.dumps({"wait_for_nodes": True})]
        sweep = nodes.start(tmp_path / "late", *asking(cpus=2), *how)
        wait_until(lambda: "Such stages wait until a node joins that can" in told(tmp_path / "late"))
        assert not (tmp_path / "late/begun.txt").exists()
        nodes.order('add {"num_cpus": 2}')
        assert nodes.results(sweep, tmp_path / "late") == DONE


def test_settings_that_ray_refuses_are_an_error_before_anything_runs(tmp_path: Path):
    with ray_cluster(1) as nodes:
        for how in ({"max_retries": -7}, {"custom": {"CPU": 1}}):
            folder = tmp_path / next(iter(how))
            assert nodes.start(folder, "--how", json.dumps(how)).wait(timeout=PATIENCE_S) == 1
            assert "ValueError: Ray refuses hydra.launcher's settings for stages of kind stub: " in told(folder)
            assert not (folder / "begun.txt").exists()


def test_stages_whose_only_node_is_lost_for_good_fail_and_the_sweep_ends(tmp_path: Path):
    with ray_cluster(1) as nodes:
        nodes.order('add {"num_cpus": 2}')
        sweep = nodes.start(tmp_path, *asking(cpus=2), "--seconds", "6", "--lost-s", "5")
        wait_until(lambda: "wide 0" in lines(tmp_path / "begun.txt") or len(lines(tmp_path / "begun.txt")) > 1)
        nodes.order("kill")
        results = nodes.results(sweep, tmp_path)
        assert results["first"] == ["done", None]
        assert {one for one, _ in results.values()} == {"done", "failed", "skipped"}
        assert "no node of the Ray cluster has had 2 CPU" in str(results["wide 3"][1])
        assert "a node of the Ray cluster is lost, and no other has 2 CPU" in told(tmp_path)
        assert {one for one, _ in nodes.run(tmp_path).values()} == {"done"}  # asking for less
        assert lines(tmp_path / "computed.txt") == ALL


@pytest.mark.parametrize("address", ["127.0.0.1:1", "host.invalid:6379", "head"])
def test_an_address_without_a_cluster_is_an_error_at_once(address: str, tmp_path: Path):
    if not RAY_PYTHON.exists():
        pytest.skip("no environment with Ray: `make test-cluster` makes it")
    sweep = Engine("ray", str(RAY_PYTHON), ["--address", address]).start(tmp_path)
    try:
        assert sweep.wait(timeout=60) == 1
    except subprocess.TimeoutExpired:
        sweep.kill()
        pytest.fail("it goes on trying")
    assert f"ValueError: hydra.launcher.address{' is ' if address == 'head' else '='}" in told(tmp_path)
    assert address in told(tmp_path)


def test_a_stage_for_which_memory_always_runs_out_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Ray's own setting is to try again without end, whatever `max_retries` says."""
    full = {"RAY_memory_usage_threshold": "0.0005", "RAY_memory_monitor_refresh_ms": "100"}
    monkeypatch.setenv("RAY_task_oom_retry_delay_base_ms", "100")
    with ray_cluster(1, head={"env_vars": full}) as nodes:
        results = nodes.run(tmp_path, "--seconds", "60", "--how", '{"max_retries": 1}')
    assert results["first"][0] == "failed"
    assert "memory ran out on its node, after 1 retries too: let such stages ask for more" in str(results["first"][1])
    assert lines(tmp_path / "computed.txt") == []
