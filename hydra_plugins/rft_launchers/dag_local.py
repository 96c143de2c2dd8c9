"""Hydra launcher `dag_local`: plans the union of all cells' stages, runs each once over local worker processes, then lets
the cells finish.

    python -m rft.run -m hydra/launcher=dag_local hydra.launcher.workers=2 data_frac=0.25,1 method=sft,rft
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.config_store import ConfigStore

from hydra_plugins.rft_launchers.dag import DagLauncher
from hydra_plugins.rft_launchers.plain import unset_resources

if TYPE_CHECKING:
    from rft.execute.executor import Executor


@dataclass
class DagLocalConfig:
    """Settings under hydra.launcher."""

    _target_: str = "hydra_plugins.rft_launchers.dag_local.DagLocalLauncher"
    workers: int = 2
    threads: int = 1  # of each worker
    resources: dict[str, Any] = field(default_factory=unset_resources)  # for others: here every stage takes one worker
    # A watchdog for engines that hang: seconds in which a stage reports no progress, after which its worker is ended and the
    # stage is tried again, once. null: off. Loading a large model is no progress: give minutes
    stall_s: float | None = None


ConfigStore.instance().store(group="hydra/launcher", name="dag_local", node=DagLocalConfig, provider="rft_launchers")


class DagLocalLauncher(DagLauncher):
    """Over processes of this machine."""

    def __init__(self, workers: int, threads: int, stall_s: float | None = None, resources: Any = None) -> None:
        self.workers = workers
        self.threads = threads
        self.stall_s = stall_s

    def executor(self, folder: Path) -> "Executor":
        from rft.execute.executor import LocalProcesses

        return LocalProcesses(workers=self.workers, threads=self.threads, stall_s=self.stall_s)
