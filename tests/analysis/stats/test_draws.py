"""A base is a random draw: what is said of a configuration holds the draw, and of one draw nothing is said of others."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from synthetic_study import Truth, grid, write_study

from analysis.claims.rulings import mean_over_bases
from analysis.claims.run import published_claims, published_view, run_claims, study_view
from analysis.load.cells import Cell
from analysis.load.checks import verified
from analysis.load.outcomes import Outcomes
from analysis.load.pairs import units_of
from analysis.load.points import Point, Scale, contrast, make_points
from analysis.load.query import same_but, where
from analysis.load.studies import load_studies
from analysis.stats.budget import Design, Prices, assumed, best_design, wasted
from analysis.stats.uncertainty import Kind, both_intervals, nested_mean
from analysis.tables.matched import compared, matched_summary
from analysis.tables.noise import noise_rows
from analysis.tables.results import records_csv, results_rows

METHODS = ("sft", "sft_matched", "rft")
Study = tuple[list[Point], Outcomes]


def loaded(folder: Path) -> Study:
    table, outcomes = verified(load_studies([folder]))
    return make_points(table.cells, outcomes), outcomes


def pairs_of(points: list[Point]) -> list[tuple[tuple[Point, Point], tuple[float, float]]]:
    found = [(p, same_but(p, points, method="sft_matched")) for p in where(points, method="rft")]
    return [((p, c), (1.0, -1.0)) for p, c in found if c is not None]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Two bases, six draws of ten points about their configuration, two replicates of each draw."""
    specs = grid(
        models=("nano-s", "nano-m"), fracs=(0.25, 0.5, 1.0), ks=(4,), methods=METHODS, seeds=(0, 1), draws=range(6)
    )
    truth = Truth(num_items=300, draw_sd=10.0, gain_sd=2.0, replicate_sd=0.5)
    return loaded(write_study(tmp_path_factory.mktemp("draws") / "s", specs=specs, truth=truth))


def test_draws_of_a_base_are_one_point_whose_error_holds_them(drawn: Study) -> None:
    """Each draw was a base of its own, with an error of 0.4 where the next draw lies ten points away."""
    points, outcomes = drawn
    sft = where(points, method="sft", data_frac=1.0)
    assert len(sft) == 2
    for point in sft:
        assert [len(cells) for cells in point.draws] == [2] * 6
        found = point.estimate
        by_draw = [np.mean([c.accuracy.value for c in cells if c.accuracy]) for cells in point.draws]
        assert found.kind is Kind.DRAWS
        assert found.value == pytest.approx(100 * float(np.mean(by_draw)))
        assert found.se > 0.9 * 100 * float(np.std(by_draw, ddof=1)) / math.sqrt(6)
        assert found.these_bases.se < found.se / 1.5
        assert 4 < found.df < 8
    text = both_intervals(sft[0].estimate)
    assert text.startswith("these bases ")
    assert "; new bases of this kind " in text
    rows = results_rows(load_studies([sft[0].cell.folder.parent]), outcomes)  # type: ignore[union-attr]
    assert {row[rows[0].index("draws")] for row in rows[1]} == {"6"}


def test_one_draw_says_that_new_bases_are_not_estimable(tmp_path: Path) -> None:
    specs = grid(models=("nano-s",), fracs=(1.0,), ks=(4,), methods=METHODS, seeds=range(8))
    points, outcomes = loaded(write_study(tmp_path / "s", specs=specs, truth=Truth(num_items=200, rft_at_1=20.0)))
    (one,) = compared(points, outcomes)
    result = one.result
    assert result.estimate.interval()[0] > 5, "these bases separate"
    assert result.verdict.value == "not estimable: one draw"
    assert "not estimable: one draw" in matched_summary(points, outcomes)
    results = {r.claim: r for r in run_claims(study_view(points, outcomes))}
    assert "new bases of this kind not estimable: one draw" in results["4a"].reason


