"""A method's own options, which the settings that it is compared with lack: one value of each, the same for every base.

    by_preference(points, EPOCH_GRID)      # ['[1, 2, 4, 8]', '[4, 8]'], as text: the first is taken

RFT has no grid of epochs, so two settings of SFT at its validated budget that differ in the grid alone are both a control of
it. Which one is taken is decided here, for claims and figures (`recipes.main_recipe`) and tables (`query.same_but`) alike.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from analysis.load.cells import EPOCH_GRID
from analysis.load.places import TOLD
from analysis.load.points import Point

OPTIONS = "methods."  # part of the configuration that holds them


def is_option(key: str) -> bool:
    """Whether a key is one method's own, and no label tells its values apart."""
    return key.startswith(OPTIONS) and key not in TOLD


def by_preference(points: Iterable[Point], key: str) -> list[str]:
    """The values of a key, as text: first the one that most bases have, of those the longest list (the widest choice).

    Then the one of more settings, then of more replicates, then null and the least: neither the order of the points nor the
    base that asks decides anything.
    """
    values: dict[str, list[Point]] = {}
    for point in points:
        if key in point.cell.setting:
            values.setdefault(json.dumps(point.cell.setting[key]), []).append(point)
    return sorted(values, key=lambda text: _rank(json.loads(text), values[text]))


def _rank(value: Any, points: Sequence[Point]) -> tuple[Any, ...]:
    bases = len({point.cell.base for point in points})
    width = len(value) if isinstance(value, list) else 0
    return -bases, -width, -len(points), -sum(len(point.cells) for point in points), ascending(value)


def ascending(value: Any) -> tuple[int, float, str]:
    """Sorts values: null, then numbers by size, then all else by its text."""
    number = isinstance(value, int | float)
    return 0 if value is None else 1 if number else 2, value if number else 0.0, json.dumps(value)


def grids(points: Iterable[Point]) -> list[str]:
    """The numbers of epochs that points of SFT at its validated budget were chosen from: ['4, 8, 16']."""
    found = [point.cell.setting[EPOCH_GRID] for point in points if EPOCH_GRID in point.cell.setting]
    return list(dict.fromkeys(", ".join(f"{epochs:g}" for epochs in grid) for grid in found))
