"""One point per setting: its mean over draws of the base and replicates with its intervals, and contrasts of settings.

points = make_points(table.cells, outcomes)
points[0].estimate.value, points[0].method            # 41.2 (percent), 'rft'
contrast([rft, sft], (1, -1), outcomes)               # Estimate of the paired difference in points
mean_contrast([([rft, sft], (1, -1)), ...], outcomes)      # its mean over base configurations
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from analysis.load.cells import ACCURACY, Base, Cell, Draw, group_draws, group_settings, without_votes
from analysis.load.outcomes import Outcomes
from analysis.load.pairs import (
    Row,
    Unit,
    by_unit,
    independent_units,
    mean_of_units,
    paired_replicates,
    seeds_by_unit,
    units_of,
)
from analysis.load.votes import vote_score, vote_way, vote_ways
from analysis.stats.nested import upper_ratio
from analysis.stats.uncertainty import Estimate, Kind, binomial, nested_mean
from rft.records import wilson

PERCENT = 100.0


@dataclass(frozen=True)
class Point:
    """One setting of one base configuration: all its draws and replicates."""

    cells: tuple[Cell, ...]
    estimate: Estimate  # of greedy accuracy, percent

    @property
    def cell(self) -> Cell:
        """The first replicate: what the setting's fields are read from."""
        return self.cells[0]

    @property
    def method(self) -> str:
        """Its method."""
        return self.cell.method

    @cached_property
    def draws(self) -> list[list[Cell]]:
        """Its cells by drawn base."""
        return list(group_draws(self.cells).values())

    def mean_of(self, name: str) -> float | None:
        """Mean over draws of the mean over replicates of a number of the cells; None when a cell lacks it."""
        return mean_of(self.cells, name)

    @property
    def loss(self) -> float | None:
        """Pretraining loss, mean over the drawn bases."""
        return self.mean_of("loss")


def mean_of(cells: Sequence[Cell], name: str) -> float | None:
    """The same of the cells of one setting, scored or not."""
    values = [[getattr(cell, name) for cell in of_draw] for of_draw in group_draws(cells).values()]
    if any(value is None for of_draw in values for value in of_draw):
        return None
    return float(np.mean([np.mean(of_draw) for of_draw in values]))


def distinct_of(point: Point) -> float | None:
    """Distinct paths per question without the human path; where only the count with it is known (published), that."""
    own = point.mean_of("distinct_per_question")
    return own if own is not None else point.mean_of("distinct_per_question_with_human")


def distinct_with_human(point: Point) -> float | None:
    """Distinct paths per question, the human path counted: what the paper's Table 2 holds."""
    return point.mean_of("distinct_per_question_with_human")


def make_points(cells: Iterable[Cell], outcomes: Outcomes) -> list[Point]:
    """A point for each setting that has an accuracy, in the order of first appearance.

    Whether and how a cell voted besides decides nothing about greedy answers, and is no part of a point's setting: its scores
    of votes are of those of its cells that voted. Of one replicate with votes and without them, the one that voted stays.
    """
    scored = [without_votes(cell) for cell in cells if cell.accuracy is not None]
    groups = [_once_voted(group) for group in group_settings(scored).values()]
    return [Point(tuple(group), accuracy_of(group, outcomes)) for group in groups]


def _once_voted(cells: Sequence[Cell]) -> list[Cell]:
    """Cells of one setting, of those that are one replicate the ones that voted as most did."""
    order, best = vote_ways(cells), dict[tuple[Draw, str], int]()
    places = [((cell.draw, json.dumps(cell.seeds, sort_keys=True)), order.index(vote_way(cell))) for cell in cells]
    for replicate, place in places:
        best[replicate] = min(place, best.get(replicate, place))
    return [cell for cell, (replicate, place) in zip(cells, places, strict=True) if place == best[replicate]]


def unscored_point(cell: Cell) -> Point:
    """A point of a cell without accuracy: for figures of paths alone."""
    nan = float("nan")
    return Point((cell,), Estimate(nan, nan, nan, 1, 0, Kind.PUBLISHED if cell.source else Kind.ITEMS))


class Scale(Enum):
    """In what accuracies are compared."""

    POINTS = "points"
    LOG_ODDS = "log-odds"


def accuracy_of(group: Sequence[Cell], outcomes: Outcomes) -> Estimate:
    """Accuracy in percent of the draws and replicates of one setting."""
    found = score_of(group, ACCURACY, outcomes)
    assert found is not None, "a point has a score"
    return found


