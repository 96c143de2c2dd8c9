"""Accuracy on every test set side by side: in the domain that was trained on, and out of it.

    grid = sets_table(*verified(load_every_set([folder])))
    grid.rows[0]     # ("nano-s", "SFT", "1", "", "41.2 ± 1.4", "18.0 ± 1.1")

A column is a test set, the cells' own first; a row is a setting. Each field is of that set's problems alone: columns are
measured apart, and no number here is over two of them.
"""

from __future__ import annotations

import json

from analysis.load.cells import TEST_SET, Cell, Table
from analysis.load.labels import method_label
from analysis.load.names import base_names
from analysis.load.outcomes import Outcomes
from analysis.load.points import Point, make_points
from analysis.load.studies import test_sets
from analysis.tables.grids import Grid
from analysis.tables.results import also_text, extra_columns, score_text

TITLE = "Accuracy by test set, maj1@1 [%]"


def sets_table(table: Table, outcomes: Outcomes) -> Grid:
    """The table of a study that was loaded with every set; without rows where there is one set alone."""
    names, columns = base_names(table.cells), test_sets(table)
    points = make_points(table.cells, outcomes)
    extra = {key: name for key, name in extra_columns([p.cell for p in points]).items() if not _of_set(key)}
    rows: dict[str, tuple[Point, dict[str, str]]] = {}
    for point in points:
        row = rows.setdefault(_apart_from_set(point.cell), (point, {}))[1]
        said = score_text(point.estimate)
        here = point.cell.test_set
        row[here] = f"{row[here]}; {said}" if here in row else said  # two contents of one name
    header = ("base", "method", "data", "also", *columns)
    body = [
        (
            names[point.cell.base],
            method_label(point.cell),
            "" if point.cell.data_frac is None else f"{point.cell.data_frac:g}",
            also_text(point.cell, extra),
            *(row.get(name, "") for name in columns),
        )
        for point, row in rows.values()
    ]
    return Grid(TITLE, header, tuple(body) if len(columns) > 1 else (), _note(table))


def _of_set(key: str) -> bool:
    return key == TEST_SET or key.startswith(f"{TEST_SET}.")


def _apart_from_set(cell: Cell) -> str:
    setting = {key: value for key, value in cell.setting.items() if not _of_set(key)}
    return json.dumps([cell.base, setting], sort_keys=True)


def _note(table: Table) -> str:
    own = {cell.test_set for cell in table.cells if cell.setting.get(TEST_SET) is None}
    return f"Trained on {', '.join(sorted(own))}; the other columns are out of that domain."
