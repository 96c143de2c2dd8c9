"""A block of how much the draw of a base matters: a method's accuracy and the pretraining loss of every draw.

<!-- generated: stability draws sft -->          of all settings of a method that have two draws or more
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from analysis.docs.blocks.tables import text_of
from analysis.docs.registry import Reference, makes
from analysis.load.cells import BASE_SEED, Cell
from analysis.load.labels import setting_label
from analysis.load.names import base_names
from analysis.load.points import PERCENT, Point
from analysis.stats.spread import spread
from analysis.tables.grids import Grid

NOTE = (
    "A column is a pretraining seed. Standard deviation: with its 95 % interval (chi-squared); that of accuracies holds the "
    "error of one accuracy, {errors} points at {items:,} problems."
)


@makes("draws")
def draws(study: Reference, words: Sequence[str]) -> str:
    """The table. Raises ValueError without the name of a method, and where no setting of it has two draws."""
    points = [point for point in study.points if [point.method] == list(words) and len(point.draws) > 1]
    if not points:
        raise ValueError(
            f"{study.folder} has no setting of {' '.join(words)!r} with two draws of a base: name a method"
        )
    seeds = sorted({seed for point in points for seed in _by_seed(point)})
    names = base_names(study.table.cells)
    rows = []
    for base in dict.fromkeys(point.cell.base for point in points):
        own = [point for point in points if point.cell.base == base]
        rows += [_accuracies(point, names[base], seeds) for point in own]
        for name, field in (("pretraining loss", "loss"), ("on determined tokens", "determined_loss_nats")):
            losses = {seed: getattr(cells[0], field) for seed, cells in _by_seed(own[0]).items()}
            rows += [_row(names[base], name, losses, seeds, digits=3)] if None not in losses.values() else []
    header = ("base", "", *map(str, seeds), "mean", "standard deviation")
    return text_of(Grid("Draws of the bases", header, tuple(rows)), _note(points), *study.table.notes)


def _by_seed(point: Point) -> Mapping[int, list[Cell]]:
    """The replicates of each draw by its pretraining seed. Raises ValueError for two draws of one seed."""
    found = {cells[0].seeds[BASE_SEED]: cells for cells in point.draws}
    if len(found) < len(point.draws):
        raise ValueError(
            f"{point.cell.cell_id}: two draws of the base share a pretraining seed, so that it names neither"
        )
    return found


def _accuracies(point: Point, base: str, seeds: Sequence[int]) -> tuple[str, ...]:
    values = {seed: PERCENT * fmean(map(_accuracy, cells)) for seed, cells in _by_seed(point).items()}
    return _row(base, f"{setting_label(point.cell)}, %", values, seeds, digits=1)


def _accuracy(cell: Cell) -> float:
    assert cell.accuracy is not None, "points are made of cells that have one"
    return cell.accuracy.value


def _row(base: str, name: str, values: Mapping[int, float], seeds: Sequence[int], *, digits: int) -> tuple[str, ...]:
    shown = [f"{values[seed]:.{digits}f}" if seed in values else "" for seed in seeds]
    found, mean = spread(list(values.values())), fmean(values.values())
    wide = f"{found.value:.{digits}f} ({found.low:.{digits}f} to {found.high:.{digits}f})"
    return (base, name, *shown, f"{mean:.{digits}f}", wide)


def _note(points: Sequence[Point]) -> str:
    scores = [cell.accuracy for point in points for cell in point.cells if cell.accuracy is not None]
    errors = [PERCENT * score.se for score in scores]
    least, most = f"{min(errors):.1f}", f"{max(errors):.1f}"
    return NOTE.format(errors=least if least == most else f"{least} to {most}", items=max(score.n for score in scores))