def score_of(group: Sequence[Cell], name: str, outcomes: Outcomes) -> Estimate | None:
    """Any score in percent of the draws and replicates of one setting, of the cells that have it; None where none has.

    Its ONE standard error holds draws, replicates and problems: of single answers, or of votes, as figures have them. Where
    no outcome of single problems is at hand, the problems' part is at most the binomial error of one run, which then stands
    for it: replicates share their problems.
    """
    cells = [cell for cell in group if name in cell.scores]
    if not cells:
        return None
    if name == ACCURACY and outcomes.matrix(cells) is not None:
        return _estimated([([[[cell]] for cell in cells], (1.0,))], outcomes, scale=Scale.POINTS)
    known = vote_score(cells, name, outcomes) or _copy_score(cells, name, outcomes)
    if known is not None:
        return known.scaled(PERCENT)
    scores = [cell.scores[name] for cell in cells]
    scatter = mean_of_units(np.array([[score.value] for score in scores]), units_of(cells))
    noise = binomial(scatter.value, n=min(score.n for score in scores), kind=Kind.ITEMS)
    found = _with_problems(scatter, noise)
    single = len(cells) == 1 and cells[0].source is not None
    return (replace(found, kind=Kind.PUBLISHED) if single else found).scaled(PERCENT)


def _copy_score(cells: Sequence[Cell], name: str, outcomes: Outcomes) -> Estimate | None:
    """Share right on a numbers-changed copy, or on its originals; None for other scores and without outcomes."""
    found = outcomes.matrix(cells, name)
    return None if found is None else mean_of_units(found[1].astype(float), units_of(cells), bounds=(0.0, 1.0))


def _with_problems(scatter: Estimate, noise: Estimate) -> Estimate:
    """A mean over draws or replicates whose problems are not at hand, their binomial error added.

    Degrees of freedom as `analysis.stats.nested` has them: where the variance of the draws is at its upper limit.
    """
    own = scatter.se**2 if math.isfinite(scatter.se) else 0.0
    most = float(upper_ratio(scatter.df)) * own if own else 0.0
    return replace(
        scatter, se=math.sqrt(own + noise.var_items),
        df=(most + noise.var_items) ** 2 / (most**2 / scatter.df) if own else math.inf, num_items=noise.num_items,
        var_items=noise.var_items, these=None if scatter.these is None else _with_problems(scatter.these, noise),
    )  # fmt: skip


def accuracy_interval(accuracy: Estimate, *, level: float = 0.95) -> tuple[float, float]:
    """Interval of an accuracy in percent, for showing it: never of zero width, never beyond 0 or 100; NaN where unknown.

    Of one run Wilson's over its test problems; of several the t-interval over replicates and problems.
    """
    if accuracy.num_items and accuracy.kind in (Kind.ITEMS, Kind.PUBLISHED):
        return _wilson_percent(accuracy, level=level)
    return share_interval(accuracy, level=level)


def share_interval(share: Estimate, *, level: float = 0.95) -> tuple[float, float]:
    """The same of a mean of shares in percent, such as pass@k: the t-interval, cut; Wilson's where all are 0 or all 100."""
    if share.num_items and share.se == 0 and share.value in (0.0, PERCENT):
        return _wilson_percent(share, level=level)
    if not math.isfinite(share.half_width(level=level)):
        return math.nan, math.nan
    low, high = share.interval(level=level)
    return max(0.0, low), min(PERCENT, high)


def _wilson_percent(share: Estimate, *, level: float) -> tuple[float, float]:
    low, high = wilson(share.value / PERCENT, n=share.num_items, level=level)
    return PERCENT * low, PERCENT * high


Contrast = tuple[Sequence[Point], Sequence[float]]  # points of one base configuration with their weights


def contrast(
    points: Sequence[Point], weights: Sequence[float], outcomes: Outcomes, *, scale: Scale = Scale.POINTS
) -> Estimate | None:
    """Sum of weights times accuracies, draw by draw, replicate by replicate, same problems; None if no replicate is shared.

    Without per-problem outcomes: over draws and replicates alone, or for single (published) runs the binomial errors added as
    if independent, which is too wide for runs on the same problems.
    """
    return mean_contrast([(points, weights)], outcomes, scale=scale)


def mean_contrast(groups: Sequence[Contrast], outcomes: Outcomes, *, scale: Scale = Scale.POINTS) -> Estimate | None:
    """Mean over base configurations of a contrast of each one's points; None where one of them shares no replicate.

    Draws and replicates pair within their own base: configurations need none in common. They share the test problems.
    Contrasts of one configuration are averaged first: they rest on the same draws, and are no bases of their own.
    """
    rows = [(paired_replicates(points), weights) for points, weights in _one_a_base(groups)]
    if not rows or not all(found for found, _ in rows):
        return None
    estimate = _estimated(rows, outcomes, scale=scale)
    single = len(rows) == 1 and len(rows[0][0]) == 1 and not estimate.num_items
    return _one_run(estimate, *rows[0], scale=scale) if single else estimate


