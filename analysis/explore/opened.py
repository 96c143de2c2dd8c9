"""Opened studies: their cells in one order, with outcomes, points and names; what every document is made from.

    study = open_study([Path("multirun_outputs/quickstart")])
    study.cells[3], study.points[0].estimate.value
    study.titles[3]                   # 'nano-s, SFT, data 0.5, seed 0'

A cell is one cell on one test set. Cells are named by their place in this order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from analysis.explore.inside import plain_names, refuse_outside, refuse_outside_of_left_out
from analysis.load.cells import TEST_SET, Base, Cell, Table
from analysis.load.checks import verified
from analysis.load.labels import method_rank
from analysis.load.names import base_names
from analysis.load.outcomes import Outcomes
from analysis.load.points import Point, make_points
from analysis.load.studies import load_every_set, test_sets
from analysis.report.solutions import cell_title
from analysis.tables.results import also_text, extra_columns

Part = tuple[str, bool | None]  # a piece of a text; of an equation whether it holds
Marks = Callable[[str], Sequence[Part]]  # a solution in pieces


def no_marks(text: str) -> Sequence[Part]:
    """The null version: nothing is told to be an equation."""
    return [(text, None)]


@dataclass(frozen=True)
class Opened:
    """Studies to explore."""

    title: str
    roots: Mapping[Path, Path]  # the study's folder of every cell's
    table: Table
    outcomes: Outcomes
    points: Sequence[Point]
    names: Mapping[Base, str]
    marks: Marks

    @property
    def cells(self) -> tuple[Cell, ...]:
        """All cells on all their test sets; documents call them by their place here."""
        return self.table.cells

    @cached_property
    def places(self) -> dict[int, int]:
        """The place of a cell, by its `id()`: cells are not hashable."""
        return {id(cell): place for place, cell in enumerate(self.cells)}

    @cached_property
    def extra(self) -> dict[str, str]:
        """Keys that set cells apart without a word of the labels, with their headers."""
        return {key: name for key, name in extra_columns(self.cells).items() if not key.startswith(TEST_SET)}

    @cached_property
    def _told(self) -> dict[Base, dict[str, str]]:
        """Of `extra`, what sets the cells of one base apart: what is one for all of them goes without saying."""
        groups: dict[Base, list[Cell]] = {}
        for cell in self.cells:
            groups.setdefault(cell.base, []).append(cell)
        return {base: extra_columns(own) for base, own in groups.items()}

    def also(self, cell: Cell) -> str:
        """What a cell's label must say besides."""
        own = self._told[cell.base]
        return also_text(cell, {key: name for key, name in self.extra.items() if key in own})

    @cached_property
    def titles(self) -> list[str]:
        """What each cell is called."""
        several = len(test_sets(self.table)) > 1
        found = []
        for cell in self.cells:
            title = cell_title(cell, self.names[cell.base], also=self.also(cell))
            found.append(f"{title}, on {cell.test_set}" if several else title)
        return found

    def file(self, cell: Cell, role: str, default: str) -> Path:
        """A file of a cell. Raises ValueError where it lies outside its study, which may have changed since it was opened."""
        assert cell.folder is not None, "an explored cell was measured"
        name = cell.files.get(role, default)
        plain_names(self.roots[cell.folder], cell.folder, [name])
        return cell.folder / name


def open_study(folders: Sequence[Path], *, marks: Marks = no_marks) -> Opened:
    """Load and check study folders. Raises ValueError for what is no study and for one that names anything outside itself."""
    for folder in folders:
        refuse_outside(folder)
    loaded = load_every_set(folders)
    for folder in folders:
        refuse_outside_of_left_out(folder, {cell.cell_id for cell in loaded.cells})
    roots = {cell.folder: _root_of(cell.folder, folders) for cell in loaded.cells if cell.folder is not None}
    for cell in loaded.cells:
        if cell.folder is not None:
            plain_names(roots[cell.folder], cell.folder, cell.files.values())
    table, outcomes = verified(loaded)
    title = ", ".join(sorted({cell.study for cell in table.cells} or {folder.resolve().name for folder in folders}))
    names = base_names(table.cells)
    points = sorted(make_points(table.cells, outcomes), key=lambda point: _order(point, list(names)))
    return Opened(title, roots, table, outcomes, points, names, marks)


def _order(point: Point, bases: Sequence[Base]) -> tuple[Any, ...]:
    """As a legend has them: by base, method, amount of data, donors, draws."""
    cell = point.cell
    return (bases.index(cell.base), method_rank(cell), cell.data_frac or 0, len(cell.union), cell.k or 0, cell.test_set)


def _root_of(folder: Path, folders: Sequence[Path]) -> Path:
    return next(root for root in folders if folder.is_relative_to(root))
