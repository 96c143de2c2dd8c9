"""Hydra launcher `dag_local`: plans the union of all cells' stages, runs each once over local worker processes, then lets
the cells finish on cache hits.

    python -m rft.run -m hydra/launcher=dag_local hydra.launcher.workers=2 data_frac=0.25,1 method=sft,rft
"""

import logging
import pickle
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra._internal.callbacks import Callbacks
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus, configure_log, run_job, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict, read_write

from hydra_plugins.rft_launchers.job_composing import JobComposer

log = logging.getLogger("rft")


@dataclass
class DagLocalConfig:
    """Settings under hydra.launcher."""

    _target_: str = "hydra_plugins.rft_launchers.dag_local.DagLocalLauncher"
    workers: int = 2
    threads: int = 1  # of each worker


ConfigStore.instance().store(group="hydra/launcher", name="dag_local", node=DagLocalConfig, provider="rft_launchers")


class DagLocalLauncher(Launcher):
    """Runs a sweep as one graph of stages."""

    composes_before_running = True  # a sweeper need not compose all jobs beforehand to find bad overrides

    def __init__(self, workers: int, threads: int) -> None:
        self.workers = workers
        self.threads = threads

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.hydra_context = hydra_context
        self.task_function = task_function
        self.config = config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """One JobReturn per job, in order; jobs of failed cells carry their error."""
        setup_globals()
        configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)
        composer = JobComposer(self.hydra_context.config_loader, self.config)
        configs = [_numbered(composer.compose(job), initial_job_idx + i) for i, job in enumerate(job_overrides)]
        from rft.sweep import Job, run_sweep  # torch-free, but after Hydra's own start-up

        jobs = [Job(number=initial_job_idx + i, config=c) for i, c in enumerate(configs)]
        try:
            errors = run_sweep(
                jobs,
                study_folder=Path(str(self.config.hydra.sweep.dir)),
                workers=self.workers,
                threads=self.threads,
                cell_payload=self._cell_payload,
            )
        except ValueError as error:  # a configuration that cannot work: nothing has run yet
            sys.exit(f"error: {error}")
        return [self._returned(c, error) for c, error in zip(configs, errors, strict=True)]

    def _cell_payload(self, config: DictConfig, hits: dict[str, bool]) -> bytes:
        """What a worker needs to finish a cell as an ordinary Hydra job."""
        return pickle.dumps((config, hits, sys.argv[1:]))

    def _returned(self, config: DictConfig, error: str | None) -> JobReturn:
        returned = JobReturn(cfg=config, overrides=list(config.hydra.overrides.task))
        returned.status = JobStatus.COMPLETED if error is None else JobStatus.FAILED
        returned.return_value = None if error is None else RuntimeError(error)
        return returned


def _numbered(config: DictConfig, number: int) -> DictConfig:
    """The job's configuration with its number; names that hold a time are resolved here, so that all workers agree."""
    with read_write(config), read_write(config.hydra), open_dict(config):
        config.hydra.job.id = number
        config.hydra.job.num = number
        config.hydra.sweep.dir = str(config.hydra.sweep.dir)
        config.study_name = str(config.study_name)
    return config


def finish_cell(payload: bytes, report: Any) -> None:  # noqa: ARG001 (every task function takes `report`)
    """Entry point of a worker: run one cell as a Hydra job; all its stages are in the store."""
    from rft.run import finish

    config, hits, arguments = pickle.loads(payload)
    setup_globals()
    HydraConfig.instance().set_config(config)
    returned = run_job(
        hydra_context=HydraContext(config_loader=None, callbacks=Callbacks()),
        task_function=lambda cfg: finish(cfg, hits=hits, arguments=arguments),
        config=config,
        job_dir_key="hydra.sweep.dir",
        job_subdir_key="hydra.sweep.subdir",
    )
    _ = returned.return_value  # raises what the job raised
