"""Which cells of several settings belong together (drawn base and replicate), and what is independent of what.

rows = paired_replicates([rft, sft])        # per shared (draw, replicate): [[cells of rft], [cells of sft]]
units = independent_units(rows)             # per draw, the rows that share no seed: [[Unit((0,), ...), Unit((1,), ...)], ...]
mean_of_units(values, units)                # Estimate

Seeds may be crossed within a draw (every data seed with every training seed): rows that share the value of a seed which
others have otherwise are not independent, and are collapsed to one unit, their mean. Seeds that units of several draws share
go to the estimator with them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from analysis.load.cells import DRAW_SEEDS, Cell, Draw
from analysis.stats.sharing import Seeds
from analysis.stats.uncertainty import Estimate, nested_mean

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
    names = shared_names([point.cells for point in points])
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
    names = shared_names([point.cells for point in points])
    maps = [{key: cells[0] for (_, key), cells in reversed(_by_key(point.cells, names).items())} for point in points]
    seeded = [set(found) for found in maps if set(found) != {()}]
    keys = sorted(set.intersection(*seeded)) if seeded else [()]
    return [found[keys[0]] if keys[0] in found else found[()] for found in maps] if keys else []


def shared_names(groups: Sequence[Sequence[Cell]]) -> list[str]:
    """Names of the seeds of a replicate that all settings with seeds have."""
    own = [set.intersection(*(set(cell.seeds) for cell in cells)) - DRAW_SEEDS for cells in groups]
    seeded = [names for names in own if names]
    return sorted(set.intersection(*seeded)) if seeded else []


def replicates_of(cells: Sequence[Cell], names: Sequence[str]) -> frozenset[tuple[Draw, Key]]:
    """Draw and values of these seeds, of every replicate of one setting; without values where it has no seeds."""
    return frozenset(_by_key(cells, names))


def _by_key(cells: Sequence[Cell], names: Sequence[str]) -> dict[tuple[Draw, Key], list[Cell]]:
    found: dict[tuple[Draw, Key], list[Cell]] = {}
    seeded = bool(set(names) & set(cells[0].seeds))
    for cell in cells:
        key = tuple(cell.seeds[name] for name in names) if seeded else ()
        found.setdefault((cell.draw, key), []).append(cell)
    return found


@dataclass(frozen=True)
class Unit:
    """A replicate of one draw: rows that share no seed with those of another."""

    places: tuple[int, ...]  # of its rows
    seeds: Seeds  # the values of each seed in them, its draw's included


def independent_units(rows: Sequence[Row]) -> list[list[Unit]]:
    """Per draw its independent units: rows that share a seed which varies are one. Draws may share seeds: `Unit.seeds`."""
    by_draw: dict[Draw, list[int]] = {}
    for place, row in enumerate(rows):
        by_draw.setdefault(row[0][0].draw, []).append(place)
    return [
        [Unit(tuple(unit), _seeds_of([rows[place] for place in unit])) for unit in _components(rows, places)]
        for places in by_draw.values()
    ]


def _seeds_of(rows: Sequence[Row]) -> Seeds:
    """Values by name. Documents are drawn by the pretraining seed where no seed of their own is given."""
    found: dict[str, set[int]] = {}
    for cell in [cell for row in rows for cells in row for cell in cells]:
        documents = {"corpus_seed": cell.seeds["pretrain_seed"]} if "pretrain_seed" in cell.seeds else {}
        for name, value in {**documents, **cell.seeds}.items():
            found.setdefault(name, set()).add(value)
    return found


def _components(every: Sequence[Row], places: Sequence[int]) -> list[list[int]]:
    rows = [every[place] for place in places]
    names = shared_names([[cell for cells in column for cell in cells] for column in zip(*rows, strict=True)])
    seeds = [next((cells[0].seeds for cells in row if set(names) <= set(cells[0].seeds)), {}) for row in rows]
    varying = [name for name in names if len({found[name] for found in seeds}) > 1]
    units: list[tuple[set[tuple[str, int]], list[int]]] = []
    for place, found in zip(places, seeds, strict=True):
        own = {(name, found[name]) for name in varying}
        linked = [unit for unit in units if unit[0] & own]
        merged = (own.union(*(unit[0] for unit in linked)), [p for unit in linked for p in unit[1]] + [place])
        units = [unit for unit in units if not unit[0] & own] + [merged]
    return [sorted(unit[1]) for unit in units]


def units_of(cells: Sequence[Cell]) -> list[list[Unit]]:
    """The same of the cells of one setting, places being those of its cells."""
    return independent_units([[[cell]] for cell in cells])


def by_unit(values: Floats, units: Sequence[Sequence[Unit]]) -> list[Floats]:
    """Values [rows, problems] as one array [units, problems] a draw, for `analysis.stats.uncertainty.nested_mean`."""
    return [np.stack([values[list(unit.places)].mean(axis=0) for unit in of_draw]) for of_draw in units]


def seeds_by_unit(units: Sequence[Sequence[Unit]]) -> list[list[Seeds]]:
    """The seeds that go with them."""
    return [[unit.seeds for unit in of_draw] for of_draw in units]


def mean_of_units(
    values: Floats, units: Sequence[Sequence[Unit]], *, bounds: tuple[float, float] = (math.nan, math.nan)
) -> Estimate:
    """Mean of values [rows, problems] of one base configuration."""
    return nested_mean([by_unit(values, units)], seeds=[seeds_by_unit(units)], bounds=bounds)
