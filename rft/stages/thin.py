"""A union's kept paths cut to the number that another selection kept: what a union adds at equal numbers of paths.

A choice by seed and origin alone, in which fewer paths lie inside more. A union that kept no more than the other is left
whole; the record's `num_thinned` then is 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rft.records import write_jsonl
from rft.stages.kept import KEPT_FILE, Selection
from rft.stages.problems import Subset
from rft.stages.select import lucky_frac
from rft.stages.stage import Done, Facts, StageContext
from rft.text.dedup import thin


@dataclass(frozen=True)
class ThinFacts(Facts):
    """How many paths were given up, and of those that are left what the selection says of all."""

    num_thinned: int
    lucky_frac: float | None


@dataclass(frozen=True, eq=False, kw_only=True)
class Thin(Selection):
    """See the module."""

    kind: ClassVar[str] = "thin"
    paths: Selection
    like: Selection
    subset: Subset  # the questions
    seed: int

    def run(self, work: StageContext) -> Done:
        kept = work.open(self.paths).kept()
        size = min(len(kept), sum(1 for _ in work.open(self.like).rows()))
        left = thin(kept, size=size, seed=self.seed)
        write_jsonl(work.out / KEPT_FILE, (path.to_json() for path in left))
        return Done(facts=ThinFacts(len(kept) - size, lucky_frac(left, self.subset.problems(work))))
