"""Seeds crossed with draws: against textbook mean squares, brute force, relations that must hold, and simulated verdicts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from analysis_coverage import CROSSED, DIFFERENCE, NULL, simulate, within
from scipy import stats
from synthetic_study import Truth, grid, seal_cell, write_study

from analysis.load.checks import verified
from analysis.load.points import make_points
from analysis.load.studies import load_studies
from analysis.stats.crossed import crossed
from analysis.stats.drawn import Units, new_bases
from analysis.stats.nested import terms_of
from analysis.stats.sharing import one_value, ways_of
from analysis.stats.uncertainty import Estimate, both_intervals, nested_mean
from analysis.tables.matched import compared, matched_summary
from rft.records import RECORD_FILE


def seeded(draws: int, replicates: int, *, same: bool) -> list[list[dict[str, set[int]]]]:
    return [
        [{"data_seed": {r if same else 10 * d + r}, "pretrain_seed": {d}} for r in range(replicates)]
        for d in range(draws)
    ]


def test_crossed_variance_is_that_of_two_way_mean_squares() -> None:
    """Means over problems of 6 draws by 4 seeds, both effects large: (MS of draws + MS of seeds - MS of the rest) / 24."""
    rng = np.random.default_rng(1)
    table = rng.normal(0, 3, (6, 1)) + rng.normal(0, 3, (1, 4)) + rng.normal(0, 1, (6, 4))
    found = nested_mean([[row[:, None] for row in table]], seeds=[seeded(6, 4, same=True)])
    ms_draw, ms_seed = 4 * table.mean(1).var(ddof=1), 6 * table.mean(0).var(ddof=1)
    rest = table - table.mean(1, keepdims=True) - table.mean(0, keepdims=True) + table.mean()
    ms_rest = (rest**2).sum() / 15
    assert found.se**2 == pytest.approx((ms_draw + ms_seed - ms_rest) / 24)
    terms = np.array([ms_draw, ms_seed, ms_rest])
    assert found.df == pytest.approx(float((terms @ [1, 1, -1]) ** 2 / (terms**2 / [5, 3, 15]).sum()))
    these = found.these_bases  # draws as they are: seeds alone are drawn anew
    assert these.se**2 == pytest.approx(ms_seed / 24)
    assert these.df == pytest.approx(3)


def test_seeds_of_their_own_and_seeds_without_effect_leave_the_nested_interval() -> None:
    rng = np.random.default_rng(2)
    draws = [rng.normal(0, 1, (3, 60)) + shift for shift in rng.normal(0, 2, 6)]
    plain, own = nested_mean([draws]), nested_mean([draws], seeds=[seeded(6, 3, same=False)])
    assert (own.se, own.df) == (plain.se, plain.df)
    level = [draw - draw.mean(1, keepdims=True) + draw.mean() for draw in draws]  # all replicates of a draw alike
    shared = nested_mean([level], seeds=[seeded(6, 3, same=True)])
    assert (shared.se, shared.df) == pytest.approx((nested_mean([level]).se, nested_mean([level]).df))


def test_a_constant_for_all_cells_of_one_seed_moves_these_intervals_and_for_all_cells_none() -> None:
    rng = np.random.default_rng(3)
    draws = [rng.normal(0, 1, (3, 60)) for _ in range(6)]
    seeds = [seeded(6, 3, same=True)]
    before = nested_mean([draws], seeds=seeds)
    moved = nested_mean([[draw + 5 for draw in draws]], seeds=seeds)
    assert (moved.value - 5, moved.se, moved.df) == pytest.approx((before.value, before.se, before.df))
    uneven = nested_mean([[draw + np.array([[0.0], [3.0], [6.0]]) for draw in draws]], seeds=seeds)
    assert uneven.se > np.std([0, 3, 6], ddof=1) / np.sqrt(3) * 0.9, "three values of a seed"
    assert uneven.df < 3
    assert nested_mean([[draw + np.array([[0.0], [3.0], [6.0]]) for draw in draws]]).se < 0.2, "blind to it"


def test_components_are_unbiased_for_an_unbalanced_crossed_layout() -> None:
    """Brute force: the variance of many simulated means of one unbalanced layout is the mean of the estimated ones."""
    rng, sizes, many = np.random.default_rng(4), (1, 4, 2, 3, 4, 2), 20_000
    seeds, effects = rng.normal(0, 2.0, (many, 4)), rng.normal(0, 1.5, (many, 6))
    values = [effects[:, [d]] + seeds[:, :size] + rng.normal(0, 1, (many, size)) for d, size in enumerate(sizes)]
    bases = [[draw[..., None] for draw in values]]
    labels = [[{"data_seed": {r}} for r in range(size)] for size in sizes]
    spread = new_bases(bases, Units.of(bases, [labels]))
    assert spread is not None
    assert np.mean(spread.se**2) == pytest.approx(np.var(spread.value), rel=0.05)


@pytest.mark.parametrize("plan", [CROSSED[0], CROSSED[2]], ids=lambda plan: plan.name)
def test_crossed_studies_of_a_true_zero_give_few_verdicts(plan) -> None:  # type: ignore[no-untyped-def]
    drawn = simulate(plan, NULL, ratio=1, studies=1000, rng=np.random.default_rng(5))
    blind = replace(drawn, units=Units.of(drawn.values, None))
    assert np.mean(~within(drawn.new(), 0.0)) <= 0.05 + 0.015
    assert np.mean(~within(blind.new(), 0.0)) > 1.5 * np.mean(~within(drawn.new(), 0.0))


def test_nine_draws_of_three_by_three_are_no_nine_draws() -> None:
    drawn = simulate(CROSSED[3], DIFFERENCE, ratio=5, studies=1500, rng=np.random.default_rng(6), items=400)
    assert np.mean(within(drawn.new(), drawn.true_new)) >= 0.93
    assert np.mean(within(replace(drawn, units=Units.of(drawn.values, None)).new(), drawn.true_new)) < 0.9


def test_problems_are_crossed_with_crossed_units() -> None:
    """Draws by seeds by problems with no effect of draw or seed: the error is that of the problems alone."""
    rng = np.random.default_rng(7)
    problems = rng.normal(0, 5, (1, 200))
    draws = [problems + rng.normal(0, 0.5, (3, 200)) for _ in range(6)]
    found = nested_mean([draws], seeds=[seeded(6, 3, same=True)])
    assert found.se == pytest.approx(float(problems.std(ddof=1)) / np.sqrt(200), rel=0.1)
    assert found.df > 50


def test_ways_are_what_seeds_part() -> None:
    units = [{"a": {0}, "b": {0}, "c": {7}}, {"a": {1}, "b": {1}, "c": {7}}, {"a": {0}, "b": {2}, "c": {7}}]
    assert ways_of(units) == [(0, 1, 0)]
    assert one_value(units) == ("c",)
    plain = terms_of([np.zeros((3, 1))], weights=[1.0])
    assert (
        crossed(np.zeros((3, 1)), weights=[1 / 3] * 3, strata=[0] * 3, ways=[(0, 1, 0)], home=None, plain=plain).se == 0
    )


def _study(
    folder: Path, *, crossed_seeds: bool, corpus: int | None = None
) -> tuple[list[Estimate], str, str, tuple[str, ...]]:
    specs = grid(
        models=("nano-s",),
        fracs=(1.0,),
        ks=(4,),
        methods=("sft", "sft_matched", "rft"),
        seeds=(0, 1, 2),
        draws=range(5),
    )
    if crossed_seeds:
        specs = [{**spec, "seed": spec["seed"] % 1000} for spec in specs]
    folder = write_study(folder, specs=specs, truth=Truth(num_items=100, draw_sd=3.0, gain_sd=1.0))
    for record in folder.glob(f"*/{RECORD_FILE}"):
        seal_cell(record.parent)
    table, outcomes = verified(load_studies([folder]))
    cells = [c if corpus is None else replace(c, seeds={**c.seeds, "corpus_seed": corpus}) for c in table.cells]
    points = make_points(cells, outcomes)
    found = compared(points, outcomes)
    told = " ".join(one.result.reason for one in found)
    return [one.result.estimate for one in found], told, matched_summary(points, outcomes), table.notes


def test_records_of_shared_seeds_say_so_and_one_corpus_is_named_at_every_verdict(tmp_path: Path) -> None:
    (own,), _, _, quiet = _study(tmp_path / "own", crossed_seeds=False)
    assert not quiet
    assert own.alone == ()
    (_,), _, _, notes = _study(tmp_path / "crossed", crossed_seeds=True)
    assert any("Draws of a base share seeds: data_seed (3 values)" in note for note in notes)
    (one,), reason, summary, _ = _study(tmp_path / "corpus", crossed_seeds=False, corpus=7)
    assert one.alone == ("corpus_seed",)
    for text in (reason, " ".join(summary.split()), both_intervals(one)):
        assert "with one corpus alone" in text


def test_two_way_interval_covers_where_both_effects_are_large() -> None:
    rng, many = np.random.default_rng(8), 4000
    table = rng.normal(0, 2, (many, 6, 1)) + rng.normal(0, 2, (many, 1, 3)) + rng.normal(0, 1, (many, 6, 3))
    bases = [[table[:, d, :, None] for d in range(6)]]
    spread = new_bases(bases, Units.of(bases, [seeded(6, 3, same=True)]))
    assert spread is not None
    covered = np.mean(np.abs(spread.value) <= stats.t.ppf(0.975, spread.df) * spread.se)
    assert 0.93 <= covered <= 0.97


@pytest.mark.parametrize("value", [0.1, 7.3, 33.3, 61.7, 100 / 3])
@pytest.mark.parametrize("same", [True, False])
def test_values_that_are_all_equal_say_the_same_crossed_or_not(value: float, same: bool) -> None:
    """No spread with problems at hand, an unknown one without; of crossed ones rounding left 1e-7, as if it were certain."""
    for draws, replicates in ((2, 2), (3, 4), (5, 3), (6, 4)):
        seeds = [seeded(draws, replicates, same=same)]
        with np.errstate(invalid="raise"):
            items, bare = (nested_mean([np.full((draws, replicates, n), value)], seeds=seeds) for n in (7, 1))
        assert items.se == 0
        assert np.isnan(bare.se)
