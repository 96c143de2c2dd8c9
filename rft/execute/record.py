"""A cell's record from the outputs of its finished stages, and the per-item files beside it.

record = assemble(cell, store=store, hits={"3f2a...": True}, study="quickstart", provenance={...})
write_cell_files(cell, store=store, folder=Path("multirun_outputs/quickstart/3"))
"""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from rft.execute.code import behind
from rft.execute.curve import write_curve
from rft.execute.made import Made
from rft.execute.scoring import change_of_copies, rates_of, scores_of
from rft.infra.digest import digest
from rft.infra.entry import Entry
from rft.infra.stage_store import StageStore
from rft.plan.cell import CellPlan, CellStages, FurtherSet, Measured
from rft.records import (
    CELL_CURVE_FILE,
    OUTCOMES_FILE,
    PATHS_FILE,
    SHOWN_FILE,
    Record,
    SetRecord,
    StageCost,
    write_jsonl,
)
from rft.stages.allocate import DealtShard
from rft.stages.foreign import NUM_USED
from rft.stages.problems import FileProblems, Mixture, Part, Problems
from rft.stages.rows import Scored
from rft.stages.select import Select, SelectFacts
from rft.stages.shard import DrawnShard, used_shares
from rft.stages.stage import Stage, in_order
from rft.text.perturb import original_id

R = TypeVar("R")
TAKEN = ("num_optimizer_steps", "target_tokens")  # add up over the models that one goes on from

MAX_SOLUTIONS = 64  # of each source in the cell's sample file


def assemble(
    cell: CellPlan,
    *,
    store: StageStore,
    hits: Mapping[str, bool],
    study: str,
    provenance: Mapping[str, Any],
    known: Record | None = None,
) -> Record:
    """The record of a cell whose stages are all finished.

    `known`, its record from before: this one extended by the test sets that the cell is planned with. Its own numbers stay as
    they are, and so do those of other sets; where it has a set already, that is replaced.
    """
    done = _Finished(store, hits, provenance)
    own, mine = known or _own_record(cell, done, study), set(cell.own_stages)
    sets = {(one.name, one.key): one for one in (*own.sets, *(_set_record(one, mine, done) for one in cell.sets))}
    return dataclasses.replace(own, sets=[sets[place] for place in sorted(sets)])


def _own_record(cell: CellPlan, done: _Finished, study: str) -> Record:
    measured = cell.read.measured
    outcomes, facts = list(_outcome_rows(measured, done)), facts_of(cell, store=done.store)
    rows, origins = _stage_origins(cell.own_stages, done)
    files = {"outcomes": OUTCOMES_FILE, "samples": SHOWN_FILE}
    files |= {"curve": CELL_CURVE_FILE} if cell.read.trained.trainset is not None else {}
    return Record(
        study=study,
        cell_id=cell.cell_id,
        cell_key=cell.cell_key,
        names=dict(cell.names),
        setting=dict(cell.setting),
        seeds=dict(cell.seeds),
        model=facts.model,
        data=facts.data | _perturbed_facts(measured, done, outcomes),
        scores=scores_of(outcomes),
        rates=rates_of(outcomes),
        stages=rows,
        cost=_costs(cell.own_stages, done, makers=set(cell.makers)),
        provenance={**done.provenance, "origins": origins, "code": _codes_now(cell.own_stages)},
        files=files | ({"paths": PATHS_FILE} if cell.read.trained.selections else {}),
    )


def _set_record(one: FurtherSet, own: set[Stage[Any]], done: _Finished) -> SetRecord:
    stages = [stage for stage in in_order(one.targets) if stage not in own]
    outcomes = list(_outcome_rows(one.measured, done))
    rows, origins = _stage_origins(stages, done)
    data = {"dataset": _dataset(one.problems, done)} | done.facts(one.measured.evaluate)
    return SetRecord(
        name=one.name,
        key=one.key,
        setting=dict(one.setting),
        scores=scores_of(outcomes),
        rates=rates_of(outcomes),
        data=data | _perturbed_facts(one.measured, done, outcomes),
        stages=rows,
        cost=_costs(stages, done),
        provenance={**done.provenance, "origins": origins, "code": _codes_now(stages)},
        files={"outcomes": set_file(OUTCOMES_FILE, one), "samples": set_file(SHOWN_FILE, one)},
    )


