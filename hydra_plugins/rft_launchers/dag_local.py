"""Hydra launcher `dag_local`: plans the union of all cells' stages, runs each once over local worker processes, then lets
the cells finish.

    python -m rft.run -m hydra/launcher=dag_local hydra.launcher.workers=2 data_frac=0.25,1 method=sft,rft
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.config_store import ConfigStore

from hydra_plugins.rft_launchers.dag import DagLauncher

if TYPE_CHECKING:
    from rft.execute.executor import Executor


@dataclass
class DagLocalConfig:
    """Settings under hydra.launcher."""

    _target_: str = "hydra_plugins.rft_launchers.dag_local.DagLocalLauncher"
    workers: int = 2
    threads: int = 1  # of each worker
    resources: dict[str, Any] = field(default_factory=dict)  # for other launchers: here every stage takes one worker


ConfigStore.instance().store(group="hydra/launcher", name="dag_local", node=DagLocalConfig, provider="rft_launchers")


class DagLocalLauncher(DagLauncher):
    """Over processes of this machine."""

    def __init__(self, workers: int, threads: int, resources: Any = None) -> None:
        self.workers = workers
        self.threads = threads

    def executor(self, folder: Path) -> "Executor":
        from rft.execute.executor import LocalProcesses

        return LocalProcesses(workers=self.workers, threads=self.threads)
