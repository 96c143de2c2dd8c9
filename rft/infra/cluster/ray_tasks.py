"""A graph of tasks over a Ray cluster: each task a Ray task with its own CPUs, GPUs or shares of one, and memory.

    tasks = RayTasks(folder=Path("multirun_outputs/mine/.ray"), table=table, address="auto")
    tasks.run(graph, on_event=print)

A task is handed to Ray once what it rests on is done, the longest chain of work first, so that none holds a CPU or GPU
while it waits. Ray places it, and runs it again elsewhere when its node or process is lost (`max_retries`). Its data goes
through the store, on a disk that all nodes share; Ray's own object store carries the description of a task and a few words of
its end. Code is found on the shared disk, at the same path, or (`ship_code`) travels as working_dir of Ray's `runtime_env`.
"""

from __future__ import annotations

import logging
import os
import pickle
import secrets
import shutil
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

from rft.infra.cluster.journal import Journals, journals_in
from rft.infra.cluster.ray_demands import Demands
from rft.infra.cluster.ray_worker import Call, perform_there
from rft.infra.cluster.resources import Resources, ResourceTable
from rft.infra.cluster.shipping import copy_code
from rft.infra.graph import Event, Graph, Result, Task
from rft.infra.interrupts import stopped_by_signals
from rft.infra.numerics import VARIABLES as NUMERICS
from rft.infra.process import THREAD_VARIABLES

log = logging.getLogger("rft")

MEMORY_RETRIES = "RAY_task_oom_retries"  # of a task that Ray ends where memory runs out: by itself without end
ANSWER_S = 20.0  # for a cluster's head to take a connection
STOP_S = 5.0  # for tasks to clean up when the sweep is stopped


@dataclass(frozen=True)
class RayTasks:
    """An executor (rft.execute.executor)."""

    engine: ClassVar[str] = "Ray tasks"

    folder: Path  # of the study, on a disk that all nodes share
    table: ResourceTable
    address: str | None = None  # of a cluster, or auto; None: a cluster on this machine for as long as the sweep runs
    workers: int = 2  # tasks that will run at once, for estimates of time; of a cluster made here: its CPUs
    threads: int = 1
    gpus: int | None = None  # of a cluster made here; None: what Ray finds
    max_retries: int = 5  # of a task whose node or process is lost
    scheduling_strategy: str = "DEFAULT"  # or SPREAD
    custom: Mapping[str, float] = field(default_factory=dict)  # of Ray's own named resources, asked for by every task
    ship_code: bool = False
    wait_for_nodes: bool = False  # that hold what none holds now; otherwise an error before anything runs

    def run(self, tasks: Sequence[Task], *, on_event: Callable[[Event], None]) -> Mapping[str, Result]:
        """See rft.execute.executor. Raises ValueError where Ray is not installed or no cluster answers."""
        os.environ.setdefault(MEMORY_RETRIES, str(self.max_retries))  # before Ray is imported, which reads it once
        ray = _ray()
        with TemporaryDirectory(prefix="rft-code-") as folder:  # sent once this begins
            code = Path(folder) if self.ship_code else None
            if code is not None:
                copy_code(code)
            self._begin(ray, self._environment(code))
        try:
            return _Run(self, ray, tasks, on_event).run()
        finally:
            ray.shutdown()

    def _begin(self, ray: Any, environment: dict[str, Any]) -> None:
        where = self._where()
        try:
            _knock(where["address"])
            ray.init(**where, log_to_driver=False, logging_level=logging.WARNING, runtime_env=environment)
        except OSError as error:  # a ConnectionError is one
            raise ValueError(
                f"hydra.launcher.address={self.address}: no Ray cluster answers ({error}); start one (`ray start --head`), "
                "give its address, or leave the address out for one on this machine"
            ) from error

    def _where(self) -> dict[str, Any]:
        if self.address is not None:
            return {"address": self.address}
        gpus = {} if self.gpus is None else {"num_gpus": self.gpus}
        return {"address": "local", "num_cpus": self.workers * self.threads, "include_dashboard": False, **gpus}

    def _environment(self, code: Path | None) -> dict[str, Any]:
        """What a worker's process starts with: threads, numerics and paths of this one; the code where it is shipped, which
        Ray puts before all other places of modules.
        """
        kept = {name: os.environ[name] for name in (*NUMERICS, "RFT_NUMERICS", "PYTHONPATH") if name in os.environ}
        variables = {**dict.fromkeys(THREAD_VARIABLES, str(self.threads)), "TOKENIZERS_PARALLELISM": "false", **kept}
        return {"env_vars": variables} | ({} if code is None else {"working_dir": str(code)})


