"""Submitting to SLURM by submitit, as one job or as one array.

    submit([JobRun(...), JobRun(...)], folder=folder, name="rft-5f0c4a1e", resources=Resources(cpus=2), after=["12"],
           how=Sbatch(partition="gpu"))                   # ["13_0", "13_1"]; None when the controller does not answer

submitit writes the script and the log of each job below the folder, sends the call there, and requeues a job that SLURM is
about to end (preempted, or out of time), as often as `requeues` says.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rft.infra.cluster.resources import Resources

log = logging.getLogger("rft")

BEFORE_END_S = 90  # the signal comes this long before a job's limit, or up to half a minute earlier


@dataclass(frozen=True)
class Sbatch:
    """What stands in every job's script besides what its stages ask for."""

    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    setup: tuple[str, ...] = ()  # shell commands before the job's own: modules to load
    more: dict[str, Any] = field(default_factory=dict)  # further options of sbatch by their names: {"exclude": "node7"}
    array_parallelism: int = 256  # elements of one array that may run at once
    requeues: int = 20  # of a job that ran out of time


def submit(
    calls: Sequence[Callable[[], None]],
    *,
    folder: Path,
    name: str,
    resources: Resources,
    after: Sequence[str],
    how: Sbatch,
) -> list[str] | None:
    """The ids of the jobs, in order. Raises ValueError for what SLURM refuses."""
    from submitit import SlurmExecutor
    from submitit.core.utils import FailedJobError

    executor = SlurmExecutor(folder.absolute(), max_num_timeout=how.requeues)
    executor.update_parameters(**parameters(name, resources, after, how))
    try:
        with executor.batch():
            jobs = [executor.submit(call) for call in calls]
    except FailedJobError as error:
        if "Unable to contact" in str(error) or "Connection" in str(error) or "timed out" in str(error):
            log.warning("SLURM does not take jobs now; trying again")
            return None
        raise ValueError(f"SLURM refused a job that asks for {resources}: {error}") from error
    return [job.job_id for job in jobs]


def parameters(name: str, resources: Resources, after: Sequence[str], how: Sbatch) -> dict[str, Any]:
    """Of submitit's executor."""
    more: dict[str, Any] = {"requeue": True, **how.more}
    if after:
        more["dependency"] = dependency(after)
    asked: dict[str, Any] = {
        "job_name": name,
        "time": resources.minutes,
        "mem": f"{math.ceil(resources.memory_gb * 1024)}M",
        "cpus_per_task": resources.cpus,
        "nodes": 1,
        "ntasks_per_node": 1,
        "signal_delay_s": min(BEFORE_END_S, 60 * resources.minutes // 4),
        "array_parallelism": how.array_parallelism,
        "srun_args": [f"--cpus-per-task={resources.cpus}"],  # srun does not take it from sbatch since SLURM 22.05
        "additional_parameters": more,
    }
    if resources.gpus:
        asked["gpus_per_node"] = math.ceil(resources.gpus)
    asked |= {key: value for key in ("partition", "account", "qos") if (value := getattr(how, key)) is not None}
    return asked | ({"setup": list(how.setup)} if how.setup else {})


def dependency(after: Sequence[str]) -> str:
    """To start when these have ended, however.

    >>> dependency(["12", "13_0", "13_1"])
    'afterany:12:13_0:13_1'
    """
    return ":".join(["afterany", *after])
