"""The scheduler with real worker processes: order, isolation of failures, deaths on either side, progress."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from rft.infra.progress import Progress, format_seconds
from rft.infra.scheduler import Event, Result, Task, priorities, run_graph

FUNCTIONS = textwrap.dedent(
    """
    import ctypes, os, signal, subprocess, time
    from pathlib import Path
    from rft.infra.store import Store

    def note(payload, report):
        with open(payload["log"], "a") as file:
            file.write(payload["id"] + "\\n")
        time.sleep(payload.get("seconds", 0))
        return {"id": payload["id"], "pid": os.getpid(), "threads": os.environ["OMP_NUM_THREADS"]}

    def fail(payload, report):
        raise RuntimeError("it broke")

    def die(payload, report):
        os.kill(os.getpid(), signal.SIGKILL)

    def die_once(payload, report):
        flag = Path(payload["flag"])
        if not flag.exists():
            flag.touch()
            os.kill(os.getpid(), signal.SIGSEGV)
        return "second life"

    def unpicklable(payload, report):
        return lambda: 0

    def halves(payload, report):
        for i in range(5):
            time.sleep(0.25)
            report((i + 1) / 5)

    def compute(payload, report):
        def fill(out):
            with open(payload["log"], "a") as file:
                file.write(payload["id"] + "\\n")
            time.sleep(payload["seconds"])
        entry = Store(Path(payload["root"])).compute("demo", payload["key"], fill, meta={}, wait=False)
        return entry.cache_hit

    def endless(payload, report):
        Path(payload["log"]).write_text(str(os.getpid()))
        try:
            if payload.get("c_call"):
                ctypes.PyDLL(None).sleep(60)      # PyDLL: holds the interpreter's lock, so no thread of ours can run
            while True:
                time.sleep(0.05)
        finally:
            Path(payload["log"] + ".cleaned").touch()
    """
)


@pytest.fixture(autouse=True)
def functions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "task_functions.py").write_text(FUNCTIONS)
    monkeypatch.syspath_prepend(str(tmp_path))


def task(task_id: str, *deps: str, function: str = "note", log: Path, **fields: Any) -> Task:
    payload = {"id": task_id, "log": str(log), **fields.pop("payload", {})}
    return Task(task_id, deps, f"task_functions:{function}", payload, **fields)


def run(tasks: list[Task], *, workers: int = 2) -> tuple[dict[str, Result], list[Event]]:
    events: list[Event] = []
    return run_graph(tasks, workers=workers, threads=1, on_event=events.append), events


def wait_for(path: Path) -> str:
    deadline = time.monotonic() + 20
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.01)
    return path.read_text()


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_diamond_runs_in_order_and_returns_values(tmp_path: Path) -> None:
    log = tmp_path / "log"
    results, events = run(
        [task("d", "b", "c", log=log), task("b", "a", log=log), task("c", "a", log=log), task("a", log=log)]
    )
    order = log.read_text().split()
    assert order[0] == "a"
    assert order[3] == "d"
    assert {t: r.status for t, r in results.items()} == dict.fromkeys("abcd", "done")
    assert results["d"].value["id"] == "d"
    assert results["d"].value["threads"] == "1"
    assert [e.kind for e in events if e.kind != "tick"].count("done") == 4


def test_two_workers_run_side_by_side(tmp_path: Path) -> None:
    tasks = [task(name, log=tmp_path / "log", payload={"seconds": 0.5}) for name in "ab"]
    results, _ = run(tasks)
    assert results["a"].value["pid"] != results["b"].value["pid"]


def test_longest_path_goes_first(tmp_path: Path) -> None:
    log = tmp_path / "log"
    tasks = [
        task("cheap", log=log, cost_s=4.5),
        task("head", log=log, cost_s=1),
        task("tail", "head", log=log, cost_s=9),
        task("dear", log=log, cost_s=5),
    ]
    assert priorities(tasks) == {"cheap": 4.5, "head": 10, "tail": 9, "dear": 5}
    run(tasks, workers=1)
    assert log.read_text().split() == ["head", "tail", "dear", "cheap"]


def test_affinity_keeps_a_model_on_its_worker(tmp_path: Path) -> None:
    tasks = [
        task(f"{m}{i}", log=tmp_path / "log", payload={"seconds": 0.15}, affinity=m)
        for i in range(4)
        for m in ("s", "m")
    ]
    results, _ = run(tasks)
    for model in ("s", "m"):
        assert len({r.value["pid"] for t, r in results.items() if t.startswith(model)}) == 1


def test_affinity_groups_the_work_of_one_worker(tmp_path: Path) -> None:
    log = tmp_path / "log"
    run([task(f"{i}{m}", log=log, affinity=m) for i in range(3) for m in ("s", "m")], workers=1)
    assert [name[1] for name in log.read_text().split()] in (list("sssmmm"), list("mmmsss"))


def test_failure_skips_its_dependents_alone(tmp_path: Path) -> None:
    log = tmp_path / "log"
    results, events = run(
        [
            task("bad", function="fail", log=log),
            task("after", "bad", log=log),
            task("later", "after", "good", log=log),
            task("good", log=log),
            task("fine", "good", log=log),
        ]
    )
    assert {t: r.status for t, r in results.items()} == {
        "bad": "failed",
        "after": "skipped",
        "later": "skipped",
        "good": "done",
        "fine": "done",
    }
    assert results["bad"].error == "RuntimeError: it broke"
    assert 'raise RuntimeError("it broke")' in str(results["bad"].traceback)
    assert results["later"].error == "needs bad, which failed: RuntimeError: it broke"
    assert sorted(log.read_text().split()) == ["fine", "good"]
    assert {e.task.id for e in events if e.kind == "skipped"} == {"after", "later"}


def test_dead_worker_fails_its_task_alone(tmp_path: Path) -> None:
    log = tmp_path / "log"
    results, events = run(
        [task("dies", function="die", log=log), task("next", "dies", log=log), task("good", log=log)], workers=1
    )
    assert (results["dies"].status, results["next"].status, results["good"].status) == ("failed", "skipped", "done")
    assert "ended 2 times (SIGKILL, the machine may be out of memory)" in str(results["dies"].error)
    assert [e.kind for e in events if e.task.id == "dies" and e.kind != "tick"] == [
        "started",
        "retried",
        "started",
        "failed",
    ]


def test_one_death_is_retried(tmp_path: Path) -> None:
    results, _ = run([task("t", function="die_once", log=tmp_path / "log", payload={"flag": str(tmp_path / "flag")})])
    assert results["t"].value == "second life"


def test_what_cannot_be_sent_fails_its_task_alone(tmp_path: Path) -> None:
    log = tmp_path / "log"
    results, _ = run(
        [
            task("value", function="unpicklable", log=log),
            task("payload", log=log, payload={"x": lambda: 0}),
            task("name", function="no_such", log=log),
            Task("form", (), "task_functions", {}),
            task("good", log=log),
        ]
    )
    assert "value cannot be sent back" in str(results["value"].error)
    assert "payload cannot be sent" in str(results["payload"].error)
    assert "no callable 'no_such'" in str(results["name"].error)
    assert "not of the form" in str(results["form"].error)
    assert results["good"].status == "done"


def test_progress_reaches_the_parent(tmp_path: Path) -> None:
    _, events = run([task("t", function="halves", log=tmp_path / "log")])
    fractions = [e.fraction for e in events if e.kind == "progress"]
    assert fractions == sorted(fractions)
    assert len(fractions) >= 3
    assert events[-1].kind == "done"


def test_busy_stage_gives_its_worker_to_other_work(tmp_path: Path) -> None:
    """Two graphs, one worker each, one store: the shared stage is computed once and nobody's worker waits for it."""
    payload = {"root": str(tmp_path / "store"), "key": "0123456789abcdef", "seconds": 1.0}
    shared = task("shared", function="compute", log=tmp_path / "calls", payload=payload, cost_s=100.0)
    code = textwrap.dedent(
        f"""
        import sys; sys.path[:0] = {[str(tmp_path), os.getcwd()]!r}
        from rft.infra.scheduler import Task, run_graph
        run_graph([Task("shared", (), {shared.function!r}, {shared.payload!r})], workers=1, threads=1, on_event=print)
        """
    )
    other = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL)
    wait_for(tmp_path / "calls")
    log = tmp_path / "log"
    results, events = run([shared, *(task(f"other{i}", log=log) for i in range(3))], workers=1)
    assert other.wait(timeout=20) == 0
    assert (tmp_path / "calls").read_text().split() == ["shared"]
    assert results["shared"].value is True
    ends = [e.task.id for e in events if e.kind == "done"]
    assert ends[-1] == "shared"  # the three others ran while it was being computed elsewhere
    assert any(e.kind == "waiting" for e in events)


