"""Runs a graph of tasks over local worker processes: each task once, as soon as its inputs are there.

    tasks = [Task("base", (), "rft.execute.stages:StageTask", payload, cost_s=60.0, group="base", affinity="nano-s"),
             Task("sft", ("base",), "rft.execute.stages:StageTask", payload2, cost_s=20.0, group="finetune")]
    results = run_graph(tasks, workers=2, threads=1, on_event=lambda event: None)
    results["sft"].status, results["sft"].value, results["sft"].error, results["sft"].seconds

The task with the longest chain of work that starts with it goes first (rft.infra.ready). A failed task's
dependents are skipped with the root cause, all others go on. A worker that dies, or is silent for `stall_s` seconds, fails
only its task, after one retry. A task whose stage another process computes (rft.infra.entry.Busy) gives its worker back and
is tried later. Ctrl-C, SIGTERM and SIGHUP stop all workers within seconds; what they had finished stays finished.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import wait
from typing import Any

from rft.infra.graph import Event, Graph, Result, Task
from rft.infra.interrupts import stopped_by_signals
from rft.infra.process import Worker

_MAX_ATTEMPTS = 2  # of a task whose worker died
_STOP_S = 3.0  # workers' time for cleaning up when interrupted


OnEvent = Callable[[Event], None]


def run_graph(
    tasks: Sequence[Task], *, workers: int, threads: int, on_event: OnEvent, stall_s: float | None = None
) -> dict[str, Result]:
    """Run all tasks over up to `workers` processes of `threads` threads each; results by task id, for every task.

    A worker that says nothing of its task for `stall_s` seconds is taken for dead (None: waited for without end).
    Raises ValueError for repeated ids, unknown dependencies, a cycle or workers < 1; KeyboardInterrupt on Ctrl-C, SIGTERM or
    SIGHUP, after stopping the workers; RuntimeError when worker processes cannot start at all.
    """
    if workers < 1 or threads < 1:
        raise ValueError(f"workers and threads must be at least 1, got {workers} and {threads}")
    if stall_s is not None and not stall_s > 0:
        raise ValueError(f"stall_s={stall_s} is outside (0, inf): seconds without progress, or null")
    return _Run(tasks, workers=workers, threads=threads, on_event=on_event, stall_s=stall_s).run()


class _Run:
    """The state of one run_graph call."""

    def __init__(
        self, tasks: Sequence[Task], *, workers: int, threads: int, on_event: OnEvent, stall_s: float | None
    ) -> None:
        self.graph = Graph(tasks, on_event=on_event)
        self.attempts: dict[str, int] = {}
        self.num_workers = min(workers, len(tasks))
        self.threads = threads
        self.stall_s = stall_s
        self.workers: list[Worker] = []
        self.num_stillborn = 0

    def run(self) -> dict[str, Result]:
        with stopped_by_signals():
            try:
                while not self.graph.is_finished:
                    self.graph.wake()
                    self._dispatch()
                    self._listen()
                    self._watch()
            finally:
                self._stop_workers()
        return self.graph.results

    def _dispatch(self) -> None:
        for worker in [w for w in self.workers if w.idle]:
            if self.graph.ready:
                others = {other.affinity for other in self.workers if other is not worker}
                self._start(worker, self.graph.ready.take(warm=worker.affinity, elsewhere=others))
        starting = sum(not worker.is_ready for worker in self.workers)
        for _ in range(min(len(self.graph.ready) - starting, self.num_workers - len(self.workers))):
            self.workers.append(Worker(threads=self.threads))

    def _start(self, worker: Worker, task_id: str) -> None:
        task = self.graph.tasks[task_id]
        try:
            worker.send(task_id, task.affinity, (task.function, task.payload))
        except OSError:  # it died while idle; _listen will see that and retry the task elsewhere
            return
        except Exception as error:  # the payload cannot be pickled
            worker.task_id = None
            self.graph.fail(task_id, f"its payload cannot be sent: {type(error).__name__}: {error}")
            return
        self.graph.tell("started", task_id)

    def _listen(self) -> None:
        """Handle what workers say, or time passing."""
        if self.graph.is_finished:
            return
        pipes = {worker.pipe: worker for worker in self.workers}
        speaking = wait(list(pipes), timeout=min(1.0, self.graph.pause_s))
        running = [worker.task_id for worker in self.workers if worker.task_id is not None]
        if running and not speaking:
            self.graph.tell("tick", running[0])
        for pipe in speaking:
            worker = pipes[pipe]  # type: ignore[index]
            try:
                message = worker.pipe.recv()
            except (EOFError, OSError):
                self._bury(worker)
            else:
                self._handle(worker, message)
        for worker in [w for w in self.workers if w.is_dead]:  # its pipe may be held open by a process it started
            if not worker.pipe.poll():
                self._bury(worker)

    def _watch(self) -> None:
        """Give up on workers that have said nothing for too long: an engine may hang."""
        oldest_s = time.monotonic() - (self.stall_s or math.inf)
        for worker in [w for w in self.workers if w.task_id is not None and w.heard_s < oldest_s]:
            self._bury(worker, cause=f"no progress in {self.stall_s or math.inf:g} s")

    def _handle(self, worker: Worker, message: tuple[Any, ...]) -> None:
        worker.heard_s = time.monotonic()
        if message[0] == "ready":
            worker.is_ready = True
            self.num_stillborn = 0
            return
        task_id = worker.task_id
        assert task_id is not None, f"worker without a task sent {message[0]}"
        if message[0] == "progress":
            self.graph.tell("progress", task_id, fraction=message[1])
            return
        worker.task_id = None
        if message[0] == "done":
            self.graph.finish(task_id, message[1], message[2])
        elif message[0] == "busy":
            self.graph.postpone(task_id, message[1])
        else:
            self.graph.fail(task_id, message[1], trace=message[2], seconds=message[3])

    def _bury(self, worker: Worker, *, cause: str | None = None) -> None:
        """A worker died, or hangs: its task is retried once, a new worker takes its place when there is work."""
        self.workers.remove(worker)
        ended = worker.bury()
        cause = cause or ended
        if worker.task_id is None:
            self.num_stillborn += not worker.is_ready
            if self.num_stillborn > 2 * self.num_workers:
                raise RuntimeError(
                    f"worker processes end before they can take a task ({cause}); see their output above"
                )
            return
        task_id = worker.task_id
        self.attempts[task_id] = self.attempts.get(task_id, 0) + 1
        if self.attempts[task_id] < _MAX_ATTEMPTS:
            self.graph.ready.add(task_id)
            self.graph.tell("retried", task_id, error=cause)
        else:
            error = (
                f"its worker process ended {_MAX_ATTEMPTS} times ({cause}); run the same command again to try it again"
            )
            self.graph.fail(task_id, error)

    def _stop_workers(self) -> None:
        deadline = time.monotonic() + _STOP_S
        for worker in self.workers:
            worker.close()
        for worker in self.workers:
            worker.join(deadline)
        self.workers = []
