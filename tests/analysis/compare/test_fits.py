"""Least squares, exact vote curves, tests of correlations and shapes: against brute force and textbooks' other routes."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from scipy import stats

from analysis import paper
from analysis.claims.rulings import slope_estimate
from analysis.compare.comparisons import Relevance, Verdict, holm, judge
from analysis.compare.fits import log_odds, moment_weights, power_law
from analysis.compare.loss_fits import williams
from analysis.compare.shape import Shape, compare_rivals, departure_weights, fit_rival, judge_departures
from analysis.load.votes import curve, passed
from analysis.stats.forms import UNBOUNDED
from analysis.stats.linear import LineFit, NotEnough, fit_line, fit_linear
from analysis.stats.power import Asked, Needed, needed_for_all, power_of, units_to_separate
from analysis.stats.uncertainty import Estimate, Kind, crossed_mean
from rft.votes import Tally, maj_at_k, pass_at_k


def test_line_agrees_with_scipy_and_with_refits_without_each_point() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=9), rng.normal(size=9)
    fit = fit_line(x, y)
    other = stats.linregress(x, y)
    assert isinstance(fit, LineFit)
    assert math.isclose(fit.b, other.slope)
    assert math.isclose(fit.se_b, other.stderr)
    assert math.isclose(fit.se_a, other.intercept_stderr)
    assert math.isclose(fit.r2, other.rvalue**2)
    assert math.isclose(fit.p_value(1), other.pvalue)
    for i in range(9):
        keep = np.arange(9) != i
        refit = fit_line(x[keep], y[keep])
        assert isinstance(refit, LineFit)
        assert np.allclose(fit.leave_one_out[i], refit.beta)
        assert math.isclose(fit.held_out_errors[i], y[i] - refit.predict(x[i]))


def test_weights_count_as_repeated_points() -> None:
    x, y = np.array([0.0, 1, 2, 3]), np.array([1.0, 0, 4, 2])
    counts = np.array([1, 3, 2, 1])
    weighted = fit_line(x, y, weights=counts)
    repeated = fit_line(np.repeat(x, counts), np.repeat(y, counts))
    assert isinstance(weighted, LineFit)
    assert isinstance(repeated, LineFit)
    assert np.allclose(weighted.beta, repeated.beta)
    assert math.isclose(weighted.r2, repeated.r2)


@pytest.mark.parametrize(
    ("x", "y", "reason"),
    [([1.0, 2.0], [1.0, 2.0], "at least 3"), ([1.0, 1.0, 1.0], [1.0, 2.0, 3.0], "same x"), ([], [], "0 points")],
)
def test_no_line_without_data(x: list[float], y: list[float], reason: str) -> None:
    fit = fit_line(x, y, what="a test")
    assert isinstance(fit, NotEnough)
    assert reason in str(fit)
    assert str(fit).startswith("not enough data for a test")


def test_collinear_variables_are_refused() -> None:
    x = np.arange(5.0)
    assert not fit_linear(np.stack([np.ones(5), x, 2 * x], axis=1), x, names=("a", "b", "c"))


def test_power_law_finds_its_exponent_and_refuses_zero() -> None:
    k = np.array([1.0, 4, 16, 64])
    fit = power_law(k, 0.5 * k**0.4, what="paths")
    assert isinstance(fit, LineFit)
    assert math.isclose(fit.b, 0.4)
    assert not power_law(k, [0.0, 1, 2, 3], what="paths")


def test_moment_weights_find_an_excess_only_where_there_is_one() -> None:
    rng = np.random.default_rng(3)
    x, sizes = np.arange(6.0), np.full(6, 1000.0)
    p = 0.3 + 0.05 * x
    quiet = [moment_weights(x, 100 * rng.binomial(1000, p) / 1000, sizes=sizes)[1] for _ in range(300)]
    loud = [
        moment_weights(x, 100 * np.clip(rng.binomial(1000, p) / 1000 + rng.normal(0, 0.04, 6), 0, 1), sizes=sizes)[1]
        for _ in range(300)
    ]
    assert np.median(quiet) < 0.7
    assert 3.2 < math.sqrt(np.mean(np.square(loud))) < 4.6  # 4 points were put in


def test_log_odds_are_finite_at_the_ends() -> None:
    assert np.isfinite(log_odds([0.0, 0.5, 1.0], n=[10, 10, 10])).all()


@pytest.mark.parametrize("num_correct", [0, 1, 2, 3])
@pytest.mark.parametrize("wrong", [(), (1,), (2, 1), (2, 2), (1, 1, 1)])
def test_votes_agree_with_all_subsets(num_correct: int, wrong: tuple[int, ...]) -> None:
    n = 7
    if num_correct + sum(wrong) > n:
        pytest.skip("more answers than draws")
    draws: list[str | None] = ["right"] * num_correct
    for i, votes in enumerate(wrong):
        draws += [f"wrong {i}"] * votes
    draws += [None] * (n - len(draws))
    counted = Tally(n, num_correct, wrong)
    for k in range(1, n + 1):
        credit, passed = [], []
        for subset in itertools.combinations(draws, k):
            votes = Counter(answer for answer in subset if answer is not None)
            most = max(votes.values(), default=0)
            winners = [answer for answer, count in votes.items() if count == most]
            credit.append(1 / len(winners) if "right" in winners else 0.0)
            passed.append("right" in subset)
        assert math.isclose(maj_at_k(counted, ks=[k])[0], float(np.mean(credit)), abs_tol=1e-12)
        assert math.isclose(pass_at_k(counted, ks=[k])[0], float(np.mean(passed)), abs_tol=1e-12)


def test_a_short_pool_is_no_smaller_k() -> None:
    with pytest.raises(ValueError, match="no smaller k"):
        curve([{"a": Tally(4, 1, ()), "b": Tally(3, 1, ())}], statistic=passed)


def test_williams_on_the_published_seven() -> None:
    loss = np.array([paper.losses()[m] for m in paper.MODELS])
    sft = np.array([paper.sft(m) for m in paper.MODELS])
    params = np.log10([7.0, 7, 13, 13, 33, 65, 70])
    test = williams(sft, loss, params)
    assert not isinstance(test, NotEnough)
    assert round(test.r_first**2, 3) == 0.984
    assert round(test.r_second**2, 3) == 0.918
    assert round(test.p, 2) == 0.11
    assert not williams(sft[:4], loss[:4], params[:4])
    assert not williams(sft, loss, -loss)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []


def test_crossed_variance_is_the_anova_formula() -> None:
    rng = np.random.default_rng(4)
    values = rng.normal(size=(4, 50)) + rng.normal(size=(4, 1)) + rng.normal(size=(1, 50))
    estimate = crossed_mean(values)
    rep_ms = 50 * values.mean(1).var(ddof=1)
    item_ms = 4 * values.mean(0).var(ddof=1)
    rest = values - values.mean(1, keepdims=True) - values.mean(0, keepdims=True) + values.mean()
    rest_ms = (rest**2).sum() / (3 * 49)
    assert math.isclose(estimate.se**2, (rep_ms + item_ms - rest_ms) / 200)


def estimate(value: float, se: float, *, draws: int = 8) -> Estimate:
    return Estimate(value, se, draws - 1.0, draws, 1000, Kind.DRAWS, draws * se**2, 0.0, num_draws=draws)


def test_superiority_and_relevance_are_two_statements() -> None:
    control = [estimate(9.0, 1.0)]

    def said(value: float, se: float) -> tuple[Verdict, Relevance]:
        result = judge(estimate(value, se), control=control)
        return result.verdict, result.relevance

    assert said(3, 0.5) == (Verdict.BETTER, Relevance.LARGER)
    assert said(-3, 0.5) == (Verdict.WORSE, Relevance.LARGER)
    assert said(0.5, 0.1) == (Verdict.BETTER, Relevance.SMALLER)
    assert said(1.5, 0.5) == (Verdict.BETTER, Relevance.OPEN)
    assert said(0.1, 0.2) == (Verdict.NOT_SEPARABLE, Relevance.SMALLER)
    assert said(1, 2) == (Verdict.NOT_SEPARABLE, Relevance.OPEN)
    assert judge(estimate(9, 0.1, draws=4)).verdict is Verdict.NOT_SEPARABLE, "four draws give no verdict"


def test_what_is_small_where_nothing_separates_is_not_equivalent() -> None:
    """nano-xs: fresh problems minus repetition +0.3, so that nothing could be learnt there; it was called 'equivalent'."""
    small = estimate(0.1, 0.2)
    assert judge(small).relevance is Relevance.UNRUN
    assert judge(small, control=[estimate(0.3, 0.4)]).relevance is Relevance.UNCONTROLLED
    assert judge(small, control=[estimate(3.0, 0.4, draws=4)]).relevance is Relevance.UNJUDGED
    assert judge(small, control=[estimate(3.0, 0.4)]).relevance is Relevance.SMALLER


def test_one_draw_gives_no_verdict_however_many_replicates() -> None:
    rng = np.random.default_rng(8)
    many = crossed_mean(30 + rng.normal(size=(40, 1000)))
    result = judge(many)
    assert result.verdict is Verdict.NOT_ESTIMABLE
    assert result.verdict.value == "not estimable: one draw"
    assert many.new_bases is None


def test_draws_needed_have_the_power_and_one_less_has_not() -> None:
    needed = units_to_separate(2.0, sd=2.0, var_items=0.0)
    assert needed is not None
    assert power_of(2.0, sd=2.0, var_items=0.0, units=needed) >= 0.8
    assert power_of(2.0, sd=2.0, var_items=0.0, units=needed - 1) < 0.8


def test_sizes_that_nobody_can_run_are_no_advice() -> None:
    """It was '687 replicates' and '2,227,506 problems'."""
    assert needed_for_all([Asked(0.2, sd=2.0, var_items=0.01, problems=1319)]) is None
    assert needed_for_all([Asked(0.05, sd=0.1, var_items=4.0, problems=1319)]) is None
    more = needed_for_all([Asked(2.0, sd=1.0, var_items=1.0, problems=1319)])
    assert isinstance(more, Needed)
    assert more.problems > 1319
    assert "not separable by any feasible study" in judge(estimate(0.1, 2.0)).needed_text


def test_departures_of_a_line_are_zero_and_of_a_bend_are_not() -> None:
    x = np.array([0.0, 1, 2, 3])
    weights = departure_weights(x)
    assert np.allclose(weights @ (3 + 2 * x), 0)
    bend = weights @ np.array([0.0, 10, 12, 13])
    assert judge_departures([estimate(float(d), 0.3) for d in bend]).shape is Shape.BENT
    assert judge_departures([estimate(0.2, 0.3) for _ in x]).shape is Shape.LINE
    assert judge_departures([estimate(0.2, 3.0) for _ in x]).shape is Shape.OPEN


def test_rivals_find_their_own_curve() -> None:
    n = np.array([64.0, 128, 256, 512, 1024])
    saturating = 60 - 50 * (n / 64) ** -1.0
    line = 5 + 6 * np.log2(n)
    best = compare_rivals({"a": (n.tolist(), saturating.tolist())})
    assert not isinstance(best, NotEnough)
    assert best[0].name == "saturating power law"
    best = compare_rivals({"a": (n.tolist(), line.tolist())})
    assert not isinstance(best, NotEnough)
    assert next(score for score in best if score.name == "line in log data").rmse < 1e-6
    unbounded = fit_rival("saturating power law", n, line)
    assert not isinstance(unbounded, NotEnough)
    assert unbounded.note == UNBOUNDED


def test_bases_that_a_slope_needs_are_those_that_separate_it_in_simulated_studies() -> None:
    """'to separate: N bases' of a slope over bases, held against studies of N bases made anew."""
    rng = np.random.default_rng(21)

    def line(n: int, b: float = 10.0) -> LineFit:
        x = np.tile(np.linspace(0.5, 0.9, 5), n // 5 + 1)[:n]
        found = fit_line(x, b * x + rng.normal(0, 1.5, n))
        assert isinstance(found, LineFit)
        return found

    pilots = [slope_estimate(line(5)) for _ in range(400)]
    sd = math.sqrt(np.mean([p.var_units for p in pilots]))  # the truth's, over pilots
    needed = units_to_separate(10.0, sd=sd, var_items=0.0, fitted=2)
    assert needed is not None
    assert 8 < needed < 40
    hits = np.mean([slope_estimate(line(needed)).p_value() <= 0.05 for _ in range(2000)])
    assert hits == pytest.approx(0.8, abs=0.05)


def test_a_slope_that_is_not_separable_asks_for_more_bases_than_it_has() -> None:
    """Its own scatter is what counts: once an assumed one stood in its place, and five bases asked for five."""
    x = np.linspace(0.5, 0.9, 5)
    weak = fit_line(x, 10 * x + np.array([2.0, -2.0, 2.5, -2.0, 1.0]))
    assert isinstance(weak, LineFit)
    found = judge(slope_estimate(weak))
    assert found.assumed_sd is None
    assert found.verdict is Verdict.NOT_SEPARABLE
    assert found.needed is None or found.needed.draws > 5


def test_draws_that_separate_one_of_many_rows_do_so_at_the_level_that_holm_asks_of_the_first() -> None:
    """By simulated studies whose draws scatter as measured, the row's p being held to 5 % over the number of rows."""
    found = estimate(2.0, 0.7)  # eight draws
    sd, rows, rng = 0.7 * math.sqrt(8), 30, np.random.default_rng(7)
    alone, one_of_many = judge(found, p=0.3).needed, judge(found, p=0.3, among=rows).needed
    assert alone is not None
    assert one_of_many is not None

    def share(draws: int) -> float:
        p = stats.ttest_1samp(rng.normal(2.0, sd, (40_000, draws)), 0.0, axis=1).pvalue
        return float(np.mean(p < 0.05 / rows))

    assert share(one_of_many.draws) >= 0.78
    assert share(alone.draws) < 0.6
    assert judge(estimate(-2.0, 0.7), p=0.3, among=rows).needed == one_of_many
