"""A union's kept paths cut to the number that another selection kept: what a union adds at equal numbers of paths.

Paths are chosen by seed and origin alone, and a smaller choice lies inside a larger one. A union that kept no more than the
other selection is left whole, and `num_thinned` in the record is 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from rft.records import write_jsonl
from rft.stages.kept import KEPT_FILE, Selection
from rft.stages.problems import Subset
from rft.stages.select import LeftFacts
from rft.stages.stage import Done, Facts, StageContext, counted
from rft.text.dedup import thin


@dataclass(frozen=True)
class ThinFacts(Facts):
    """Number of paths given up, and what is left."""

    num_thinned: int
    left: LeftFacts

    def to_json(self) -> dict[str, Any]:
        """Both in one."""
        return {"num_thinned": self.num_thinned, **self.left.to_json()}


@dataclass(frozen=True, eq=False, kw_only=True)
class Thin(Selection):
    """See the module."""

    kind: ClassVar[str] = "thin"
    paths: Selection
    like: Selection = counted()
    subset: Subset  # the questions
    equations: str  # annotated | plain: how a solution's equations are read
    seed: int

    def run(self, work: StageContext) -> Done:
        kept = work.open(self.paths).kept()
        size = min(len(kept), sum(1 for _ in work.open(self.like).rows()))
        left = thin(kept, size=size, seed=self.seed)
        write_jsonl(work.out / KEPT_FILE, (path.to_json() for path in left))
        facts = LeftFacts.of(left, self.subset.problems(work), equations=self.equations)
        return Done(facts=ThinFacts(len(kept) - size, facts))
