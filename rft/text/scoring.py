"""maj@k, pass@k and distinct@k from one pool of n draws: exact expectations over a uniformly random k of the n.

    vote(["18", "18.0", None, "7"])                                  -> ["18"]        (numbers, not strings)
    pass_at_k(n=100, num_correct=53, ks=[1, 4])                      -> [0.53, 0.954...]
    maj_at_k(["18", "18", "7", None], gold="18", ks=[1, 2, 3, 4])    -> [0.5, 0.67, 0.75, 1.0]
    distinct_at_k([5, 2, 1], n=10, ks=[1, 10])                       -> [0.8, 3.0]
    pool_scores(answers, golds, ks=[1, 16])                          -> {"maj1@16": Score(...), "pass@16": ...}

In a vote a draw without an answer never wins, and a tie is shared: gold among t winners earns 1/t.
Shape letters: K = size of a subset, T = draws in it that are not gold, Q = quadrature nodes.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rft.records import Score
from rft.text.answers import vote_number

Floats = NDArray[np.float64]
MAX_DRAWS = 1000  # binomials of more overflow a double


def vote(answers: Sequence[str | None]) -> list[str]:
    """The most frequent numbers, all of them in a tie, in order of first appearance; [] when there is no number."""
    counts = Counter(number for answer in answers if (number := vote_number(answer)) is not None)
    most = max(counts.values(), default=0)
    return [number for number, count in counts.items() if count == most]


def vote_credit(answers: Sequence[str | None], *, gold: str) -> float:
    """1/t when gold is among the t winners of the vote, else 0."""
    winners = vote(answers)
    return 1 / len(winners) if vote_number(gold) in winners else 0.0


def string_vote(answers: Sequence[str | None]) -> str | None:
    """The paper's released vote: answer strings as they are, ties to the first seen (OFA-Sys/gsm8k-ScRel eval.py)."""
    counts = Counter(answer for answer in answers if answer is not None)
    return max(counts, key=lambda answer: counts[answer]) if counts else None


def _check(n: int, ks: Sequence[int]) -> None:
    if not 1 <= n <= MAX_DRAWS:
        raise ValueError(f"estimators take 1 to {MAX_DRAWS} draws, got {n}")
    if any(not 1 <= k <= n for k in ks):
        raise ValueError(f"k must lie in 1..{n}, the number of draws; got {sorted(set(ks))}")


def _missed(n: int, count: int, k: int) -> float:
    """Probability that a random k of n draws holds none of `count` given ones."""
    return math.comb(n - count, k) / math.comb(n, k)


def pass_at_k(*, n: int, num_correct: int, ks: Sequence[int]) -> list[float]:
    """Probability that a random k of n draws holds a correct one, for each k (Chen et al. 2021, eq. 1).

    Raises ValueError when a k lies outside 1..n or num_correct outside 0..n.
    """
    _check(n, ks)
    if not 0 <= num_correct <= n:
        raise ValueError(f"num_correct must lie in 0..{n}, got {num_correct}")
    return [1 - _missed(n, num_correct, k) for k in ks]


def distinct_at_k(counts: Sequence[int], *, n: int, ks: Sequence[int]) -> list[float]:
    """Expected number of distinct keys in a random k of n draws; `counts` is the number of draws of each key.

    Raises ValueError when a k lies outside 1..n or the counts sum to more than n.
    """
    _check(n, ks)
    if sum(counts) > n or min(counts, default=1) < 1:
        raise ValueError(f"counts of keys must be positive and sum to at most n = {n}, got a sum of {sum(counts)}")
    multiplicities = Counter(counts)
    return [math.fsum(m * (1 - _missed(n, count, k)) for count, m in multiplicities.items()) for k in ks]


def maj_at_k(answers: Sequence[str | None], *, gold: str, ks: Sequence[int]) -> list[float]:
    """Expected vote credit of a random k of the draws, for each k. Raises ValueError when a k lies outside 1..n."""
    _check(len(answers), ks)
    counts = Counter(number for answer in answers if (number := vote_number(answer)) is not None)
    num_gold = counts.pop(vote_number(gold) or "", 0)
    rivals = tuple(sorted(counts.values(), reverse=True))
    table = _maj_table(len(answers), num_gold, rivals)
    return [float(table[k]) for k in ks]


@lru_cache(maxsize=4096)
def _binomials(n: int) -> Floats:
    return np.array([float(math.comb(n, i)) for i in range(n + 1)])


@lru_cache(maxsize=64)
def _quadrature(degree: int) -> tuple[Floats, Floats]:
    """Nodes and weights on [0, 1], exact for polynomials up to `degree`."""
    nodes, weights = np.polynomial.legendre.leggauss(degree // 2 + 1)
    return (nodes + 1) / 2, weights / 2


@lru_cache(maxsize=8192)
def _maj_table(n: int, num_gold: int, rivals: tuple[int, ...]) -> Floats:
    """Expected credit for every k in 0..n, from the multiplicities of gold and of each rival answer.

    Count the k-subsets with j gold draws, every rival at most j times and s rivals exactly j times: credit 1/(s + 1).
    With y marking a rival at exactly j and x a draw, the subsets are the coefficients of a product of polynomials in
    x and y, and sum_s c_s / (s + 1) is the integral of c(y) over [0, 1]: quadrature makes that exact.
    """
    ways_K = np.zeros(n + 1)
    for j in range(1, num_gold + 1):
        ways_T = _rival_ways(n - num_gold, rivals, j)
        ways_K[j : j + len(ways_T)] += math.comb(num_gold, j) * ways_T
    credit_K = ways_K / _binomials(n)
    credit_K.setflags(write=False)
    return credit_K


def _rival_ways(num_others: int, rivals: tuple[int, ...], j: int) -> Floats:
    """For each total of draws that are not gold: ways, a way with s rivals at exactly j weighted by 1/(s + 1).

    Totals beyond the length of the result are impossible: no rival may occur more than j times.
    """
    strong = [count for count in rivals if count >= j]
    free = _binomials(num_others - sum(strong))  # weak rivals and draws without answer: any number of each
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


def pool_scores(
    answers: Mapping[str, Sequence[str | None]], golds: Mapping[str, str], *, ks: Sequence[int]
) -> dict[str, Score]:
    """`maj1@k` and `pass@k` of a pool for every k: mean over problems, joined by id, with the standard error over items.

    An answer is correct when it equals gold as a number. Raises ValueError when a problem has no gold or too few draws.
    """
    missing = sorted(set(answers) - set(golds))
    if missing:
        raise ValueError(f"{len(missing)} problems have no gold answer, the first is {missing[0]}")
    maj: list[list[float]] = []
    passed: list[list[float]] = []
    for name, drawn in answers.items():
        gold = vote_number(golds[name])
        num_correct = sum(1 for answer in drawn if answer is not None and vote_number(answer) == gold)
        maj.append(maj_at_k(drawn, gold=golds[name], ks=ks))
        passed.append(pass_at_k(n=len(drawn), num_correct=num_correct, ks=ks))
    scores = {f"maj1@{k}": Score.mean(list(column)) for k, column in zip(ks, zip(*maj, strict=True), strict=True)}
    return scores | {
        f"pass@{k}": Score.mean(list(column)) for k, column in zip(ks, zip(*passed, strict=True), strict=True)
    }
