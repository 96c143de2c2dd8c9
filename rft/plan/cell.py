"""One cell from configuration to stages: `plan` says what it rests on, and what its setting and its replicate are.

    cell = plan(cfg, sources)              # pure: no device, no disk
    cell.stages                            # every stage in dependency order
    cell.setting["train.lr"]               # all of the configuration that planning read

Sections of the paper: SFT 3.2, RFT 3.3 and algorithm 1 (A.3), unions 3.3, voting A.1, self-query and self-revising D; each
method is a file of rft.methods.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

from rft.config import SEEDS, DataKind, ModelConfig, StudyConfig
from rft.config.fields import Role, specs
from rft.config.reading import Reading, unnoted, watched
from rft.infra.digest import digest
from rft.plan.method import METHODS, Trained
from rft.plan.planner import Planner
from rft.plan.replicates import Copies, Replicates
from rft.plan.sharing import Memo
from rft.plan.sources import Sources, filled_in, without_seeds
from rft.plan.told import told
from rft.registry import foreign_source
from rft.stages.evaluate import Evaluate
from rft.stages.loss import Loss
from rft.stages.pretrain import Pretrain
from rft.stages.problems import Problems
from rft.stages.stage import Stage, in_order, made_of
from rft.stages.vote import Vote
from rft.stages.weights import Weights

OF_DATA = "data."  # keys of a data set
OWN_SEEDS = tuple(name for name in SEEDS if name != "seed")  # `seed` is the default of others
PUBLISHED = ("published_loss", "published_loss_source", "licence")


@dataclass(frozen=True)
class Measured:
    """The stages that score a model on one test set."""

    evaluate: Evaluate
    perturbed: Evaluate | None  # the same on a numbers-changed copy of its problems
    vote: Vote | None

    @property
    def targets(self) -> Iterator[Stage[Any]]:
        """The stages that must be finished before their scores are read."""
        yield self.evaluate
        if self.evaluate.drafts is not None:
            yield self.evaluate.drafts
        if self.perturbed is not None:
            yield self.perturbed
        if self.vote is not None:
            yield self.vote


@dataclass(frozen=True)
class FurtherSet:
    """A test set besides the cell's own."""

    name: str
    key: str  # of its configuration and problems, the same for every cell
    setting: Mapping[str, Any]  # its part of the configuration, by dotted path
    problems: tuple[Problems, ...]  # what it holds; one
    measured: Measured

    @property
    def targets(self) -> Iterator[Stage[Any]]:
        """The stages that must be finished before its scores are read; checks first."""
        yield from (*self.problems, *self.measured.evaluate.guards, *self.measured.targets)


@dataclass(frozen=True)
class CellStages:
    """The stages that a cell's record reads."""

    base: Weights
    loss: Loss
    trained: Trained
    measured: Measured  # on the cell's own test set
    problems: tuple[Problems, ...]  # whose counts the record holds: training and test

    @property
    def told(self) -> tuple[Stage[Any], ...]:
        """The stages whose facts the record holds, in order."""
        return (*self.trained.told, self.measured.evaluate)

    @property
    def targets(self) -> Iterator[Stage[Any]]:
        """The stages that must be finished before the record is written."""
        yield from (*self.problems, *self.measured.evaluate.guards)  # checks before hours of training
        yield from (self.base, self.loss, *self.trained.told, *self.measured.targets)


