"""Intervals hold what they say, on simulated studies with known truth (see analysis_coverage for generator and estimands)."""

from __future__ import annotations

import numpy as np
import pytest
from analysis_coverage import LEVEL_M, coverage, ladder, null_families, power
from scipy import stats

from analysis.stats.comparisons import power_of

DIFFERENCE = (np.array([LEVEL_M, LEVEL_M + 0.25]), np.array([-1.0, 1.0]))


def test_difference_covers_fast() -> None:
    share = coverage(*DIFFERENCE, replicates=5, studies=300, seed=5)
    assert 0.91 <= share <= 0.985  # 93 to 97 % and three standard errors of 300 studies


def test_one_replicate_covers_less() -> None:
    share = coverage(*DIFFERENCE, replicates=1, studies=300, seed=1)
    assert share < 0.94  # item noise only: which is why it is so labelled


@pytest.mark.slow
@pytest.mark.parametrize("replicates", [5, 8])
@pytest.mark.parametrize("points", [2, 4, 7])
def test_covers_93_to_97_percent(points: int, replicates: int) -> None:
    m, weights = DIFFERENCE if points == 2 else ladder(points)
    share = coverage(m, weights, replicates=replicates, studies=1000, seed=100 * points + replicates)
    assert 0.93 <= share <= 0.97


MANY = 10_000  # studies where a share is held to an edge: two standard errors are 0.4 % at 5 % and 0.8 % at 80 %


@pytest.mark.slow
@pytest.mark.parametrize("replicates", [5, 8])
def test_at_most_5_percent_of_null_families_say_better_or_worse(replicates: int) -> None:
    assert null_families(replicates=replicates, studies=MANY, seed=7_100_000 + replicates) <= 0.05 + 0.0044


@pytest.mark.slow
@pytest.mark.parametrize("replicates", [5, 8])
def test_power_is_80_percent_at_the_promised_difference(replicates: int) -> None:
    share = power(replicates=replicates, studies=MANY, seed=7_200_000 + replicates)[1]
    assert 0.80 - 0.008 <= share <= 0.82  # a little more than promised does no harm


@pytest.mark.parametrize("var_items", [0.0, 2.0])
def test_promised_power_is_what_studies_find(var_items: float) -> None:
    rng = np.random.default_rng(17)
    sd, replicates, difference, many = 3.7, 5, 6.3, 400_000
    found = sd**2 / replicates * rng.chisquare(replicates - 1, many) / (replicates - 1)
    df = (replicates - 1) * ((found + var_items) / found) ** 2
    values = rng.normal(difference, np.sqrt(sd**2 / replicates + var_items), many)
    share = np.mean(values > stats.t.ppf(0.975, df) * np.sqrt(found + var_items))
    promised = power_of(difference, sd=sd, var_items=var_items, replicates=replicates)
    assert abs(promised - share) < 0.0025  # 3.5 standard errors; the power at the true variances is 0.7 % off at 2.0


def test_power_without_seed_noise_is_normal_and_grows_with_replicates() -> None:
    assert power_of(2.8, sd=0.0, var_items=1.0, replicates=5) == pytest.approx(stats.norm.sf(1.96 - 2.8), abs=1e-3)
    powers = [power_of(3.0, sd=3.0, var_items=0.2, replicates=r) for r in (2, 3, 5, 8, 20)]
    assert powers == sorted(powers)
