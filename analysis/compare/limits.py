"""The largest study that there can be of some settings: further draws of a base, and test problems.

limits = limits_of([rft, control])
limits.draws, limits.problems        # False, 1319: an imported model on GSM8K's test file
limits_for(estimate, points)         # of an estimate over the draws of some bases among all that a study has
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from analysis.load.cells import DRAW_SEEDS
from analysis.load.points import Point
from analysis.stats.power import MOST_PROBLEMS
from analysis.stats.uncertainty import Estimate, Kind


@dataclass(frozen=True)
class Limits:
    """Without anything said: bases are drawn, and problems are made."""

    draws: bool = True  # whether a base can be drawn anew
    problems: int = MOST_PROBLEMS


NO_LIMITS = Limits()


def limits_of(points: Iterable[Point]) -> Limits:
    """Of settings that are compared: what all of them have."""
    listed = list(points)
    fewest = min((most_problems(point) for point in listed), default=MOST_PROBLEMS)
    return Limits(all(drawable(point) for point in listed), fewest)


def limits_for(estimate: Estimate, points: Iterable[Point]) -> Limits:
    """Of what an estimate is of, among the settings of a study: bases whose draws it is over can be drawn anew, whatever
    other models the study has.
    """
    limits = limits_of(points)
    return replace(limits, draws=limits.draws or estimate.kind is Kind.DRAWS)


def drawable(point: Point) -> bool:
    """Whether its base can be drawn anew: a model that was imported is the one that there is."""
    return bool(DRAW_SEEDS & point.cell.seeds.keys())


def most_problems(point: Point) -> int:
    """Test problems that there are: of a file those that it has; the embedded world makes as many as are asked for."""
    found = re.search(r" of (\d+)$", point.cell.eval_subset or "")
    made = point.cell.of_test_set("kind") in (None, "world")
    return MOST_PROBLEMS if made or found is None else int(found[1])
