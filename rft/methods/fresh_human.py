"""A control of RFT: as many NEW human problems as RFT kept paths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rft.methods.rft import LikeRft, LikeSet
from rft.plan.method import METHODS
from rft.records import Problem
from rft.stages.stage import StageContext
from rft.stages.trainset import Example
from rft.text.subsets import permutation


@dataclass(frozen=True, eq=False, kw_only=True)
class FreshSet(LikeSet):
    """Human paths, and as many problems beyond the subset as a selection kept paths."""

    kind: ClassVar[str] = "fresh_set"

    def added(self, human: Sequence[Problem], work: StageContext) -> list[Example]:
        """Raises ValueError when the pool is short."""
        pool = work.open(self.subset.source).problems()
        return fresh_human(pool, human, num_fresh=len(work.open(self.like).kept()), seed=int(self.subset.seed or 0))


@METHODS.add("fresh_human")
class FreshHuman(LikeRft):
    """SFT with fresh human problems: what as many kept paths are compared with."""

    title = "fresh human"
    trainset = FreshSet
    label = "fresh_human"


def fresh_human(pool: Sequence[Problem], human: Sequence[Problem], *, num_fresh: int, seed: int) -> list[Example]:
    """`num_fresh` human problems beyond the subset, in the subset's own order. Raises ValueError when the pool is short."""
    by_id = {problem.id: problem for problem in pool}
    order = permutation(list(by_id), seed=seed)
    fresh = order[len(human) : len(human) + num_fresh]
    if len(fresh) < num_fresh:
        raise ValueError(
            f"fresh_human needs {num_fresh} problems beyond the {len(human)} of the subset, the pool has {len(fresh)}: "
            "raise data.num_pool, or lower k or data_frac"
        )
    return [Example.of(by_id[name], by_id[name].solution, source="fresh") for name in fresh]
