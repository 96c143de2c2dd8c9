"""A finished cell as its record and the store know it: its model, what that was trained on, and the pools behind it.

    cell = FinishedCell.open(Path("multirun_outputs/mine/nano-s_rft_f1_k4_s0-1a2b3c4d"), store=Store(root))
    cell.weights.folder         # the model
    cell.trainset.folder        # its examples; None for a method that trains nothing
    cell.greedy                 # what became of every test question: the stage that scored it

Nothing is planned again: the record names the stages, and the store keeps what each was made of.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from rft.archive.files import rows_at
from rft.archive.sound import sound_record
from rft.infra.stage_store import StageStore
from rft.records import Problem, Record, Sample, StageCost
from rft.stages.kept import kept_of, rows_without_seed
from rft.stages.problems import ProblemFile, chosen
from rft.stages.scores import PathScores
from rft.stages.shard import ShardFile
from rft.stages.trainset import Example, Examples
from rft.text.selection import KeptPath

SELECT, RELABEL, SCORES, EVALUATE = "select", "relabel", "scores", "evaluate"


@dataclass(frozen=True)
class Finished:
    """One finished stage, with what it was made of."""

    kind: str
    key: str
    folder: Path
    identity: dict[str, Any]  # its fields, inputs by their keys
    kinds: dict[str, str]  # of its inputs, by key


@dataclass(frozen=True)
class DonorPool:
    """The solutions that one donor wrote for a cell."""

    donor: str
    samples: list[Sample]  # question by question, draw by draw


@dataclass(frozen=True)
class FinishedCell:
    """See the module."""

    folder: Path
    record: Record
    store: StageStore

    @staticmethod
    def open(folder: Path, *, store: StageStore) -> FinishedCell:
        """Raises ValueError for a folder without a record, and for one that was edited or damaged."""
        return FinishedCell(folder, sound_record(folder), store)

    def stage(self, kind: str, key: str) -> Finished:
        """A finished stage. Raises ValueError where the store no longer has it."""
        entry = self.store.get(kind, key)
        if entry is None:
            raise ValueError(
                f"the store {self.store.root} has no {kind} {key} any more, which {self.record.cell_id} rests on: give the "
                "store of its study (--store), or run the study again"
            )
        kinds = {name: one for one, name in entry.meta.get("inputs", [])}
        return Finished(kind, key, entry.path, entry.meta["identity"], kinds)

    def input_of(self, stage: Finished, key: str) -> Finished:
        """An input of a stage."""
        return self.stage(stage.kinds[key], key)

    @cached_property
    def weights(self) -> Finished:
        """The model: all else that it is made of is listed before it."""
        made = [cost for cost in self.record.cost if cost.makes]
        if not made:
            raise ValueError(
                f"the record of {self.record.cell_id} is from before records said what a model is made of: run its study "
                "again (finished stages are reused)"
            )
        return self.stage(made[-1].name, made[-1].key)

    @cached_property
    def trainset(self) -> Finished | None:
        """What the model was last trained on; None where it is a base."""
        key = self.weights.identity.get("trainset")
        return None if key is None else self.input_of(self.weights, key)

    @cached_property
    def base(self) -> Finished:
        """What the training began from; the model itself where nothing was trained."""
        key = self.weights.identity.get("base")
        return self.weights if key is None or self.trainset is None else self.input_of(self.weights, key)

    @cached_property
    def greedy(self) -> Finished:
        """The evaluation behind the record's own greedy score."""
        rows = (self.stage(cost.name, cost.key) for cost in self.record.cost if cost.name == EVALUATE)
        return next(one for one in rows if one.identity["weights"] == self.weights.key)

    def examples(self) -> list[Example]:
        """What the model was trained on, in order."""
        return list(Examples(self.trainset.folder).rows()) if self.trainset is not None else []

    def kept(self) -> list[KeptPath]:
        """The paths that the cell kept of its pools."""
        name = self.record.files.get("paths")
        rows = rows_at(self.folder / name) if name is not None else iter(())
        return [kept_of(row) for row in rows_without_seed(rows)]

    def scores(self) -> dict[tuple[str, str, int], float]:
        """Mean log-probability of kept paths under their donor, by question, donor and draw; where they were scored."""
        found = (self.stage(cost.name, cost.key) for cost in self.record.cost if cost.name == SCORES)
        return {row.origin: row.logprob for one in found for row in PathScores(one.folder).rows()}

    def problems(self) -> dict[str, Problem]:
        """The problems that the cell trains on, by id."""
        if self.trainset is None:
            return {}
        source = self.input_of(self.trainset, self.trainset.identity["subset"]["source"])
        return {problem.id: problem for problem in ProblemFile(source.folder).problems()}

    def test_problems(self) -> list[Problem]:
        """The problems behind the record's own scores, in order."""
        source = self.input_of(self.greedy, self.greedy.identity["problems"])
        return ProblemFile(source.folder).problems()[: self.greedy.identity["num_problems"]]

    def greedy_samples(self) -> list[Sample]:
        """The model's solution to each of them."""
        from rft.stages.evaluate import Evaluation

        return Evaluation(self.greedy.folder).samples()

    def pools(self) -> list[DonorPool]:
        """The pools that the model's training paths were chosen from, whole; where it was trained on none, those whose paths
        its record counts or its size follows from. A donor's largest, where several choices have seen it."""
        found: dict[str, DonorPool] = {}
        for cost in [cost for cost in self._choices if cost.makes] or self._choices:
            choice = self.stage(cost.name, cost.key)
            asked, rows = self._asked(choice), choice.identity.get("pools") or [choice.identity["pool"]]
            for pool in (self._pool(choice, row, asked) for row in rows):
                if pool.donor not in found or len(pool.samples) > len(found[pool.donor].samples):
                    found[pool.donor] = pool
        return list(found.values())

    @property
    def is_made_of_pools(self) -> bool:
        """Whether the model was trained on paths that were chosen from pools."""
        return any(cost.makes for cost in self._choices)

    @property
    def _choices(self) -> list[StageCost]:
        """The stages that read pools for the training set."""
        return [cost for cost in self.record.cost if cost.name in (SELECT, RELABEL)]

    def _asked(self, choice: Finished) -> set[str]:
        """Ids of the problems whose paths it chose among."""
        subset = choice.identity["subset"]
        problems = ProblemFile(self.input_of(choice, subset["source"]).folder).problems()
        return {one.id for one in chosen(problems, num_problems=subset["num_problems"], seed=subset["seed"])}

    def _pool(self, select: Finished, row: dict[str, Any], asked: Collection[str]) -> DonorPool:
        """Without what an imported file holds for other questions."""
        first = row.get("first", row)  # draws by difficulty: the first wave, then what was dealt
        drawn = list(self._drawn(select, first.get("shards", ()), first["num_draws"]))
        drawn += self._drawn(select, row.get("dealt", ()), None)
        samples = [one for one in drawn if one.id in asked]
        places: dict[str, int] = {}
        for sample in samples:
            places.setdefault(sample.id, len(places))
        return DonorPool(first["donor"], sorted(samples, key=lambda one: (places[one.id], one.draw)))

    def _drawn(self, select: Finished, keys: Iterable[str], num_draws: int | None) -> Iterator[Sample]:
        for key in keys:
            for sample in ShardFile(self.input_of(select, key).folder).samples():
                if num_draws is None or sample.draw < num_draws:
                    yield sample
