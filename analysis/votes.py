"""pass@k, maj@k and distinct@k from n draws, exactly: means over all subsets of k draws, never a bootstrap (ties bias it).

    curve([read_draws(cell)], statistic=pass_at_k)[4]    # Estimate(0.61, se=0.012, ...): mean over problems at k = 4

pass@k as in Chen et al. 2021 (arXiv 2107.03374, eq. 1). maj@k: chance that the correct answer has the most votes among k
draws, a tie among t answers counting 1/t; draws without an answer vote for nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Protocol, TypeVar

import numpy as np

from analysis.outcomes import Draws, PathDraws
from analysis.uncertainty import Estimate, crossed_mean

DrawsLike = TypeVar("DrawsLike", Draws, PathDraws)
SomeDraws = TypeVar("SomeDraws", bound=Draws | PathDraws, contravariant=True)


class Statistic(Protocol[SomeDraws]):
    """pass_at_k, maj_at_k or distinct_at_k."""

    def __call__(self, draws: SomeDraws, *, k: int) -> float:
        """Of one problem."""


def pass_at_k(draws: Draws, *, k: int) -> float:
    """Chance that k of the draws hold a correct one."""
    n, c = draws.num_draws, draws.num_correct
    return 1.0 - math.comb(n - c, k) / math.comb(n, k)


def maj_at_k(draws: Draws, *, k: int) -> float:
    """Expected credit of the vote over k of the draws."""
    return _maj(draws.num_draws, draws.num_correct, draws.wrong, k)


def distinct_at_k(draws: PathDraws, *, k: int) -> float:
    """Expected number of distinct paths among k of the draws: a path of m draws is missed by C(n - m, k) of the C(n, k)."""
    n = draws.num_draws
    whole = math.comb(n, k)
    return math.fsum(1.0 - math.comb(n - times, k) / whole for times in draws.times)


@lru_cache(maxsize=200_000)
def _maj(n: int, correct: int, wrong: tuple[int, ...], k: int) -> float:
    silent = n - correct - sum(wrong)
    credit = 0.0
    for votes in range(1, min(correct, k) + 1):
        ways = _ways(wrong, votes, k - votes)  # {tied answers: {draws spent: ways}}
        hits = math.comb(correct, votes)
        for tied, by_spent in ways.items():
            for spent, count in by_spent.items():
                rest = k - votes - spent
                if 0 <= rest <= silent:
                    credit += hits * count * math.comb(silent, rest) / (tied + 1)
    return credit / math.comb(n, k)


def _ways(wrong: tuple[int, ...], votes: int, room: int) -> dict[int, dict[int, int]]:
    """Ways to draw from the wrong answers, none more than `votes` times, by number of ties and draws spent."""
    table = {0: {0: 1}}
    for multiplicity in wrong:
        grown: dict[int, dict[int, int]] = {}
        for tied, by_spent in table.items():
            for spent, count in by_spent.items():
                for take in range(min(multiplicity, votes, room - spent) + 1):
                    into = grown.setdefault(tied + (take == votes), {})
                    into[spent + take] = into.get(spent + take, 0) + count * math.comb(multiplicity, take)
        table = grown
    return table


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


def curve(replicates: Sequence[Mapping[str, DrawsLike]], *, statistic: Statistic[DrawsLike]) -> dict[int, Estimate]:
    """k -> mean of a statistic over the problems that all replicates answered, problems crossed with replicates."""
    first, *others = replicates
    ids = [i for i in first if all(i in draws for draws in others)]
    if not ids:
        return {}
    return {
        k: crossed_mean(np.array([[statistic(draws[i], k=k) for i in ids] for draws in replicates]))
        for k in draw_ladder(replicates)
    }