class _Run:
    """The state of one run."""

    def __init__(self, how: RayTasks, ray: Any, tasks: Sequence[Task], on_event: Callable[[Event], None]) -> None:
        self.how, self.ray = how, ray
        self.graph = Graph(tasks, on_event=on_event)
        self.remote = ray.remote(perform_there)
        self.folder = how.folder.absolute() / secrets.token_hex(4)
        self.journals = Journals()
        self.demands = Demands(custom=how.custom, own=how.address is None, wait=how.wait_for_nodes)
        self.running: set[str] = set()
        self.refs: dict[Any, str] = {}  # of tasks that Ray has

    def run(self) -> dict[str, Result]:
        self._check_demands()
        with stopped_by_signals():
            try:
                while not self.graph.is_finished:
                    self._submit()
                    self._listen()
                    self._read()
            except KeyboardInterrupt:
                self._cancel()
                raise
            finally:  # nobody reads the journals of a run that is over
                shutil.rmtree(self.folder, ignore_errors=True)
        return self.graph.results

    def _submit(self) -> None:
        self.graph.wake()
        while self.graph.ready:
            task_id = self.graph.ready.take()
            task = self.graph.tasks[task_id]
            call = Call(task_id, task.function, str(self.folder), os.getcwd())
            remote = self.remote.options(**self._options(self.how.table.of(task), name=f"{task.group} {task_id}"))
            self.refs[remote.remote(call, pickle.dumps(task.payload))] = task_id

    def _options(self, resources: Resources, *, name: str) -> dict[str, Any]:
        return {
            "name": name,
            "num_cpus": resources.cpus,
            "num_gpus": resources.gpus,
            "memory": resources.memory_gb * 2**30,
            "resources": dict(self.how.custom) or None,
            "max_retries": self.how.max_retries,
            "scheduling_strategy": self.how.scheduling_strategy,
        }

    def _listen(self) -> None:
        """Take what has ended, waiting a second for the first."""
        if not self.refs:
            time.sleep(min(0.1, self.graph.pause_s))
            return
        first, rest = self.ray.wait(list(self.refs), num_returns=1, timeout=1.0)
        more = self.ray.wait(rest, num_returns=len(rest), timeout=0)[0] if first and rest else []
        for ref in [*first, *more]:
            self._take(self.refs.pop(ref), ref)
        if not first:
            self.graph.tell("tick", next(iter(self.running or self.refs.values())))
            self._give_up_hopeless()

    def _take(self, task_id: str, ref: Any) -> None:
        self.running.discard(task_id)
        try:
            outcome = self.ray.get(ref)
        except Exception as error:
            self.graph.fail(task_id, self._reason(error))
            return
        if outcome[0] == "done":
            self.graph.finish(task_id, outcome[1], outcome[2])
        elif outcome[0] == "failed":
            self.graph.fail(task_id, outcome[1], trace=outcome[2], seconds=outcome[3])
        else:
            self.graph.postpone(task_id, outcome[1])

    def _reason(self, error: Exception) -> str:
        """Why a task has no outcome: Ray has given up, or it could not even be taken out of its envelope."""
        told = getattr(error, "cause", None) or error
        text = f"{type(told).__name__}: {str(told).strip().splitlines()[0]}"
        if isinstance(error, self.ray.exceptions.RayTaskError):
            return text
        if isinstance(error, self.ray.exceptions.OutOfMemoryError):
            return (
                f"memory ran out on its node, after {self.how.max_retries} retries too: let such stages ask for more of it "
                "(memory_gb under hydra.launcher.resources), so that fewer share a node"
            )
        return f"Ray gave up after {self.how.max_retries} retries: {text}"

    def _read(self) -> None:
        """Who has begun, and how far it is; a second beginning is a retry by Ray."""
        for note in self.journals.fresh(journals_in(self.folder)):
            if note.task in self.graph.results or note.kind not in ("started", "progress"):
                continue
            if note.kind == "started" and note.task in self.running:
                self.graph.tell("retried", note.task, error="Ray lost its process or node")
            self.running.add(note.task)
            self.graph.tell(note.kind, note.task, fraction=note.fraction)

    def _check_demands(self) -> None:
        """Before anything runs. Raises ValueError for what Ray does not take, and for what no node can hold."""
        kinds: dict[Resources, set[str]] = {}
        for task in self.graph.tasks.values():
            kinds.setdefault(self.how.table.of(task), set()).add(task.group)
        told = {asked: ", ".join(sorted(found)) for asked, found in kinds.items()}
        for asked, kind in told.items():
            try:
                self.remote.options(**self._options(asked, name=kind))
            except (ValueError, TypeError) as error:
                raise ValueError(f"Ray refuses hydra.launcher's settings for stages of kind {kind}: {error}") from error
        self.demands.check(told, self.ray.nodes())

    def _give_up_hopeless(self) -> None:
        """Fail what waits for a node that was lost and has not come back."""
        asked_of = {ref: self.how.table.of(self.graph.tasks[task_id]) for ref, task_id in self.refs.items()}
        for asked, reason in self.demands.hopeless(set(asked_of.values()), self.ray.nodes()).items():
            for ref in [ref for ref, one in asked_of.items() if one == asked]:
                self.ray.cancel(ref)
                task_id = self.refs.pop(ref)
                self.running.discard(task_id)
                self.graph.fail(task_id, reason)

    def _cancel(self) -> None:
        """Interrupt what runs, so that it gives up its place in the store."""
        for ref in self.refs:
            self.ray.cancel(ref)
        if self.refs:
            self.ray.wait(list(self.refs), num_returns=len(self.refs), timeout=STOP_S)


def _knock(address: str) -> None:
    """Raises OSError where nothing listens at host:port, ValueError where it is neither that nor a word of Ray's: Ray itself
    would try for many minutes.
    """
    if address == "auto":
        address = os.environ.get("RAY_ADDRESS", address)
    if address in ("auto", "local") or "://" in address:
        return
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise ValueError(
            f"hydra.launcher.address is {address!r}; allowed are host:port (as `ray start --head` tells it), auto and null"
        )
    socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_S).close()


def _ray() -> Any:
    try:
        import ray
    except ModuleNotFoundError as error:
        raise ValueError("hydra/launcher=dag_ray needs Ray: pip install 'rft-scaling[ray]'") from error
    return ray
