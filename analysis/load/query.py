"""Questions to points by what their settings say.

where(points, method="rft", k=16, **{"train.lr": 3e-3})      # attributes of a cell by name, any key by its dotted path
where(points, data_frac=ALL_DATA)                            # a set asks for any of its values
same_but(point, points, method="sft_matched")                # the control of a point: the same but for its method
steps_apart(point, points)                                   # why there is none: it took other numbers of optimiser steps
run_apart(point, points, method="sft_matched")               # another reason: it was run in other draws or replicates
on_shared_draws(points, outcomes)                            # the same on the draws that all of them have
on_paired_replicates(points, outcomes)                       # the same on the cells that a contrast of them pairs
on_common_cells(points, outcomes)                            # these; where no replicate is shared, those on the shared draws
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.load.cells import AT_STEPS, MATCHED, Cell, Draw, matches, varying_keys
from analysis.load.coverage import LEAST, best_together, coverage
from analysis.load.names import base_names
from analysis.load.options import by_preference
from analysis.load.outcomes import Outcomes
from analysis.load.pairs import paired_replicates
from analysis.load.points import Point, accuracy_of

SAME_STEPS = 0.02  # relative, of the mean over what two settings share
FAR_STEPS = 0.1  # relative, of one replicate: less than 0.15 doublings of the steps
ALL_DATA = frozenset({None, 1.0})  # of the human set; None: methods that train on nothing

ATTRIBUTES = frozenset(field.name for field in dataclasses.fields(Cell)) | frozenset(
    name for name, value in vars(Cell).items() if isinstance(value, property)
)


def where(points: Iterable[Point], **wanted: Any) -> list[Point]:
    """The points whose cells have these values, in their order. A key that a setting lacks has the value None.

    Raises ValueError for a name that is no attribute of a cell and stands in no point's setting: a slip would leave nothing
    over, without a word.
    """
    found = list(points)
    for name in wanted:
        _check_name(name, found)
    return [point for point in found if all(_has(point.cell, name, value) for name, value in wanted.items())]


def value_of(cell: Cell, name: str) -> Any:
    """An attribute of a cell, or the value of a key of its setting; lists are tuples, as a command line's are lists."""
    value = getattr(cell, name) if name in ATTRIBUTES else cell.setting.get(name)
    return tuple(value) if isinstance(value, list) else value


def _has(cell: Cell, name: str, wanted: Any) -> bool:
    value = value_of(cell, name)
    if isinstance(wanted, frozenset | set):
        return value in wanted
    return bool(value == (tuple(wanted) if isinstance(wanted, list) else wanted))


def _check_name(name: str, points: Sequence[Point]) -> None:
    if name in ATTRIBUTES or not points or any(name in point.cell.setting for point in points):
        return
    keys = sorted({key for point in points for key in point.cell.setting})
    raise ValueError(f"no point has the key {name!r}; there are {', '.join(keys)}")


def same_but(point: Point, points: Iterable[Point], **changed: Any) -> Point | None:
    """The point that has these values instead, is otherwise the same setting of the same base, and shares a replicate with
    this one, so that the two have a difference; None where there is none.

    Which of several is taken is said at `setting_but`. A step-matched control is one of the method that it names alone; it,
    and other controls at equal steps, only where both took as many optimiser steps, see `same_steps`. Why there is none:
    `steps_apart`, `run_apart`.
    """
    every = list(points)
    shared = _sharing(point, _alike(point, every, changed))
    return _preferred(point, [p for p in shared if p.method not in AT_STEPS or same_steps(point, p)], among=every)


def setting_but(point: Point, points: Iterable[Point], **changed: Any) -> Point | None:
    """The same of any draws and replicates, for what is no difference from the point itself.

    Where several fit that differ in a key which the point lacks (a control's grid of epochs), the one with the value that all
    of `points` prefer (`analysis.load.options`), so that every base has the same; then the one in most draws of the point,
    then with the fewest keys that only one side has, then with the most replicates: the order of the points decides nothing.
    """
    every = list(points)
    return _preferred(point, _alike(point, every, changed), among=every)


