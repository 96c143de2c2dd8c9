"""Which settings of a base are compared with each other: one thin or odd setting must not take the others' draws."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from synthetic_study import Truth, grid, write_study

from analysis.claims.rulings import ClaimResult
from analysis.claims.run import run_claims, study_view
from analysis.compare.exchange import exchange_rates
from analysis.compare.fits import fit_series
from analysis.load.checks import verified
from analysis.load.outcomes import Outcomes
from analysis.load.points import Point, contrast, make_points
from analysis.load.query import most_in_common, on_common_cells, where
from analysis.load.studies import load_studies
from analysis.predict.axes import AXES, series_of
from analysis.stats.linear import LineFit, NotEnough

Spec = dict[str, Any]
KS = (1, 4, 16)
METHODS = ("sft", "rft", "sft_matched")


def studied(folder: Path, specs: Sequence[Spec], truth: Truth | None = None) -> tuple[list[Point], Outcomes]:
    truth = truth or Truth(num_items=600, draw_sd=3.0)
    table, outcomes = verified(load_studies([write_study(folder, specs=list(specs), truth=truth)]))
    return make_points(table.cells, outcomes), outcomes


def complete(models: tuple[str, ...] = ("nano-s",), **changes: Any) -> list[Spec]:
    return grid(**{"models": models, "fracs": (1.0,), "ks": KS, "methods": METHODS, "draws": range(6), **changes})


def claims(points: Sequence[Point], outcomes: Outcomes) -> dict[str, ClaimResult]:
    return {result.claim: result for result in run_claims(study_view(points, outcomes))}


def test_the_choice_is_the_best_of_all_and_needs_no_result(tmp_path: Path) -> None:
    """Ten random designs of five amounts and six draws against every subset; shuffled points choose the same."""
    rng = np.random.default_rng(4)
    fracs = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)
    every, _ = studied(tmp_path / "s", complete(fracs=fracs, methods=("sft",), ks=(4,)))
    for _ in range(10):
        some = []
        for point in every:
            there = rng.random(6) < rng.choice([0.2, 0.9])
            cells = [c for c, here in zip(point.cells, there, strict=True) if here] or [point.cells[0]]
            some.append(Point(tuple(cells), point.estimate))
        draws = [{cell.draw for cell in point.cells} for point in some]

        def worth(places: Sequence[int], draws: Sequence[set[str]] = draws) -> int:
            return len(set.intersection(*(draws[place] for place in places))) * len(places) ** 2

        best = max(worth(p) for size in range(3, 6) for p in itertools.combinations(range(5), size))
        found = most_in_common(some)
        assert worth([next(i for i, p in enumerate(some) if p is one) for one in found]) == best
        order = list(rng.permutation(5))
        again = most_in_common([some[i] for i in order])
        assert {id(p) for p in again} == {id(p) for p in found}


@pytest.mark.parametrize("extra", [{"draws": (5,)}, {"draws": (6,)}, {"draws": (0,), "seeds": (77,)}], ids=str)
def test_a_single_cell_of_another_k_takes_no_claim_away(tmp_path: Path, extra: Spec) -> None:
    """RFT at k = 64 in one draw, in a draw of its own, or of another seed: 4a, 4b and 6a stay on what is complete."""
    models = ("nano-s", "nano-m")
    whole = claims(*studied(tmp_path / "whole", complete(models)))
    added = [spec for spec in complete(models, ks=(64,), methods=("rft", "sft_matched"), **extra) if spec["k"] == 64]
    found = claims(*studied(tmp_path / "more", [*complete(models), *added]))
    for name in ("4a", "4b", "6a"):
        assert whole[name].ruling is found[name].ruling
        one, other = whole[name].estimate, found[name].estimate
        assert one is not None
        assert other is not None
        assert (one.num_draws, one.kind) == (other.num_draws, other.kind)
    words = {5: "it shares 1 of the 6 draws of the rest", 6: "it shares no draw with the rest"}
    said = words.get(extra["draws"][0], "it shares none of the 6 draws of the rest")
    assert sum(line.endswith(said) for line in found["6a"].details) == len(models)
    assert not any("left out" in line for line in whole["6a"].details)


def test_a_thin_amount_of_data_leaves_line_and_shape_as_they_are(tmp_path: Path) -> None:
    """A fifth amount in one draw: claim 1 was of that draw alone."""
    fracs = (1 / 8, 1 / 4, 1 / 2, 1.0)
    specs = complete(fracs=fracs, methods=("sft",), ks=(4,))
    thin = complete(fracs=(3 / 4,), methods=("sft",), ks=(4,), draws=(0,))
    points, outcomes = studied(tmp_path / "s", specs + thin)
    without = [point for point in points if point.cell.data_frac != 0.75]

    def place(point: Point) -> float:
        return float(np.log2(point.cell.data_frac or 1))

    fits = [fit_series(some, place, outcomes, what="x") for some in (points, without)]
    assert [fit.line.b for fit in fits if isinstance(fit.line, LineFit)] == pytest.approx([fits[1].line.b] * 2)  # type: ignore[union-attr]
    assert any("it shares 1 of the 6 draws of the rest" in text for text in fits[0].left_out)
    one, other = claims(points, outcomes)["1"], claims(without, outcomes)["1"]
    assert one.estimate is not None
    assert one.estimate == other.estimate
    fewer = claims(*studied(tmp_path / "two", grid_of_losses(fracs, thin=True)))["3"].details
    assert sum("it shares 1 of the 6 draws of the rest" in line for line in fewer) == 3
    (series,) = series_of(points, outcomes, axis=AXES["data_frac"])
    assert series.left_out == ("0.75",)
    assert {len(point.draws) for point in series.points} == {6}


def grid_of_losses(fracs: tuple[float, ...], *, thin: bool) -> list[Spec]:
    """SFT of three bases, as claim 3 needs; each with one amount in one draw."""
    common: Spec = {"models": ("nano-xs", "nano-s", "nano-m"), "methods": ("sft",), "ks": (4,)}
    return complete(fracs=fracs, **common) + (complete(fracs=(3 / 4,), draws=(0,), **common) if thin else [])


def test_a_point_at_the_floor_takes_no_draws_from_a_line(tmp_path: Path) -> None:
    """The smallest amount is at 1 % and was run in one draw: the line is of six draws of the others."""
    fracs = (1 / 4, 1 / 2, 1.0)
    specs = complete(fracs=fracs, methods=("sft",), ks=(4,))
    floor = complete(fracs=(1 / 64,), methods=("sft",), ks=(4,), draws=(1,))
    points, outcomes = studied(tmp_path / "s", specs + floor)
    low = [Point(p.cells, p.estimate.scaled(0.01)) if p.cell.data_frac == 1 / 64 else p for p in points]

    def place(point: Point) -> float:
        return float(np.log2(point.cell.data_frac or 1))

    fit = fit_series(low, place, outcomes, what="x")
    alone = fit_series(where(points, data_frac=set(fracs)), place, outcomes, what="x")
    assert fit.slope is not None
    assert fit.slope == alone.slope
    assert fit.draws_left_out == 0
    assert len(fit.left_out) == 1


def test_line_and_interval_are_of_the_same_cells_or_there_is_no_interval(tmp_path: Path) -> None:
    """Replicates in part of other seeds: where they cannot be paired there is a line without an interval."""
    rng = np.random.default_rng(2)
    fracs = (1 / 8, 1 / 4, 1 / 2, 1.0)
    seen = 0
    for number in range(12):
        specs = [
            spec
            for spec in complete(fracs=fracs, methods=("sft",), ks=(4,), draws=range(3), seeds=(0, 1))
            if rng.random() < 0.6
        ]
        if len({spec["data_frac"] for spec in specs}) < 4:
            continue
        points, outcomes = studied(tmp_path / str(number), specs)
        fit = fit_series(points, lambda p: float(np.log2(p.cell.data_frac or 1)), outcomes, what="x")
        if isinstance(fit.line, LineFit) and fit.slope is not None:
            seen += 1
            assert fit.slope.value == pytest.approx(fit.line.b)
        shared = on_common_cells(points, outcomes)
        assert contrast(shared, tuple([0.0] * len(shared)), outcomes) is not None or fit.slope is None
    assert seen > 3


def test_a_thin_amount_of_fresh_problems_does_not_decide_the_rate(tmp_path: Path) -> None:
    """Four complete amounts and a fifth in one draw: the rate was of that draw, without a word."""
    fresh = [
        {**spec, "fresh": count}
        for count in (100, 200, 400)
        for spec in complete(ks=(16,), methods=("fresh_human",))
        if spec["method"] == "fresh_human"
    ]
    base = [spec for spec in complete() if spec["k"] in (None, 16)] + fresh
    thin = [{**spec, "fresh": 800} for spec in fresh if spec["fresh"] == 100 and spec["pretrain_seed"] == 0]
    truth = Truth(num_items=1500, control={"fresh_human": 6.0})
    whole, more = (rates(*studied(tmp_path / name, specs, truth)) for name, specs in (("a", base), ("b", base + thin)))
    assert whole
    assert len(whole) == len(more)
    for one, other in zip(whole, more, strict=True):
        assert len(other[1]) == 1
        assert one[0] == other[0]


def rates(points: Sequence[Point], outcomes: Outcomes) -> list[tuple[int, tuple[str, ...]]]:
    """Of every rate (draws, amounts left out); what is not estimable has its cells all the same."""
    found = [rate for rate in exchange_rates(points, outcomes) if not isinstance(rate, NotEnough)]
    return [(len(rate.rft.draws), rate.left_out) for rate in found]
