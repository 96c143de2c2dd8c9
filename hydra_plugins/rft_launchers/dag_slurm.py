"""Hydra launcher `dag_slurm`: plans the union of all cells' stages and submits them as SLURM jobs, which wait for each
other in SLURM's queue and go on without this process.

    python -m rft.run +study=quickstart +cluster=slurm hydra.launcher.partition=gpu
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.config_store import ConfigStore

from hydra_plugins.rft_launchers.dag import DagLauncher
from hydra_plugins.rft_launchers.plain import plain, unset_resources

if TYPE_CHECKING:
    from rft.execute.executor import Executor


@dataclass
class DagSlurmConfig:
    """Settings under hydra.launcher; what stages ask for stands in conf/cluster/*.yaml."""

    _target_: str = "hydra_plugins.rft_launchers.dag_slurm.DagSlurmLauncher"
    workers: int = 16  # jobs that will run at once: for estimates of time, and for how stages share jobs
    threads: int = 1
    resources: dict[str, Any] = field(default_factory=unset_resources)  # see rft.infra.cluster.resources
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    setup: list[str] = field(default_factory=list)  # shell commands before a job's own
    sbatch: Any = None  # further options of sbatch by their names: {exclude: node7}
    stages_per_job: int = 8
    job_minutes: float = 30.0  # a job that has this much to do takes no further stage; where workers are left, sooner
    max_jobs: int = 500  # in the queue at once
    array_parallelism: int = 256  # elements of one array that run at once
    # A job that SLURM could not start and holds ("launch failed requeued held") is cancelled after, its stages are missing
    held_minutes: float = 5.0
    poll_s: float = 1.0


ConfigStore.instance().store(group="hydra/launcher", name="dag_slurm", node=DagSlurmConfig, provider="rft_launchers")


class DagSlurmLauncher(DagLauncher):
    """Over jobs of a SLURM cluster."""

    def __init__(self, **said: Any) -> None:
        self.said = DagSlurmConfig(**said)

    def executor(self, folder: Path) -> "Executor":
        from rft.infra.cluster.resources import ResourceTable
        from rft.infra.cluster.sbatch import Sbatch
        from rft.infra.cluster.slurm import SlurmJobs
        from rft.infra.live import SLURM_FOLDER

        said = self.said
        sbatch = Sbatch(
            partition=said.partition,
            account=said.account,
            qos=said.qos,
            setup=tuple(said.setup),
            more=plain(said.sbatch),
            array_parallelism=said.array_parallelism,
        )
        return SlurmJobs(
            folder=folder / SLURM_FOLDER,
            table=ResourceTable.read(plain(said.resources)),
            sbatch=sbatch,
            workers=said.workers,
            threads=said.threads,
            stages_per_job=said.stages_per_job,
            job_s=60.0 * said.job_minutes,
            max_jobs=said.max_jobs,
            held_s=60.0 * said.held_minutes,
            poll_s=said.poll_s,
        )
