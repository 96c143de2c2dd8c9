"""A numbers-changed copy of the problems that are scored, for models that may have seen the originals.

Problems whose numbers cannot be changed with certainty are dropped and counted by reason (rft.text.perturb).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rft.stages.problems import Problems, write_problems
from rft.stages.stage import Done, Facts, StageContext
from rft.text.perturb import perturb, why_no_copy


@dataclass(frozen=True)
class PerturbFacts(Facts):
    """What the copy holds."""

    seed: int
    num_problems: int
    drop_counts: dict[str, int]


@dataclass(frozen=True, eq=False, kw_only=True)
class Perturb(Problems):
    """The copy of the first problems of a set."""

    kind: ClassVar[str] = "perturb"
    version: ClassVar[int] = 2  # 2: no number that may convert a unit is changed
    originals: Problems
    num_problems: int
    seed: int

    def run(self, work: StageContext) -> Done:
        """Copies the problems. Raises ValueError when no problem has a copy."""
        problems = work.open(self.originals).problems()[: self.num_problems]
        if why := why_no_copy(problems, seed=self.seed):
            raise ValueError(f"{why}; set eval.perturbed_seed=null")
        copy = perturb(problems, seed=self.seed)
        write_problems(copy.problems, work.out)
        return Done(facts=PerturbFacts(self.seed, len(copy.problems), copy.drop_counts))
