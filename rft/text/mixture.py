"""Several files as one training set, in given proportions.

    >>> first, second = ([Problem(f"{name}{i}", f"{name} {i}?", "", "1") for i in range(8)] for name in "ab")
    >>> found = mixed({"a.jsonl": first, "b.jsonl": second}, weights=[2, 1])
    >>> [len([one for one in found.problems if one.id[0] == name]) for name in "ab"]      # all of the scarce file
    [8, 4]
    >>> found.dropped
    {'over_weight': 4}

As many rows are taken as the proportions allow, of each file those whose ids come first in a fixed order. A fraction of the
whole is nested as ever and has the proportions up to chance. Without weights every row is taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rft.records import Problem
from rft.text.gsm8k import Reading
from rft.text.overlap import normalise
from rft.text.subsets import permutation

OVER_WEIGHT, DUPLICATE = "over_weight", "duplicate"
SEED = 0  # of the order in which the rows of a file are taken


def mixed(
    parts: Mapping[str, Sequence[Problem]], *, weights: Sequence[float], drop_duplicates: bool = False
) -> Reading:
    """The problems of the files together, file by file; `weights` of each, or none.

    Raises ValueError for a question that two files have, unless those of the later file are to be dropped.
    """
    own, repeated = _apart(parts, drop_duplicates=drop_duplicates)
    sizes = [len(one) for one in own]
    taken = shares(sizes, weights=weights) if weights else sizes
    problems = [one for part, count in zip(own, taken, strict=True) for one in _first(part, count)]
    counts = {DUPLICATE: repeated, OVER_WEIGHT: sum(sizes) - sum(taken)}
    asked = [problem.question for part in parts.values() for problem in part]
    return Reading(problems, {reason: count for reason, count in counts.items() if count}, asked)


def shares(sizes: Sequence[int], *, weights: Sequence[float]) -> list[int]:
    """How many rows of each file: in the proportions of the weights, as many as the scarcest file allows.

    >>> shares([100, 10], weights=[1, 1])
    [10, 10]
    """
    scale = min(size / weight for size, weight in zip(sizes, weights, strict=True))
    return [min(size, max(1, round(scale * weight))) for size, weight in zip(sizes, weights, strict=True)]


def _apart(parts: Mapping[str, Sequence[Problem]], *, drop_duplicates: bool) -> tuple[list[list[Problem]], int]:
    """The problems of each file that no earlier one has, and how many were left out."""
    home: dict[str, str] = {}
    own: list[list[Problem]] = []
    repeated = 0
    for name, problems in parts.items():
        mine = []
        for problem in problems:
            first = home.setdefault(normalise(problem.question), name)
            if first == name:
                mine.append(problem)
            elif drop_duplicates:
                repeated += 1
            else:
                raise ValueError(
                    f"{name} has the question {problem.question[:60]!r}, and so has {first}: leave such rows of the later "
                    "file out with data.on_duplicate=drop"
                )
        own.append(mine)
    return own, repeated


def _first(problems: Sequence[Problem], count: int) -> list[Problem]:
    taken = set(permutation([problem.id for problem in problems], seed=SEED)[:count])
    return [problem for problem in problems if problem.id in taken]