def set_file(name: str, one: FurtherSet) -> str:
    """The name of a file of a test set: 'outcomes-svamp-1a2b3c4d.jsonl.gz' for 'outcomes.jsonl.gz'."""
    stem, _, ending = name.partition(".")
    return f"{stem}-{one.name.replace('.', '-')}-{one.key[:8]}.{ending}"


def write_set_files(cell: CellPlan, *, store: StageStore, folder: Path) -> None:
    """Outcomes and a capped sample of solutions of every further test set."""
    done = _Finished(store)
    for one in cell.sets:
        write_jsonl(folder / set_file(OUTCOMES_FILE, one), (row.to_json() for row in _outcome_rows(one.measured, done)))
        shown = itertools.islice(done.open(one.measured.evaluate).solutions(), MAX_SOLUTIONS)
        write_jsonl(folder / set_file(SHOWN_FILE, one), (row.to_json() for row in shown))


def write_cell_files(cell: CellPlan, *, store: StageStore, folder: Path) -> None:
    """Outcomes, kept paths, the thinned curve and a capped sample of solutions, so that a copied study needs no store."""
    done = _Finished(store)
    if cell.read.trained.trainset is not None:
        write_curve(done.open(cell.read.trained.weights).curve(), folder / CELL_CURVE_FILE)
    write_jsonl(folder / OUTCOMES_FILE, (row.to_json() for row in _outcome_rows(cell.read.measured, done)))
    shown = list(itertools.islice(done.open(cell.read.measured.evaluate).solutions(), MAX_SOLUTIONS))
    selections = cell.read.trained.selections
    if selections:
        kept = done.open(selections[-1]).rows()
        write_jsonl(folder / PATHS_FILE, (row | {"seed": cell.sample_seed} for row in kept))
        for selection in selections:
            shown += itertools.islice(done.open(selection).solutions(), MAX_SOLUTIONS)
    write_jsonl(folder / SHOWN_FILE, (row.to_json() for row in shown))


@dataclass(frozen=True)
class Facts:
    """What finished stages say of a cell's model, and of the data behind it."""

    model: dict[str, Any]
    data: dict[str, Any]


def facts_of(cell: CellPlan, *, store: StageStore) -> Facts:
    """As its record holds them. Raises RuntimeError when a stage is not in the store."""
    done = _Finished(store)
    return Facts(_model_facts(cell, done), _data_facts(cell.read, done) | _draw_facts(cell, done))


@dataclass(frozen=True)
class _Finished:
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


def _stage_origins(stages: Sequence[Stage[Any]], done: _Finished) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(a row per stage with the index of its origin and the digests of its code and of the weights it made, the distinct
    origins)."""
    origins: list[dict[str, Any]] = []
    rows = []
    for stage in stages:
        entry = done.entry(stage)
        made = Made.of(entry.meta)
        if made.origin not in origins:
            origins.append(made.origin)
        row = {"name": stage.kind, "key": stage.key, "origin": origins.index(made.origin), "code": made.code}
        weights = weights_digest(entry.digests)
        rows.append(row | ({"weights": weights} if weights else {}))
    return rows, origins


def _codes_now(stages: Sequence[Stage[Any]]) -> dict[str, str]:
    """Digest of the code of each kind of stage as it stands while the record is written."""
    kinds = {stage.kind: behind(stage) for stage in stages}
    return {kind: code.digest for kind, code in kinds.items() if code is not None}


def weights_digest(digests: Mapping[str, str]) -> str | None:
    """One digest of the weights among a stage's files, of those by name; None where it holds none."""
    found = {name: value for name, value in digests.items() if name.endswith(".safetensors")}
    return digest(found) if found else None


def _outcome_rows(read: Measured, done: _Finished) -> Iterator[Scored]:
    """One row per test problem: the greedy outcome, and where the cell has them that of its numbers-changed copy and the
    draws; joined by id."""
    copied = done.open(read.perturbed).outcomes() if read.perturbed is not None else ()
    copies = {original_id(row.id): row for row in copied}
    draws = {row.id: row for row in done.open(read.vote).outcomes()} if read.vote is not None else {}
    for row in done.open(read.evaluate).outcomes():
        yield Scored(row, copies.get(row.id), draws[row.id] if draws else None)


