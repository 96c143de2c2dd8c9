"""A real SLURM: every stage once, and what kills do to a sweep: it is complete after one restart."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from cluster.conftest import Engine, lines, wait_until

from rft.cli.stop import stop
from rft.infra.cluster import slurm_queue
from rft.infra.cluster.queue_text import driver_lines
from rft.infra.cluster.register import Register, Submitted

pytestmark = pytest.mark.cluster

ALL = sorted(["first", "wide 0", "wide 1", "wide 2", "wide 3", "last", "record"])
DONE = {name: ["done", None] for name in ALL}


def jobs_of(folder: Path) -> list[Submitted]:
    return Register(folder / "study/.slurm").all()


def queued(folder: Path) -> dict[str, slurm_queue.QueuedJob]:
    return slurm_queue.jobs(Register(folder / "study/.slurm").name) or {}


def running(folder: Path) -> Submitted | None:
    """A job of `wide` stages that computes now."""
    there = {job_id for job_id, job in queued(folder).items() if job.state == "RUNNING"}
    wide = [job for job in jobs_of(folder) if job.slurm_id in there and "wide 0" in job.tasks]
    return wide[0] if wide and "wide 0" in lines(folder / "begun.txt") else None


def test_every_stage_runs_once(slurm: Engine, tmp_path: Path):
    assert slurm.run(tmp_path) == DONE
    assert lines(tmp_path / "begun.txt") == lines(tmp_path / "computed.txt") == ALL
    assert len(jobs_of(tmp_path)) == 4  # first, two of two wide ones, then last with record


def test_a_failed_stage_leaves_no_job_that_waits(slurm: Engine, tmp_path: Path):
    results = slurm.run(tmp_path, "--fails", "wide 1")
    assert results["wide 1"] == ["failed", "RuntimeError: it broke"]
    assert results["last"] == results["record"] == ["skipped", "needs wide 1, which failed: RuntimeError: it broke"]
    wait_until(lambda: not queued(tmp_path))
    (tmp_path / "mended").touch()
    assert {one for one, _ in slurm.run(tmp_path, "--fails", "wide 1").values()} == {"done"}
    assert lines(tmp_path / "computed.txt") == ALL


def test_a_cancelled_job_is_a_missing_stage_with_a_reason(slurm: Engine, tmp_path: Path):
    sweep = slurm.start(tmp_path, "--seconds", "20")
    job = wait_until(lambda: running(tmp_path))
    subprocess.run(["scancel", job.slurm_id], check=True)
    results = slurm.results(sweep, tmp_path)
    assert results["wide 0"][0] == "failed"
    assert "CANCELLED" in str(results["wide 0"][1])
    assert results["record"][0] == "skipped"
    assert {one for one, _ in slurm.run(tmp_path).values()} == {"done"}
    assert lines(tmp_path / "computed.txt") == ALL


def test_a_killed_job_is_told_and_computed_by_the_next_sweep(slurm: Engine, tmp_path: Path):
    sweep = slurm.start(tmp_path, "--seconds", "20")
    job = wait_until(lambda: running(tmp_path))
    subprocess.run(["scancel", "--signal=KILL", job.slurm_id], check=True)
    assert slurm.results(sweep, tmp_path)["wide 0"][0] == "failed"
    assert {one for one, _ in slurm.run(tmp_path).values()} == {"done"}
    assert lines(tmp_path / "computed.txt") == ALL


def test_a_preempted_job_is_requeued_and_goes_on(slurm: Engine, tmp_path: Path):
    sweep = slurm.start(tmp_path, "--seconds", "6", "--together", "4")
    job = wait_until(lambda: running(tmp_path))
    wait_until(lambda: "wide 0" in lines(tmp_path / "computed.txt"))
    subprocess.run(["scancel", "--signal=USR2", job.slurm_id], check=True)  # as SLURM does before it ends a job
    assert slurm.results(sweep, tmp_path) == DONE
    assert lines(tmp_path / "computed.txt") == ALL
    begun = lines(tmp_path / "begun.txt")
    assert len(begun) == len(ALL) + 1  # the stage that was cut off began twice, what was done before it once


@pytest.mark.parametrize("how", ["hold", "requeuehold"])
def test_a_hold_by_a_person_is_told_and_waited_for(how: str, slurm: Engine, tmp_path: Path):
    sweep = slurm.start(tmp_path, "--seconds", "5", "--held", "1")
    job = wait_until(lambda: running(tmp_path))
    last = jobs_of(tmp_path)[-1]
    held = last.slurm_id if how == "hold" else job.slurm_id  # one that waits, one that runs
    subprocess.run(["scontrol", how, held], check=True)
    wait_until(lambda: f"scontrol release {held}" in (tmp_path / "driver.err").read_text())
    (line,) = [line for line in driver_lines(tmp_path / "study") if "holds" in line]
    assert line.endswith(f"somebody held it); to let it start: scontrol release {held}")
    time.sleep(10)
    assert sweep.poll() is None
    subprocess.run(["scontrol", "release", held], check=True)
    assert slurm.results(sweep, tmp_path) == DONE
    assert lines(tmp_path / "computed.txt") == ALL
    assert (tmp_path / "driver.err").read_text().count("SLURM holds") == 1


def test_jobs_go_on_without_their_driver(slurm: Engine, tmp_path: Path):
    sweep = slurm.start(tmp_path, "--seconds", "2")
    wait_until(lambda: running(tmp_path))
    sweep.send_signal(signal.SIGKILL)
    sweep.wait()
    before = len(jobs_of(tmp_path))
    results = slurm.run(tmp_path)
    assert {one for one, _ in results.values()} == {"done"}
    assert len(jobs_of(tmp_path)) == before  # what was queued was taken up
    assert lines(tmp_path / "begun.txt") == lines(tmp_path / "computed.txt") == ALL


def test_stop_from_another_shell_cancels_with_and_without_a_driver(slurm: Engine, tmp_path: Path):
    sweep = slurm.start(tmp_path, "--seconds", "20")
    wait_until(lambda: running(tmp_path))
    ended, text = stop(tmp_path / "study", wait_s=60.0)
    assert ended
    assert "the sweep by SLURM jobs" in text
    assert sweep.wait(timeout=30) != 0
    wait_until(lambda: not queued(tmp_path))
    again = slurm.start(tmp_path, "--seconds", "20")
    wait_until(lambda: queued(tmp_path))
    again.send_signal(signal.SIGKILL)
    again.wait()
    ended, text = stop(tmp_path / "study", wait_s=60.0)
    assert ended
    assert "cancelled" in text
    wait_until(lambda: not queued(tmp_path))


def test_a_controller_that_is_started_again_is_waited_for(slurm: Engine, tmp_path: Path):
    folder = os.environ.get("RFT_SLURM_FOLDER")
    if folder is None:
        pytest.skip("RFT_SLURM_FOLDER does not say where slurm-local runs")
    sweep = slurm.start(tmp_path, "--seconds", "8")
    wait_until(lambda: running(tmp_path))
    # What it has not written down when it is killed, SLURM forgets: it gives the job's number out again and drains the node
    seen, kept = time.time(), Path(folder) / "state/job_state"
    wait_until(lambda: kept.stat().st_mtime > seen)
    started = Path(folder) / "slurmctld.started"
    os.kill(int(started.read_text()), signal.SIGKILL)
    assert slurm_queue.jobs("anything") is None
    begin = f"setsid slurmctld-wlm -D >>{folder}/log/slurmctld.out 2>&1 & echo $!"
    started.write_text(subprocess.run(["sh", "-c", begin], capture_output=True, text=True, check=True).stdout)
    assert slurm.results(sweep, tmp_path) == DONE
    assert lines(tmp_path / "computed.txt") == ALL
