"""A method on all data against k, base by base: what claims, tables and the noise of results take alike.

own_ladders(points)[base]       # RFT at k = 1, 4, 16: from the own pool, with de-duplication
shared_tops(points)             # of every base RFT at the one k that most draws of bases have beside SFT and its controls
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from analysis.load.cells import BEST, MATCHED, Base
from analysis.load.coverage import Coverage, coverages
from analysis.load.points import Point
from analysis.load.query import lacking_words, same_but, where

SET_AGAINST = ("sft", MATCHED, BEST)  # what RFT on all data is compared with


def own_ladders(points: Sequence[Point], *, method: str = "rft") -> dict[Base, list[Point]]:
    """A method on all data from the own pool with de-duplication, by base, ascending k."""
    ladders: dict[Base, list[Point]] = {}
    for point in where(points, method=method, data_frac=1, union=(), plainly_selected=True):
        ladders.setdefault(point.cell.base, []).append(point)
    for ladder in ladders.values():
        ladder.sort(key=lambda p: p.cell.k or 0)
    return ladders


def shared_tops(points: Sequence[Point]) -> list[Point]:
    """Of every base that has it, RFT at ONE k: the one with the greatest `coverage` beside what RFT is set against, SFT and
    its two controls, as a product over these, so that none of them is lost for a little more of another; of equals the
    largest.

    Where no RFT is beside one of them, the k that most draws have.
    """
    by_k: dict[int, list[Point]] = {}
    for point in [p for ladder in own_ladders(points).values() for p in ladder]:
        by_k.setdefault(point.cell.k or 0, []).append(point)
    beside = {
        (k, name): [(p, c) for p in tops if (c := same_but(p, points, method=name))]
        for k, tops in by_k.items()
        for name in SET_AGAINST
    }
    alone = {(k, ""): [(p,) for p in tops] for k, tops in by_k.items()}
    covered = coverages(beside if any(beside.values()) else alone)
    return (
        by_k[max(by_k, key=lambda k: (*_worth([one for (at, _), one in covered.items() if at == k]), k))]
        if by_k
        else []
    )


def _worth(covered: Sequence[Coverage]) -> tuple[int, int]:
    return math.prod(1 + one.size for one in covered), sum(one.replicates for one in covered)


def without_k(tops: Sequence[Point], points: Sequence[Point]) -> list[str]:
    """A line for the bases that have RFT at other k than `shared_tops` have alone: ['nano-s left out: no RFT at k=16']."""
    there = {point.cell.base for point in tops}
    others = [ladder[0] for base, ladder in own_ladders(points).items() if base not in there]
    return lacking_words(others, points, what=f"RFT at k={tops[0].cell.k}") if tops else []
