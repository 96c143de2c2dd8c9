"""maj@k, pass@k and distinct@k from n draws, exactly: expectations over a uniformly random k of the n.

Records, figures, claims and `rft.grade` all take these numbers from here, so that one question has one answer.

    >>> tally = Tally.of("CCWN", [None, None, 0, None])     # two right draws, one wrong answer, one draw without an answer
    >>> pass_at_k(tally, ks=[1, 4])
    [0.5, 1.0]
    >>> [round(share, 2) for share in maj_at_k(tally, ks=[1, 2, 3, 4])]
    [0.5, 0.67, 0.75, 1.0]
    >>> [round(number, 2) for number in distinct_at_k([5, 2, 1], n=10, ks=[1, 10])]
    [0.8, 3.0]

A draw is right when the grading rule accepts it (letter C), and no other draw ever counts as right, whatever number stands in
it. A draw that the rule finds wrong votes for its answer (a rival of the right one; equal numbers are one answer). A draw
without an answer, or cut off, votes for nothing. A tie is shared: the right answer among t winners of a vote earns 1/t.
Shape letters: K = size of a subset, T = draws in it that are not right, Q = quadrature nodes.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rft.records import Outcome, Score

Floats = NDArray[np.float64]
MAX_DRAWS = 1000  # binomials of more overflow a double


@dataclass(frozen=True)
class Tally:
    """What the draws of one problem voted for: all that maj@k and pass@k need."""

    num_draws: int
    num_correct: int
    rivals: tuple[int, ...]  # votes for each wrong answer, most first

    @staticmethod
    def of(outcomes: str, rivals: Sequence[int | None]) -> Tally:
        """From one outcome letter a draw and the number of the wrong answer that it votes for.

        Raises ValueError for unknown letters, unequal lengths, or a vote of a draw that is not wrong.
        """
        letters = [Outcome.from_letter(letter) for letter in outcomes]
        votes = Counter(vote for vote in rivals if vote is not None)
        if len(letters) != len(rivals):
            raise ValueError(f"{len(letters)} outcomes, but {len(rivals)} votes")
        if any(vote is not None and letter is not Outcome.WRONG for letter, vote in zip(letters, rivals, strict=True)):
            raise ValueError("a draw that is not wrong votes for a wrong answer")
        return Tally(len(letters), letters.count(Outcome.CORRECT), tuple(sorted(votes.values(), reverse=True)))


def _check(n: int, ks: Sequence[int]) -> None:
    if not 1 <= n <= MAX_DRAWS:
        raise ValueError(f"estimators take 1 to {MAX_DRAWS} draws, got {n}")
    if any(not 1 <= k <= n for k in ks):
        raise ValueError(f"k must lie in 1..{n}, the number of draws; got {sorted(set(ks))}")


def _missed(n: int, count: int, k: int) -> float:
    """Probability that a random k of n draws holds none of `count` given ones."""
    return math.comb(n - count, k) / math.comb(n, k)


def pass_at_k(tally: Tally, *, ks: Sequence[int]) -> list[float]:
    """Probability that a random k of the draws holds a right one, for each k (Chen et al. 2021, eq. 1).

    pass@1 is the mean of the draws' correctness. Raises ValueError when a k lies outside 1..n.
    """
    _check(tally.num_draws, ks)
    return [1 - _missed(tally.num_draws, tally.num_correct, k) for k in ks]


def distinct_at_k(counts: Sequence[int], *, n: int, ks: Sequence[int]) -> list[float]:
    """Expected number of distinct keys in a random k of n draws; `counts` is the number of draws of each key.

    Raises ValueError when a k lies outside 1..n or the counts sum to more than n.
    """
    _check(n, ks)
    if sum(counts) > n or min(counts, default=1) < 1:
        raise ValueError(f"counts of keys must be positive and sum to at most n = {n}, got a sum of {sum(counts)}")
    multiplicities = Counter(counts)
    return [math.fsum(m * (1 - _missed(n, count, k)) for count, m in multiplicities.items()) for k in ks]


def maj_at_k(tally: Tally, *, ks: Sequence[int]) -> list[float]:
    """Expected credit of the vote over a random k of the draws, for each k. Raises ValueError when a k is outside 1..n."""
    _check(tally.num_draws, ks)
    table = _maj_table(tally.num_draws, tally.num_correct, tally.rivals)
    return [float(table[k]) for k in ks]


@lru_cache(maxsize=4096)
def _binomials(n: int) -> Floats:
    return np.array([float(math.comb(n, i)) for i in range(n + 1)])


@lru_cache(maxsize=64)
def _quadrature(degree: int) -> tuple[Floats, Floats]:
    """Nodes and weights on [0, 1], exact for polynomials up to `degree`."""
    nodes, weights = np.polynomial.legendre.leggauss(degree // 2 + 1)
    return (nodes + 1) / 2, weights / 2


@lru_cache(maxsize=65_536)
def _maj_table(n: int, num_correct: int, rivals: tuple[int, ...]) -> Floats:
    """Expected credit for every k in 0..n, from the votes for the right answer and for each rival.

    Count the k-subsets with j right draws, every rival at most j times and s rivals exactly j times: credit 1/(s + 1).
    With y marking a rival at exactly j and x a draw, the subsets are the coefficients of a product of polynomials in
    x and y, and sum_s c_s / (s + 1) is the integral of c(y) over [0, 1]: quadrature makes that exact.
    """
    ways_K = np.zeros(n + 1)
    for j in range(1, num_correct + 1):
        ways_T = _rival_ways(n - num_correct, rivals, j)
        ways_K[j : j + len(ways_T)] += math.comb(num_correct, j) * ways_T
    credit_K = ways_K / _binomials(n)
    credit_K.setflags(write=False)
    return credit_K


def _rival_ways(num_others: int, rivals: tuple[int, ...], j: int) -> Floats:
    """For each total of draws that are not right: ways to choose them, with s rivals at exactly j weighted by 1/(s + 1).

    Totals beyond the length of the result are impossible: no rival may occur more than j times.
    """
    strong = [count for count in rivals if count >= j]
    free = _binomials(num_others - sum(strong))  # weak rivals and draws that vote for nothing: any number of each
    nodes_Q, weights_Q = _quadrature(len(strong))
    ways_QT = np.ones((len(nodes_Q), 1))
    for count in strong:
        below, exactly = _binomials(count)[:j], _binomials(count)[j]
        grown_QT = np.zeros((len(nodes_Q), ways_QT.shape[1] + j))
        for i, ways in enumerate(below):
            grown_QT[:, i : i + ways_QT.shape[1]] += ways * ways_QT
        grown_QT[:, j:] += exactly * nodes_Q[:, None] * ways_QT
        ways_QT = grown_QT
    return np.convolve(weights_Q @ ways_QT, free)


def pool_scores(tallies: Mapping[str, Tally]) -> dict[str, Score]:
    """`pass@1`, and for K > 1 draws a problem `maj1@K` and `pass@K`: means over problems with their standard error.

    `maj1@1` names the score of the greedy answer and is never one of draws. Raises ValueError where problems differ in their
    number of draws.
    """
    sizes = {tally.num_draws for tally in tallies.values()}
    if len(sizes) != 1:
        raise ValueError(f"problems have {min(sizes)} to {max(sizes)} draws: a short pool is an error, not a smaller k")
    k = sizes.pop()
    passed = [pass_at_k(tally, ks=[1, k]) for tally in tallies.values()]
    scores = {"pass@1": Score.mean([row[0] for row in passed])}
    if k > 1:
        scores[f"maj1@{k}"] = Score.mean([maj_at_k(tally, ks=[k])[0] for tally in tallies.values()])
        scores[f"pass@{k}"] = Score.mean([row[1] for row in passed])
    return scores
