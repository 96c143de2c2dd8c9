"""What the finished stages of a cell say of its model, and of the data behind it.

facts_of(cell, store=store).model["num_params"], facts_of(cell, store=store).data["drawn_per_question"]
set_facts(further, store=store)["dataset"]           # of a further test set
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rft.config import Solutions
from rft.execute.finished import Finished, outcome_rows, weights_digest
from rft.execute.scoring import change_of_copies
from rft.infra.stage_store import StageStore
from rft.plan.cell import CellPlan, CellStages, FurtherSet, Measured
from rft.stages.allocate import DealtShard
from rft.stages.foreign import NUM_USED
from rft.stages.problems import FileProblems, Mixture, Part, Problems, Subset
from rft.stages.rows import Scored
from rft.stages.select import Select, SelectFacts
from rft.stages.shard import DrawnShard, used_shares
from rft.stages.stage import counted_of, in_order, made_of
from rft.stages.trainset import HUMAN
from rft.text.path_keys import human_keys

TAKEN = ("num_optimizer_steps", "target_tokens")  # add up over the models that one goes on from


@dataclass(frozen=True)
class Facts:
    """What finished stages say of a cell's model, and of the data behind it."""

    model: dict[str, Any]
    data: dict[str, Any]


def facts_of(cell: CellPlan, *, store: StageStore) -> Facts:
    """As its record holds them. Raises RuntimeError when a stage is not in the store."""
    done, measured = Finished(store), cell.read.measured
    data = _data_facts(cell.read, done) | _draw_facts(cell, done) | _several_facts(cell, done)
    return Facts(_model_facts(cell, done), data | _perturbed_facts(measured, done, outcome_rows(measured, done)))


def set_facts(one: FurtherSet, *, store: StageStore) -> dict[str, Any]:
    """The same of a further test set: its data. Raises RuntimeError when a stage is not in the store."""
    done = Finished(store)
    data = {"dataset": _dataset(one.problems, done)} | done.facts(one.measured.evaluate)
    return data | _perturbed_facts(one.measured, done, outcome_rows(one.measured, done))


def _perturbed_facts(read: Measured, done: Finished, outcomes: Iterable[Scored]) -> dict[str, Any]:
    """Counts of the copy, and copy minus original over the same problems, with its paired standard error."""
    if read.perturbed is None:
        return {}
    return {"perturbed": done.facts(read.perturbed.problems) | change_of_copies(list(outcomes))}


def _model_facts(cell: CellPlan, done: Finished) -> dict[str, Any]:
    return {
        **cell.model_facts,
        **dataclasses.asdict(done.open(cell.read.base).facts),
        **dataclasses.asdict(done.open(cell.read.loss)),
        **done.facts(cell.read.base),
        "base_weights": weights_digest(done.entry(cell.read.base).digests),
    }


def _data_facts(read: CellStages, done: Finished) -> dict[str, Any]:
    facts: dict[str, Any] = {"dataset": _dataset(read.problems, done)}
    for stage in read.told:
        facts |= done.facts(stage)
    for stage in read.trained.earlier:
        facts |= {name: facts[name] + done.facts(stage)[name] for name in TAKEN}
    return facts


def _dataset(problems: tuple[Problems, ...], done: Finished) -> dict[str, Any]:
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


def _draw_facts(cell: CellPlan, done: Finished) -> dict[str, Any]:
    """Draws per question that the model rests on, of all rounds and donors; of a control those that fixed its size."""
    fixed_by = [one for stage in cell.makers for one in counted_of(stage)]
    for stages in (cell.makers, in_order(fixed_by, inputs=made_of)):
        used = used_shares(stages)
        shards = [stage for stage in stages if isinstance(stage, DrawnShard | DealtShard)]
        selects = [stage for stage in stages if isinstance(stage, Select) and stage.imported]
        if shards or selects:
            questions = _num_questions([stage.subset for stage in (*shards, *selects)], done)
            draws = sum(_num_draws(stage, done, used) for stage in shards) + _num_imported(selects, done)
            return {"drawn_per_question": draws / questions}
    return {}


def _several_facts(cell: CellPlan, done: Finished) -> dict[str, Any]:
    """Where problems may have several human solutions: how many problems these are of, and their paths of a question."""
    if cell.setting.get("data.solutions") != Solutions.all.value:
        return {}
    trained = cell.read.trained
    facts: dict[str, Any] = {}
    if trained.examples is not None:
        rows = done.open(trained.examples).rows()
        facts |= {"num_human_problems": len({row.id for row in rows if row.source == HUMAN})}
    for select in (one for one in trained.selections if isinstance(one, Select)):
        asked, kind = select.subset.of(done.open(select.subset.source)), select.checks.named().equations
        mean = sum(len(human_keys(one, kind=kind)) for one in asked) / len(asked)
        facts |= {"human_paths_per_question": mean}
    return facts


def _num_questions(subsets: Sequence[Subset], done: Finished) -> int:
    """Questions of all subsets together; those of folds have none in common."""
    unlike = list(dict.fromkeys(subsets))
    if len(unlike) == 1:
        return unlike[0].num_problems
    return len({problem.id for one in unlike for problem in one.of(done.open(one.source))})


def _num_imported(selects: Sequence[Select], done: Finished) -> int:
    """Draws that were made elsewhere; a pool that several selections read counts once."""
    found = [SelectFacts(**done.facts(select)).imported_pools or {} for select in selects]
    return sum({donor: pool[NUM_USED] for pools in found for donor, pool in pools.items()}.values())


def _num_draws(stage: DrawnShard | DealtShard, done: Finished, used: Mapping[str, float]) -> float:
    """How many solutions of a stage the cell uses."""
    if isinstance(stage, DrawnShard):
        return (stage.block[1] - stage.block[0]) * (stage.draws[1] - stage.draws[0]) * used[stage.key]
    first, last = stage.part
    return len(done.open(stage.deal).blocks()[first:last]) * stage.num_draws
