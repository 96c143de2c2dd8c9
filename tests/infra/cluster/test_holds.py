"""Held jobs in words: which reasons of squeue are holds, of whom, and how `rft status` says them."""

from __future__ import annotations

from pathlib import Path

import pytest

from rft.infra.cluster import slurm_queue
from rft.infra.cluster.holds import HoldWatch, hold_lines, hold_of
from rft.infra.cluster.queue_text import driver_lines
from rft.infra.cluster.register import Register, Submitted
from rft.infra.cluster.slurm_queue import QueuedJob
from rft.infra.live import SLURM_FOLDER

FAILED = "launch failed requeued held"


def waiting(job_id: str, reason: str) -> QueuedJob:
    return QueuedJob(job_id, "PENDING", f"({reason})")


@pytest.mark.parametrize(
    ("reason", "by_slurm"),
    [
        (FAILED, True),
        ("launch_failed_requeued_held", True),  # as newer versions write it
        ("launch failure limit exceeded requeued held", True),
        ("JobHoldMaxRequeue", True),
        ("JobHeldUser", False),
        ("JobHeldAdmin", False),
        ("job requeued in held state", False),
        ("job_requeued_in_held_state", False),
        ("job requeued in special exit state", False),
    ],
)
def test_a_hold_is_told_from_a_wait_and_whose_it_is(reason: str, by_slurm: bool):
    hold = hold_of(waiting("12", reason))
    assert hold is not None
    assert hold.by_slurm is by_slurm


@pytest.mark.parametrize("reason", ["Dependency", "Resources", "Priority", "BeginTime", "None", "JobArrayTaskLimit"])
def test_what_comes_by_itself_is_no_hold(reason: str):
    assert hold_of(waiting("12", reason)) is None
    assert hold_of(QueuedJob("12", "RUNNING", "held-node")) is None  # the name of a node is no reason


def test_many_jobs_of_one_reason_are_one_line_and_released_by_their_name():
    jobs = [waiting(f"12_{number}", "JobHeldAdmin") for number in range(40)]
    (line,) = hold_lines([*jobs, waiting("13", "Dependency")], name="rft-1")
    assert "40 jobs" in line
    assert line.endswith("scontrol release jobname=rft-1")
    assert "12_39" not in line
    (line,) = hold_lines(jobs[:2], name="rft-1")
    assert line.endswith("scontrol release 12_0,12_1")


def test_a_job_that_was_released_and_is_held_again_has_its_time_anew():
    watch = HoldWatch("rft-1", patience_s=300.0)
    held, free = {"12": waiting("12", FAILED)}, {"12": waiting("12", "Resources")}
    assert watch.look(held, now_s=0.0) == {}
    assert watch.look(held, now_s=299.0) == {}
    assert watch.look(free, now_s=300.0) == {}
    assert watch.look(held, now_s=301.0) == {}
    assert watch.look(held, now_s=600.0) == {}
    assert list(watch.look(held, now_s=601.0)) == ["12"]


def test_status_says_why_jobs_wait_and_how_to_release_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    register = Register(tmp_path / SLURM_FOLDER)
    register.add([Submitted(0, "12", ("sft",), (), ())])
    jobs = [QueuedJob("11", "RUNNING", "node1"), waiting("12", FAILED), waiting("13", "Dependency")]
    asked: list[str] = []

    def queue(name: str) -> dict[str, QueuedJob]:
        asked.append(name)
        return {job.id: job for job in jobs}

    monkeypatch.setattr(slurm_queue, "jobs", queue)
    assert driver_lines(tmp_path) == [
        f"  SLURM: 3 jobs not ended: 2 PENDING (1 {FAILED}, 1 Dependency), 1 RUNNING on node1",
        f"  SLURM holds job 12 ({FAILED}: its node could not start it, slurmd's log there says why); to let it start: "
        "scontrol release 12",
    ]
    assert asked == [register.name]
