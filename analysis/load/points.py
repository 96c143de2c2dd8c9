"""One point per setting: its replicates' mean with an interval, and contrasts of settings replicate by replicate.

points = make_points(table.cells, outcomes)
points[0].estimate.value, points[0].method            # 41.2 (percent), 'rft'
contrast([rft, sft], (1, -1), outcomes)               # Estimate of the paired difference in points
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.load.cells import DRAW_SEED, Cell, group_replicates
from analysis.load.outcomes import Outcomes
from analysis.stats.uncertainty import Estimate, Kind, binomial, crossed_mean, replicate_mean, wilson

PERCENT = 100.0


@dataclass(frozen=True)
class Point:
    """The replicates of one setting."""

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

    def mean_of(self, name: str) -> float | None:
        """Mean over replicates of a number of the cells; None when a replicate lacks it."""
        values = [getattr(cell, name) for cell in self.cells]
        return None if any(value is None for value in values) else float(np.mean(values))


def distinct_of(point: Point) -> float | None:
    """Distinct paths per question without the human path; where only the count with it is known (published), that."""
    own = point.mean_of("distinct_per_question")
    return own if own is not None else point.mean_of("distinct_per_question_with_human")


def make_points(cells: Iterable[Cell], outcomes: Outcomes) -> list[Point]:
    """A point for each setting that has an accuracy, in the order of first appearance."""
    scored = [cell for cell in cells if cell.accuracy is not None]
    return [Point(tuple(group), accuracy_of(group, outcomes)) for group in group_replicates(scored).values()]


def unscored_point(cell: Cell) -> Point:
    """A point of a cell without accuracy: for figures of paths alone."""
    nan = float("nan")
    return Point((cell,), Estimate(nan, nan, nan, 1, 0, Kind.PUBLISHED if cell.source else Kind.ITEMS))


def accuracy_of(group: Sequence[Cell], outcomes: Outcomes) -> Estimate:
    """Accuracy in percent of the replicates of one setting."""
    found = outcomes.matrix(group)
    if found is not None:
        return crossed_mean(found[1].astype(float), bounds=(0.0, 1.0)).scaled(PERCENT)
    scores = [cell.accuracy for cell in group if cell.accuracy is not None]
    if len(scores) == 1:
        kind = Kind.ITEMS if group[0].source is None else Kind.PUBLISHED
        return binomial(scores[0].value, n=scores[0].n, kind=kind).scaled(PERCENT)
    return replicate_mean(np.array([score.value for score in scores])).scaled(PERCENT)


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


Row = Sequence[Sequence[Cell]]  # of one replicate, for each point the cells that belong to it


def paired_replicates(points: Sequence[Point]) -> list[list[list[Cell]]]:
    """Replicates that every point has: for each, per point (in their order) the cells of it.

    Replicates pair by the seeds that all the settings have (a base's own draw apart, which tells bases and not replicates
    from one another). A point without seeds, such as ICL without worked examples or a published one, goes with every
    replicate. Where a seed that others lack makes several cells of one replicate (three samplings of one training set), they
    are its cells together: averaged, never counted as replicates of their own.
    """
    shared: set[str] | None = None
    for point in points:
        own = set.intersection(*(set(cell.seeds) for cell in point.cells)) - {DRAW_SEED}
        if own:
            shared = own if shared is None else shared & own
    names = sorted(shared or ())
    maps: list[dict[tuple[int, ...], list[Cell]]] = []
    for point in points:
        by_key: dict[tuple[int, ...], list[Cell]] = {}
        seeded = bool(set(names) & set(point.cell.seeds))
        for cell in point.cells:
            by_key.setdefault(tuple(cell.seeds[name] for name in names) if seeded else (), []).append(cell)
        maps.append(by_key)
    seeded_maps = [m for m in maps if set(m) != {()}]
    keys = set(seeded_maps[0]).intersection(*seeded_maps[1:]) if seeded_maps else {()}
    return [[m[key] if key in m else m[()] for m in maps] for key in sorted(keys)]


def contrast(points: Sequence[Point], weights: Sequence[float], outcomes: Outcomes) -> Estimate | None:
    """Sum of weights times accuracies in points, replicate by replicate, same problems; None if none is shared.

    Without per-problem outcomes: a t-interval over replicates, or for single (published) runs the binomial errors
    added as if independent, which is too wide for runs on the same problems.
    """
    rows = paired_replicates(points)
    if not rows:
        return None
    factors = np.asarray(weights, float) * PERCENT
    cube = accuracy_cube(rows, outcomes)
    if cube is not None:
        return crossed_mean(
            np.einsum("j,rji->ri", factors, cube), bounds=(factors.clip(max=0).sum(), factors.clip(0).sum())
        )
    values = np.array([[np.mean([_value(cell) for cell in cells]) for cells in row] for row in rows]) @ factors
    if len(rows) > 1:
        return replicate_mean(values)
    first = [cells[0] for cells in rows[0]]
    variance = sum(f**2 * binomial(_value(c), n=_n(c)).se ** 2 for f, c in zip(factors, first, strict=True))
    kind = Kind.PUBLISHED if first[0].source else Kind.ITEMS
    return Estimate(float(values[0]), variance**0.5, float("inf"), 1, _n(first[0]), kind, var_items=variance)


def accuracy_cube(rows: Sequence[Row], outcomes: Outcomes) -> NDArray[np.float64] | None:
    """Share right as [replicates, settings, problems] on the problems that all share; None without outcomes."""
    cells = [cell for row in rows for group in row for cell in group]
    found = outcomes.matrix(cells)
    if found is None:
        return None
    taken, means = iter(found[1].astype(float)), []
    for row in rows:
        means.append([np.mean([next(taken) for _ in group], axis=0) for group in row])
    return np.array(means)


def _value(cell: Cell) -> float:
    assert cell.accuracy is not None
    return cell.accuracy.value


def _n(cell: Cell) -> int:
    assert cell.accuracy is not None
    return cell.accuracy.n