def test_close_replicates_do_not_hide_the_problems(tmp_path: Path) -> None:
    """It was '39.3 ± 0.1' on 1,319 problems, where the crossed error is 0.9: in every table the same one."""
    specs = grid(models=("nano-s",), fracs=(1.0,), methods=("sft",), seeds=range(4))
    folder = write_study(tmp_path / "s", specs=specs, truth=Truth(num_items=1319, replicate_sd=0.0, item_sd=6.0))
    table, outcomes = verified(load_studies([folder]))
    scatter = float(np.std([c.accuracy.value for c in table.cells if c.accuracy], ddof=1)) / 2 * 100
    (point,) = make_points(table.cells, outcomes)
    assert point.estimate.se > 0.8 > 2 * scatter
    header, ((*row,),) = results_rows(table, outcomes)
    assert row[header.index("maj1@1 [%]")].endswith(f"± {point.estimate.se:.1f}")
    lines = list(csv.DictReader(records_csv(table, outcomes).splitlines()))
    assert [float(line["maj1@1 setting se"]) for line in lines] == [pytest.approx(point.estimate.se / 100)] * 4
    lost = Outcomes({}, {})  # of a study whose outcomes are gone the problems' part is at most the binomial's
    assert make_points([replace(c, folder=None) for c in table.cells], lost)[0].estimate.se > 0.9 * point.estimate.se


def test_bases_that_share_no_replicate_have_their_own_mean(tmp_path: Path) -> None:
    """The first estimable base was returned, labelled 'mean of 3 bases: +3.37' (true mean +2.56)."""
    specs = [
        spec
        for place, model in enumerate(("nano-xs", "nano-s", "nano-m"))
        for spec in grid(
            models=(model,), fracs=(1.0,), ks=(4,), methods=METHODS, seeds=range(10 * place, 10 * place + 2)
        )
    ]
    points, outcomes = loaded(write_study(tmp_path / "s", specs=specs, truth=Truth(num_items=200)))
    groups = pairs_of(points)
    found = mean_over_bases(groups, outcomes)
    singles = [contrast(pair, weights, outcomes) for pair, weights in groups]
    assert len(singles) == 3
    assert found is not None
    assert found.value == pytest.approx(float(np.mean([single.value for single in singles if single])))
    assert (found.num_bases, found.kind) == (3, Kind.BASES)
    broken = [*groups[:2], ((groups[2][0][0], groups[0][0][1]), (1.0, -1.0))]
    assert mean_over_bases(broken, outcomes) is None, "a base without a pair is not left out without a word"