def contrast_values(
    groups: Sequence[Contrast], outcomes: Outcomes, *, scale: Scale = Scale.POINTS
) -> list[list[NDArray[np.float64]]] | None:
    """What `mean_contrast` is the mean of: per base configuration and draw the values [replicates, problems]."""
    rows = [(paired_replicates(points), weights) for points, weights in _one_a_base(groups)]
    if not rows or not all(found for found, _ in rows):
        return None
    return _values(rows, outcomes, units=[independent_units(found) for found, _ in rows], scale=scale)


def _one_a_base(groups: Sequence[Contrast]) -> list[Contrast]:
    found: dict[Base, list[Contrast]] = {}
    for points, weights in groups:
        found.setdefault(points[0].cell.base, []).append((points, weights))
    return [
        (
            [point for points, _ in same for point in points],
            tuple(weight / len(same) for _, weights in same for weight in weights),
        )
        for same in found.values()
    ]


def _estimated(
    groups: Sequence[tuple[Sequence[Row], Sequence[float]]], outcomes: Outcomes, *, scale: Scale
) -> Estimate:
    bounds = (math.nan, math.nan)
    if scale is Scale.POINTS:
        factors = [PERCENT * np.asarray(weights, float) / len(groups) for _, weights in groups]
        bounds = (sum(f.clip(max=0).sum() for f in factors), sum(f.clip(0).sum() for f in factors))
    units = [independent_units(rows) for rows, _ in groups]
    values = _values(groups, outcomes, units=units, scale=scale)
    return nested_mean(values, seeds=list(map(seeds_by_unit, units)), bounds=bounds)


def _values(
    groups: Sequence[tuple[Sequence[Row], Sequence[float]]],
    outcomes: Outcomes,
    *,
    units: Sequence[Sequence[Sequence[Unit]]],
    scale: Scale,
) -> list[list[NDArray[np.float64]]]:
    """Rows of each base configuration as draws of independent units."""
    bases = []
    cubes = _cubes([rows for rows, _ in groups], outcomes)
    for (rows, weights), cube, own in zip(groups, cubes, units, strict=True):
        factors = np.asarray(weights, float) * (PERCENT if scale is Scale.POINTS else 1.0)
        values_RI = np.einsum("j,rji->ri", factors, cube if scale is Scale.POINTS else _log_odds(cube, rows))
        bases.append(by_unit(values_RI, own))
    return bases


def _cubes(groups: Sequence[Sequence[Row]], outcomes: Outcomes) -> list[NDArray[np.float64]]:
    """Per base, share right as [rows, settings, problems] on the problems that all share; of one column without outcomes."""
    found = outcomes.matrix([cell for rows in groups for row in rows for cells in row for cell in cells])
    if found is None:
        return [np.array([[[_mean_value(cells)] for cells in row] for row in rows]) for rows in groups]
    taken = iter(found[1].astype(float))
    return [np.array([[_mean_of([next(taken) for _ in cells]) for cells in row] for row in rows]) for rows in groups]


def _mean_of(arrays: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    return arrays[0] if len(arrays) == 1 else np.mean(arrays, axis=0)


def _log_odds(cube: NDArray[np.float64], rows: Sequence[Row]) -> NDArray[np.float64]:
    """Per problem what it adds to the log-odds of its cell, linear about the cell's accuracy (delta method).

    The mean over problems is log((hits + 1/2) / (misses + 1/2)), finite at 0 and 1 (Haldane 1956).
    """
    share = cube.mean(axis=2, keepdims=True)
    n = np.array([[[_n(cells[0])] for cells in row] for row in rows], float) if cube.shape[2] == 1 else cube.shape[2]
    p = (share * n + 0.5) / (n + 1.0)
    return np.asarray(np.log(p / (1 - p)) + (cube - share) / (p * (1 - p)))


def _one_run(estimate: Estimate, rows: Sequence[Row], weights: Sequence[float], *, scale: Scale) -> Estimate:
    """Single runs without outcomes: their binomial errors, added as if independent."""
    cells = [found[0] for found in rows[0]]
    parts = [binomial(_value(cell), n=_n(cell)).se ** 2 for cell in cells]
    if scale is Scale.LOG_ODDS:
        spreads = [(_value(cell) * (1 - _value(cell)) + 0.25 / _n(cell)) ** 2 for cell in cells]
        parts = [part / spread for part, spread in zip(parts, spreads, strict=True)]
    unit = PERCENT if scale is Scale.POINTS else 1.0
    variance = sum((unit * w) ** 2 * part for w, part in zip(weights, parts, strict=True))
    kind = Kind.PUBLISHED if cells[0].source else Kind.ITEMS
    return replace(
        estimate, se=variance**0.5, df=math.inf, num_items=_n(cells[0]), kind=kind, var_items=variance, reach=math.nan
    )


def _mean_value(cells: Sequence[Cell]) -> float:
    return float(np.mean([_value(cell) for cell in cells]))


def _value(cell: Cell) -> float:
    assert cell.accuracy is not None
    return cell.accuracy.value


def _n(cell: Cell) -> int:
    assert cell.accuracy is not None
    return cell.accuracy.n
