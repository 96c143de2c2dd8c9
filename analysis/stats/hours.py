"""How long a further replicate or a further base would take, from the costs in the records.

own_hours([rft, control])      # 0.02: of one more replicate of these settings, stages that they share counted once
base_hours(point)              # 0.1: of one more draw of its base
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.load.points import Point
from analysis.stats.costs import SHARED

SECONDS_PER_HOUR = 3600.0


def own_hours(points: Sequence[Point]) -> float:
    """Mean hours of the stages that a new replicate of these settings has to run itself: a pool that several use, once."""
    return all_hours(points) / float(np.mean([len(point.cells) for point in points])) if points else 0.0


def all_hours(points: Sequence[Point]) -> float:
    """Hours of every cell once more; 0, unknown, where the cost of one is."""
    seconds = {s.key: s.seconds for point in points for cell in point.cells for s in cell.cost if s.name not in SHARED}
    known = all(any(s.seconds for s in cell.cost if s.name not in SHARED) for point in points for cell in point.cells)
    return sum(seconds.values()) / SECONDS_PER_HOUR if known else 0.0


def base_hours(point: Point) -> float:
    """Hours of pretraining."""
    return sum(s.seconds for s in point.cell.cost if s.name in SHARED) / SECONDS_PER_HOUR