def test_crossed_seeds_are_no_independent_replicates(tmp_path: Path) -> None:
    """Three human subsets by three training orders were nine replicates."""
    specs = grid(models=("nano-s",), fracs=(1.0,), methods=("sft",), seeds=range(9))
    folder = write_study(tmp_path / "s", specs=specs, truth=Truth(num_items=50))
    cells = load_studies([folder]).cells
    crossed = [replace(c, seeds={"data_seed": i // 3, "train_seed": i % 3}) for i, c in enumerate(cells)]
    assert [len(units) for units in units_of(crossed)] == [1]
    nested = [replace(c, seeds={"data_seed": i // 3, "train_seed": i}) for i, c in enumerate(cells)]
    assert [len(units) for units in units_of(nested)] == [3]
    assert [len(units) for units in units_of(cells)] == [9]


def test_verdicts_of_a_table_are_corrected_for_their_number(drawn: Study) -> None:
    found = compared(*drawn)
    ps = [one.result.estimate.p_value() for one in found]
    assert len(ps) > 1
    smallest = int(np.argmin(ps))
    assert found[smallest].result.p_holm == pytest.approx(min(1.0, len(ps) * ps[smallest]))


def test_effects_stand_on_log_odds_beside_points(drawn: Study) -> None:
    points, outcomes = drawn
    (pair, weights), *_ = pairs_of(points)
    odds = contrast(pair, weights, outcomes, scale=Scale.LOG_ODDS)

    def by_hand(cells: tuple[Cell, ...]) -> float:
        hits = [(c.accuracy.value * 300, 300) for c in cells if c.accuracy]
        return float(np.mean([math.log((h + 0.5) / (n - h + 0.5)) for h, n in hits]))

    assert odds is not None
    assert odds.value == pytest.approx(by_hand(pair[0].cells) - by_hand(pair[1].cells))
    assert odds.kind is Kind.DRAWS
    row = next(result for result in published_claims() if result.claim == "3")
    assert "on log-odds" in row.reason


def test_published_and_measured_columns_have_one_estimator(tmp_path: Path) -> None:
    """Bases of one draw each, as published ones are: over bases, and a base's own draw is said to lie inside."""
    specs = grid(
        models=("nano-xs", "nano-s", "nano-m", "nano-l"), fracs=(1.0,), ks=(4,), methods=METHODS, seeds=range(3)
    )
    measured = study_view(*loaded(write_study(tmp_path / "s", specs=specs, truth=Truth(num_items=100))))
    for view in (measured, published_view()):
        result = next(r for r in run_claims(view) if r.claim == "4b")
        assert result.estimate is not None
        assert result.estimate.kind is Kind.BASES
        assert "over bases, a base's own draw inside" in result.reason


def test_the_noise_is_found_where_it_was_put(drawn: Study) -> None:
    header, rows = noise_rows(*drawn)
    sft = next(row for row in rows if row[0] == "SFT")
    low, high = sft[header.index("base draw")].partition("(")[2].rstrip(")").split(" to ")
    assert float(low) < 10.2 < float(high)  # 10 and 2 points together
    assert "2 bases, 12 draws, 24 seeds" in sft


def test_the_budget_goes_where_the_noise_is() -> None:
    prices = Prices(draw=2.0, replicate=1.0, problem=1e-4)
    by_draw = best_design(assumed(base_sd=3.0, replicate_sd=0.1), prices, minutes=60)
    by_seed = best_design(assumed(base_sd=0.1, replicate_sd=6.0), Prices(20.0, 0.5, 1e-5), minutes=400)
    assert by_draw is not None
    assert by_seed is not None
    assert (by_draw.replicates, by_draw.draws > 12) == (1, True)
    assert by_seed.replicates > 5
    told = " ".join(wasted(assumed(base_sd=3.0, replicate_sd=0.1), Design(12, 6, 1319)))
    assert "replicates are wasted" in told
    assert "problems are wasted" in told
    assert "draws are wasted" not in told
    assert best_design(assumed(), Prices(100.0, 1.0, 0.0), minutes=60) is None


def test_expected_error_of_a_design_is_what_simulated_studies_have() -> None:
    rng, parts = np.random.default_rng(2), assumed(base_sd=2.0, replicate_sd=1.5, answer_sd=20.0)
    means = []
    for _ in range(3000):
        draws = rng.normal(0, 2.0, (5, 1)) + rng.normal(0, 1.5, (5, 3)) + rng.normal(0, 20.0 / math.sqrt(400), (5, 3))
        means.append(draws.mean())
    se, df = parts.error_of(draws=5, replicates=3, problems=400)
    assert se == pytest.approx(float(np.std(means)), rel=0.05)
    assert df == pytest.approx(4.0, abs=0.01)


def test_draws_count_alike_however_many_replicates_they_have() -> None:
    rng = np.random.default_rng(3)
    draws = [rng.normal(size=(size, 50)) + shift for size, shift in ((1, 0.0), (6, 3.0), (2, 6.0))]
    found = nested_mean([draws])
    assert found.value == pytest.approx(float(np.mean([draw.mean() for draw in draws])))
    assert found.se > 1.5, "three draws that lie three apart"
    assert found.these_bases.se < 0.3


def test_two_contrasts_of_one_base_are_no_two_bases(drawn: Study) -> None:
    """Unions of two sizes of one base, or pairs at two k: they rest on the same draws."""
    points, outcomes = drawn
    halves = where(points, method="sft", base=points[0].cell.base)
    full = where(halves, data_frac=1.0)[0]
    pairs = [((full, less), (1.0, -1.0)) for less in halves if less is not full]
    assert len(pairs) > 1
    both = mean_over_bases(pairs, outcomes)
    singles = [contrast(pair, weights, outcomes) for pair, weights in pairs]
    assert both is not None
    assert both.num_bases == 1
    assert both.df < 8, "five degrees of freedom of six draws, and not ten"
    assert both.value == pytest.approx(float(np.mean([s.value for s in singles if s])))
