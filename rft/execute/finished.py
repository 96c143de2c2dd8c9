"""Finished stages as a record reads them: their entries, what they open, the facts that they give.

done = Finished(store)
done.open(cell.read.base).facts.num_params, done.facts(cell.read.measured.evaluate)
list(outcome_rows(cell.read.measured, done))         # [Scored(greedy=Graded(id="w-0f3a", ...), ...), ...]
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from rft.execute.made import Made
from rft.infra.digest import digest
from rft.infra.entry import Entry
from rft.infra.stage_store import StageStore
from rft.plan.cell import Measured
from rft.stages.rows import Scored
from rft.stages.stage import Stage
from rft.text.perturb import original_id

R = TypeVar("R")


@dataclass(frozen=True)
class Finished:
    """The finished stages of a store, and what the records say of the run that finished them."""

    store: StageStore
    hits: Mapping[str, bool] = field(default_factory=dict)  # whether it found a stage, by key, finished
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def entry(self, stage: Stage[Any]) -> Entry:
        """A finished stage. Raises RuntimeError when the store does not have it."""
        entry = self.store.get(stage.kind, stage.key)
        if entry is None:
            raise RuntimeError(
                f"stage {stage.kind} {stage.key} is not in the store {self.store.root}: start the run again"
            )
        return entry

    def open(self, stage: Stage[R]) -> R:
        """Open a finished stage: what its `read` returns."""
        return stage.read(self.entry(stage).path)

    def facts(self, stage: Stage[Any]) -> dict[str, Any]:
        """The facts that a finished stage gives to the record."""
        return Made.of(self.entry(stage).meta).facts


def outcome_rows(read: Measured, done: Finished) -> Iterator[Scored]:
    """One row per test problem: the greedy outcome, and where the cell has them that of its numbers-changed copy and the
    draws; joined by id."""
    copied = done.open(read.perturbed).outcomes() if read.perturbed is not None else ()
    copies = {original_id(row.id): row for row in copied}
    draws = {row.id: row for row in done.open(read.vote).outcomes()} if read.vote is not None else {}
    for row in done.open(read.evaluate).outcomes():
        yield Scored(row, copies.get(row.id), draws[row.id] if draws else None)


def weights_digest(digests: Mapping[str, str]) -> str | None:
    """One digest of the weights among a stage's files, of those by name; None where it holds none."""
    found = {name: value for name, value in digests.items() if name.endswith(".safetensors")}
    return digest(found) if found else None