def start_parent(tmp_path: Path, payload: dict[str, Any]) -> subprocess.Popen[bytes]:
    code = textwrap.dedent(
        f"""
        import signal; signal.signal(signal.SIGINT, signal.default_int_handler)  # a background shell has it ignored
        import sys; sys.path[:0] = {[str(tmp_path), os.getcwd()]!r}
        from rft.infra.scheduler import Task, run_graph
        task = Task("t", (), "task_functions:endless", {payload!r})
        run_graph([task], workers=1, threads=1, on_event=lambda event: None)
        """
    )
    return subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE)


@pytest.mark.parametrize("c_call", [False, True])
def test_killed_parent_leaves_no_orphan(tmp_path: Path, c_call: bool) -> None:
    if c_call and sys.platform != "linux":
        pytest.skip("ending a worker inside a C call needs Linux's parent-death signal")
    parent = start_parent(tmp_path, {"log": str(tmp_path / "pid"), "c_call": c_call})
    pid = int(wait_for(tmp_path / "pid"))
    assert is_alive(pid)
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 2
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_alive(pid)
    parent.communicate()


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_stop_is_quick_and_clean(tmp_path: Path, signum: signal.Signals) -> None:
    parent = start_parent(tmp_path, {"log": str(tmp_path / "pid")})
    pid = int(wait_for(tmp_path / "pid"))
    asked_s = time.monotonic()
    parent.send_signal(signum)
    _, stderr = parent.communicate(timeout=10)
    assert time.monotonic() - asked_s < 5
    assert b"KeyboardInterrupt" in stderr
    assert not is_alive(pid)
    assert (tmp_path / "pid.cleaned").exists()  # finally blocks ran: scratch folders and leases are given up


