"""Is it a line: departures with intervals, and rival curves judged on points they have not seen.

    result = log_linear(points, x, outcomes)       # ShapeResult: Shape.LINE, .BENT or .OPEN
    rivals = compare_rivals({"nano-s": (examples, percent), ...})   # held-out errors at the largest amount of data

With 4 to 6 points R^2 cannot tell a line from a power law. So: the claim "log-linear" is supported when the 90 % interval of
every point's departure from the line, and so of the largest, lies within +-2 points (an intersection-union test: its
level is 5 % without any correction, Berger 1982). It is contradicted when a departure's interval lies wholly outside, at 95 %
with Bonferroni's correction for the number of points. Where all answers are alike the interval is that of a departure too
small to be seen (`Estimate.half_width`), and the p-values are those of that interval. As in fits (analysis.compare.fits),
points at the floor or the ceiling are left out, on the draws of the base that all amounts have.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.compare.fits import CEILING, FLOOR, on_a_line
from analysis.load.outcomes import Outcomes
from analysis.load.points import Point, contrast
from analysis.stats.forms import LINE, POWER, SIGMOID, fit_form
from analysis.stats.linear import NotEnough
from analysis.stats.uncertainty import Estimate

Floats = NDArray[np.float64]

MARGIN = 2.0  # points
LEVEL = 0.90  # of a departure's interval
MIN_POINTS = 4  # three points leave one degree of freedom for a departure


class Shape(Enum):
    """What the departures say."""

    LINE = "within the margin of a line"
    BENT = "departs from a line"
    OPEN = "not separable"


@dataclass(frozen=True)
class ShapeResult:
    """Departures from a straight line, in points, one per x."""

    shape: Shape
    departures: tuple[Estimate, ...]
    largest: float  # the departure farthest from 0
    bound: float  # farthest end of any 90 % interval: the smallest margin for which the answer would be 'line'
    p_line: float  # of the intersection-union test that all departures lie within the margin
    p_bent: float  # Bonferroni's, that some departure lies outside
    left_out: tuple[str, ...] = ()  # points at the floor or the ceiling, in words


def departure_weights(x: ArrayLike) -> Floats:
    """I - H of the straight line: row j times the accuracies is the departure of point j."""
    xs = np.asarray(x, float)
    design = np.stack([np.ones_like(xs), xs], axis=1)
    weights: Floats = np.eye(len(xs)) - design @ np.linalg.pinv(design)
    return weights


def log_linear(points: Sequence[Point], x: Sequence[float], outcomes: Outcomes) -> ShapeResult | NotEnough:
    """Departures of accuracy from a line in x, at the level of replicates (or of items or published counts, see Estimate)."""
    what = "the shape of accuracy against data"
    if len(set(x)) < MIN_POINTS:
        return NotEnough(what, f"{len(set(x))} amounts of data; departures from a line need at least {MIN_POINTS}")
    places = {point.cell.setting_key: value for point, value in zip(points, x, strict=True)}
    kept, left_out = on_a_line(points, lambda p: places[p.cell.setting_key], outcomes, least=MIN_POINTS)
    xs = [places[point.cell.setting_key] for point in kept]
    if len(set(xs)) < MIN_POINTS:
        within = f"within {FLOOR:g} to {CEILING:g} % on replicates in common"
        few = f"{len(set(xs))} of {len(set(x))} amounts of data have an accuracy {within}"
        return NotEnough(what, f"{few}; departures from a line need at least {MIN_POINTS}")
    found = [contrast(kept, tuple(row), outcomes) for row in departure_weights(xs)]
    if any(estimate is None for estimate in found):
        return NotEnough(what, "no replicate has all amounts of data")
    result = judge_departures([estimate for estimate in found if estimate is not None])
    return replace(result, left_out=left_out)


def judge_departures(departures: Sequence[Estimate], *, margin: float = MARGIN) -> ShapeResult:
    """The shape from the departures' estimates."""
    ends = [estimate.interval(level=LEVEL) for estimate in departures]
    bound = max(max(abs(low), abs(high)) for low, high in ends)
    p_line = max(_one_sided(e, margin=margin) for e in departures)
    p_bent = min(1.0, len(departures) * min(_outside(e, margin=margin) for e in departures))
    shape = Shape.LINE if p_line <= (1 - LEVEL) / 2 else Shape.BENT if p_bent <= 0.05 else Shape.OPEN
    largest = max((e.value for e in departures), key=abs)
    return ShapeResult(shape, tuple(departures), largest, bound, p_line, p_bent)


