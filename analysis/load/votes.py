"""Curves of pass@k, maj@k and distinct@k against k, from n draws: means over problems of the estimators of `rft.votes`.

curve([outcomes.draws(cell)], statistic=passed)[4]    # Estimate(0.61, se=0.012, ...): mean over problems at k = 4
vote_curve(cells, outcomes, statistic=voted)          # the same of the draws and replicates of one setting
vote_score(cells, "maj1@16", outcomes)                # the one of them that records call so
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from analysis.load.cells import ACCURACY, Cell
from analysis.load.outcomes import Outcomes, PathDraws
from analysis.load.pairs import Unit, mean_of_units, units_of
from analysis.stats.uncertainty import Estimate
from rft.votes import Tally, distinct_at_k, maj_at_k, pass_at_k

DrawsLike = TypeVar("DrawsLike", Tally, PathDraws)


def passed(draws: Tally, ks: Sequence[int]) -> list[float]:
    """pass@k of one problem."""
    return pass_at_k(draws, ks=ks)


def voted(draws: Tally, ks: Sequence[int]) -> list[float]:
    """maj@k of one problem."""
    return maj_at_k(draws, ks=ks)


def distinct(draws: PathDraws, ks: Sequence[int]) -> list[float]:
    """distinct@k of one problem."""
    return distinct_at_k(draws.times, n=draws.num_draws, ks=ks)


STATISTICS = {"maj1": voted, "pass": passed}  # by the name of a score before its @k
_SCORE = re.compile(rf"({'|'.join(STATISTICS)})@([0-9]+)")


def vote_score(cells: Sequence[Cell], name: str, outcomes: Outcomes) -> Estimate | None:
    """A score of votes (fractions) of cells of one setting; None for other scores and where votes are not at hand."""
    found = _SCORE.fullmatch(name)
    if found is None:
        return None
    return vote_curve(cells, outcomes, statistic=STATISTICS[found[1]], ks=[int(found[2])]).get(int(found[2]))


def has_voted(cell: Cell) -> bool:
    """Whether it has scores of draws, of one each at least."""
    return any(_SCORE.fullmatch(name) and name != ACCURACY for name in cell.scores)


def vote_way(cell: Cell) -> str:
    """How a cell of a point voted, as text."""
    return json.dumps(cell.votes, sort_keys=True)


def vote_ways(cells: Sequence[Cell]) -> list[str]:
    """The ways in which some cells voted: the one of most draws of bases, then of most cells, first; no votes last."""
    found: dict[str, list[Cell]] = {}
    for cell in cells:
        found.setdefault(vote_way(cell), []).append(cell)
    ranks = {
        way: (bool(own[0].votes), len({(c.base, c.draw) for c in own}), len(own), way) for way, own in found.items()
    }
    return sorted(ranks, key=lambda way: ranks[way], reverse=True)


def voting(cells: Sequence[Cell]) -> list[Cell]:
    """Those of one setting that voted, in the one way that most did: votes at two temperatures are no replicates."""
    own = [cell for cell in cells if has_voted(cell)]
    return [cell for cell in own if vote_way(cell) == vote_ways(own)[0]]


def vote_curve(
    cells: Sequence[Cell],
    outcomes: Outcomes,
    *,
    statistic: Callable[[Tally, Sequence[int]], list[float]],
    ks: Sequence[int] | None = None,
) -> dict[int, Estimate]:
    """k -> a statistic (fractions) of the `voting` cells of one setting; {} where the votes of one are not at hand."""
    own = voting(cells)
    found = [outcomes.draws(cell) for cell in own]
    known = [draws for draws in found if draws is not None]
    if not known or len(known) < len(found):
        return {}
    return curve(known, statistic=statistic, most=1.0, units=units_of(own), ks=ks)


def draw_ladder(replicates: Sequence[Mapping[str, DrawsLike]]) -> list[int]:
    """k = 1, 2, 4, ... and n draws that every replicate has. Raises ValueError where problems differ in their draws."""
    ladders = []
    for draws in replicates:
        counts = {d.num_draws for d in draws.values()}
        if len(counts) != 1:
            raise ValueError(
                f"problems have {min(counts)} to {max(counts)} draws; a pool that came out short is no smaller k"
            )
        n = counts.pop()
        ladders.append({2**i for i in range(n.bit_length()) if 2**i <= n} | {n})
    return sorted(set.intersection(*ladders))


def curve(
    replicates: Sequence[Mapping[str, DrawsLike]],
    *,
    statistic: Callable[[DrawsLike, Sequence[int]], list[float]],
    most: float = float("nan"),
    units: Sequence[Sequence[Unit]] | None = None,
    ks: Sequence[int] | None = None,
) -> dict[int, Estimate]:
    """k -> mean of a statistic over the problems that all replicates answered, problems crossed with replicates.

    `most`: the greatest value that a problem can have (the least is 0), for intervals where all are equal. `units`: which
    replicates are of which draw of the base (analysis.load.pairs.units_of); all of one draw where they are not given.
    `ks`: which k, of those that `draw_ladder` has; all of them where they are not given.
    """
    first, *others = replicates
    ids = [i for i in first if all(i in draws for draws in others)]
    if not ids:
        return {}
    ladder = [k for k in draw_ladder(replicates) if ks is None or k in ks]
    distinct_draws = {draws[i] for draws in replicates for i in ids}
    values = {one: statistic(one, ladder) for one in distinct_draws}
    values_RIK = np.array([[values[draws[i]] for i in ids] for draws in replicates])
    drawn = [[Unit((place,), {}) for place in range(len(replicates))]] if units is None else units
    return {k: mean_of_units(values_RIK[:, :, place], drawn, bounds=(0.0, most)) for place, k in enumerate(ladder)}
