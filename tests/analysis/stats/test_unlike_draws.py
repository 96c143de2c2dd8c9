"""Settings with unlike draws of the base: what only some of them have says nothing of how they differ."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from synthetic_study import Truth, grid, write_study

from analysis.compare.exchange import Exchange, exchange_rates
from analysis.compare.fits import fit_series
from analysis.load.cells import Cell
from analysis.load.checks import verified
from analysis.load.outcomes import Outcomes
from analysis.load.points import Point, make_points
from analysis.load.query import where
from analysis.load.studies import load_studies
from analysis.stats.linear import LineFit

Study = tuple[list[Point], Outcomes]


def without(study: Study, gone: Callable[[Cell], bool]) -> Study:
    cells = [cell for point in study[0] for cell in point.cells if not gone(cell)]
    return make_points(cells, study[1]), study[1]


def late(cell: Cell) -> bool:
    return cell.seeds["pretrain_seed"] >= 3


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Six draws that lie ten points apart; exchange rates and a data ladder."""
    methods = ("sft", "sft_matched", "rft")
    common = {"models": ("nano-m",), "draws": range(6), "seeds": (0,)}
    specs = grid(fracs=(0.25, 0.5, 1.0), ks=(16,), methods=methods, **common)  # type: ignore[arg-type]
    human = grid(fracs=(1.0,), ks=(16,), methods=("fresh_human",), **common)  # type: ignore[arg-type]
    specs += [{**spec, "fresh": count} for spec in human for count in (128, 256, 512)]
    truth = Truth(num_items=400, draw_sd=10.0, replicate_sd=0.3, fresh_gain=lambda share: 8.0 * share)
    folder = write_study(tmp_path_factory.mktemp("unlike") / "s", specs=specs, truth=truth)
    table, outcomes = verified(load_studies([folder]))
    return make_points(table.cells, outcomes), outcomes


def doublings(point: Point) -> float:
    return math.log2(point.cell.data_frac or 1)


def ladder_fit(study: Study) -> tuple[float, float | None, int]:
    ladder = where(study[0], method="sft")
    fit = fit_series(ladder, doublings, study[1], what="SFT")
    assert isinstance(fit.line, LineFit)
    return fit.line.b, None if fit.slope is None else fit.slope.value, fit.draws_left_out


def test_draws_that_one_amount_alone_has_do_not_bend_the_line(study: Study) -> None:
    """The headline was 3.4 points a doubling where the paired slope was 5.6 (truth 6)."""
    some = without(study, late)
    more_at_full = without(study, lambda c: late(c) and not (c.method == "sft" and c.data_frac == 1.0))
    headline, paired, left_out = ladder_fit(more_at_full)
    assert left_out == 3
    assert (headline, paired) == pytest.approx(ladder_fit(some)[:2])
    assert headline == pytest.approx(paired)


def test_a_constant_for_all_cells_of_one_draw_leaves_the_line(study: Study) -> None:
    before = ladder_fit(study)[0]
    alike = [
        Point(p.cells, replace(p.estimate, value=p.estimate.value + 5.0 / len(p.draws)))
        for p in where(study[0], method="sft")
    ]  # one of six draws five points higher
    assert fit_series(alike, doublings, study[1], what="SFT").line.b == pytest.approx(before)  # type: ignore[union-attr]


def test_the_exchange_rate_is_of_the_draws_that_all_its_cells_have(study: Study) -> None:
    """Fresh problems of three draws stood over kept paths of six."""
    few = without(study, late)
    lopsided = without(study, lambda c: late(c) and c.method != "rft")
    for cell in [c for p in lopsided[0] for c in p.cells if late(c)]:
        assert cell.method == "rft"
    kept = [replace(c, num_augmented=9000.0) if late(c) else c for p in lopsided[0] for c in p.cells]
    rates = [exchange_rates(points, study[1]) for points in (few[0], make_points(kept, study[1]))]
    (one,), (other,) = [[rate for rate in found if isinstance(rate, Exchange)] for found in rates]
    assert other.kept == one.kept
    assert other.log.fresh == pytest.approx(one.log.fresh, nan_ok=True)
    assert other.linear.fresh == pytest.approx(one.linear.fresh, nan_ok=True)


def test_the_exchange_rate_is_of_the_replicates_that_all_its_cells_have(tmp_path: Path) -> None:
    """Fresh problems of one replicate stood over kept paths of two: 0.84 a new path where it should be 0.83."""
    common = {"models": ("nano-m",), "draws": range(3), "fracs": (1.0,), "ks": (16,)}
    specs = grid(methods=("sft", "sft_matched", "rft"), seeds=(0, 1), **common)  # type: ignore[arg-type]
    human = grid(methods=("fresh_human",), seeds=(0,), **common)  # type: ignore[arg-type]
    specs += [{**spec, "fresh": count} for spec in human for count in (128, 256, 512)]
    truth = Truth(num_items=400, replicate_sd=0.3, fresh_gain=lambda share: 8.0 * share)
    table, outcomes = verified(load_studies([write_study(tmp_path / "s", specs=specs, truth=truth)]))
    seeds = {cell.seeds["data_seed"] for cell in table.cells if cell.method == "fresh_human"}
    compared = [cell for cell in table.cells if cell.seeds["data_seed"] in seeds]
    assert len(compared) < len(table.cells)
    other = [
        replace(c, num_augmented=c.num_augmented and 3 * c.num_augmented) if c not in compared else c
        for c in table.cells
    ]
    found, wanted = [exchange_rates(make_points(cells, outcomes), outcomes)[0] for cells in (other, compared)]
    assert isinstance(found, Exchange)
    assert isinstance(wanted, Exchange)
    assert (found.kept, found.new) == (wanted.kept, wanted.new)
    assert found.new is not None
    assert found.log.fresh / found.kept == pytest.approx(wanted.log.fresh / wanted.kept)
