"""SLURM jobs against a queue that the test plays: what is submitted, what is believed, what is taken up."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from rft.infra.cluster import job, slurm, slurm_queue
from rft.infra.cluster.bundles import Bundle
from rft.infra.cluster.job import JobRun, runnable, write_job
from rft.infra.cluster.journal import Journal, Note, outcomes
from rft.infra.cluster.resources import Resources, ResourceTable
from rft.infra.cluster.sbatch import Sbatch, parameters
from rft.infra.cluster.slurm import SlurmJobs
from rft.infra.cluster.slurm_queue import QueuedJob
from rft.infra.graph import Event, Result, Task

DIAMOND = [
    Task("a", (), "m:f", None),
    Task("b", ("a",), "m:f", None),
    Task("c", ("a",), "m:f", None),
    Task("d", ("b", "c"), "m:f", None),
]


class FakeSlurm:
    """A queue; `play` decides what a job does when its turn comes: 'done', 'failed', 'gone' (no word), 'never'."""

    def __init__(self, folder: Path, play: dict[str, str]) -> None:
        self.folder, self.play = folder, play
        self.calls: list[tuple[list[JobRun], list[str]]] = []
        self.queued: dict[str, JobRun] = {}
        self.after: dict[str, list[str]] = {}
        self.cancelled: list[str] = []
        self.silent = 0  # answers that will not come
        self.reasons: dict[str, str] = {}  # by task id: why its job waits, as SLURM says it

    def submit(self, calls: Sequence[JobRun], *, after: Sequence[str], **_: Any) -> list[str] | None:
        if self.silent:
            self.silent -= 1
            return None
        first = 100 * (len(self.calls) + 1)
        ids = [str(first)] if len(calls) == 1 else [f"{first}_{n}" for n in range(len(calls))]
        self.calls.append((list(calls), list(after)))
        self.queued |= dict(zip(ids, calls, strict=True))
        self.after |= {one: list(after) for one in ids}
        return ids

    def jobs(self, name: str) -> dict[str, QueuedJob] | None:
        if self.silent:
            self.silent -= 1
            return None
        return {job_id: QueuedJob(job_id, "PENDING", self.place(call)) for job_id, call in self.queued.items()}

    def place(self, call: JobRun) -> str:
        tasks, _ = pickle.loads((self.folder / f"job-{call.number}.pickle").read_bytes())
        return f"({next((self.reasons[task.id] for task in tasks if task.id in self.reasons), 'None')})"

    def cancel(self, name: str, job_ids: Sequence[str] = ()) -> bool:
        self.cancelled += list(job_ids) or list(self.queued)
        for job_id in list(job_ids) or list(self.queued):
            self.queued.pop(job_id, None)
        return True

    def turn(self) -> None:
        """The oldest job that something is to become of runs."""
        for job_id, call in list(self.queued.items()):
            tasks, needs = pickle.loads((self.folder / f"job-{call.number}.pickle").read_bytes())
            says = [self.play.get(task.id, "done") for task in tasks]
            if "never" in says or any(one in self.queued for one in self.after[job_id]):
                continue
            del self.queued[job_id]
            journal = Journal(self.folder / f"job-{call.number}.jsonl")
            found = outcomes(self.folder / f"job-{number}.jsonl" for number in needs)
            todo, reasons = runnable(tasks, found)
            for name, reason in reasons.items():
                journal.note("skipped", name, error=reason)
            for task in todo:
                if (what := self.play.get(task.id, "done")) != "gone":
                    journal.note("started", task.id)
                    journal.note(what, task.id, error="it broke" if what == "failed" else None)
            return


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[FakeSlurm, Any]]:
    monkeypatch.setattr(slurm, "LOOK_EVERY_S", 0.0)
    monkeypatch.setattr(slurm, "GRACE_S", 0.05)
    monkeypatch.setattr(slurm_queue, "find", lambda: None)
    monkeypatch.setattr(slurm_queue, "state_of", lambda job_id: "CANCELLED")

    def begin(play: dict[str, str] | None = None, fake: FakeSlurm | None = None, **how: Any) -> tuple[FakeSlurm, Any]:
        folder = tmp_path / ".slurm"
        fake = fake or FakeSlurm(folder, play or {})
        monkeypatch.setattr(slurm, "submit", fake.submit)
        monkeypatch.setattr(slurm_queue, "jobs", fake.jobs)
        monkeypatch.setattr(slurm_queue, "cancel", fake.cancel)
        jobs = SlurmJobs(folder, ResourceTable.read({}), Sbatch(), poll_s=0.01, **({"stages_per_job": 1} | how))
        return fake, jobs

    return begin


def run(fake: FakeSlurm, jobs: SlurmJobs, tasks: Sequence[Task] = DIAMOND, *, turns: int = 10_000) -> dict[str, Result]:
    left = turns

    def on_event(event: Event) -> None:
        nonlocal left
        if event.kind == "tick":
            left -= 1
            if left < 0:
                raise SystemExit("the driver is killed")
            fake.turn()

    return dict(jobs.run(tasks, on_event=on_event))


def test_jobs_wait_for_the_end_of_what_they_rest_on_and_like_ones_are_an_array(start: Callable[..., Any]):
    fake, jobs = start()
    results = run(fake, jobs)
    assert {name: one.status for name, one in results.items()} == dict.fromkeys("abcd", "done")
    assert [(len(calls), after) for calls, after in fake.calls] == [(1, []), (2, ["100"]), (1, ["200_0", "200_1"])]


def test_a_cap_on_jobs_holds_back_the_rest(start: Callable[..., Any]):
    fake, jobs = start(max_jobs=1)
    most = 0
    submit = fake.submit

    def counted(calls: Sequence[JobRun], **said: Any) -> list[str] | None:
        nonlocal most
        most = max(most, len(fake.queued) + len(calls))
        return submit(calls, **said)

    slurm.submit = counted  # type: ignore[assignment]
    assert {one.status for one in run(fake, jobs).values()} == {"done"}
    assert most == 1


def test_an_array_is_no_longer_than_the_cluster_allows(start: Callable[..., Any], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(slurm_queue, "max_array_size", lambda: 3)
    fake, jobs = start()
    assert len(run(fake, jobs, [Task(str(n), (), "m:f", None) for n in range(8)])) == 8
    assert [len(calls) for calls, _ in fake.calls] == [3, 3, 2]


@pytest.mark.parametrize(("said", "most"), [("1001", 1001), ("4", 4), ("1", 1), ("0", 1), (None, 1001)])
def test_the_longest_array_is_what_the_cluster_says(said: str | None, most: int, monkeypatch: pytest.MonkeyPatch):
    line = "" if said is None else f"MaxArraySize            = {said}\n"
    monkeypatch.setattr(slurm_queue, "_said", lambda command: f"KillWait = 30 sec\n{line}MaxJobCount = 10000\n")
    assert slurm_queue.max_array_size() == most  # 0: SLURM takes no arrays, so that each job is one of its own


def test_a_failure_is_told_with_its_root_and_the_rest_goes_on(start: Callable[..., Any]):
    fake, jobs = start({"b": "failed"})
    results = run(fake, jobs)
    assert results["b"] == Result("failed", error="it broke")
    assert results["c"].status == "done"
    assert results["d"] == Result("skipped", error="needs b, which failed: it broke")
    assert not fake.queued  # nothing waits for ever


def test_a_job_that_ends_without_a_word_fails_its_task(start: Callable[..., Any]):
    fake, jobs = start({"b": "gone"})
    results = run(fake, jobs)
    assert results["b"].status == "failed"
    assert "CANCELLED" in str(results["b"].error)
    assert results["d"].status == "skipped"


LAUNCH_FAILED = "launch failed requeued held"


def test_a_job_that_slurm_cannot_start_and_holds_is_told_and_given_up(
    start: Callable[..., Any], caplog: pytest.LogCaptureFixture
):
    fake, jobs = start({"b": "never"}, held_s=0.2)
    fake.reasons["b"] = LAUNCH_FAILED
    results = run(fake, jobs)
    assert results["b"].status == "failed"
    assert LAUNCH_FAILED in str(results["b"].error)
    assert results["c"].status == "done"
    assert results["d"].status == "skipped"
    assert not fake.queued  # neither it nor what rests on it waits for ever
    told = [line for line in caplog.messages if "scontrol release 200_" in line]
    assert len(told) == 1  # once, however often the queue is looked at


def test_a_held_job_whose_cancellation_is_not_answered_is_given_up_later(
    start: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
):
    fake, jobs = start({"b": "never"}, held_s=0.05)
    fake.reasons["b"] = LAUNCH_FAILED
    cancel, refused = fake.cancel, 0

    def sometimes(name: str, job_ids: Sequence[str] = ()) -> bool:
        nonlocal refused
        refused += 1
        return refused > 3 and cancel(name, job_ids)

    monkeypatch.setattr(slurm_queue, "cancel", sometimes)
    assert run(fake, jobs)["b"].status == "failed"
    assert not fake.queued


def test_a_hold_by_a_person_is_told_and_waited_for(start: Callable[..., Any], caplog: pytest.LogCaptureFixture):
    fake, jobs = start({"b": "never"}, held_s=0.0)
    fake.reasons["b"] = "JobHeldUser"
    left = 40

    def on_event(event: Event) -> None:
        nonlocal left
        if event.kind != "tick":
            return
        left -= 1
        if left == 0:  # scontrol release
            del fake.play["b"], fake.reasons["b"]
        fake.turn()

    results = dict(jobs.run(DIAMOND, on_event=on_event))
    assert {one.status for one in results.values()} == {"done"}
    assert left < 0, "it was not waited for"
    assert not fake.cancelled
    assert sum("JobHeldUser" in line for line in caplog.messages) == 1


def test_a_controller_that_does_not_answer_is_waited_for(start: Callable[..., Any]):
    fake, jobs = start()
    fake.silent = 5
    assert {one.status for one in run(fake, jobs).values()} == {"done"}


def test_a_sweep_that_starts_again_takes_up_what_is_queued(start: Callable[..., Any]):
    fake, jobs = start({"b": "never"})
    with pytest.raises(SystemExit):
        run(fake, jobs, turns=4)
    assert not fake.cancelled  # jobs go on without their driver
    before = len(fake.calls)
    fake.play["b"] = "done"
    left = [task for task in DIAMOND if task.id != "a"]  # its stage is in the store by now
    left = [Task(one.id, tuple(dep for dep in one.deps if dep != "a"), "m:f", None) for one in left]
    _, again = start(fake=fake)
    assert {name: one.status for name, one in run(fake, again, left).items()} == dict.fromkeys("bcd", "done")
    new = [call.number for calls, _ in fake.calls[before:] for call in calls]
    assert len(new) <= 1  # c, if it was done: b and d are still in the queue


def test_a_queued_job_whose_input_was_lost_is_submitted_anew(
    start: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
):
    fake, jobs = start({"b": "gone", "d": "never"})
    monkeypatch.setattr(slurm, "GRACE_S", 60.0)  # its driver is killed before it can notice
    with pytest.raises(SystemExit):
        run(fake, jobs, turns=4)
    fake.play.clear()
    left = [Task("b", (), "m:f", None), Task("d", ("b",), "m:f", None)]
    _, again = start(fake=fake)
    assert {one.status for one in run(fake, again, left).values()} == {"done"}
    assert fake.cancelled


def test_stopping_cancels_the_jobs(start: Callable[..., Any]):
    fake, jobs = start({"a": "never"})

    def interrupt(event: Event) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        jobs.run(DIAMOND, on_event=interrupt)
    assert not fake.queued


def test_a_job_hands_on_the_root_cause():
    found = {"a": Note("failed", "a", error="out of memory"), "x": Note("done", "x")}
    tasks = [Task("b", ("a",), "m:f", None), Task("c", ("b", "x"), "m:f", None), Task("d", ("x",), "m:f", None)]
    todo, reasons = runnable(tasks, found)
    assert [task.id for task in todo] == ["d"]
    assert todo[0].deps == ()
    assert reasons == dict.fromkeys("bc", "needs a, which failed: out of memory")


def test_a_job_that_is_requeued_leaves_out_what_it_had_done():
    found = {"a": Note("done", "a"), "b": Note("failed", "b", error="its node was lost")}
    todo, _ = runnable([Task("a", (), "m:f", None), Task("b", ("a",), "m:f", None)], found)
    assert [(task.id, task.deps) for task in todo] == [("b", ())]


def test_what_a_stage_asks_for_reaches_sbatch():
    asked = parameters("rft-1", Resources(cpus=4, gpus=0.5, memory_gb=1.5, minutes=30), ["12"], Sbatch(partition="gpu"))
    assert asked["cpus_per_task"] == 4
    assert asked["gpus_per_node"] == 1
    assert asked["mem"] == "1536M"
    assert asked["time"] == 30
    assert asked["partition"] == "gpu"
    assert asked["additional_parameters"] == {"requeue": True, "dependency": "afterany:12"}


@pytest.mark.parametrize(("state", "put_back"), [("RUNNING", ["12"]), ("CANCELLED", []), ("", [])])
def test_a_job_that_is_told_to_end_puts_itself_back_unless_it_was_cancelled(
    state: str, put_back: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Preempted with a time of grace it counts as running; "" is a controller without an answer."""
    asked: list[str] = []
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    monkeypatch.setattr(slurm_queue, "state_of", lambda job_id: state)
    monkeypatch.setattr(slurm_queue, "requeue", asked.append)

    def told_to_end(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(job, "run_graph", told_to_end)
    write_job(tmp_path, 0, Bundle((DIAMOND[0],), Resources()), needs=[])
    with pytest.raises(KeyboardInterrupt):
        JobRun(str(tmp_path), 0, cwd=str(tmp_path), threads=1)()
    assert asked == put_back
