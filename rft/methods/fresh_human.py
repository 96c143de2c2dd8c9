"""A control of RFT: NEW human problems at RFT's optimiser steps, as many as RFT kept paths or as many as are asked for.

With `methods.fresh_human.fresh_count=64,256,1024` the accuracy at equal steps is known against the number of human problems:
what a kept path is worth is read off that curve (analysis.compare.exchange). Fewer problems lie inside more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from rft.config import Solutions, fields
from rft.config.reading import unnoted
from rft.methods.rft import LikeSet, cut_set, selected
from rft.plan.method import METHODS, Method, Trained
from rft.plan.planner import Planner
from rft.records import Problem
from rft.stages.stage import StageContext, added
from rft.stages.trainset import Example, Trainset
from rft.text.subsets import permutation


@dataclass
class FreshHumanOptions:
    """Under methods.fresh_human."""

    fresh_count: Annotated[
        int | None,
        fields.result("[1, inf)", "fresh problems added, at the same steps; null: as many as RFT kept paths"),
    ] = None


@dataclass(frozen=True, eq=False, kw_only=True)
class FreshSet(LikeSet):
    """Human paths and problems beyond the subset, with epochs counted as if they were as many as a selection kept paths."""

    kind: ClassVar[str] = "fresh_set"
    count: int | None = added(None)  # of the problems beyond the subset; None: as many as kept paths

    def added(self, human: Sequence[Problem], work: StageContext) -> list[Example]:
        """Raises ValueError when the pool is short."""
        pool = work.open(self.subset.source).problems()
        num_fresh = len(work.open(self.like).kept()) if self.count is None else self.count
        return fresh_human(pool, human, num_fresh=num_fresh, seed=int(self.subset.seed or 0))

    def references(self, num_examples: int, work: StageContext) -> list[int]:
        """Those of RFT's set, so that the number of fresh problems changes no number of steps."""
        if self.steps_of is not None or self.count is None:
            return super().references(num_examples, work)
        whole = self.subset.num_problems + len(work.open(self.like).kept())
        return [max(1, round(self.examples_frac * whole))]


@METHODS.add("fresh_human")
class FreshHuman(Method):
    """SFT with fresh human problems: what as many kept paths are compared with."""

    title = "fresh human"
    options = FreshHumanOptions

    def plan(self, p: Planner) -> Trained:
        selections, count = selected(p), p.options(FreshHumanOptions).fresh_count
        trainset = FreshSet(
            subset=p.human,
            like=selections[-1],
            count=count,
            steps_of=_steps_of(p, count=count),
            examples_frac=p.examples_frac,
            **p.matched_estimates("fresh_human"),
        )
        return Trained(p.finetune(trainset), trainset=trainset, selections=selections)


def _steps_of(p: Planner, *, count: int | None) -> Trainset | None:
    """RFT's set, where its steps do not follow from numbers of problems and paths.

    That is where examples are left out of it, or where a problem is several examples and other problems are not as many.
    """
    several = unnoted(p.cfg).data.solutions is Solutions.all and count is not None
    return p.planned("rft").examples if several else cut_set(p)


def fresh_human(pool: Sequence[Problem], human: Sequence[Problem], *, num_fresh: int, seed: int) -> list[Example]:
    """`num_fresh` human problems beyond the subset, in the subset's own order. Raises ValueError when the pool is short."""
    by_id = {problem.id: problem for problem in pool}
    order = permutation(list(by_id), seed=seed)
    fresh = order[len(human) : len(human) + num_fresh]
    if len(fresh) < num_fresh:
        raise ValueError(
            f"fresh_human needs {num_fresh} problems beyond the {len(human)} of the subset, the pool has {len(fresh)}: "
            "raise data.num_pool, or lower methods.fresh_human.fresh_count, k or data_frac"
        )
    return [Example.of(by_id[name], by_id[name].solution, source="fresh") for name in fresh]
