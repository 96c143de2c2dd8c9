"""What repeating every point of a line brings: the noise of replicates and draws is averaged, a bend and the problems stay.

for repeat in repeats_of(ladder, contrasts, outcomes): print(repeat.action, repeat.saved)

A contrast of the points has a value in each replicate of each draw. The pooled variance of replicates about their draw says
what another replicate of every draw takes from the variance of the contrast's mean, the variance of the draws' means what as
many draws again take. What a design has nothing of is not estimable and not offered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.compare.limits import drawable
from analysis.load.outcomes import Outcomes
from analysis.load.points import Point, contrast_values
from analysis.plan.hours import anew_hours, own_hours

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Repeat:
    """All points of a line once more."""

    action: str
    hours: float  # 0 where the records hold none
    saved: float  # of the variance of a contrast's mean, on average over the contrasts
    least: float  # share of it that is left even where all of it is noise
    new_draws: int = 0
    new_replicates: int = 0  # of each draw

    def left_of(self, variance: float) -> float:
        """Of the mean square of the contrasts as it is, what is expected afterwards."""
        return max(variance - self.saved, self.least * variance)


def bends(x: Floats) -> list[Floats]:
    """Orthonormal contrasts that no line has: the mean of their squares is the residual variance about the line."""
    design = np.stack([np.ones_like(x), x], axis=1)
    return list(np.linalg.qr(design, mode="complete")[0][:, 2:].T)


def repeats_of(points: Sequence[Point], contrasts: Sequence[Floats], outcomes: Outcomes) -> list[Repeat]:
    """Another replicate of every draw, and as many draws again, as far as those at hand show their noise."""
    found = [contrast_values([(points, tuple(weights))], outcomes) for weights in contrasts]
    if not found or any(values is None for values in found):
        return []
    means = [[draw.mean(axis=1) for draw in values[0]] for values in found if values is not None]
    sizes = np.array([len(draw) for draw in means[0]], float)
    one, repeats = own_hours(points), []
    if sizes.max() > 1:
        now, then = (float((1 / (sizes + more)).sum()) / len(sizes) ** 2 for more in (0, 1))
        saved = float(np.mean([_within(draws) for draws in means])) * (now - then)
        action = "1 more replicate of every point" + (" in every draw" if len(sizes) > 1 else "")
        repeats.append(Repeat(action, one * len(sizes), saved, then / now, new_replicates=1))
    if len(sizes) > 1 and drawable(points[0]):
        saved = float(np.mean([_between(draws) for draws in means])) / (2 * len(sizes))
        action = f"every point in {len(sizes)} more draws of the base"
        repeats.append(Repeat(action, anew_hours(points), saved, 0.5, len(sizes)))
    return repeats


def _within(draws: Sequence[Floats]) -> float:
    """Variance of a replicate about its draw."""
    return float(sum(((draw - draw.mean()) ** 2).sum() for draw in draws) / sum(len(draw) - 1 for draw in draws))


def _between(draws: Sequence[Floats]) -> float:
    """Variance of the mean of a draw."""
    return float(np.var([draw.mean() for draw in draws], ddof=1))
