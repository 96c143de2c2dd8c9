"""The shape of accuracy against data where answers are alike: the p-values against a search over the interval's levels; what
lies at the floor or the ceiling is no line.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from synthetic_study import Truth, grid, write_study

from analysis.claims.rulings import ClaimResult, Ruling
from analysis.claims.run import run_claims, study_view
from analysis.compare.shape import Shape, judge_departures
from analysis.load.checks import verified
from analysis.load.points import make_points
from analysis.load.studies import load_studies
from analysis.stats.uncertainty import Estimate, Kind

FRACTIONS = (0.125, 0.25, 0.5, 1.0)


def alike(value: float, *, items: int, reach: float) -> Estimate:
    """A departure that is the same on every problem of every draw."""
    return Estimate(value, 0.0, 4.0, 5, items, Kind.DRAWS, 0.0, 0.0, num_draws=5, reach=reach)


def smallest_level(estimate: Estimate, *, margin: float) -> float:
    """By bisection: the tail of the widest interval that lies within the margin."""
    low, high = 0.0, 0.5
    for _ in range(60):
        tail = (low + high) / 2
        ends = estimate.interval(level=1 - 2 * tail)
        low, high = (low, tail) if max(map(abs, ends)) < margin else (tail, high)
    return high


@pytest.mark.parametrize(
    ("value", "items", "reach"), [(0, 30, 70), (0, 101, 70), (0, 400, 70), (1.5, 400, 60), (-1, 200, 55)]
)
def test_p_is_that_of_the_interval_where_all_answers_are_alike(value: float, items: int, reach: float) -> None:
    """It was 0 beside an interval of ±6.65."""
    one = alike(value, items=items, reach=reach)
    result = judge_departures([one] * 4)
    assert result.p_line == pytest.approx(smallest_level(one, margin=2.0), abs=1e-9)
    assert (result.shape is Shape.LINE) == (result.bound <= 2.0)
    assert result.p_bent == 1.0


def test_a_departure_is_outside_only_where_its_interval_is() -> None:
    for items in (5, 30, 100, 400):
        one = alike(9.0, items=items, reach=80)
        low = one.interval(level=1 - 0.05 / 4)[0]
        assert (judge_departures([one] * 4).shape is Shape.BENT) == (low > 2.0), items


def test_an_error_that_is_not_known_decides_nothing() -> None:
    result = judge_departures([alike(0.0, items=0, reach=float("nan"))] * 4)
    assert (result.p_line, result.p_bent, result.shape) == (1.0, 1.0, Shape.OPEN)


def claim_of(folder: Path, *, items: int, **truth: float) -> ClaimResult:
    specs = grid(models=("nano-m",), fracs=FRACTIONS, methods=("sft",), draws=range(5))
    made = write_study(folder, specs=specs, truth=Truth(num_items=items, **truth))  # type: ignore[arg-type]
    table, outcomes = verified(load_studies([made]))
    results = run_claims(study_view(make_points(table.cells, outcomes), outcomes))
    return next(result for result in results if result.claim == "1")


@pytest.mark.parametrize("items", [30, 400])
def test_nothing_right_at_any_amount_is_no_line(tmp_path: Path, items: int) -> None:
    """It was 'supported' at p 0, and stood in Holm's correction."""
    found = claim_of(tmp_path / "s", items=items, at_full=0.0, per_doubling=0.0)
    assert found.ruling is Ruling.NOT_TESTABLE
    assert "0 of 4 amounts of data have an accuracy within 2 to 98 %" in found.reason
    assert (found.p, found.p_holm) == (None, None)


def test_a_point_at_the_floor_is_left_out_of_the_line(tmp_path: Path) -> None:
    """45, 40 and 35 % lie on a line; 0.1 % at an eighth of the data is no departure from it, but off the scale."""
    found = claim_of(tmp_path / "s", items=400, at_full=20.0, per_doubling=6.5, replicate_sd=0.0)
    assert found.ruling is Ruling.NOT_TESTABLE
    assert "3 of 4 amounts" in found.reason
