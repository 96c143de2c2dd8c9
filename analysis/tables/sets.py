"""Accuracy on every test set side by side: in the domain that was trained on, and out of it.

    grid = sets_table(*verified(load_every_set([folder])))
    grid.rows[0]     # ("nano-s", "SFT", "1", "", "41.2 ± 1.4", "18.0 ± 1.1")

A column is a test set, the cells' own first, or two where two contents have one name; a row is a setting. Each field is of
that set's problems alone: columns are measured apart, and no number here is over two of them. Where rows are of several
data sets, a column says of which: a test set may be in the domain of one row and out of that of another.
"""

from __future__ import annotations

import json

from analysis.load.cells import TEST_SET, Cell, Table
from analysis.load.labels import method_label
from analysis.load.names import base_names, value_text
from analysis.load.outcomes import Outcomes
from analysis.load.points import Point, make_points
from analysis.load.studies import test_sets
from analysis.tables.grids import Grid
from analysis.tables.results import also_text, extra_columns, score_text

PREFIX = f"{TEST_SET}."
OF_DATA_SET = "of data set"  # header of the column that rows of several data sets have
TITLE = "Accuracy by test set, maj1@1 [%]"


def sets_table(table: Table, outcomes: Outcomes) -> Grid:
    """The table of a study that was loaded with every set; without rows where there is one set alone."""
    names, columns = base_names(table.cells), _columns(table)
    points = make_points(table.cells, outcomes)
    extra = {key: name for key, name in extra_columns([p.cell for p in points]).items() if not _of_set(key)}
    rows: dict[str, tuple[Point, dict[str, str]]] = {}
    for point in points:
        row = rows.setdefault(_apart_from_set(point.cell), (point, {}))[1]
        place = columns[_content(point.cell, _told_keys(table))]
        assert place not in row, "one setting has one score on one content"
        row[place] = score_text(point.estimate)
    several = len(_own_sets(table)) > 1
    header = ("base", "method", "data", *([OF_DATA_SET] if several else []), "also", *columns.values())
    body = [
        (
            names[point.cell.base],
            method_label(point.cell),
            "" if point.cell.data_frac is None else f"{point.cell.data_frac:g}",
            *([point.cell.data] if several else []),
            also_text(point.cell, extra),
            *(row.get(name, "") for name in columns.values()),
        )
        for point, row in rows.values()
    ]
    return Grid(TITLE, header, tuple(body) if len(columns) > 1 else (), _note(table))


Content = tuple[str, str]  # name of a test set, and what it holds as text


def _columns(table: Table) -> dict[Content, str]:
    """A column for each content of each test set: its name, numbered where several contents have it."""
    keys = _told_keys(table)
    found = list(dict.fromkeys(_content(cell, keys) for cell in table.cells))
    columns = {}
    for name in test_sets(table):
        contents = [content for content in found if content[0] == name]
        for number, content in enumerate(contents, start=1):
            columns[content] = name if len(contents) == 1 else f"{name} #{number}"
    return columns


def _told_keys(table: Table) -> frozenset[str]:
    """Keys that say what a further test set holds, without their prefix."""
    return frozenset(key.removeprefix(PREFIX) for cell in table.cells for key in cell.setting if key.startswith(PREFIX))


def _content(cell: Cell, keys: frozenset[str]) -> Content:
    """The test set that a cell was scored on: a further one by the keys of its own, the cell's own by those of its data."""
    return cell.test_set, json.dumps({key: cell.of_test_set(key) for key in sorted(keys)})


def _of_set(key: str) -> bool:
    return key == TEST_SET or key.startswith(PREFIX)


def _apart_from_set(cell: Cell) -> str:
    setting = {key: value for key, value in cell.setting.items() if not _of_set(key)}
    return json.dumps([cell.base, setting], sort_keys=True)


def _note(table: Table) -> str:
    own = _own_sets(table)
    text = f"Trained on {', '.join(own)}; the other columns are out of that domain."
    if len(own) > 1:
        text = f"In the domain of a row is the test set of its own data ({OF_DATA_SET}) alone: {', '.join(own)}."
    return " ".join([text, *_twins(table)])


def _own_sets(table: Table) -> list[str]:
    """Names of the data sets that cells are of."""
    return sorted({cell.data for cell in table.cells})


def _twins(table: Table) -> list[str]:
    """What parts contents of one name: files, numbers of problems, rules."""
    columns, lines = _columns(table), []
    for name in test_sets(table):
        contents = {column: json.loads(content[1]) for content, column in columns.items() if content[0] == name}
        if len(contents) < 2:
            continue
        first, *others = contents.values()
        apart = [key for key in first if any(other[key] != first[key] for other in others)]
        told = [
            f"{column}: {', '.join(f'{key} {value_text(held[key]) or None}' for key in apart)}"
            for column, held in contents.items()
        ]
        lines.append(f"{name} stands for several contents: {'; '.join(told)}.")
    return lines
