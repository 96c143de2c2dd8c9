"""Which cells of several settings belong together (drawn base and replicate), and what is independent of what.

rows = paired_replicates([rft, sft])        # per shared (draw, replicate): [[cells of rft], [cells of sft]]
independent_units(rows)                     # [[[0], [1]], [[2, 3]]]: per draw, the places of rows that share no seed

Seeds may be crossed (every data seed with every training seed). Rows that share the value of a seed which others have
otherwise are not independent: they are collapsed to one unit, their mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from analysis.load.cells import DRAW_SEEDS, Cell, Draw

if TYPE_CHECKING:
    from analysis.load.points import Point

Row = Sequence[Sequence[Cell]]  # of one replicate of one draw, for each point the cells that belong to it
Key = tuple[int, ...]
Floats = NDArray[np.float64]


def paired_replicates(points: Sequence[Point]) -> list[list[list[Cell]]]:
    """Replicates that every point has: for each, per point (in their order) the cells of it. Draws in order.

    Cells pair within a drawn base, by the seeds that all the settings have. A point without seeds, such as ICL without worked
    examples or a published one, goes with every replicate of its draw. Where a seed that others lack makes several cells of
    one replicate (three samplings of one training set), they are its cells together: averaged, never counted as replicates.
    """
    names = _shared_names([point.cells for point in points])
    maps = [_by_key(point.cells, names) for point in points]
    rows = []
    for draw in dict.fromkeys(draw for draw, _ in maps[0]):
        mine = [{key: cells for (where, key), cells in found.items() if where == draw} for found in maps]
        seeded = [set(found) for found in mine if set(found) != {()}]
        keys = set.intersection(*seeded) if seeded else {()}
        if all(mine):
            rows += [[found[key] if key in found else found[()] for found in mine] for key in sorted(keys)]
    return rows


def same_seeds(points: Sequence[Point]) -> list[Cell]:
    """Of points of several bases a cell each, all of one replicate's seeds (the first that all have); none where none is."""
    names = _shared_names([point.cells for point in points])
    maps = [{key: cells[0] for (_, key), cells in reversed(_by_key(point.cells, names).items())} for point in points]
    seeded = [set(found) for found in maps if set(found) != {()}]
    keys = sorted(set.intersection(*seeded)) if seeded else [()]
    return [found[keys[0]] if keys[0] in found else found[()] for found in maps] if keys else []


def _shared_names(groups: Sequence[Sequence[Cell]]) -> list[str]:
    """Seeds of the replicate that all settings with seeds have."""
    own = [set.intersection(*(set(cell.seeds) for cell in cells)) - DRAW_SEEDS for cells in groups]
    seeded = [names for names in own if names]
    return sorted(set.intersection(*seeded)) if seeded else []


def _by_key(cells: Sequence[Cell], names: Sequence[str]) -> dict[tuple[Draw, Key], list[Cell]]:
    found: dict[tuple[Draw, Key], list[Cell]] = {}
    seeded = bool(set(names) & set(cells[0].seeds))
    for cell in cells:
        key = tuple(cell.seeds[name] for name in names) if seeded else ()
        found.setdefault((cell.draw, key), []).append(cell)
    return found


def independent_units(rows: Sequence[Row]) -> list[list[list[int]]]:
    """Per draw its independent units, each the places of its rows: rows that share a seed which varies are one unit."""
    by_draw: dict[Draw, list[int]] = {}
    for place, row in enumerate(rows):
        by_draw.setdefault(row[0][0].draw, []).append(place)
    return [_components([rows[place] for place in places], places) for places in by_draw.values()]


def _components(rows: Sequence[Row], places: Sequence[int]) -> list[list[int]]:
    names = _shared_names([[cell for cells in column for cell in cells] for column in zip(*rows, strict=True)])
    seeds = [next((cells[0].seeds for cells in row if set(names) <= set(cells[0].seeds)), {}) for row in rows]
    varying = [name for name in names if len({found[name] for found in seeds}) > 1]
    units: list[tuple[set[tuple[str, int]], list[int]]] = []
    for place, found in zip(places, seeds, strict=True):
        own = {(name, found[name]) for name in varying}
        linked = [unit for unit in units if unit[0] & own]
        merged = (own.union(*(unit[0] for unit in linked)), [p for unit in linked for p in unit[1]] + [place])
        units = [unit for unit in units if not unit[0] & own] + [merged]
    return [sorted(unit[1]) for unit in units]


def units_of(cells: Sequence[Cell]) -> list[list[list[int]]]:
    """The same of the cells of one setting: per draw its independent units, each the places of its cells."""
    return independent_units([[[cell]] for cell in cells])


def by_unit(values: Floats, places: Sequence[Sequence[Sequence[int]]]) -> list[Floats]:
    """Values [rows, problems] as one array [units, problems] a draw, for `analysis.stats.uncertainty.nested_mean`."""
    return [np.stack([values[list(unit)].mean(axis=0) for unit in of_draw]) for of_draw in places]
