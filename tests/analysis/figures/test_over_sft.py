"""RFT over SFT: the figure's numbers are those of claims 4a and 4b and of pairs by hand; no thin bar without a verdict."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from synthetic_study import Truth, grid, write_study

from analysis.claims.run import run_claims, study_view
from analysis.figures.drawing import Drawing
from analysis.figures.over_sft import rft_over_sft
from analysis.load.checks import verified
from analysis.load.outcomes import Outcomes
from analysis.load.points import Point, make_points
from analysis.load.studies import load_studies
from analysis.stats.linear import NotEnough

METHODS = ("sft", "sft_matched", "sft_best", "rft")


def study(folder: Path, *, draws: int) -> tuple[list[Point], Outcomes]:
    specs = grid(models=("nano-s", "nano-m"), fracs=(1.0,), ks=(1, 16), methods=METHODS, draws=range(draws))
    truth = Truth(num_items=300, draw_sd=8.0, gain_sd=1.0)
    table, outcomes = verified(load_studies([write_study(folder, specs=specs, truth=truth)]))
    return make_points(table.cells, outcomes), outcomes


def drawn(points: list[Point], outcomes: Outcomes) -> tuple[Drawing, dict[str, dict[str, object]]]:
    drawing = rft_over_sft(points, outcomes)
    assert isinstance(drawing, Drawing)
    return drawing, {fit["series"]: fit["estimate"] for fit in drawing.fits}


@pytest.fixture(scope="module")
def six(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Point], Outcomes]:
    return study(tmp_path_factory.mktemp("over") / "s", draws=6)


def test_differences_are_of_pairs_within_draws(six: tuple[list[Point], Outcomes]) -> None:
    points, outcomes = six
    _, fits = drawn(points, outcomes)
    by_draw = {
        (p.cell.model, p.method, p.cell.k, c.draw): 100 * c.accuracy.value
        for p in points
        for c in p.cells
        if c.accuracy
    }
    for model in ("nano-s", "nano-m"):
        for k in (1, 16):
            pairs = [
                value - by_draw[(model, "sft", None, draw)]
                for (m, method, own_k, draw), value in by_draw.items()
                if (m, method, own_k) == (model, "rft", k)
            ]
            assert len(pairs) == 6
            assert fits[f"RFT k={k} minus SFT, {model}"]["value"] == pytest.approx(np.mean(pairs))


def test_means_of_bases_are_the_claims_own(six: tuple[list[Point], Outcomes]) -> None:
    points, outcomes = six
    drawing, fits = drawn(points, outcomes)
    claims = {claim.claim: claim for claim in run_claims(study_view(points, outcomes))}
    for claim, name in (("4a", "minus the harder control"), ("4b", "minus SFT")):
        estimate, shown = claims[claim].estimate, fits[f"RFT k=16 {name}, mean of bases"]
        assert estimate is not None
        assert shown["value"] == pytest.approx(estimate.value)
        assert shown["interval_95"] == pytest.approx(list(estimate.interval()))
    assert "none where" not in drawing.caption


def test_a_mean_against_more_controls_than_a_mark_beside_it_says_so(tmp_path: Path) -> None:
    """nano-m has no SFT at its validated budget: the mean is of each control over the bases that have it, as in claim 4a."""
    common = {"fracs": (1.0,), "ks": (4,), "seeds": range(2)}
    specs = grid(models=("nano-s",), methods=METHODS, **common)
    specs += grid(models=("nano-m",), methods=("sft", "sft_matched", "rft"), **common)
    truth = Truth(num_items=2000, replicate_sd=0.2, rft_at_1=8.0, control={"sft_matched": 0.0, "sft_best": 8.0})
    table, outcomes = verified(load_studies([write_study(tmp_path / "s", specs=specs, truth=truth)]))
    points = make_points(table.cells, outcomes)
    drawing, fits = drawn(points, outcomes)
    title = "RFT k=4 minus the harder control"
    words = "mean of bases, against the harder of SFT at equal steps and SFT at its validated budget"
    claim = next(one for one in run_claims(study_view(points, outcomes)) if one.claim == "4a")
    assert claim.estimate is not None
    assert fits[f"{title}, {words}"]["value"] == claim.estimate.value == fits[f"{title}, nano-s"]["value"]
    assert f"{title}, mean of bases" not in fits
    assert "Cross: against other controls than some of its bases." in drawing.caption
    assert fits["RFT k=4 minus SFT, mean of bases"]["value"] == pytest.approx(
        np.mean([fits[f"RFT k=4 minus SFT, {model}"]["value"] for model in ("nano-s", "nano-m")])
    )
    names = {" ".join(text.get_text().split()) for legend in drawing.figure.legends for text in legend.get_texts()}
    assert names == {"nano-s", "nano-m", "mean of bases", words}


def test_a_base_of_one_draw_takes_the_figures_mean_no_further_than_the_claims(tmp_path: Path) -> None:
    """It stood at -2.4 beside a claim of +5.8."""
    specs = grid(models=("nano-s", "nano-m"), fracs=(1.0,), ks=(4,), methods=METHODS, draws=range(6))
    specs += grid(models=("nano-l",), fracs=(1.0,), ks=(4,), methods=METHODS, draws=range(1))
    table, outcomes = verified(
        load_studies([write_study(tmp_path / "s", specs=specs, truth=Truth(num_items=300, draw_sd=8.0))])
    )
    points = make_points(table.cells, outcomes)
    _, fits = drawn(points, outcomes)
    claims = {one.claim: one.estimate for one in run_claims(study_view(points, outcomes))}
    for claim, name in (("4a", "minus the harder control"), ("4b", "minus SFT")):
        (estimate, shown) = claims[claim], fits[f"RFT k=4 {name}, mean of bases"]
        assert estimate is not None
        assert shown["value"] == pytest.approx(estimate.value)
        assert shown["interval_95"] == pytest.approx(list(estimate.interval()))


def test_of_two_draws_only_the_bar_of_these_bases_is_drawn(tmp_path: Path) -> None:
    """Two draws give an interval of new bases with a t of 12.7, and no verdict."""
    drawing, fits = drawn(*study(tmp_path / "s", draws=2))
    assert "none where fewer than 5 draws" in drawing.caption
    bars = [
        c
        for axis in drawing.figure.axes
        for c in axis.collections
        if len(c.get_linewidths()) and c.get_linewidths()[0] > 0
    ]
    assert {round(float(c.get_linewidths()[0]), 1) for c in bars} == {3.2}
    assert len(bars) == len(fits)


def test_without_sft_there_is_no_figure(six: tuple[list[Point], Outcomes]) -> None:
    points, outcomes = six
    assert isinstance(rft_over_sft([p for p in points if p.method == "rft"], outcomes), NotEnough)
