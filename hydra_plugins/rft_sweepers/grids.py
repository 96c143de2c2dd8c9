"""Hydra sweeper `grids`: a study of several grids in one multirun, for cells that no single product describes.

    hydra:
      sweeper:
        grids:
          sft: {method: sft, data_frac: "0.25,0.5,1"}
          rft: {method: "rft,sft_matched", k: "4,16"}

Overrides on the command line apply to every grid and replace its values of the same key. A cell that several grids name is
one cell. A single number needs no quotes: `k: 4`.
"""

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig


@dataclass
class GridsConfig:
    """Settings under hydra.sweeper."""

    _target_: str = "hydra_plugins.rft_sweepers.grids.GridsSweeper"
    max_batch_size: int | None = None
    params: dict[str, Any] | None = None  # of all grids
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


class GridsSweeper(BasicSweeper):
    """The basic sweeper over a union of products."""

    def __init__(self, max_batch_size: int | None, params: Any = None, grids: DictConfig | None = None) -> None:
        super().__init__(max_batch_size=max_batch_size, params=_texts(params))
        self.grids = {name: _texts(grid) for name, grid in (grids or {}).items()}

    def split_arguments(self, overrides: list[Any], max_batch_size: int | None) -> list[list[list[str]]]:
        """All jobs in one batch: a graph launcher plans them together."""
        if not self.grids:
            return super().split_arguments(overrides, max_batch_size)
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        jobs: dict[tuple[str, ...], None] = {}
        for grid in self.grids.values():
            own = parser.parse_overrides([f"{key}={value}" for key, value in grid.items()])
            batches = super().split_arguments([*own, *overrides], None)
            jobs |= dict.fromkeys(map(tuple, itertools.chain.from_iterable(batches)))
        return [[list(job) for job in jobs]]

    def validate_batch_is_legal(self, batch: Sequence[Sequence[str]]) -> None:
        """Compose every job to find bad overrides early, unless the launcher does so itself before it runs any."""
        if not getattr(self.launcher, "composes_before_running", False):
            super().validate_batch_is_legal(batch)
