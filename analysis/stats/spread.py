"""The standard deviation of a normal sample with its interval.

>>> spread([36.4, 39.3, 37.4, 27.6, 16.2, 41.6, 44.3, 17.7])
Spread(value=10.79..., low=7.13..., high=21.97..., num_values=8)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

LEVEL = 0.95


@dataclass(frozen=True)
class Spread:
    """A standard deviation, in the unit of the values."""

    value: float
    low: float
    high: float
    num_values: int


def spread(values: Sequence[float]) -> Spread:
    """The standard deviation of the population that the values are drawn from, and its 95 % interval by chi-squared, which
    holds for normal values. Raises ValueError for fewer than two values.
    """
    if len(values) < 2:
        raise ValueError(f"a standard deviation needs at least 2 values, got {len(values)}")
    found, df, tail = float(np.std(values, ddof=1)), len(values) - 1, (1 - LEVEL) / 2
    low, high = (found * math.sqrt(df / float(quantile)) for quantile in (chi2.isf(tail, df), chi2.ppf(tail, df)))
    return Spread(found, low, high, len(values))
