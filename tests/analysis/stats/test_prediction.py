"""Predictions from simulated studies of known law: coverage, the choice of a form, refusals; forms against other routes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import curve_fit

from analysis.stats.forms import FORMS, LINE, POWER, SIGMOID, UNBOUNDED, FormFit, choose_form, fit_form
from analysis.stats.linear import NotEnough
from analysis.stats.prediction import FARTHEST, WIDEST, Prediction, Seen, Target, farthest, predict
from analysis.stats.uncertainty import nested_mean

N = 1319


def laws(u: np.ndarray) -> dict[str, np.ndarray]:
    return {
        "line": 50 + 4 * u,
        "sigmoid": 100 / (1 + np.exp(-(0.8 + 0.6 * u))),
        "power law to a ceiling": 70 - 4 * 2.0 ** (-0.6 * u),
    }


def measured(rng: np.random.Generator, truth: np.ndarray, *, sd: float) -> np.ndarray:
    """A draw of the base for each setting, then N problems."""
    chance = np.clip(truth + rng.normal(0, sd, len(truth)), 0.1, 99.9) / 100
    return np.asarray(100 * rng.binomial(N, chance) / N)


def seen(u: np.ndarray, y: np.ndarray) -> list[Seen]:
    return [Seen(float(a), float(b), float(b * (100 - b) / N), 0.0, 1) for a, b in zip(u, y, strict=True)]


def coverage(law: str, *, n: int, sd: float, studies: int, seed: int) -> tuple[float, list[str]]:
    rng, inside, forms = np.random.default_rng(seed), 0, []
    u = np.linspace(-4.0, 0.0, n + 1)
    for _ in range(studies):
        y = measured(rng, laws(u)[law], sd=sd)
        found = predict(seen(u[:-1], y[:-1]), Target(0.0, N, 1))
        assert isinstance(found, Prediction)
        inside += found.covers(y[-1])
        forms.append(found.form)
    return inside / studies, forms


def test_intervals_of_a_known_law_hold_what_is_measured_about_as_often_as_they_say():
    """1,000 studies: 0.95 has a standard error of 0.007, and the noise's floor makes intervals wider, never narrower."""
    share, forms = coverage("line", n=8, sd=3.0, studies=1000, seed=5)
    assert 0.93 <= share <= 0.975
    assert forms.count("line") > 800


@pytest.mark.parametrize("law", ["sigmoid", "power law to a ceiling"])
def test_curved_laws_are_covered_too(law: str):
    share, _ = coverage(law, n=9, sd=1.5, studies=300, seed=6)
    assert share >= 0.90


@pytest.mark.parametrize("law", ["line", "sigmoid", "power law to a ceiling"])
def test_the_right_form_is_chosen_from_many_cells(law: str):
    rng, u = np.random.default_rng(7), np.linspace(-4, 0, 60)
    chosen = [choose_form(u, laws(u)[law] + rng.normal(0, 0.1, len(u))) for _ in range(20)]
    assert sum(bool(one) and one.form.name == law for one in chosen if not isinstance(one, NotEnough)) >= 18


def test_too_few_cells_leave_the_line():
    u = np.array([-3.0, -2, -1, 0])
    chosen = choose_form(u, laws(u)["sigmoid"])
    assert not isinstance(chosen, NotEnough)
    assert chosen.form is LINE
    assert [fit.form for fit in chosen.alike] == [SIGMOID]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_least_squares_agree_with_another_solver(form):
    """The same minimum as scipy's trust region finds from the true parameters."""
    rng, u = np.random.default_rng(8), np.linspace(-4, 0, 12)
    y = laws(u)[form.name] + rng.normal(0, 1, len(u))
    found = fit_form(form, u, y)
    assert isinstance(found, FormFit)
    start = {"line": [50, 4], "sigmoid": [0.8, 0.6], "power law to a ceiling": [70, 4, np.log(0.6)]}[form.name]
    theta, covariance = curve_fit(lambda x, *t: form.curve(np.array(t), x), u, y, p0=start, maxfev=20_000)
    other = y - form.curve(theta, u)
    assert found.rss == pytest.approx(float(other @ other), rel=1e-6)
    gradient = np.array([(form.curve(theta + step, np.array([0.5])) - form.curve(theta - step, np.array([0.5])))[0] / 2e-5
                         for step in np.eye(len(theta)) * 1e-5])  # fmt: skip
    expected = gradient @ covariance @ gradient / (found.rss / found.df)
    assert found.spread(0.5) == pytest.approx(expected, rel=2e-3)


def test_a_line_is_no_power_law_that_says_more():
    u = np.linspace(-4, 0, 8)
    found = fit_form(POWER, u, 50 + 4 * u)
    assert isinstance(found, FormFit)
    assert found.note == UNBOUNDED


def test_refusals_say_why():
    u = np.linspace(-3, 0, 4)
    cells = seen(u, 40 + 5 * u)
    few = predict(cells[:2], Target(1.0, N, 1))
    assert isinstance(few, NotEnough)
    assert "2 fitted settings, 3 are needed" in str(few)
    same_place = predict([*cells[:2], cells[0]], Target(1.0, N, 1))
    assert isinstance(same_place, NotEnough)
    far = predict(cells, Target(3.0 * FARTHEST + 0.5, N, 1))
    assert isinstance(far, Prediction)
    assert "times the fitted range" in far.refused
    noisy = predict(seen(u, np.array([20.0, 45, 30, 50])), Target(0.5, N, 1))
    assert isinstance(noisy, Prediction)
    assert noisy.high - noisy.low > WIDEST
    assert "points wide" in noisy.refused


def test_the_farthest_place_is_the_last_that_is_predicted():
    u = np.linspace(-3, 0, 6)
    cells = seen(u, 40 + 5 * u)
    end = farthest(cells, num_items=N, num_units=1, steps=300)
    assert isinstance(end, float)
    inside, beyond = (predict(cells, Target(end + step, N, 1)) for step in (0.0, 0.05))
    assert isinstance(inside, Prediction)
    assert isinstance(beyond, Prediction)
    assert not inside.refused
    assert beyond.refused


def test_parts_are_the_draws_problems_and_replicates_of_the_estimate():
    rng = np.random.default_rng(9)
    draws = [100.0 * (rng.random((1, 400)) < 0.4 + shift) for shift in (-0.1, 0, 0.1, 0.05)]
    estimate = nested_mean([draws])
    cell = Seen.of(0.0, estimate)
    assert cell.variance == pytest.approx(estimate.se**2)
    assert cell.num_units == 4
    few, many = (
        predict([cell, Seen(1, 45, 1, cell.unit, 4), Seen(2, 50, 1, cell.unit, 4)], Target(2.5, 400, n))
        for n in (1, 16)
    )
    assert isinstance(few, Prediction)
    assert isinstance(many, Prediction)
    assert few.parts.bases**2 - many.parts.bases**2 == pytest.approx(np.mean([cell.unit] * 3) * (1 - 1 / 16))
