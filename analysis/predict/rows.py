"""Held-out cells predicted from the others of their series, over every cut, and scored.

    rows = every_row(points, outcomes)              # leave-largest-out first, then the two largest, ...
    rows[0].prediction.value, rows[0].truth         # 65.6, 63.2
    rows[0].told.at(u)                              # the same of a cell anywhere on the axis: bands are made of it
    named_rows(points, outcomes, HoldOut.parse("data_frac=1"))
    scores(rows)                                    # {'this form': Score(n=12, rmse=2.1, ...), 'largest seen': ...}

A prediction is a function of the fitted cells and of the place of the held-out one (its loss, size, number of problems, draws
and replicates): tests change what held-out cells measured and get the same bits.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from analysis.compare.fits import keep_measurable
from analysis.load.outcomes import Outcomes
from analysis.load.points import Point
from analysis.predict.axes import AXES, Axis, Series, kin, series_of
from analysis.predict.paired import seen_of
from analysis.predict.rivals import RIVALS, Place, rivals, two_step
from analysis.stats.linear import NotEnough
from analysis.stats.prediction import Prediction, Seen, Target, predict

ONE_STEP, TWO_STEP = "one step", "two steps"


@dataclass(frozen=True)
class HoldOut:
    """Which cells are held out: those with these values on one axis."""

    axis: Axis
    values: tuple[str, ...]

    @staticmethod
    def parse(text: str) -> HoldOut:
        """Of `model=a,b`, `data_frac=1` or `k=16,64`. Raises ValueError for anything else."""
        name, separator, values = text.partition("=")
        if name not in AXES or not separator or not values:
            raise ValueError(
                f"--hold-out {text!r} is none of model=NAME, data_frac=NUMBER, k=NUMBER (several values by commas)"
            )
        if not AXES[name].of_models:
            for value in values.split(","):
                _amount(value)
        return HoldOut(AXES[name], tuple(values.split(",")))

    def holds(self, series: Series, place: int) -> bool:
        """Whether it names a point of a series."""
        if self.axis.of_models:
            return bool({series.names[place], series.points[place].cell.model} & set(self.values))
        return any(self.is_of(value, series.points[place]) for value in self.values)

    def is_of(self, value: str, point: Point) -> bool:
        """Whether a point has this amount."""
        return math.isclose(self.axis.size(point) or 0.0, _amount(value))


def _amount(text: str) -> float:
    try:
        found = float(Fraction(text))
    except (ValueError, ZeroDivisionError, OverflowError) as error:
        raise ValueError(f"{text!r} is no number: give 0.5, 1/8 or 16") from error
    if found <= 0:
        raise ValueError(f"{text!r} is no amount: give one above 0, as 0.5, 1/8 or 16")
    return found


@dataclass(frozen=True)
class Told:
    """All that a held-out cell is predicted from: its prediction, and what is said of any other place, are of one formula."""

    seen: Sequence[Seen]
    kin: Sequence[Sequence[Seen]]  # seen cells of the same series of other bases
    num_items: int  # how the held-out cell is measured
    num_units: int

    def target(self, u: float) -> Target:
        """A cell at a place, measured as the held-out one is."""
        return Target(u, self.num_items, self.num_units)

    def at(self, u: float) -> Prediction | NotEnough:
        """What such a cell would measure."""
        return predict(self.seen, self.target(u), kin=self.kin)


@dataclass(frozen=True)
class Row:
    """One held-out cell."""

    series: Series
    name: str  # on its axis
    num_held: int  # cells of its series that were held out with it, itself counted; the largest ones
    fitted: tuple[Point, ...]
    left_out: tuple[str, ...]  # fitted cells at the floor or ceiling, in words
    place: Place
    prediction: Prediction | NotEnough
    two_step: Prediction | None
    rivals: Mapping[str, float | None]
    truth: float | None  # None: not measured yet, or `apart`
    told: Told
    apart: Point | None = None  # measured, but left out of its series, whose settings share more draws without it

    @property
    def ratio(self) -> float:
        """Its size over the largest fitted one."""
        return self.place.size / max(self.series.axis.size(p) or math.nan for p in self.fitted)

    @property
    def refused(self) -> str:
        """Why these cells predict nothing; '' where they do."""
        return self.prediction.reason if isinstance(self.prediction, NotEnough) else self.prediction.refused


def every_row(points: Sequence[Point], outcomes: Outcomes, *, axes: Collection[str] = tuple(AXES)) -> list[Row]:
    """Every cut of every series by size: all cells above it are predicted from all below it. Smallest hold-outs first."""
    rows = []
    for name in axes:
        found = series_of(points, outcomes, axis=AXES[name])
        most = max((len(series.points) for series in found), default=0)
        for count in range(1, most):
            for series in found:
                if count < len(series.points):
                    held = range(len(series.points) - count, len(series.points))
                    rows += _rows(series, held, among=found)
    return rows


def named_rows(points: Sequence[Point], outcomes: Outcomes, hold_out: HoldOut) -> list[Row]:
    """The cells that a hold-out names, each from the rest of its series. Raises ValueError for a value that has no place.

    An amount that no cell has is predicted, without a truth beside it, and so is one that stands aside of its series; of a
    model the loss has to be known.
    """
    found = series_of(points, outcomes, axis=hold_out.axis)
    if not found:
        raise ValueError(
            f"no two settings of these cells differ in {hold_out.axis.name} alone: there is nothing to fit"
        )
    rows = []
    for series in found:
        held = [place for place in range(len(series.points)) if hold_out.holds(series, place)]
        if held and len(held) < len(series.points):
            rows += _rows(series, held, among=found)
    known = {name for series in found for name in (*series.names, *(p.cell.model for p in series.points))}
    for value in hold_out.values:
        if hold_out.axis.of_models and value not in known:
            raise ValueError(f"no base is called {value!r}; there are {', '.join(sorted(known))}")
        if not hold_out.axis.of_models:
            rows += _without_truth(found, value, hold_out)
    if not rows:
        raise ValueError(f"no series has {hold_out.axis.name}={','.join(hold_out.values)} beside other values")
    return rows


def _rows(series: Series, held: Collection[int], *, among: Sequence[Series]) -> list[Row]:
    fitted = [point for place, point in enumerate(series.points) if place not in held]
    gone = {series.axis.size(series.points[place]) for place in held}
    return [
        _row(series, series.names[place], fitted, _place(series.points[place], series.axis), gone, len(held), among,
             held=series.points[place])
        for place in held
    ]  # fmt: skip


def _place(point: Point, axis: Axis) -> Place:
    coordinate, size = axis.coordinate(point), axis.size(point)
    assert coordinate is not None, "series hold points that have one"
    assert size is not None, "series hold points that have one"
    return Place(coordinate, float(size), point.cell.num_params)


def _without_truth(found: Sequence[Series], value: str, hold_out: HoldOut) -> list[Row]:
    """An amount where it stands aside of a series; where nobody has measured it, in every series."""
    aside = {id(series): point for series in found for point in series.apart if hold_out.is_of(value, point)}
    measured = aside or any(hold_out.is_of(value, point) for series in found for point in series.points)
    open_to = [series for series in found if not measured or id(series) in aside]
    return [_unmeasured(series, _amount(value), hold_out, aside.get(id(series)), among=found) for series in open_to]


def _unmeasured(
    series: Series, amount: float, hold_out: HoldOut, apart: Point | None, *, among: Sequence[Series]
) -> Row:
    fitted = [p for place, p in enumerate(series.points) if not hold_out.holds(series, place)]
    place = Place(math.log2(amount), amount, series.points[0].cell.num_params)
    return replace(_row(series, f"{amount:g}", fitted, place, {amount}, 1, among, held=None), apart=apart)


def _row(
    series: Series, name: str, fitted: Sequence[Point], place: Place, gone: Collection[float | None], num_held: int,
    among: Sequence[Series], *, held: Point | None,
) -> Row:  # fmt: skip
    used, left_out = keep_measurable(fitted)
    design = fitted[-1] if held is None else held
    seen = seen_of(used, series.axis, beside=[] if held is None else [held])
    others = kin(series, among)
    relatives = [keep_measurable([p for p in other.points if series.axis.size(p) not in gone])[0] for other in others]
    besides = [points for other, points in zip(others, relatives, strict=True) if other is not series]
    beside = [seen_of(points, series.axis) for points in besides]
    told = Told(seen, beside, _num_items(design), max(1, design.estimate.num_units))
    found = told.at(place.coordinate)
    usable = not isinstance(found, NotEnough)
    return Row(
        series, name, num_held, tuple(fitted), left_out, place, found,
        two_step(used, seen, series, told.target(place.coordinate), place) if usable else None,
        rivals(used, series, place, seen=fitted, relatives=relatives) if usable else dict.fromkeys(RIVALS),
        None if held is None else held.estimate.value, told,
    )  # fmt: skip


def _num_items(point: Point) -> int:
    """Test problems of one cell: how it is measured, known beforehand."""
    score = point.cell.accuracy
    assert score is not None, "points have an accuracy"
    return score.n


@dataclass(frozen=True)
class Score:
    """How one predictor did on held-out cells."""

    n: int
    bias: float  # mean of predicted minus measured, points
    mean_error: float  # mean absolute
    rmse: float
    covered: int | None  # held-out cells within its 95 % interval; None: it has none


def scores(rows: Iterable[Row], *, refused: bool = False) -> dict[str, Score]:
    """By predictor, each on the measured cells that it predicts and these cells allow to predict.

    `refused`: of the one step alone, on the cells that are not allowed and have a number all the same.
    """
    told = [row for row in rows if row.truth is not None and bool(row.refused) == refused]
    found = {}
    for name in (ONE_STEP,) if refused else (ONE_STEP, TWO_STEP, *RIVALS):
        pairs = [(row, value) for row in told if (value := predicted(row, name)) is not None]
        if pairs:
            errors = np.array([value - (row.truth or 0.0) for row, value in pairs])
            inside = [_covers(row, name) for row, _ in pairs]
            covered = None if any(one is None for one in inside) else sum(map(bool, inside))
            found[name] = Score(
                len(pairs),
                float(errors.mean()),
                float(np.abs(errors).mean()),
                float(np.sqrt(np.mean(errors**2))),
                covered,
            )
    return found


def predicted(row: Row, name: str) -> float | None:
    """What one predictor says of a held-out cell, in percent."""
    one = _interval_of(row, name)
    return row.rivals[name] if name in RIVALS else None if one is None else one.value


def _interval_of(row: Row, name: str) -> Prediction | None:
    if name == TWO_STEP:
        return row.two_step
    return row.prediction if name == ONE_STEP and isinstance(row.prediction, Prediction) else None


def _covers(row: Row, name: str) -> bool | None:
    one = _interval_of(row, name)
    return None if one is None or row.truth is None else one.covers(row.truth)
