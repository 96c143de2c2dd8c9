"""A sweep of stubs for tests of executors: stages that sleep and enter the store, over any engine, from a process of its own.

    python tests/cluster/stub_sweep.py slurm FOLDER --width 6 --seconds 1      # {"results": {"first": ["done", null], ...}}

`first`, then `width` stages that need it, then `last` and `record`, which need those. FOLDER/computed.txt has a line for each
stage that was really computed, FOLDER/begun.txt one for every beginning.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY), str(Path(__file__).parent)]
os.environ["PYTHONPATH"] = os.pathsep.join(sys.path[:2])  # for workers that engines start

from rft.infra.cluster.resources import ResourceTable  # noqa: E402
from rft.infra.digest import digest  # noqa: E402
from rft.infra.driver import Driver  # noqa: E402
from rft.infra.graph import Event, Task  # noqa: E402
from rft.infra.store import Store  # noqa: E402


def compute(payload: dict[str, Any], report: Callable[[float], None]) -> None:
    """Task function of a worker."""
    folder = Path(payload["folder"])

    def fill(out: Path) -> None:
        note(folder / "begun.txt", payload["name"])
        if payload["fails"] and not (folder / "mended").exists():
            raise RuntimeError("it broke")
        for step in range(10):
            time.sleep(payload["seconds"] / 10)
            report((step + 1) / 10)
        note(folder / "computed.txt", payload["name"])

    Store(folder / "store", lease_s=5.0).compute("stub", digest(payload["name"]), fill, meta={}, wait=False)


def note(path: Path, name: str) -> None:
    with open(path, "a") as file:
        file.write(f"{name} {os.getpid()}\n")


def tasks_of(folder: Path, *, width: int, seconds: float, fails: str) -> list[Task]:
    wide = [f"wide {number}" for number in range(width)]
    deps = {"first": [], **{name: ["first"] for name in wide}, "last": wide, "record": ["last", *wide]}
    return [
        Task(
            name,
            tuple(needs),
            "stub_sweep:compute",
            {"name": name, "folder": str(folder), "seconds": seconds, "fails": name == fails},
            cost_s=seconds,
            group="stub",
        )
        for name, needs in deps.items()
    ]


def executor_of(engine: str, folder: Path, options: argparse.Namespace) -> Any:
    table = ResourceTable.read({"all": {"memory_gb": 0.1, "minutes": 10, **options.ask}})
    if engine == "slurm":
        from rft.infra.cluster.sbatch import Sbatch
        from rft.infra.cluster.slurm import SlurmJobs

        how = {"stages_per_job": options.together, "max_jobs": options.jobs, "held_s": options.held, "poll_s": 0.2}
        return SlurmJobs(folder / "study/.slurm", table, Sbatch(), **how)
    if engine == "ray":
        from rft.infra.cluster import ray_demands
        from rft.infra.cluster.ray_tasks import RayTasks

        ray_demands.LOST_S = options.lost_s or ray_demands.LOST_S
        return RayTasks(folder / "study/.ray", table, address=options.address, workers=2, **options.how)
    from rft.execute.executor import LocalProcesses

    return LocalProcesses(workers=2, threads=1)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("engine")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--width", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=0.2)
    parser.add_argument("--fails", default="")
    parser.add_argument("--together", type=int, default=2)
    parser.add_argument("--jobs", type=int, default=500)
    parser.add_argument("--held", type=float, default=300.0)
    parser.add_argument("--address")
    parser.add_argument("--ask", type=json.loads, default={}, help="of every stage beside little memory")
    parser.add_argument("--how", type=json.loads, default={}, help="further settings of RayTasks")
    parser.add_argument("--lost-s", type=float, help="how long stages wait for a lost node of Ray to come back")
    options = parser.parse_args()
    folder = options.folder.absolute()
    tasks = tasks_of(folder, width=options.width, seconds=options.seconds, fails=options.fails)
    store = Store(folder / "store")
    finished = {task.id for task in tasks if store.has("stub", digest(task.id))}
    left = [task for task in tasks if task.id not in finished]
    left = [Task(**{**vars(one), "deps": tuple(dep for dep in one.deps if dep not in finished)}) for one in left]
    executor = executor_of(options.engine, folder, options)
    with Driver.at_work(folder / "study", engine=executor.engine) as driver:

        def on_event(event: Event) -> None:
            driver.heed()
            if event.kind != "tick":
                print(event.kind, event.task.id, event.error or "", file=sys.stderr, flush=True)

        started = time.monotonic()
        results = executor.run(left, on_event=on_event) if left else {}
    took_s = round(time.monotonic() - started, 2)
    said = {name: [one.status, one.error] for name, one in results.items()}
    print(json.dumps({"results": said, "seconds": took_s}))


if __name__ == "__main__":
    main()