@dataclass(frozen=True)
class CellPlan:
    """One cell: its identity, its setting and replicate, and its stages."""

    cell_id: str
    cell_key: str
    names: Mapping[str, str]  # what people call its model, its data and its method
    setting: Mapping[str, Any]  # all of the configuration that can change its results, but the seeds, by dotted path
    seeds: Mapping[str, int]  # the replicate
    unused: tuple[str, ...]  # keys of the top level that its method does not use
    read: CellStages
    model_facts: Mapping[str, Any]  # what the configuration says of the model
    sets: tuple[FurtherSet, ...] = ()  # by name; no part of what the cell is, so that they may come later
    told: tuple[str, ...] = ()  # what the plan says of its models

    @property
    def sample_seed(self) -> int:
        """The seed of its draws."""
        return self.seeds["sample_seed"]

    @property
    def set_keys(self) -> list[tuple[str, str]]:
        """Its further test sets, by name and key."""
        return [(one.name, one.key) for one in self.sets]

    @cached_property
    def own_stages(self) -> tuple[Stage[Any], ...]:
        """All stages that it rests on, inputs first; those of further test sets left out."""
        return tuple(in_order(self.read.targets))

    @property
    def targets(self) -> Iterator[Stage[Any]]:
        """The stages that must be finished before the record is written, checks of all test sets first."""
        for one in self.sets:
            yield from one.measured.evaluate.guards
        yield from self.read.targets
        for one in self.sets:
            yield from one.targets

    @cached_property
    def stages(self) -> tuple[Stage[Any], ...]:
        """All stages that it and its further test sets rest on, inputs first."""
        return tuple(in_order(self.targets)) if self.sets else self.own_stages

    @cached_property
    def makers(self) -> tuple[Stage[Any], ...]:
        """The stages that its model is made of: without what only measures, or fixes a control's size."""
        return tuple(in_order([self.read.trained.weights], inputs=made_of))


@dataclass(frozen=True)
class _Planned:
    """What planning makes of a configuration."""

    stages: CellStages
    setting: dict[str, Any]  # of CellPlan, as the next
    seeds: dict[str, int]
    sets: tuple[FurtherSet, ...]


@dataclass(frozen=True)
class _Alike:
    """What cells that differ in their seeds alone have in common."""

    names: Mapping[str, str]  # of CellPlan
    told: tuple[str, ...]
    valued: tuple[str, ...]  # keys of the top level that are unused if they are not read
    names_plugin: bool  # whether a user's own method plans, or may: nothing says what it does with a seed
    replicates: Replicates[_Planned] = field(default_factory=Replicates)

    @staticmethod
    def of(cfg: StudyConfig, sources: Sources) -> _Alike:
        """That of a cell; `cfg` with its defaults filled in."""
        names = {"model": cfg.model.name, "data": cfg.data.name, "method": METHODS[cfg.method].title}
        return _Alike(names, tuple(told(cfg, sources)), valued=tuple(_valued(cfg)), names_plugin=_names_plugin(cfg))


def _names_plugin(cfg: StudyConfig) -> bool:
    """Whether the cell's method is a user's own, or an option of any method names one (`methods.sft_matched.to`)."""
    own = {name for name, method in METHODS.items() if foreign_source(method.__module__) is not None}
    named = (value for options in cfg.methods.values() for value in vars(options).values())
    return cfg.method in own or any(isinstance(value, str) and value in own for value in named)


def plan(cfg: StudyConfig, sources: Sources, *, memo: Memo | None = None) -> CellPlan:
    """One cell. Pure: the same configuration and sources give the same keys anywhere.

    `memo`: what planning other cells of a sweep has found, which this one may share.
    Raises ValueError for a size beyond what the data set holds.
    """
    memo = memo or Memo()
    full = filled_in(cfg, sources, memo=memo)
    alike = memo.once("alike", (sources, *without_seeds(full)), lambda: _Alike.of(full, sources))
    alone = partial(_planned, sources=sources, memo=memo)
    if alike.names_plugin:
        planned = alone(full)
    else:
        planned = alike.replicates.planned(full, alone=alone, copies=memo.once("copies", (), Copies))
    stages, reading = planned.stages, Reading(planned.setting, planned.seeds)
    key = memo.key([stage.key for stage in stages.targets], reading)
    facts = memo.once("facts", (full.model, stages.base), lambda: _model_facts(full.model, stages.base))
    return CellPlan(
        cell_id=_cell_id(full, reading, key),
        cell_key=key,
        names=alike.names,
        setting=reading.setting,
        seeds=reading.seeds,
        unused=_unused(alike.valued, full, reading),
        read=stages,
        model_facts=facts,
        sets=planned.sets,
        told=alike.told,
    )


def _planned(full: StudyConfig, *, sources: Sources, memo: Memo) -> _Planned:
    """The stages of a cell and of its further test sets; `full` with its defaults filled in."""
    p = Planner(watched(full, Reading()), sources, memo=memo)
    found = memo.found(_stages, p)
    sets = tuple(_further_set(name, full, p, found.value.trained) for name in sorted(full.eval_sets))
    return _Planned(found.value, found.reading.setting, found.reading.seeds, sets)


