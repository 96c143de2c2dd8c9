"""A control of RFT that the embedded world allows: as many TRUE alternative paths as RFT kept, in place of sampled ones."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rft.methods.rft import LikeRft, LikeSet
from rft.plan.method import METHODS
from rft.records import Problem
from rft.stages.stage import StageContext
from rft.stages.trainset import Example
from rft.text.subsets import rank


@dataclass(frozen=True, eq=False, kw_only=True)
class OracleSet(LikeSet):
    """Human paths, and as many true alternative ones as a selection kept."""

    kind: ClassVar[str] = "oracle_set"

    def added(self, human: Sequence[Problem], work: StageContext) -> list[Example]:
        """Raises ValueError when the problems have too few paths."""
        counts = Counter(path.id for path in work.open(self.like).kept())
        return oracle_paths(human, counts, seed=int(self.subset.seed or 0))


@METHODS.add("oracle_paths")
class OraclePaths(LikeRft):
    """SFT with true alternative paths: what diversity of paths is worth where all of them are right."""

    title = "oracle paths"
    needs_world = True
    trainset = OracleSet
    label = "oracle_paths"


def oracle_paths(human: Sequence[Problem], counts: Mapping[str, int], *, seed: int) -> list[Example]:
    """As many true alternative paths as RFT kept: the same number per question where it has as many, the rest elsewhere.

    Alternatives have another equation list than the human path and than each other.
    """
    from rft.text.world import alternative_paths

    wanted = sum(counts.values())
    per_question = {p.id: _shuffled(alternative_paths(p), seed=seed, name=p.id) for p in human}
    chosen = {p.id: per_question[p.id][: counts.get(p.id, 0)] for p in human}
    left = [(p.id, text) for p in human for text in per_question[p.id][len(chosen[p.id]) :]]
    left.sort(key=lambda pair: rank(f"oracle-{seed}", *pair))
    short = wanted - sum(map(len, chosen.values()))
    if short > len(left):
        raise ValueError(
            f"oracle_paths needs {wanted} alternative paths, the {len(human)} problems have "
            f"{wanted - short + len(left)}: lower k, or use a world with more paths"
        )
    for name, text in left[:short]:
        chosen[name].append(text)
    return [Example.of(p, text, source="oracle") for p in human for text in chosen[p.id]]


def _shuffled(texts: Sequence[str], *, seed: int, name: str) -> list[str]:
    return random.Random(rank(f"oracle-{seed}", name)).sample(list(texts), len(texts))
