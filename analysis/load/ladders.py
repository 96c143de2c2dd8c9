"""A method on all data against k, base by base: what claims, tables and the noise of results take alike.

own_ladders(points)[base]       # RFT at k = 1, 4, 16: from the own pool, with de-duplication
shared_tops(points)             # of every base RFT at the one k that most bases have
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from analysis.load.cells import Base
from analysis.load.points import Point
from analysis.load.query import where


def own_ladders(points: Sequence[Point], *, method: str = "rft") -> dict[Base, list[Point]]:
    """A method on all data from the own pool with de-duplication, by base, ascending k."""
    ladders: dict[Base, list[Point]] = {}
    for point in where(points, method=method, data_frac=1, union=(), plainly_selected=True):
        ladders.setdefault(point.cell.base, []).append(point)
    for ladder in ladders.values():
        ladder.sort(key=lambda p: p.cell.k or 0)
    return ladders


def shared_tops(points: Sequence[Point]) -> list[Point]:
    """Of every base that has it, RFT at ONE k: the one that most bases have, of equals in most draws, then the largest."""
    ladders = own_ladders(points).values()
    bases, draws = Counter[int](), Counter[int]()
    for point in [p for ladder in ladders for p in ladder]:
        bases[point.cell.k or 0] += 1
        draws[point.cell.k or 0] += len(point.draws)
    k = max(bases, key=lambda k: (bases[k], draws[k], k), default=0)
    return [p for ladder in ladders for p in where(ladder, k=k)]
