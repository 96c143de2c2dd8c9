"""Rejection-sampling fine-tuning (paper 3.3): k solutions per question from the SFT model of each donor, the correct and
distinct ones kept, and the BASE fine-tuned on human and kept paths together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rft.config import ThinTo
from rft.plan.method import METHODS, Method, Trained
from rft.plan.planner import Planner
from rft.records import Problem
from rft.stages.kept import Selection
from rft.stages.shard import Pool
from rft.stages.stage import StageContext
from rft.stages.trainset import Example, Trainset, row


@dataclass(frozen=True, eq=False, kw_only=True)
class KeptSet(Trainset):
    """Human paths and kept ones: D' = D + kept."""

    kind: ClassVar[str] = "kept_set"
    paths: Selection

    def added(self, human: Sequence[Problem], work: StageContext) -> list[Example]:
        """Every kept path with its question, which may lie outside the human subset."""
        by_id = {problem.id: problem for problem in work.open(self.subset.source).problems()}
        return [row(by_id[path.id], path.text, "kept") for path in work.open(self.paths).kept()]


@METHODS.add("rft")
class Rft(Method):
    """The paper's method, with a pool of its own or a union of several models' pools."""

    title = "RFT"

    def plan(self, p: Planner) -> Trained:
        selections = selected(p)
        trainset = kept_set(p, selections[-1])
        return Trained(p.finetune(trainset), trainset=trainset, selections=selections)


def selected(p: Planner) -> tuple[Selection, ...]:
    """The choice among the pools of the cell's donors; a thinned union's after the whole union's."""
    union = p.select(tuple(_pool(p, donor=donor.name) for donor in p.donors))
    if not p.cfg.union or p.cfg.select.thin is not ThinTo.own:
        return (union,)
    draws = p.cfg.k * len(p.cfg.union)
    own = p.select((_pool(p, donor=p.cfg.model.name, num_draws=draws),))
    return union, p.thin(union, like=own)


def _pool(p: Planner, *, donor: str, num_draws: int | None = None) -> Pool:
    """The first draws of a donor's SFT model."""
    model = p.cfg.model if donor == p.cfg.model.name else p.cfg.donors[donor]
    draws = p.cfg.k if num_draws is None else num_draws
    return p.sample(p.sft(model), model=model, subset=p.questions, num_draws=draws)


def kept_set(p: Planner, paths: Selection) -> KeptSet:
    """The training set of a choice of paths."""
    return KeptSet(subset=p.human, paths=paths, examples_frac=p.examples_frac, **p.matched_estimates("rft"))