def _stages(p: Planner) -> CellStages:
    """What is read of the configuration here and below is the cell's setting."""
    method = p.cfg.method
    base = p.base()
    trained = p.planned(method)
    measured = _measured(trained, p, drafts=trained.drafts)
    return CellStages(
        base=base,
        loss=p.loss(base),
        trained=trained,
        measured=measured,
        problems=tuple(dict.fromkeys((p.pool, p.scored))),
    )


def _further_set(name: str, full: StudyConfig, cell: Planner, trained: Trained) -> FurtherSet:
    """A test set with the cell's model: the data configuration is the set's, all else the cell's."""
    reading = Reading()
    cfg = watched(dataclasses.replace(full, data=full.eval_sets[name], eval_sets={}), reading)
    p = Planner(cfg, cell.sources.of_set(name), cell=cell)
    drafts = p.evaluate(trained.drafts.weights) if trained.drafts is not None else None
    measured = _measured(trained, p, drafts=drafts)
    setting = {key: value for key, value in reading.setting.items() if key.startswith(OF_DATA)}
    return FurtherSet(name, digest([name, setting]), setting, (p.scored,), measured)


def _measured(trained: Trained, p: Planner, *, drafts: Evaluate | None) -> Measured:
    asked = unnoted(p.cfg).eval  # a measure that is not asked for must not enter the setting
    can_copy = unnoted(p.cfg).data.kind is not DataKind.world and not p.sources.no_copy
    return Measured(
        evaluate=p.evaluate(trained.weights, task=trained.task, shots=trained.shots, drafts=drafts),
        perturbed=_perturbed(trained, p) if can_copy and asked.perturbed_seed is not None else None,
        vote=_vote(trained, p, drafts=drafts) if asked.vote_k is not None else None,
    )


def _vote(trained: Trained, p: Planner, *, drafts: Evaluate | None) -> Vote:
    return p.vote(trained.weights, task=trained.task, shots=trained.shots, drafts=drafts)


def _perturbed(trained: Trained, p: Planner) -> Evaluate:
    """The same evaluation on the copy; the drafts that it shows are written on the copy too."""
    copy = p.perturb()
    drafts = p.evaluate(trained.drafts.weights, problems=copy) if trained.drafts is not None else None
    return p.evaluate(trained.weights, problems=copy, task=trained.task, shots=trained.shots, drafts=drafts)


def _model_facts(model: ModelConfig, base: Weights) -> dict[str, Any]:
    facts = {name: getattr(model, name) for name in ("name", "family", "post_trained", *PUBLISHED)}
    tokens = model.pretrain_tokens if model.pretrain is None else model.pretrain.tokens
    return facts | {"pretrain_tokens": tokens, "base_key": base.key, "base_setting": _configuration_key(base)}


def _configuration_key(base: Weights) -> str:
    """The key that all draws of one base configuration share: without the seeds of its weights and of its documents."""
    if isinstance(base, Pretrain):
        base = dataclasses.replace(base, corpus=dataclasses.replace(base.corpus, seed=0))
    return base.key_without("seed")


def _valued(cfg: StudyConfig) -> Iterator[str]:
    """Keys of the top level that change results and have a plain value; seeds, which may have none, come beside."""
    for name, spec in specs(StudyConfig).items():
        value = getattr(cfg, name)
        plain = not dataclasses.is_dataclass(value) and not isinstance(value, dict) and value not in (None, [])
        if spec.role is Role.result and plain:
            yield name


def _unused(valued: Iterable[str], cfg: StudyConfig, reading: Reading) -> tuple[str, ...]:
    """Keys of the top level that have a value and were not read."""
    seeds = [name for name in OWN_SEEDS if name not in reading.seeds and getattr(cfg, name) is not None]
    return tuple(sorted([*(name for name in valued if name not in reading.setting), *seeds]))


def _cell_id(cfg: StudyConfig, reading: Reading, key: str) -> str:
    """Readable and unique within a study."""
    parts = [cfg.model.name, cfg.method]
    parts += [f"f{cfg.data_frac:g}"] if "data_frac" in reading.setting else []
    parts += [f"k{cfg.k}"] if "k" in reading.setting else []
    parts += ["u" + "+".join(cfg.union)] if reading.setting.get("union") else []
    return "_".join([*parts, f"s{cfg.seed}"]) + f"-{key[:8]}"
