"""A union's kept paths cut to the number that another selection kept: what a union adds at equal numbers of paths.

A choice by seed and origin alone, in which fewer paths lie inside more. A union that kept no more than the other is left whole;
the record's `num_thinned` then is 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rft.records import write_jsonl
from rft.stages.kept import KEPT_FILE, Selection
from rft.stages.stage import Done, Facts, StageContext
from rft.text.dedup import thin


@dataclass(frozen=True)
class ThinFacts(Facts):
    """How many paths were given up."""

    num_thinned: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Thin(Selection):
    """See the module."""

    kind: ClassVar[str] = "thin"
    paths: Selection
    like: Selection
    seed: int

    def run(self, work: StageContext) -> Done:
        kept = work.open(self.paths).kept()
        size = min(len(kept), sum(1 for _ in work.open(self.like).rows()))
        write_jsonl(work.out / KEPT_FILE, (path.to_json() for path in thin(kept, size=size, seed=self.seed)))
        return Done(facts=ThinFacts(len(kept) - size))
