"""One real training stage as a SLURM job, slowed down so that it can be cut short; from a process of its own.

    write_slow(folder, stage, runtime, pause_s=1.0)                    # folder/slow.pickle; its inputs are in folder/store
    python tests/cluster/slow_training.py slurm FOLDER --minutes 2     # {"results": {"training": ["done", null]}, ...}

FOLDER/steps.txt has a line for each step that was taken: its number and the process that took it. Nothing of the stage is
changed: its report of progress sleeps.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
if __name__ == "__main__":
    sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "tests")]
    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path[:2])  # for the jobs

from rft.config import RuntimeConfig, StoreConfig  # noqa: E402
from rft.execute.stages import StagePayload, StageTask  # noqa: E402
from rft.infra.cluster.resources import ResourceTable  # noqa: E402
from rft.infra.cluster.sbatch import Sbatch  # noqa: E402
from rft.infra.cluster.slurm import SlurmJobs  # noqa: E402
from rft.infra.driver import Driver  # noqa: E402
from rft.infra.graph import Task  # noqa: E402
from rft.stages.stage import Stage  # noqa: E402

TASK = "training"


@dataclass(frozen=True)
class Slow:
    """What the worker is sent."""

    payload: StagePayload
    steps: Path  # file
    num_steps: int
    pause_s: float  # after each


class SlowTask:
    """Task function of a worker."""

    def __init__(self) -> None:
        self.task = StageTask()

    def __call__(self, slow: Slow, report: Callable[[float], None]) -> bool:
        def told(share: float) -> None:
            with open(slow.steps, "a") as file:
                file.write(f"{round(share * slow.num_steps)} {os.getpid()}\n")
            report(share)
            time.sleep(slow.pause_s)

        return self.task(slow.payload, told)


def write_slow(
    folder: Path, stage: Stage[Any], store: StoreConfig, runtime: RuntimeConfig, *, num_steps: int, pause_s: float
) -> None:
    """What a sweep reads."""
    slow = Slow(StagePayload(stage, store, runtime, ()), folder / "steps.txt", num_steps, pause_s)
    (folder / "slow.pickle").write_bytes(pickle.dumps(slow))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("engine", choices=["slurm"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=int, default=10)
    parser.add_argument("--partition", default="main")
    options = parser.parse_args()
    folder = options.folder.absolute()
    table = ResourceTable.read({"all": {"memory_gb": 1, "minutes": options.minutes}})
    jobs = SlurmJobs(folder / "study/.slurm", table, Sbatch(partition=options.partition), poll_s=0.2)
    slow = pickle.loads((folder / "slow.pickle").read_bytes())
    with Driver.at_work(folder / "study", engine=jobs.engine) as driver:
        results = jobs.run(
            [Task(TASK, (), "cluster.slow_training:SlowTask", slow)], on_event=lambda event: driver.heed()
        )
    print(json.dumps({"results": {name: [one.status, one.error] for name, one in results.items()}}))


if __name__ == "__main__":
    main()
