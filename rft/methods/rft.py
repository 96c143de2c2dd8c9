"""Rejection-sampling fine-tuning (paper 3.3): k solutions per question from the SFT model of each donor, the correct and
distinct ones kept, and the BASE fine-tuned on human and kept paths together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rft.config import Allocate, ModelConfig, ThinTo
from rft.config.reading import unnoted
from rft.plan.allocate import allocated
from rft.plan.choose import chosen_of
from rft.plan.method import METHODS, Method, Trained
from rft.plan.planner import Planner
from rft.plan.sharing import shared
from rft.records import Problem
from rft.stages.allocate import AnyPool
from rft.stages.generation import Shots
from rft.stages.kept import Selection
from rft.stages.stage import StageContext, counted
from rft.stages.trainset import Example, Trainset
from rft.stages.weights import Weights
from rft.stages.within import WithinLimit
from rft.text.choosing import POLICY


@dataclass(frozen=True, eq=False, kw_only=True)
class KeptSet(Trainset):
    """Human paths and kept ones: D' = D + kept."""

    kind: ClassVar[str] = "kept_set"
    paths: Selection

    def added(self, human: Sequence[Problem], work: StageContext) -> list[Example]:
        """Every kept path with its question, which may lie outside the human subset."""
        by_id = {problem.id: problem for problem in work.open(self.subset.source).problems()}
        return [Example.of(by_id[path.id], path.text, source="kept") for path in work.open(self.paths).kept()]


@METHODS.add("rft")
class Rft(Method):
    """The paper's method, with a pool of its own or a union of several models' pools."""

    title = "RFT"

    def plan(self, p: Planner) -> Trained:
        selections = selected(p)
        trainset = kept_set(p, selections[-1])
        return Trained(p.finetune(trainset), trainset=trainset, selections=selections)


@shared
def selected(p: Planner) -> tuple[Selection, ...]:
    """The choice among the pools of the cell's donors; a thinned union's after the whole union's."""
    pools = tuple(_pool(p, donor=name) for name in p.donors)
    if p.cfg.select.choose != POLICY:
        return selected_of(p, pools)
    union = p.select(pools)
    if not p.cfg.union or p.cfg.select.thin is not ThinTo.own:
        return (union,)
    draws = p.cfg.k * len(p.cfg.union)
    own = p.select((_pool(p, donor=p.cfg.model.name, num_draws=draws),))
    return union, p.thin(union, like=own)


def selected_of(p: Planner, pools: tuple[AnyPool, ...]) -> tuple[Selection, ...]:
    """What is kept of some pools: by the policy alone, or all distinct paths and then those that are chosen of them."""
    if p.cfg.select.choose == POLICY:
        return (p.select(pools),)
    return chosen_of(p, pools, chooser=p.cfg.select.choose)


def pool_of(
    p: Planner,
    weights: Weights,
    *,
    num_draws: int,
    model: ModelConfig | None = None,
    name: str = "",
    shots: Shots | None = None,
) -> AnyPool:
    """Solutions to the cell's questions, `num_draws` to each or on average, as the cell allocates its draws."""
    if p.cfg.sampling.allocate is Allocate.uniform:
        return p.sample(weights, subset=p.questions, num_draws=num_draws, model=model, name=name, shots=shots)
    assert shots is None, "refused before anything is planned"
    return allocated(p, weights, subset=p.questions, num_draws=num_draws, model=model, name=name)


def _pool(p: Planner, *, donor: str, num_draws: int | None = None) -> AnyPool:
    """The first draws of a donor's SFT model, of a server, or of a pool that was drawn elsewhere."""
    if donor in p.cfg.pools:
        return p.imported(donor, num_draws=p.cfg.k)
    if donor in p.cfg.servers:
        return p.served(donor, num_draws=p.cfg.k)
    model = p.cfg.model if donor == p.cfg.model.name else p.cfg.donors[donor]
    draws = p.cfg.k if num_draws is None else num_draws
    shots = None if unnoted(p.cfg).donor.sft else p.donor_shots
    return pool_of(p, writer_of(p, model), num_draws=draws, model=model, shots=shots)


def writer_of(p: Planner, model: ModelConfig) -> Weights:
    """Who draws for a donor: its SFT model, or with donor.sft=false the model as it is.

    Noted only where it is false: cells from before it existed keep their setting.
    """
    return p.sft(model) if unnoted(p.cfg).donor.sft or p.cfg.donor.sft else p.base(model)


@dataclass(frozen=True, eq=False, kw_only=True)
class LikeSet(Trainset):
    """Human paths and, in place of kept paths, as many of something else: what RFT is compared with."""

    like: Selection = counted()
    steps_of: Trainset | None = counted(None)  # what RFT trains on, where its steps do not follow from this set

    def references(self, num_examples: int, work: StageContext) -> list[int]:
        """Those of RFT's set, of which other examples may be too long than of this one."""
        return [num_examples] if self.steps_of is None else work.open(self.steps_of).references


class LikeRft(Method):
    """A control that trains on as much beside the human paths as RFT does."""

    trainset: ClassVar[type[LikeSet]]
    label: ClassVar[str]  # of its training set, in plans

    def plan(self, p: Planner) -> Trained:
        selections = selected(p)
        trainset = self.trainset(
            subset=p.human,
            like=selections[-1],
            steps_of=cut_set(p),
            examples_frac=p.examples_frac,
            **p.matched_estimates(self.label),
        )
        return Trained(p.finetune(trainset), trainset=trainset, selections=selections)


def cut_set(p: Planner) -> Trainset | None:
    """What RFT trains on in this cell, where examples are left out of it as too long; else nothing."""
    examples = p.planned("rft").examples
    return examples if isinstance(examples, WithinLimit) else None


def kept_set(p: Planner, paths: Selection) -> KeptSet:
    """The training set of a choice of paths."""
    return KeptSet(subset=p.human, paths=paths, examples_frac=p.examples_frac, **p.matched_estimates("rft"))
