"""Hydra sweeper `grids`: a study of several grids in one multirun, for cells that no single product describes.

    hydra:
      sweeper:
        grids:
          sft: {method: sft, data_frac: "0.25,0.5,1"}
          rft: {method: "rft,sft_matched", k: "4,16"}

Overrides on the command line apply to every grid and replace its values of the same key; `hydra.sweeper.params` apply to
every grid that does not have the key itself. A cell that several grids name is one cell. A single number needs no quotes:
`k: 4`. Values are read once, before any job is composed: one that refers to another key of the configuration
(`seed: "1${pretrain_seed}"`) would have that key's value of NO job, and is refused.
"""

import contextlib
import itertools
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from hydra_plugins.rft_launchers.job_composing import JobComposer
from hydra_plugins.rft_launchers.study_configs import StudyConfigs

if TYPE_CHECKING:
    from rft.config import StudyConfig
    from rft.execute.ahead import Ahead


@dataclass
class GridsConfig:
    """Settings under hydra.sweeper."""

    _target_: str = "hydra_plugins.rft_sweepers.grids.GridsSweeper"
    max_batch_size: int | None = None
    params: dict[str, Any] = field(default_factory=dict)  # of all grids that do not have the key themselves
    grids: dict[str, dict[str, Any]] = field(default_factory=dict)


ConfigStore.instance().store(group="hydra/sweeper", name="grids", node=GridsConfig, provider="rft_sweepers")


def _texts(grid: Any) -> dict[str, str]:
    """Keys with what would stand behind '=' on the command line: numbers, true and null need no quotes in YAML.

    Raises ValueError for a list, which could mean values to sweep over or one value that is a list.
    """
    return {str(key): _text(str(key), value) for key, value in (grid or {}).items()}


def _text(key: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool | int | float):
        return json.dumps(value)
    raise ValueError(
        f"{key}: {value} of a grid is neither text nor a number: values to sweep over are written as on the command line, "
        f'{key}: "4,16", and one value that is a list as {key}: "[a,b]"'
    )


REFERENCE = re.compile(r"\$\{(?!\s*[\w.]+:)[^}]*\}")  # to a key; `${oc.env:HOME}` and other resolvers are none


def references(sweeper: DictConfig) -> list[str]:
    """Values that refer to keys of the configuration, as 'grids.replicates.seed: 1${pretrain_seed}'."""
    raw = OmegaConf.to_container(sweeper, resolve=False)
    assert isinstance(raw, dict)
    found = {f"params.{key}": value for key, value in (raw.get("params") or {}).items()}
    for name, grid in (raw.get("grids") or {}).items():
        found |= {f"grids.{name}.{key}": value for key, value in grid.items()}
    return [f"{key}: {value}" for key, value in found.items() if isinstance(value, str) and REFERENCE.search(value)]


class GridsSweeper(BasicSweeper):
    """The basic sweeper over a union of products."""

    def __init__(self, max_batch_size: int | None, params: Any = None, grids: DictConfig | None = None) -> None:
        super().__init__(max_batch_size=max_batch_size, params=_texts(params))
        self.grids = {name: _texts(grid) for name, grid in (grids or {}).items()}
        self.ahead: Ahead | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """The launcher gets the configuration as it is; here it is only written down, without secrets."""
        from rft.execute.configuration import masked  # Hydra imports every plugin at every start

        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)
        self.config = masked(config)
        self.launched = config  # the launcher's own

    def sweep(self, arguments: list[str]) -> Any:
        """All jobs, and then what is told once for all of them."""
        from rft.infra.masking import private_file

        if self.max_batch_size is not None:
            sys.exit(
                f"error: hydra.sweeper.max_batch_size={self.max_batch_size} would plan the sweep in parts, each with an "
                "engine of its own: leave it out (how many processes run at once is hydra.launcher.workers of dag_local)"
            )
        if found := references(self.launched.hydra.sweeper):
            sys.exit(
                f"error: hydra.sweeper.{'; hydra.sweeper.'.join(found)}: what a grid refers to is read once, before there "
                "are jobs, so that every job would get the same value. Write the values themselves, or let the key refer to "
                "the other at the top of the file, outside `hydra:` (`seed: ${pretrain_seed}`)"
            )
        folder = Path(str(self.launched.hydra.sweep.dir))
        folder.mkdir(parents=True, exist_ok=True)
        private_file(folder / "multirun.yaml").close()  # what fills it keeps its mode
        try:
            return super().sweep(arguments)
        finally:
            if self.ahead is not None and not self.config.dry_run:
                self.ahead.tell_found()

    def split_arguments(self, overrides: list[Any], max_batch_size: int | None) -> list[list[list[str]]]:
        """All jobs in one batch: a graph launcher plans them together."""
        if not self.grids:
            return super().split_arguments(overrides, None)
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        jobs: dict[tuple[str, ...], None] = {}
        num_params = len(self.params or {})  # the first of all words are those of `params`, as Hydra has it
        for grid in self.grids.values():
            own = parser.parse_overrides([f"{key}={value}" for key, value in grid.items()])
            keys = {one.key_or_group for one in own}
            params = [one for one in overrides[:num_params] if one.key_or_group not in keys]
            batches = super().split_arguments([*own, *params, *overrides[num_params:]], None)
            jobs |= dict.fromkeys(map(tuple, itertools.chain.from_iterable(batches)))
        return [[list(job) for job in jobs]]

    def validate_batch_is_legal(self, batch: Sequence[Sequence[str]]) -> None:
        """Compose every job to find bad overrides early, and plan them together: but for a launcher that does both itself."""
        if getattr(self.launcher, "composes_before_running", False):
            return
        configs = StudyConfigs(JobComposer(self.hydra_context.config_loader, self.launched))
        jobs = []
        for number, job in enumerate(batch):
            with contextlib.suppress(ValueError):  # the job itself says what is wrong with it
                jobs.append(configs.of(job, number=number))
        if self.ahead is None:  # batches after the first are told what the first ones are
            self._plan_ahead(jobs)

    def _plan_ahead(self, jobs: Sequence["StudyConfig"]) -> None:
        from rft.execute.ahead import plan_ahead  # Hydra imports every plugin at every start
        from rft.infra.masking import mask_text

        try:
            self.ahead = plan_ahead(jobs)
        except ValueError as error:
            sys.exit(mask_text(f"error: {error}"))
        if self.ahead is None:
            return
        if not self.config.dry_run:
            print(self.ahead.text())
            self.ahead.tell_drift()
        with read_write(self.launched), open_dict(self.launched):
            self.launched.hydra.overrides.hydra += self.ahead.overrides
