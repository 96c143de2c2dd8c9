"""Curves of pass@k, maj@k and distinct@k against k, from n draws: means over problems of the estimators of `rft.votes`.

curve([read_draws(cell)], statistic=passed)[4]    # Estimate(0.61, se=0.012, ...): mean over problems at k = 4
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from analysis.load.outcomes import PathDraws
from analysis.load.pairs import Unit, mean_of_units
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
) -> dict[int, Estimate]:
    """k -> mean of a statistic over the problems that all replicates answered, problems crossed with replicates.

    `most`: the greatest value that a problem can have (the least is 0), for intervals where all are equal. `units`: which
    replicates are of which draw of the base (analysis.load.pairs.units_of); all of one draw where they are not given.
    """
    first, *others = replicates
    ids = [i for i in first if all(i in draws for draws in others)]
    if not ids:
        return {}
    ladder = draw_ladder(replicates)
    values_RIK = np.array([[statistic(draws[i], ladder) for i in ids] for draws in replicates])
    drawn = [[Unit((place,), {}) for place in range(len(replicates))]] if units is None else units
    return {k: mean_of_units(values_RIK[:, :, place], drawn, bounds=(0.0, most)) for place, k in enumerate(ladder)}
