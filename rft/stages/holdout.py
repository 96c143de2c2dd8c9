"""A part of a subset of problems that is held out for a choice, or the rest of that subset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rft.stages.problems import ProblemFacts, Problems, Subset, write_problems
from rft.stages.stage import Done, StageContext
from rft.text.subsets import permutation


@dataclass(frozen=True, eq=False, kw_only=True)
class HoldOut(Problems):
    """Of a subset in an order of its own: problems first to last - 1 (`split` validation), or all others (`split` train)."""

    kind: ClassVar[str] = "holdout"
    subset: Subset
    first: int
    last: int

    def run(self, work: StageContext) -> Done:
        problems = self.subset.problems(work)
        order = permutation([problem.id for problem in problems], seed=f"holdout-{self.subset.seed}")
        held = set(order[self.first : self.last])
        assert 0 < len(held) < len(problems), f"{len(held)} of {len(problems)} problems held out"
        wanted = self.split == "validation"
        found = [problem for problem in problems if (problem.id in held) is wanted]
        write_problems(found, work.out)
        return Done(facts=ProblemFacts(len(found)))
