"""Two places to compare: their cells with outcomes, and which cell stands beside which.

    a, b = read_side(Path("multirun_outputs/old")), read_side(Path("multirun_outputs/new"))
    matched = match(a.cells, b.cells)
    matched.pairs[0], matched.only_a, matched.changed         # changed: ['train.lr 0.001 -> 0.002'], of all cells alike

Cells pair that have one setting and the same seeds. Values that all cells of one side share, and all of the other share
otherwise, are what the two studies differ in, and part no pair.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.load.cells import Cell, Table
from analysis.load.checks import verified
from analysis.load.outcomes import Outcomes
from analysis.load.studies import load_studies
from rft.archive.files import present, rows_at
from rft.archive.sound import sound_record
from rft.changes import NONE, changed_values
from rft.records import SHOWN_FILE, Record

SAME_FOR_ALL = object()  # equals no value of a setting
Row = dict[str, Any]


@dataclass(frozen=True)
class Side:
    """One of the two."""

    folder: Path
    table: Table
    outcomes: Outcomes

    @property
    def cells(self) -> tuple[Cell, ...]:
        """Its finished cells, each on its own test set."""
        return self.table.cells


def read_side(folder: Path) -> Side:
    """A study, or one cell of it. Raises ValueError for what is neither, and for cells that contradict their files."""
    loaded = load_studies([folder])
    table, outcomes = verified(loaded)
    if not table.cells:
        why = table.missing[0].reason if table.missing else "it has none"
        raise ValueError(f"{folder} has no cell that can be compared: {why}")
    return Side(folder, table, outcomes)


def both(a: Side, b: Side) -> Outcomes:
    """The outcomes of the two as one."""
    one, other = a.outcomes, b.outcomes
    return Outcomes(
        one.by_path | other.by_path,
        one.unreadable | other.unreadable,
        one.copies | other.copies,
        one.tallies | other.tallies,
    )


@dataclass(frozen=True)
class Matched:
    """Which cell stands beside which."""

    pairs: list[tuple[Cell, Cell]]
    only_a: list[Cell]
    only_b: list[Cell]
    changed: list[str]  # values in which all cells of one side differ from all of the other


def match(a: Sequence[Cell], b: Sequence[Cell]) -> Matched:
    """By setting and seeds; one cell and another pair whatever they differ in."""
    first, second = _shared(a), _shared(b)
    changed = {name for name in {*first, *second} if _plain(first, name) != _plain(second, name)}
    changed = {name for name in changed if _told(name, a, first) and _told(name, b, second)}
    if len(a) > 1 or len(b) > 1:
        changed = _telling(changed, a, b)
    lines = changed_values(*({name: one[name] for name in one if name in changed} for one in (first, second)))
    if len(a) == len(b) == 1:
        return Matched([(a[0], b[0])], [], [], lines)
    keys_b = {_key(cell, changed): cell for cell in b}
    pairs = [(cell, keys_b[_key(cell, changed)]) for cell in a if _key(cell, changed) in keys_b]
    gone_a, gone_b = ({id(pair[side]) for pair in pairs} for side in (0, 1))
    return Matched(pairs, [c for c in a if id(c) not in gone_a], [c for c in b if id(c) not in gone_b], lines)


def values_of(cell: Cell) -> dict[str, Any]:
    """Its setting and its seeds."""
    return {**{key: value for key, value in cell.setting.items() if value is not None}, **cell.seeds}


def _shared(cells: Sequence[Cell]) -> dict[str, Any]:
    """Values that all cells have which have the key at all."""
    found: dict[str, Any] = {}
    for cell in cells:
        for name, value in values_of(cell).items():
            found[name] = value if found.get(name, value) == value else SAME_FOR_ALL
    return {name: value for name, value in found.items() if value is not SAME_FOR_ALL}


def _told(name: str, cells: Sequence[Cell], shared: Mapping[str, Any]) -> bool:
    """Whether a side says one thing of a key: one value, or nothing at all."""
    return name in shared or not any(name in values_of(cell) for cell in cells)


def _telling(changed: set[str], a: Sequence[Cell], b: Sequence[Cell]) -> set[str]:
    """The keys that can be left aside without taking two cells of one side for one: where some cells lack a key (its value is
    null, or they read none), it may be what tells them apart."""
    if all(len({_key(cell, changed) for cell in cells}) == len(cells) for cells in (a, b)):
        return changed
    return {name for name in changed if all(len({name in values_of(one) for one in cells}) == 1 for cells in (a, b))}


def _plain(shared: Mapping[str, Any], name: str) -> Any:
    return shared.get(name, NONE)


def _key(cell: Cell, but: set[str]) -> str:
    return json.dumps({name: value for name, value in values_of(cell).items() if name not in but}, sort_keys=True)


def record_of(cell: Cell) -> Record:
    """All that its folder says."""
    assert cell.folder is not None, "a cell that was measured"
    return sound_record(cell.folder)


def greedy_texts(cell: Cell) -> dict[str, Row]:
    """Rows of its sample file for test questions, by id: question, gold, text, outcome."""
    assert cell.folder is not None, "a cell that was measured"
    path = cell.folder / cell.files.get("samples", SHOWN_FILE)
    return {row["id"]: row for row in rows_at(path) if row["source"] == "greedy"} if present(path) else {}
