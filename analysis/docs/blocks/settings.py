"""Blocks with a row for every setting: all its scores, and facts of its record by name.

<!-- generated: methods settings -->
<!-- generated: methods facts num_chosen chosen_mean_logprob -->      of the cells that have one of them
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from analysis.docs.blocks.tables import no_words, shortened, text_of
from analysis.docs.registry import Reference, makes
from analysis.load.labels import setting_label
from analysis.load.names import base_names
from analysis.load.points import Point
from analysis.tables.grids import Grid
from analysis.tables.results import ERROR_NOTE, also_text, extra_columns, number, results_rows
from rft.archive.files import json_at
from rft.records import RECORD_FILE


@makes("settings")
def settings(study: Reference, words: Sequence[str]) -> str:
    """What a run prints at its end: every score of every setting."""
    no_words(words)
    header, rows = results_rows(study.table, study.outcomes)
    grid = Grid("All settings", tuple(header), tuple(map(tuple, rows)))
    return text_of(shortened(grid), ERROR_NOTE, *study.table.notes)


@makes("facts")
def facts(study: Reference, words: Sequence[str]) -> str:
    """Facts that records hold under `data`, by name. Raises ValueError for one that no record has."""
    found = [(point, [_fact(point, name) for name in words]) for point in study.points]
    absent = [name for place, name in enumerate(words) if all(values[place] is None for _, values in found)]
    if absent or not words:
        known = sorted({name for point in study.points for name in _data_of(point)})
        raise ValueError(f"no record has the facts {absent}; there are {', '.join(known)}")
    names = base_names(study.table.cells)
    extra = extra_columns([point.cell for point in study.points])
    rows = [
        (names[p.cell.base], setting_label(p.cell), also_text(p.cell, extra), *(_written(value) for value in values))
        for p, values in found
        if any(value is not None for value in values)
    ]
    return text_of(shortened(Grid("Facts of the records", ("base", "method", "also", *words), tuple(rows))))


def _data_of(point: Point) -> dict[str, Any]:
    """The `data` of the first replicate's record."""
    assert point.cell.folder is not None
    return dict(json_at(point.cell.folder / RECORD_FILE)["data"])


def _fact(point: Point, name: str) -> Any:
    return _data_of(point).get(name)


def _written(value: Any) -> str:
    return number(value, digits=3) if isinstance(value, float) else "" if value is None else str(value)