def test_asking_twice_does_not_disturb_the_clean_up(tmp_path: Path) -> None:
    parent = start_parent(tmp_path, {"log": str(tmp_path / "pid")})
    pid = int(wait_for(tmp_path / "pid"))
    for _ in range(2):
        parent.send_signal(signal.SIGINT)
        time.sleep(0.01)
    _, stderr = parent.communicate(timeout=10)
    assert not is_alive(pid)
    assert (tmp_path / "pid.cleaned").exists()
    assert stderr.count(b"Traceback") == 1  # that of the interrupt, none of the clean-up


def test_a_task_that_hangs_is_named_and_tried_again(tmp_path: Path) -> None:
    hangs = task("hangs", function="endless", log=tmp_path / "pid", payload={"c_call": True})
    tasks = [hangs, task("halves", function="halves", log=tmp_path / "log")]  # the other one reports for as long
    events: list[Event] = []
    results = run_graph(tasks, workers=2, threads=1, on_event=events.append, stall_s=1.0)
    assert results["halves"].status == "done"
    assert [(e.task.id, e.error) for e in events if e.kind == "retried"] == [("hangs", "no progress in 1 s")]
    assert "ended 2 times (no progress in 1 s); run the same command again" in str(results["hangs"].error)
    assert not is_alive(int(wait_for(tmp_path / "pid")))
    with pytest.raises(ValueError, match="stall_s=0"):
        run_graph(tasks, workers=1, threads=1, on_event=events.append, stall_s=0)


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        ([Task("a", ("b",), "m:f", None), Task("b", ("a",), "m:f", None)], "in a circle"),
        ([Task("a", ("x",), "m:f", None)], "not in the graph"),
        ([Task("a", (), "m:f", None), Task("a", (), "m:f", None)], "repeat"),
    ],
)
def test_malformed_graphs_are_refused(tasks: list[Task], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run(tasks)


def test_empty_graph_and_bad_counts() -> None:
    assert run([]) == ({}, [])
    with pytest.raises(ValueError, match="at least 1"):
        run([], workers=0)


def test_plain_progress_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 1.0, 12.0, 12.0, 13.0, 14.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    stream = io.StringIO()
    tasks = [Task(name, (), "m:f", None, cost_s=10.0, group="sft") for name in "ab"]
    with Progress(tasks, workers=1, stream=stream) as progress:
        progress.on_event(Event("started", tasks[0]))
        progress.on_event(Event("done", tasks[0], seconds=11.0))
        progress.on_event(Event("started", tasks[1]))
        progress.on_event(Event("failed", tasks[1], error="it broke"))
    assert stream.getvalue().splitlines() == [" 50% | 1 of 2 stages | 11 s left | waiting", "failed: sft b: it broke"]
    assert [format_seconds(s) for s in (8, 112, 11100)] == ["8 s", "1 min 52 s", "3 h 05 min"]
