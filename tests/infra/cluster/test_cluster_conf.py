"""The files of conf/cluster: each composes with a study, and asks for things that exist."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.plugins import Plugins
from omegaconf import OmegaConf

import rft.stages
from hydra_plugins.rft_launchers.dag_slurm import DagSlurmLauncher
from rft.execute.executor import Executor
from rft.infra.cluster.resources import ResourceTable
from rft.infra.graph import Task
from rft.plan.typed import store_schema
from rft.stages.stage import Stage

CONF = Path(__file__).resolve().parents[3] / "conf"
CLUSTERS = sorted(path.stem for path in (CONF / "cluster").glob("*.yaml"))


def launcher_of(cluster: str, *more: str) -> Any:
    store_schema(())
    Plugins.instance()  # registers the launchers' settings
    with initialize_config_dir(str(CONF), version_base="1.3"):
        words = ["+study=quickstart", f"+cluster={cluster}", *more]
        return compose("config", words, return_hydra_config=True).hydra.launcher


def kinds() -> set[str]:
    for module in pkgutil.iter_modules(rft.stages.__path__, "rft.stages."):
        importlib.import_module(module.name)
    todo, found = [Stage], set()
    while todo:
        todo += (below := todo.pop()).__subclasses__()
        found.add(getattr(below, "kind", ""))
    return found | {"record"}


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_a_study_takes_the_launcher_of_the_cluster(cluster: str, tmp_path: Path):
    said = OmegaConf.to_container(launcher_of(cluster))
    module, _, name = said.pop("_target_").rpartition(".")
    executor: Executor = getattr(importlib.import_module(module), name)(**said).executor(tmp_path)
    assert executor.workers == said["workers"]
    assert executor.engine
    table = ResourceTable.read(said["resources"])
    assert set(table.kinds) <= kinds()


def test_words_of_the_command_line_win():
    said = launcher_of("slurm", "hydra.launcher.partition=gpu", "hydra.launcher.resources.all.cpus=3")
    assert said.partition == "gpu"
    assert said.resources.all.cpus == 3
    assert said.resources.all.minutes == 60


@pytest.mark.parametrize("launcher", ["local", "slurm", "ray"])
def test_what_stages_ask_for_can_be_said_on_the_command_line(launcher: str):
    """Without Hydra's "+": a user does not know which places the file of the cluster has filled."""
    words = "hydra.launcher.resources={kinds: {finetune: {gpus: 1}}, models: {big: {all: {gpus: 8}}}}"
    table = ResourceTable.read(OmegaConf.to_container(launcher_of(launcher, words).resources))
    assert table.of(Task("a", (), "m:f", None, group="finetune")).gpus == 1
    assert table.of(Task("a", (), "m:f", None, group="finetune", model="big")).gpus == 8
    said = launcher_of(launcher, "hydra.launcher.resources.kinds={shard: {gpus: 0.5}}")
    assert said.resources.kinds == {"shard": {"gpus": 0.5}}


def test_options_of_sbatch_can_be_said_on_the_command_line(tmp_path: Path):
    said = OmegaConf.to_container(launcher_of("slurm", "hydra.launcher.sbatch={exclude: node7}"))
    name = said.pop("_target_").rpartition(".")[2]
    assert DagSlurmLauncher.__name__ == name
    assert DagSlurmLauncher(**said).executor(tmp_path).sbatch.more == {"exclude": "node7"}
