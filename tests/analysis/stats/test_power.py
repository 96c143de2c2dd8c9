"""How many draws would separate: of a mean over several bases, and of two differences at once. Both held against studies of
so many draws, drawn anew and judged by t-intervals worked out here.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from analysis.compare.comparisons import judge
from analysis.compare.controls import harder
from analysis.stats.power import Needed
from analysis.stats.uncertainty import Estimate, nested_mean

STUDIES = 40_000


def standard(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Normal values along the last axis, moved and stretched to mean 0 and standard deviation 1."""
    values = rng.normal(size=shape)
    values -= values.mean(-1, keepdims=True)
    return values / values.std(-1, ddof=1, keepdims=True)


def pilot(values_BD: np.ndarray) -> Estimate:
    """A mean over bases of draws of one value each."""
    return nested_mean([[np.array([[value]]) for value in draws] for draws in values_BD])


def power_of_mean(rng: np.random.Generator, mean: float, sd: float, *, bases: int, draws: int) -> float:
    """How often the pooled t-interval of a mean over bases lies above 0."""
    values = rng.normal(mean, sd, (STUDIES, bases, draws))
    se = np.sqrt(values.var(2, ddof=1).mean(1) / (bases * draws))
    return float(np.mean(values.mean((1, 2)) > stats.t.ppf(0.975, bases * (draws - 1)) * se))


@pytest.mark.parametrize(("bases", "mean", "sd"), [(5, 0.78, 2.67), (2, 1.0, 2.5), (1, 2.0, 2.5)])
def test_the_draws_of_each_base_separate_four_times_in_five(bases: int, mean: float, sd: float) -> None:
    """Of five bases more than 50 draws together are no infeasible study, and the number is of each."""
    rng = np.random.default_rng(11)
    found = judge(pilot(mean + sd * standard(rng, bases, 6)))
    assert found.needed is not None
    draws = found.needed.draws
    assert power_of_mean(rng, mean, sd, bases=bases, draws=draws) >= 0.79
    assert power_of_mean(rng, mean, sd, bases=bases, draws=draws - 1) <= 0.81
    assert found.needed_text == (f"{draws} draws of each base" if bases > 1 else f"{draws} draws")


def test_more_than_fifty_draws_of_each_base_are_no_feasible_study() -> None:
    rng = np.random.default_rng(12)
    assert judge(pilot(0.3 + 2.5 * standard(rng, 5, 6))).needed_text == "not separable by any feasible study"
    assert Needed(7, 2638, 5).words(problems=1319) == "7 draws of each base and 2,638 problems"


@pytest.mark.parametrize("shared", [0.0, 0.5, 0.9])
def test_both_controls_are_beaten_in_one_study_four_times_in_five(shared: float) -> None:
    """Two differences of 2 points, SD 2, that go together as `shared` says: each alone would take 10 draws."""
    rng = np.random.default_rng(13)
    found = judge(harder([pilot(2 + 2 * standard(rng, 1, 6)) for _ in range(2)]), p=1.0).needed
    assert found is not None
    noise = np.sqrt(1 - shared) * rng.normal(size=(2, STUDIES, found.draws))
    values = 2 + 2 * (noise + np.sqrt(shared) * rng.normal(size=(STUDIES, found.draws)))
    ends = stats.t.ppf(0.975, found.draws - 1) * values.std(2, ddof=1) / np.sqrt(found.draws)
    power = np.mean((values.mean(2) > ends).all(0))
    assert 0.795 <= power <= 0.9
