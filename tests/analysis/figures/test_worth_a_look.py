"""A figure that would show nothing is not drawn, and what two series show can be told apart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from synthetic_study import Truth, grid, write_study

from analysis.figures.accuracy import accuracy_against_loss, method_series_style
from analysis.figures.costs import accuracy_against_cost
from analysis.figures.drawing import Drawing, base_looks
from analysis.figures.histograms import _bars
from analysis.figures.overview import sft_against_data
from analysis.figures.paths import distinct_against_k
from analysis.figures.votes import votes_against_k
from analysis.load.outcomes import Outcomes
from analysis.load.points import Point
from analysis.stats.linear import NotEnough
from analysis.style import new_figure, unbroken
from tests.analysis.figures.test_drawing import loaded

SMALL = Truth(num_items=40, num_full=32)
Draw = Callable[[list[Point], Outcomes], Drawing | NotEnough]
FIGURES: dict[str, tuple[Draw, str]] = {
    "fracs": (lambda points, outcomes: sft_against_data(points, outcomes), "no base has SFT at two amounts of data"),
    "ks": (distinct_against_k, "no base has its paths counted at two values of k"),
    "models": (lambda points, _: accuracy_against_loss(points), "one base has a pretraining loss"),
}
TWO = {"fracs": (0.5, 1.0), "ks": (1, 4), "models": ("nano-s", "nano-m")}


@pytest.mark.parametrize("axis", FIGURES)
def test_an_axis_of_one_value_is_not_drawn_and_of_two_it_is(axis: str, tmp_path: Path) -> None:
    draw, reason = FIGURES[axis]
    for name, values in (("one", TWO[axis][-1:]), ("two", TWO[axis])):
        sizes = {"models": ("nano-s",), "fracs": (1.0,), "ks": (4,), axis: values}
        specs = grid(**sizes, methods=("sft", "rft"))
        drawn = draw(*loaded(write_study(tmp_path / name, specs=specs, truth=SMALL)))
        if name == "one":
            assert isinstance(drawn, NotEnough)
            assert reason in drawn.reason
        else:
            assert isinstance(drawn, Drawing)


@pytest.fixture(scope="module")
def loaded_variants(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Point], Outcomes]:
    """RFT with and without de-duplication."""
    specs = grid(models=("nano-s",), fracs=(1.0,), ks=(4,), methods=("sft", "rft"))
    loose = [{**spec, "select.policy": "no_dedup"} for spec in specs if spec["method"] == "rft"]
    folder = write_study(tmp_path_factory.mktemp("variants") / "s", specs=[*specs, *loose], truth=SMALL, vote_k=3)
    return loaded(folder)


@pytest.fixture(scope="module")
def variants(loaded_variants: tuple[list[Point], Outcomes]) -> list[Point]:
    """Their points."""
    return loaded_variants[0]


def legend_of(drawing: Drawing | NotEnough) -> list[str]:
    assert isinstance(drawing, Drawing)
    return [text.get_text() for legend in drawing.figure.legends for text in legend.get_texts()]


def test_costs_tell_variants_of_a_method_apart(variants: list[Point]) -> None:
    assert {"RFT", "RFT, no dedup"} <= set(legend_of(accuracy_against_cost(variants)))
    looks = base_looks(variants, among=variants)
    faces = {str(method_series_style(p, variants, looks).get("markerfacecolor")) for p in variants if p.method == "rft"}
    assert faces == {"none", "None"}  # one hollow, one filled


def test_votes_say_which_line_is_which(loaded_variants: tuple[list[Point], Outcomes]) -> None:
    assert {"maj@k", "pass@k"} <= set(legend_of(votes_against_k(*loaded_variants)))


def test_bars_of_one_column_hold_as_many_numbers_each() -> None:
    """Shares of questions compare only where bars are as wide: a uniform count is as high in a short and a long histogram."""
    _, axes = new_figure(width=4, height=2, columns=2)
    for panel, length in zip(axes[0], (20, 40), strict=True):
        _bars(panel, np.full(length, 1 / length), colour="#000000", width=2)
    heights = [{round(bar.get_height() * len(panel.patches), 6) for bar in panel.patches} for panel in axes[0]]
    assert heights == [{100.0}, {100.0}]
    assert len({round(bar.get_width(), 6) for panel in axes[0] for bar in panel.patches}) == 1


def test_no_line_of_a_caption_ends_between_a_number_and_its_sign() -> None:
    assert unbroken("n = 12 of 95 % and k = 4") == "n\u00a0=\u00a012 of 95\u00a0% and k = 4"
