"""What launchers have in common that plan a whole sweep as one graph: they differ in the executor that runs it.

    class DagRayLauncher(DagLauncher):                      # one file: settings, and which executor
        def executor(self) -> Executor: ...

Hydra composes the jobs; from there on the sweep is the project's own (rft.execute.sweep), and no worker needs Hydra.
"""

import logging
import sys
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.utils import JobReturn, JobStatus, configure_log, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from hydra_plugins.rft_launchers.job_composing import JobComposer
from hydra_plugins.rft_launchers.study_configs import StudyConfigs

if TYPE_CHECKING:
    from rft.execute.executor import Executor

log = logging.getLogger("rft")


class DagLauncher(Launcher):
    """Runs a sweep as one graph of stages."""

    composes_before_running = True  # a sweeper need not compose all jobs beforehand to find bad overrides

    @abstractmethod
    def executor(self) -> "Executor":
        """What runs the graph."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.hydra_context = hydra_context
        self.task_function = task_function
        self.config = config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """One JobReturn per job, in order. Exits with status 1 when a cell failed, after all others are finished."""
        setup_globals()
        configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)
        configs = StudyConfigs(JobComposer(self.hydra_context.config_loader, self.config))
        from rft.execute.configuration import KEPT_FOLDER, keep_configuration
        from rft.execute.sweep import run_sweep  # torch-free, but after Hydra's own start-up
        from rft.infra.disk import StoreError
        from rft.infra.masking import mask_text
        from rft.run import PROGRAM

        folder = Path(str(self.config.hydra.sweep.dir))
        numbered = list(enumerate(job_overrides, start=initial_job_idx))
        try:
            jobs = [configs.of(job, number=number) for number, job in numbered]
            command = [*PROGRAM, *sys.argv[1:]]
            results = run_sweep(jobs, study_folder=folder, executor=self.executor(), command=command)
        except (ValueError, StoreError) as error:  # a configuration that cannot work, a disk that takes nothing
            sys.exit(mask_text(f"error: {error}"))
        if not self.config.dry_run:
            for (number, job), (cell_id, reason) in zip(numbered, results, strict=True):
                if reason is None and not (folder / cell_id / KEPT_FOLDER).exists():
                    config = configs.composed(number, job)
                    keep_configuration(config, hydra=config.hydra, folder=folder / cell_id)
        gone = {cell_id for cell_id, reason in results if reason is not None}
        if gone:  # told above, each fault once: Hydra would tell the first again, with a traceback of its own
            sys.exit(f"error: {len(gone)} of {len({cell_id for cell_id, _ in results})} cells have no record")
        return [_returned(job) for job in job_overrides]


def _returned(job: Sequence[str]) -> JobReturn:
    """Without its configuration, which nobody reads: those of a hundred thousand jobs are 20 GB."""
    returned = JobReturn(overrides=job)
    returned.status, returned.return_value = JobStatus.COMPLETED, None
    return returned
