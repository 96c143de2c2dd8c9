"""The standard deviation of draws: textbook values, and how often its interval holds the truth."""

from __future__ import annotations

import statistics

import numpy as np
import pytest

from analysis.stats.spread import spread


def test_eight_draws():
    """The interval by the quantiles of chi-squared with 7 degrees, 1.690 and 16.013."""
    values = [36.4, 39.3, 37.4, 27.6, 16.2, 41.6, 44.3, 17.7]
    found = spread(values)
    assert found.value == pytest.approx(statistics.stdev(values))
    assert found.low == pytest.approx(found.value * (7 / 16.013) ** 0.5, rel=1e-4)
    assert found.high == pytest.approx(found.value * (7 / 1.690) ** 0.5, rel=1e-3)


@pytest.mark.parametrize("num", [2, 3, 8])
def test_the_interval_holds_the_truth_in_95_of_100_samples(num: int):
    values = np.random.default_rng(num).normal(50.0, 6.0, (4000, num))
    found = [spread(list(row)) for row in values]
    assert 0.94 < np.mean([one.low <= 6.0 <= one.high for one in found]) < 0.96


def test_one_draw_has_none():
    with pytest.raises(ValueError, match="at least 2 values, got 1"):
        spread([3.0])
