"""How long a further replicate or a further base would take, from the costs in the records.

own_hours([rft, control])      # 0.02: of one more replicate of these settings, stages that they share counted once
base_hours(point)              # 0.1: of one more draw of its base
anew_hours([point])            # 0.8: of another base with as many draws and replicates
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.compare.costs import DRAWN, SHARED
from analysis.load.pairs import paired_replicates
from analysis.load.points import Point
from rft.records import StageCost

SECONDS_PER_HOUR = 3600.0


def own_hours(points: Sequence[Point]) -> float:
    """Mean hours of what a new replicate of these settings has to run itself; 0, unknown, where the cost of a cell is.

    A pool that several settings use counts once, in the replicates that all of them have. Settings that share no replicate
    are added up.
    """
    if not all(any(_own(cell.cost)) for point in points for cell in point.cells):
        return 0.0
    rows = paired_replicates(points) if points else []
    if not rows:
        return sum(own_hours([point]) for point in points) if len(points) > 1 else 0.0
    seconds = {s.key: s.seconds for row in rows for cells in row for cell in cells for s in _own(cell.cost)}
    return sum(seconds.values()) / len(rows) / SECONDS_PER_HOUR


def _own(costs: Sequence[StageCost]) -> list[StageCost]:
    return [s for s in costs if s.name not in SHARED and s.seconds]


def base_hours(point: Point) -> float:
    """Hours of one draw of its base, pretraining and its loss: the median, as one draw may have met a busy machine."""
    seconds = [sum(s.seconds for s in cells[0].cost if s.name in DRAWN) for cells in point.draws]
    return float(np.median(seconds)) / SECONDS_PER_HOUR


def anew_hours(points: Sequence[Point]) -> float:
    """Hours of the settings of one base anew, in as many draws and replicates as all have; 0, unknown, where a cost is."""
    rows, one = paired_replicates(points), own_hours(points)
    draws = {row[0][0].draw for row in rows}
    return len(draws) * base_hours(points[0]) + len(rows) * one if one else 0.0
