"""A method's own options, which the settings that it is compared with lack: one value of each, the same for every base.

    by_preference(points, EPOCH_GRID)      # ['[1, 2, 4, 8]', '[4, 8]'], as text: the first is taken

RFT has no grid of epochs, so two settings of SFT at its validated budget that differ in the grid alone are both a control of
it. Which one is taken is decided here, for claims and figures (`recipes.main_recipe`) and tables (`query.same_but`) alike.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from analysis.load.cells import EPOCH_GRID, matches
from analysis.load.coverage import coverages
from analysis.load.labels import studied
from analysis.load.places import TOLD
from analysis.load.points import Point

OPTIONS = "methods."  # part of the configuration that holds them


def is_option(key: str) -> bool:
    """Whether a key is one method's own, and no label tells its values apart."""
    return key.startswith(OPTIONS) and key not in TOLD


def by_preference(points: Iterable[Point], key: str) -> list[str]:
    """The values of a key, as text: first the one that most draws of bases have beside what it is compared with (`coverage`:
    then most bases), of those the longest list (the widest choice).

    Then the one of more settings, then null and the least: neither the order of the points nor the base that asks decides
    anything. A control is compared with the studied methods, and a studied method with all others. Where there is none of
    those, the draws of the value itself count.
    """
    every = list(points)
    values: dict[str, list[Point]] = {}
    for point in every:
        if key in point.cell.setting:
            values.setdefault(json.dumps(point.cell.setting[key]), []).append(point)
    beside = {text: [pair for p in members for pair in _compared(p, every, key)] for text, members in values.items()}
    groups = beside if any(beside.values()) else {text: [(p,) for p in members] for text, members in values.items()}
    covered = coverages(groups)
    ranks = {text: (covered[text], _width(text), len(members)) for text, members in values.items()}
    ordered = sorted(values, key=lambda text: ascending(json.loads(text)))
    return sorted(ordered, key=lambda text: ranks[text], reverse=True)


def _compared(point: Point, points: Sequence[Point], key: str) -> list[tuple[Point, Point]]:
    """A point with each of those that lack a key and that it is the control of, or that are controls of it."""
    mine = studied(point.cell)
    others = [p for p in points if key not in p.cell.setting and p.cell.base == point.cell.base]
    return [(point, p) for p in others if studied(p.cell) != mine and matches(point.cell, p.cell, but=("method",))]


def _width(text: str) -> int:
    value = json.loads(text)
    return len(value) if isinstance(value, list) else 0


def ascending(value: Any) -> tuple[int, float, str]:
    """Sorts values: null, then numbers by size, then all else by its text."""
    number = isinstance(value, int | float)
    return 0 if value is None else 1 if number else 2, value if number else 0.0, json.dumps(value)


def grids(points: Iterable[Point]) -> list[str]:
    """The numbers of epochs that points of SFT at its validated budget were chosen from: ['4, 8, 16']."""
    found = [point.cell.setting[EPOCH_GRID] for point in points if EPOCH_GRID in point.cell.setting]
    return list(dict.fromkeys(", ".join(f"{epochs:g}" for epochs in grid) for grid in found))