def _preferred(point: Point, found: Sequence[Point], *, among: Sequence[Point]) -> Point | None:
    ours = point.cell.setting.keys()
    for key in sorted(varying_keys(other.cell for other in found).keys() - ours):
        found = _of_one_value(found, key, order=by_preference(among, key))
    shared = {id(other): coverage([(point, other)]).draws for other in found} if len(found) > 1 else {}

    def order(other: Point) -> tuple[int, int, int, str]:
        unlike = len(ours ^ other.cell.setting.keys())
        return -shared.get(id(other), 0), unlike, -len(other.cells), other.cell.setting_key

    return min(found, key=order, default=None)


def _sharing(point: Point, others: Iterable[Point]) -> list[Point]:
    """Those that share a replicate with a point: what was run in other draws or with other seeds is no control of it."""
    return [other for other in others if paired_replicates((point, other))]


def _alike(point: Point, points: Sequence[Point], changed: Mapping[str, Any]) -> list[Point]:
    """The points that have these values, and are the same setting of the same base in everything else that both have."""
    return [other for other in where(points, **changed) if _pairs(point.cell, other.cell, but=changed.keys())]


def _of_one_value(points: Sequence[Point], key: str, *, order: Sequence[str]) -> list[Point]:
    """Those that have the first value of an order that any of them has, or lack the key."""
    values = [json.dumps(point.cell.setting[key]) if key in point.cell.setting else None for point in points]
    taken = next((value for value in order if value in values), None)
    return [point for point, value in zip(points, values, strict=True) if value in (None, taken)]


def on_shared_draws(points: Sequence[Point], outcomes: Outcomes) -> list[Point]:
    """Points of one base configuration on the draws that all of them have; none where they share no draw.

    A setting that was run for fewer draws than another lies higher or lower by what those draws are worth.
    """
    shared = set.intersection(*({cell.draw for cell in point.cells} for point in points)) if points else set()
    if all({cell.draw for cell in point.cells} == shared for point in points):
        return list(points)
    groups = [[cell for cell in point.cells if cell.draw in shared] for point in points]
    return [Point(tuple(cells), accuracy_of(cells, outcomes)) for cells in groups] if shared else []


def most_in_common(
    points: Sequence[Point], *, keep: Collection[Point] = (), paired: bool = True, least: int = LEAST
) -> list[Point]:
    """Of points of one base configuration those that are best compared with each other (`coverage.best_together`), in their
    order: a setting that few draws have takes all others' from a line through it.

    `least` stay: three, as a line needs. `keep`: points that stay. `paired`: whether replicates have to be shared too, or
    the draw alone.
    """
    stay = [place for place, point in enumerate(points) if any(point is one for one in keep)]
    groups = [[point] for point in points]
    return [points[place] for place in best_together(groups, least=least, keep=stay, paired=paired)] if points else []


def left_out_of(kept: Sequence[Point], points: Sequence[Point]) -> list[Point]:
    """Those of some points of one base configuration whose settings are not among the kept ones."""
    there = {point.cell.setting_key for point in kept}
    return [point for point in points if point.cell.setting_key not in there]


NO_DRAW = "it shares no draw with the rest"


def shared_words(points: Sequence[Point], kept: Sequence[Point]) -> str:
    """'it shares 1 of the 6 draws of the rest': why what some points say is left out beside the kept ones of their base; of
    one draw replicates.
    """
    own, rest = paired_replicates(points), paired_replicates(kept) if kept else []
    if not rest or not {row[0][0].draw for row in own} & {row[0][0].draw for row in rest}:
        return NO_DRAW
    shared = paired_replicates([*points, *kept])
    mine, theirs = ({row[0][0].draw for row in rows} for rows in (shared, rest))
    few, among, unit = (mine, theirs, "draws") if len(theirs) > 1 else (shared, rest, "replicates")
    return f"it shares {len(few) or 'none'} of the {len(among)} {unit} of the rest"


def lacking_words(points: Iterable[Point], among: Sequence[Point], *, what: str) -> list[str]:
    """A line that names the bases of some points that are left out as they lack something; [] for none."""
    names = base_names(point.cell for point in among)
    bases = ", ".join(dict.fromkeys(names[point.cell.base] for point in points))
    return [f"{bases} left out: no {what}"] if bases else []


