"""What a task asks of a machine: by kind of stage and by model, from conf/cluster/*.yaml.

    table = ResourceTable.read({"all": {"cpus": 1}, "kinds": {"finetune": {"gpus": 1}},
                                "models": {"llama2-70b": {"finetune": {"gpus": 8, "minutes": 1440}}}})
    table.of(task)                  # Resources(cpus=1, gpus=8, memory_gb=4.0, minutes=1440) for a fine-tuning of llama2-70b

    >>> table = ResourceTable.read({"all": {"memory_gb": 8}, "kinds": {"shard": {"gpus": 0.5}}})
    >>> table.of(Task("a", (), "m:f", None, group="shard"))
    Resources(cpus=1, gpus=0.5, memory_gb=8, minutes=60)

What is said later wins: `all`, then the kind, then the model's `all`, then the model's kind.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from rft.infra.graph import Task

ALL = "all"
PLACES = (ALL, "kinds", "models")


@dataclass(frozen=True)
class Resources:
    """Of one task, or of a job that runs several one after the other."""

    cpus: int = 1
    gpus: float = 0.0  # a share is for engines that know shares: Ray; SLURM gives whole ones
    memory_gb: float = 4.0
    minutes: int = 60  # limit of a SLURM job, which is requeued and goes on where it was


@dataclass(frozen=True)
class ResourceTable:
    """Of every task."""

    base: Mapping[str, Any]
    kinds: Mapping[str, Mapping[str, Any]]
    models: Mapping[str, Mapping[str, Mapping[str, Any]]]

    @staticmethod
    def read(said: Mapping[str, Any]) -> ResourceTable:
        """From a configuration. Raises ValueError for a place or quantity that does not exist, and for what is no number."""
        _check(said, PLACES, where="resources")
        table = ResourceTable(said.get(ALL) or {}, said.get("kinds") or {}, said.get("models") or {})
        for where, row in table._rows():
            _check(row, [one.name for one in fields(Resources)], where=where)
            _check_numbers(row, where=where)
        return table

    def of(self, task: Task) -> Resources:
        """What the task asks for."""
        model = self.models.get(task.model) or {}
        rows = (self.base, self.kinds.get(task.group), model.get(ALL), model.get(task.group))
        return Resources(**{name: value for row in rows for name, value in (row or {}).items()})

    def _rows(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        yield "resources.all", self.base
        yield from ((f"resources.kinds.{kind}", row) for kind, row in self.kinds.items())
        for model, kinds in self.models.items():
            yield from ((f"resources.models.{model}.{kind}", row) for kind, row in kinds.items())


def _check(names: Iterable[str], allowed: Sequence[str], *, where: str) -> None:
    unknown = sorted(set(names) - set(allowed))
    if unknown:
        raise ValueError(f"{where} has {', '.join(unknown)}; allowed are {', '.join(allowed)}")


def _check_numbers(row: Mapping[str, Any], *, where: str) -> None:
    for name, value in row.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            raise ValueError(f"{where}.{name} is {value!r}; allowed is a number that is not negative")