def _perturbed_facts(read: Measured, done: _Finished, outcomes: Sequence[Scored]) -> dict[str, Any]:
    """Counts of the copy, and copy minus original over the same problems, with its paired standard error."""
    if read.perturbed is None:
        return {}
    return {"perturbed": done.facts(read.perturbed.problems) | change_of_copies(outcomes)}


def _model_facts(cell: CellPlan, done: _Finished) -> dict[str, Any]:
    return {
        **cell.model_facts,
        **dataclasses.asdict(done.open(cell.read.base).facts),
        **dataclasses.asdict(done.open(cell.read.loss)),
        **done.facts(cell.read.base),
        "base_weights": weights_digest(done.entry(cell.read.base).digests),
    }


def _data_facts(read: CellStages, done: _Finished) -> dict[str, Any]:
    facts: dict[str, Any] = {"dataset": _dataset(read.problems, done)}
    for stage in read.told:
        facts |= done.facts(stage)
    for stage in read.trained.earlier:
        facts |= {name: facts[name] + done.facts(stage)[name] for name in TAKEN}
    return facts


def _dataset(problems: tuple[Problems, ...], done: _Finished) -> dict[str, Any]:
    """Numbers of problems that the cell trains on and is scored on, and of rows that were left out of data files."""
    files = [stage.whole if isinstance(stage, Part) else stage for stage in problems]
    from_files = any(isinstance(file, FileProblems | Mixture) for file in files)
    dataset: dict[str, Any] = {"kind": "jsonl" if from_files else "world"}
    for stage, file in zip(problems, files, strict=True):
        facts = done.facts(stage) | {name: value for name, value in done.facts(file).items() if name != "num_problems"}
        if isinstance(file, Mixture):
            counts: Iterator[Counter[str]] = (
                Counter(done.facts(one).get("dropped_rows")) for one in (file, *file.parts)
            )
            facts |= {"dropped_rows": dict(sum(counts, Counter()))}
        dataset[f"num_{'pool' if stage.split == 'train' else stage.split}"] = facts.pop("num_problems")
        if isinstance(file, FileProblems | Mixture):
            for name, value in facts.items():
                dataset.setdefault(name, {})[file.split] = value
    return dataset


def _draw_facts(cell: CellPlan, done: _Finished) -> dict[str, Any]:
    """Draws per question that the model rests on, of all rounds and donors; of a control those that fixed its size."""
    used = used_shares(cell.own_stages)
    for stages in (cell.makers, in_order([cell.read.trained.weights])):
        shards = [stage for stage in stages if isinstance(stage, DrawnShard | DealtShard)]
        selects = [stage for stage in stages if isinstance(stage, Select) and stage.imported]
        if shards or selects:
            questions = max(stage.subset.num_problems for stage in (*shards, *selects))
            draws = sum(_num_draws(stage, done, used) for stage in shards) + _num_imported(selects, done)
            return {"drawn_per_question": draws / questions}
    return {}


def _num_imported(selects: Sequence[Select], done: _Finished) -> int:
    """Draws that were made elsewhere; a pool that several selections read counts once."""
    found = [SelectFacts(**done.facts(select)).imported_pools or {} for select in selects]
    return sum({donor: pool[NUM_USED] for pools in found for donor, pool in pools.items()}.values())


def _num_draws(stage: DrawnShard | DealtShard, done: _Finished, used: Mapping[str, float]) -> float:
    """How many solutions of a stage the cell uses."""
    if isinstance(stage, DrawnShard):
        return (stage.block[1] - stage.block[0]) * (stage.draws[1] - stage.draws[0]) * used[stage.key]
    first, last = stage.part
    return len(done.open(stage.deal).blocks()[first:last]) * stage.num_draws


def _costs(stages: Sequence[Stage[Any]], done: _Finished, *, makers: Collection[Stage[Any]] = ()) -> list[StageCost]:
    used = used_shares(stages)
    return [_cost(stage, done, used=used.get(stage.key, 1.0), makes=stage in makers) for stage in stages]


def _cost(stage: Stage[Any], done: _Finished, *, used: float, makes: bool) -> StageCost:
    entry = done.entry(stage)
    made, hit = Made.of(entry.meta), done.hits.get(stage.key, True)
    return StageCost(stage.kind, stage.key, entry.seconds, made.flops, made.tokens, hit, used, makes)
