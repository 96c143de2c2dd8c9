"""Accuracy on every test set side by side: in the domain that was trained on, and out of it.

    grid = sets_table(*verified(load_every_set([folder])))
    grid.rows[0]     # ("nano-s", "SFT", "1", "", "41.2 ± 1.4", "18.0 ± 1.1")

A column is a test set, the cells' own first, or two where two contents have one name; a row is a setting. Each field is of
that set's problems alone: columns are measured apart, and no number here is over two of them. All numbers of a row are of the
same draws and replicates: where a set was scored in fewer of them, the setting has a further row for these. Where rows are of
several data sets, a column says of which: a test set may be in the domain of one row and out of that of another.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from analysis.load.cells import TEST_SET, Cell, Draw, Table
from analysis.load.labels import method_label
from analysis.load.names import base_names, value_text
from analysis.load.outcomes import Outcomes
from analysis.load.points import Point, accuracy_of, make_points
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
    settings: dict[str, dict[str, Point]] = {}
    for point in points:
        row = settings.setdefault(_apart_from_set(point.cell), {})
        place = columns[_content(point.cell, _told_keys(table))]
        assert place not in row, "one setting has one score on one content"
        row[place] = point
    rows = [row for setting in settings.values() for row in _on_same_cells(setting, outcomes)]
    several, apart = len(_own_sets(table)) > 1, len(rows) > len(settings)
    told = [*([OF_DATA_SET] if several else []), "also", *(OF_CELLS if apart else [])]
    body = []
    for row in rows:
        first = next(iter(row.values()))
        cell = first.cell
        fields = [cell.data] if several else []
        fields += [also_text(cell, extra), *([str(len(first.draws)), str(len(first.cells))] if apart else [])]
        data = "" if cell.data_frac is None else f"{cell.data_frac:g}"
        scores = [score_text(row[name].estimate if name in row else None) for name in columns.values()]
        body.append((names[cell.base], method_label(cell), data, *fields, *scores))
    header = ("base", "method", "data", *told, *columns.values())
    note = f"{_note(table)} {SAME_CELLS}" if apart else _note(table)
    return Grid(TITLE, header, tuple(body) if len(columns) > 1 else (), note)


OF_CELLS = ("draws", "seeds")  # headers of the columns that there are where a setting has several rows
SAME_CELLS = (
    "Numbers of one row are of the same draws and replicates: a set that was scored in fewer of them has a row of its own "
    "with the other sets on these."
)
Replicate = tuple[Draw, str]


def _on_same_cells(setting: Mapping[str, Point], outcomes: Outcomes) -> list[dict[str, Point]]:
    """Rows of one setting, by column the point on what all columns of the row have; the row of most replicates first.

    There is a row for the replicates of every column, and for those that several columns have in common: each has all the
    columns that were scored in them.
    """
    own = {place: frozenset(map(_replicate, point.cells)) for place, point in setting.items()}
    shared: dict[frozenset[Replicate], None] = {}
    for cells in own.values():
        shared |= dict.fromkeys([cells, *(cells & other for other in shared)])
    return [
        {place: _point_on(cells, setting[place], outcomes) for place in setting if cells <= own[place]}
        for cells in sorted(filter(None, shared), key=len, reverse=True)
    ]


def _point_on(replicates: frozenset[Replicate], point: Point, outcomes: Outcomes) -> Point:
    cells = tuple(cell for cell in point.cells if _replicate(cell) in replicates)
    return point if len(cells) == len(point.cells) else Point(cells, accuracy_of(cells, outcomes))


def _replicate(cell: Cell) -> Replicate:
    return cell.draw, json.dumps(cell.seeds, sort_keys=True)


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
