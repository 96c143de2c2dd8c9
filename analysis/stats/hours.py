"""How long a further replicate or a further base would take, from the costs in the records.

own_hours(point), base_hours(point)      # (0.02, 0.1): of one more replicate, of one more draw of its base
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.load.points import Point
from analysis.stats.costs import SHARED

SECONDS_PER_HOUR = 3600.0


def own_hours(point: Point) -> float:
    """Mean hours of the stages that a new replicate of this setting has to run itself."""
    seconds = [sum(s.seconds for s in cell.cost if s.name not in SHARED) for cell in point.cells]
    return float(np.mean(seconds)) / SECONDS_PER_HOUR


def all_hours(points: Sequence[Point]) -> float:
    """Hours of every point once more; 0, unknown, where the cost of one of them is."""
    hours = [own_hours(point) for point in points]
    return sum(hours) if all(hours) else 0.0


def base_hours(point: Point) -> float:
    """Hours of pretraining."""
    return sum(s.seconds for s in point.cell.cost if s.name in SHARED) / SECONDS_PER_HOUR
