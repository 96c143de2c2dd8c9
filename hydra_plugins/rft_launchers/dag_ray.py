"""Hydra launcher `dag_ray`: plans the union of all cells' stages and runs each once as a Ray task.

python -m rft.run +study=quickstart +cluster=ray hydra.launcher.address=auto
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.config_store import ConfigStore

from hydra_plugins.rft_launchers.dag import DagLauncher
from hydra_plugins.rft_launchers.plain import plain, unset_resources

if TYPE_CHECKING:
    from rft.execute.executor import Executor

RAY_FOLDER = ".ray"  # below the study's folder


@dataclass
class DagRayConfig:
    """Settings under hydra.launcher; what stages ask for stands in conf/cluster/*.yaml."""

    _target_: str = "hydra_plugins.rft_launchers.dag_ray.DagRayLauncher"
    address: str | None = None  # of a cluster, or auto; null: one on this machine for as long as the sweep runs
    workers: int = 2  # stages that will run at once, for estimates of time; times threads: CPUs of a cluster made here
    threads: int = 1
    gpus: int | None = None  # of a cluster made here; null: what Ray finds
    resources: dict[str, Any] = field(default_factory=unset_resources)  # see rft.infra.cluster.resources
    custom: dict[str, float] = field(default_factory=dict)  # Ray's own named resources, asked for by every stage
    max_retries: int = 5  # of a stage whose node or process is lost
    scheduling_strategy: str = "DEFAULT"  # or SPREAD
    # Let stages that no node can hold wait for one that joins; false: an error at the start
    wait_for_nodes: bool = False
    ship_code: bool = False  # as Ray's runtime_env; otherwise nodes find it on the shared disk or have it installed


ConfigStore.instance().store(group="hydra/launcher", name="dag_ray", node=DagRayConfig, provider="rft_launchers")


class DagRayLauncher(DagLauncher):
    """Over the nodes of a Ray cluster."""

    def __init__(self, **said: Any) -> None:
        self.said = DagRayConfig(**said)

    def executor(self, folder: Path) -> "Executor":
        from rft.infra.cluster.ray_tasks import RayTasks
        from rft.infra.cluster.resources import ResourceTable

        said = self.said
        return RayTasks(
            folder=folder / RAY_FOLDER,
            table=ResourceTable.read(plain(said.resources)),
            address=said.address,
            workers=said.workers,
            threads=said.threads,
            gpus=said.gpus,
            max_retries=said.max_retries,
            scheduling_strategy=said.scheduling_strategy,
            custom=plain(said.custom),
            ship_code=said.ship_code,
            wait_for_nodes=said.wait_for_nodes,
        )