def _one_sided(estimate: Estimate, *, margin: float) -> float:
    """p against |departure| >= margin (two one-sided tests)."""
    from scipy import stats

    inside = margin - abs(estimate.value)
    if not estimate.se > 0:
        return _unseen(estimate, distance=inside)
    return float(stats.t.sf(inside / estimate.se, estimate.df))


def _outside(estimate: Estimate, *, margin: float) -> float:
    """Two-sided p against |departure| <= margin."""
    from scipy import stats

    beyond = abs(estimate.value) - margin
    if not estimate.se > 0:
        return min(1.0, 2 * _unseen(estimate, distance=beyond))
    return float(min(1.0, 2 * stats.t.sf(beyond / estimate.se, estimate.df)))


def _unseen(estimate: Estimate, *, distance: float) -> float:
    """One-sided p where all problems are alike: the tail at which `Estimate.half_width` reaches so far."""
    if math.isnan(estimate.se) or not estimate.num_items or not estimate.reach > 0:
        return 1.0
    return float(min(1.0, max(0.0, 1.0 - distance / estimate.reach)) ** estimate.num_items)


@dataclass(frozen=True)
class Curve:
    """A rival: percent as a function of the amount of data, with its parameters."""

    name: str
    parameters: tuple[float, ...]
    predict: Callable[[Floats], Floats]
    note: str = ""  # e.g. 'asymptote unbounded'


RIVALS = {"line in log data": LINE, "saturating power law": POWER, "logistic": SIGMOID}


def fit_rival(name: str, n: ArrayLike, percent: ArrayLike) -> Curve | NotEnough:
    """A form of `analysis.stats.forms` on log2 of the amount of data. A power law at its bounds says so."""
    fit = fit_form(RIVALS[name], np.log2(np.asarray(n, float)), percent)
    if isinstance(fit, NotEnough):
        return fit
    return Curve(name, tuple(fit.parameters), lambda x: fit.predict(np.log2(np.asarray(x, float))), fit.note)


@dataclass(frozen=True)
class RivalScore:
    """How a rival predicts the largest amount of data of every base from the smaller ones."""

    name: str
    rmse: float  # points
    errors: tuple[float, ...]  # measured minus predicted, per base
    notes: tuple[str, ...]


def compare_rivals(series: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> list[RivalScore] | NotEnough:
    """Rivals by error on held-out largest points, best first; bases with fewer than 4 points are left out."""
    usable = {base: (np.asarray(n), np.asarray(y)) for base, (n, y) in series.items() if len(set(n)) >= MIN_POINTS}
    if not usable:
        return NotEnough("rival curves", f"no base has {MIN_POINTS} amounts of data")
    scores = []
    for name in RIVALS:
        errors, notes = [], set()
        for n, y in usable.values():
            rest = n < n.max()
            curve = fit_rival(name, n[rest], y[rest])
            if isinstance(curve, NotEnough):
                continue
            errors.append(float(np.mean(y[~rest]) - curve.predict(np.array([n.max()]))[0]))
            notes |= {curve.note} - {""}
        if errors:
            scores.append(RivalScore(name, float(np.sqrt(np.mean(np.square(errors)))), tuple(errors), tuple(notes)))
    return sorted(scores, key=lambda score: score.rmse)