def on_paired_replicates(points: Sequence[Point], outcomes: Outcomes) -> list[Point]:
    """Points of one base configuration on the cells that `contrast` pairs; none where they share no replicate.

    What stands beside a contrast (a loss, a number of paths) is of the draws and replicates that the contrast is of.
    """
    rows = paired_replicates(points) if points else []
    paired = [{id(cell) for row in rows for cell in row[place]} for place in range(len(points))]
    groups = [[c for c in point.cells if id(c) in own] for point, own in zip(points, paired, strict=True)]
    if all(len(cells) == len(point.cells) for cells, point in zip(groups, points, strict=True)):
        return list(points)
    return [Point(tuple(cells), accuracy_of(cells, outcomes)) for cells in groups] if rows else []


def on_common_cells(points: Sequence[Point], outcomes: Outcomes, *, least: int = LEAST) -> list[Point]:
    """What a line through points of one base configuration is of, x and y alike: of those that are best compared with each
    other (`most_in_common`) the cells that a contrast of them pairs.

    Where no three share a replicate, those of the draws that all have; none where they share no draw.
    """
    if not points:
        return []
    paired = on_paired_replicates(most_in_common(points, least=least), outcomes)
    on_draws = most_in_common(points, paired=False, least=least)
    return paired if len(paired) > 2 or len(paired) >= len(on_draws) else on_shared_draws(on_draws, outcomes)


@dataclass(frozen=True)
class StepGap:
    """By how much the optimiser steps of one point differ from another's in the replicates that both have, relative."""

    mean: float  # over draws of the mean over replicates
    low: float  # of one replicate
    high: float

    @property
    def small(self) -> bool:
        """Whether the mean is within SAME_STEPS and no replicate beyond FAR_STEPS."""
        return abs(self.mean) <= SAME_STEPS and max(-self.low, self.high) <= FAR_STEPS


def step_gap(one: Point, other: Point) -> StepGap | None:
    """The steps of `other` against those of `one`; None where no replicate of both has records of them."""
    gaps: dict[Draw, list[float]] = {}
    for mine, theirs in paired_replicates((one, other)):
        steps, others = _steps_of(mine), _steps_of(theirs)
        if steps and others:
            gaps.setdefault(mine[0].draw, []).append(others / steps - 1)
    every = [gap for of_draw in gaps.values() for gap in of_draw]
    return StepGap(float(np.mean([np.mean(g) for g in gaps.values()])), min(every), max(every)) if every else None


def _steps_of(cells: Sequence[Cell]) -> float | None:
    """Mean optimiser steps; None where a record does not say."""
    steps = [cell.num_optimizer_steps for cell in cells if cell.num_optimizer_steps is not None]
    return float(np.mean(steps)) if len(steps) == len(cells) else None


def same_steps(one: Point, other: Point) -> bool:
    """Whether two points took as many optimiser steps, draw by draw and replicate by replicate of those that both have.

    Kept paths, and so steps, vary from draw to draw: what a draw took that the other point lacks says nothing. The relative
    difference is within SAME_STEPS in the mean over draws, so that it favours neither, and within FAR_STEPS in each
    replicate, so that large ones do not cancel. True where there is no difference to be seen: no replicate of both, or no
    record of its steps.
    """
    gap = step_gap(one, other)
    return gap is None or gap.small


def steps_apart(point: Point, points: Iterable[Point]) -> StepGap | None:
    """Where the step-matched control of a point was run, but took other numbers of steps so that `same_but` refuses it, by
    how much: the least of several. None where there is a control, or was none in the point's draws and replicates.
    """
    gaps = [step_gap(point, other) for other in _sharing(point, _alike(point, list(points), {"method": MATCHED}))]
    known = [gap for gap in gaps if gap is not None and not gap.small]
    return min(known, key=lambda gap: max(-gap.low, gap.high)) if known and len(known) == len(gaps) else None


def run_apart(point: Point, points: Iterable[Point], **changed: Any) -> bool:
    """Whether what has these values was run, but in other draws or replicates alone, so that `same_but` refuses it."""
    found = _alike(point, list(points), changed)
    return bool(found) and not _sharing(point, found)


def _pairs(one: Cell, other: Cell, *, but: Collection[str]) -> bool:
    return matches(one, other, but=but) and other.matched_to in (None, one.method, one.matched_to)
