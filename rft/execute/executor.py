"""What runs a graph of tasks: the seam between a plan and machines.

    executor.run(tasks, on_event=print)      # {"sft ...": Result("done", ...), ...}

Tasks name what they depend on, what they cost and what they would share with others (rft.infra.scheduler.Task). An executor
runs each once, as soon as what it depends on is done, and lets the others go on when one fails. The one here
uses local processes. Another one is a single file: a class with this method, and a launcher that gives it to
rft.execute.sweep (hydra_plugins/rft_launchers/dag.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from rft.infra.scheduler import Event, Result, Task, run_graph


class Executor(Protocol):
    """Runs graphs of tasks."""

    @property
    def workers(self) -> int:
        """Number of tasks that it runs at once, for estimates of time."""
        ...

    def run(self, tasks: Sequence[Task], *, on_event: Callable[[Event], None]) -> Mapping[str, Result]:
        """The result of every task, by its id. `on_event` is told what starts, ends and waits."""
        ...


@dataclass(frozen=True)
class LocalProcesses:
    """Processes of this machine."""

    workers: int
    threads: int  # of each
    stall_s: float | None = None  # without progress, after which a worker is taken for dead

    def run(self, tasks: Sequence[Task], *, on_event: Callable[[Event], None]) -> Mapping[str, Result]:
        """See rft.infra.scheduler.run_graph."""
        return run_graph(tasks, workers=self.workers, threads=self.threads, on_event=on_event, stall_s=self.stall_s)
