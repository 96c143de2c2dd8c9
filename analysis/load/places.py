"""What labels tell of a cell: its place among a study's rows, series and panels. What else sets cells apart has no label.

    place_of(cell)            # ('1f3c...', 'rft', None, 1.0, 4, None, 0, False, False)
    untold_keys(cells)        # ['temperature']: two cells of one place differ in it

Names and labels say the base, and of the other keys what TOLD says: of a union the number of its donors and not which, of a
selection whether it keeps doubles and not its rule. Tables of all settings need a column for every untold key; figures,
claims and the tables of one recipe hold every untold key at one value (analysis.load.recipes).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from analysis.load.cells import MATCHED_TO, NO_DEDUP, Cell

TOLD: Mapping[str, Callable[[Cell], Any]] = {
    "method": lambda cell: cell.method,
    MATCHED_TO: lambda cell: cell.matched_to,
    "data_frac": lambda cell: cell.data_frac,
    "k": lambda cell: cell.k,
    "train.examples_frac": lambda cell: 1.0 if cell.examples_frac is None else cell.examples_frac,  # 1 has no word
    "union": lambda cell: len(cell.union),
    "select.policy": lambda cell: cell.policy == NO_DEDUP,
    "select.thin": lambda cell: cell.thinned,
}  # key -> what the labels say of it
OF_BASE, OF_DONORS = "model.", "donors."  # parts of the base, and of the models that a union draws from

Place = tuple[Any, ...]


def place_of(cell: Cell) -> Place:
    """Equal for two cells that no label tells apart."""
    return (cell.base, *(says(cell) for says in TOLD.values()))


def told(cell: Cell, key: str) -> Any:
    """What labels say of one key: of most nothing."""
    if key in TOLD:
        return TOLD[key](cell)
    if key.startswith(OF_BASE):
        return cell.base
    return (cell.base, len(cell.union)) if key.startswith(OF_DONORS) else None


def untold_keys(cells: Sequence[Cell]) -> list[str]:
    """Keys that set cells apart without a word of the labels, in the order of their settings.

    Such a key takes several values among cells of which the labels say the same of that key; or of two cells of one place one
    lacks it.
    """
    values: dict[str, dict[Any, set[str]]] = {}
    places: dict[Place, list[set[str]]] = {}
    for cell in cells:
        places.setdefault(place_of(cell), []).append(set(cell.setting))
        for key, value in cell.setting.items():
            values.setdefault(key, {}).setdefault(told(cell, key), set()).add(json.dumps(value))
    lacked = {key for first, *others in places.values() for key in first.union(*others) - first.intersection(*others)}
    return [key for key, groups in values.items() if key in lacked or any(len(found) > 1 for found in groups.values())]
