"""What a study may be extended along, and its series: settings that differ in one thing alone, in the order of their size.

    series_of(points, outcomes, axis=AXES["model"])[0].label        # 'SFT'
    series_of(points, outcomes, axis=AXES["k"])[0].label            # 'RFT, LLaMA-7B'

Points are those of one recipe (analysis.load.recipes), grouped by all that labels tell but the axis: a series holds one
configuration with one thing varied. Models stand in the order of their pretraining compute (6 N D, or as published), else of
their parameters, and are predicted by their loss; amounts of data and k by their logarithm. These are settings of one base,
on the draws of it that all of them have: an amount with draws of its own lies higher or lower by what those are worth.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from analysis.compare.loss_fits import pretrain_flops, texts_differ
from analysis.load.cells import BASE_SEED, Cell
from analysis.load.labels import method_label, setting_label
from analysis.load.names import base_names, base_order, counted, value_text
from analysis.load.outcomes import Outcomes
from analysis.load.places import TOLD
from analysis.load.points import Point
from analysis.load.query import left_out_of, most_in_common, on_shared_draws

MODEL = "model"


@dataclass(frozen=True)
class Axis:
    """One thing that a study varies."""

    name: str  # as `--hold-out` names it
    size: Callable[[Point], float | None]  # what is larger and what is smaller
    coordinate: Callable[[Point], float | None]  # what predictions are made from; grows with quality
    unit: str  # of the size

    @property
    def of_models(self) -> bool:
        """Whether its values are bases."""
        return self.name == MODEL

    def among(self, points: Sequence[Point]) -> Axis:
        """The axis in a unit that all points have: of models whose compute is not known of all, their parameters.

        FLOPs of some beside parameters of others would put a small model above a large one.
        """
        if self.of_models and any(self.size(point) is None for point in points):
            return replace(self, size=_params, unit="parameters")
        return self


def _compute(point: Point) -> float | None:
    flops = pretrain_flops(point.cell)
    return flops if math.isfinite(flops) else None


def _params(point: Point) -> float | None:
    return point.cell.num_params


def _quality(point: Point) -> float | None:
    loss = point.loss
    return None if loss is None else -loss


def _log2(value: float | None) -> float | None:
    return math.log2(value) if value else None


AXES = {
    MODEL: Axis(MODEL, _compute, _quality, "pretraining compute"),
    "data_frac": Axis("data_frac", lambda p: p.cell.data_frac, lambda p: _log2(p.cell.data_frac), "data"),
    "k": Axis("k", lambda p: p.cell.k, lambda p: _log2(p.cell.k), "k"),
}


@dataclass(frozen=True)
class Series:
    """Settings that differ on one axis alone, smallest first."""

    axis: Axis
    label: str
    points: tuple[Point, ...]
    names: tuple[str, ...]  # of the points on the axis: 'nano-s', '0.5', '16'
    apart: tuple[Point, ...] = ()  # settings that stand aside, as the others share more draws of the base without them
    dropped: tuple[Cell, ...] = ()  # a cell of each draw that some of its points have, and not all

    @property
    def left_out(self) -> tuple[str, ...]:
        """Names of the settings that stand aside."""
        return tuple(value_text(self.axis.size(point)) for point in self.apart)


def draws_words(cells: Sequence[Cell]) -> str:
    """'2 draws (pretrain_seed 3, 7)': which draws of a base some cells are of."""
    seeds = {cell.draw: cell.seeds.get(BASE_SEED) for cell in cells}
    told = sorted({seed for seed in seeds.values() if seed is not None})
    named = f" ({BASE_SEED} {', '.join(map(str, told))})" if len(told) == len(seeds) else ""
    return f"{counted(len(seeds), 'draw')}{named}"


def series_of(points: Sequence[Point], outcomes: Outcomes, *, axis: Axis) -> list[Series]:
    """The series of an axis with two points or more. Post-trained bases, and those without loss, are in none.

    Of one base the settings that are best compared with each other, on the draws that all of them have; the others stand
    aside (`Series.apart`).
    """
    usable = [p for p in points if axis.coordinate(p) is not None and not p.cell.post_trained]
    names, whole = base_names(p.cell for p in points), axis
    groups: dict[tuple[object, ...], list[Point]] = {}
    for point in usable:
        groups.setdefault(_apart(point, axis), []).append(point)
    found = []
    for group in groups.values():
        axis = whole.among(group)
        sized = [point for point in group if axis.size(point)]
        alike = sized if axis.of_models else most_in_common(sized, paired=False)
        members = sized if axis.of_models else on_shared_draws(alike, outcomes)
        if len(members) < 2 or (axis.of_models and texts_differ(members)) or (axis.name == "k" and _untrained(members)):
            continue
        ordered = tuple(sorted(members, key=lambda p: (axis.size(p) or 0, base_order(p.cell))))
        shown = tuple(names[p.cell.base] if axis.of_models else value_text(axis.size(p)) for p in ordered)
        apart = tuple(sorted(left_out_of(alike, sized), key=lambda p: axis.size(p) or 0))
        label = _label(ordered[0], axis, names[ordered[0].cell.base])
        found.append(Series(axis, label, ordered, shown, apart, _dropped(alike, members)))
    return found


def _dropped(points: Sequence[Point], members: Sequence[Point]) -> tuple[Cell, ...]:
    """A cell of each draw that some points have and the members, which are the same settings, have not."""
    there = {cell.draw for point in members for cell in point.cells}
    return tuple({cell.draw: cell for p in points for cell in p.cells if cell.draw not in there}.values())


def _untrained(members: Sequence[Point]) -> bool:
    """Whether none was trained on what was drawn (the method `sampled`): k changes nothing about them."""
    return all(point.cell.num_augmented == 0 for point in members)


def _apart(point: Point, axis: Axis) -> tuple[object, ...]:
    cell = point.cell
    told = [says(cell) for key, says in TOLD.items() if key != axis.name]
    return (cell.study_kind, cell.data, cell.test_set, None if axis.of_models else cell.base, *told)


def _label(point: Point, axis: Axis, base: str) -> str:
    if axis.of_models:
        return setting_label(point.cell)
    if axis.name == "k":
        return f"{setting_label(point.cell).replace(f' k={point.cell.k}', '')}, {base}"
    return f"{method_label(point.cell)}, {base}"


def kin(series: Series, among: Sequence[Series]) -> list[Series]:
    """The series of other bases that are otherwise the same, and itself."""

    def shared(one: Series) -> tuple[object, ...]:
        return (one.axis.name, *_apart(one.points[0], one.axis)[:3], *_apart(one.points[0], one.axis)[4:])

    return [other for other in among if shared(other) == shared(series)]
