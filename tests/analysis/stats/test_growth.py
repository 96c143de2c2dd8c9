"""Exponents of cost: known power laws, with a fixed part and without, and their figure."""

from __future__ import annotations

import pytest

from analysis.figures.growth import exponent_text, growth_figure
from analysis.stats.growth import Growth
from analysis.stats.linear import LineFit, NotEnough

AMOUNTS = (10.0, 30.0, 100.0, 300.0)


def growth(*, power: float, fixed: float = 0.0, amounts: tuple[float, ...] = AMOUNTS) -> Growth:
    return Growth("k", "solutions a question", amounts, tuple(fixed + 0.01 * x**power for x in amounts), of="selecting")


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_a_power_law_gives_its_exponent_whatever_the_units(power: float):
    found = growth(power=power)
    minutes = Growth(found.name, found.unit, found.amounts, tuple(s / 60 for s in found.cpu_s), found.of)
    for one in (found, minutes):
        assert isinstance(one.exponent, LineFit)
        assert one.exponent.b == pytest.approx(power)
        assert one.exponent.se_b == pytest.approx(0, abs=1e-9)


def test_a_fixed_part_makes_the_exponent_smaller_and_its_interval_wider():
    found = growth(power=1.0, fixed=0.5).exponent
    assert isinstance(found, LineFit)
    assert found.b < 0.9
    low, high = found.interval()
    assert high - low > 0.1


def test_two_points_have_no_exponent():
    found = growth(power=1.0, amounts=(10.0, 30.0))
    assert isinstance(found.exponent, NotEnough)
    assert "2 points" in exponent_text(found)


def test_the_figure_has_a_logarithmic_panel_for_each_amount_and_tells_its_exponent():
    drawing = growth_figure([growth(power=1.0), growth(power=2.0), growth(power=1.0, amounts=(10.0, 30.0))])
    shown = [panel for panel in drawing.figure.axes if panel.axison]
    assert [panel.get_xscale() for panel in shown] == ["log"] * 3
    assert [panel.get_title().split("\n")[1][:13] for panel in shown[:2]] == ["exponent 1.00", "exponent 2.00"]
    assert [round(entry.get("exponent", -1), 6) for entry in drawing.fits] == [1, 2, -1]
