"""What figures and tables show: intervals that are never empty, points at their place, one name and colour a base."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from synthetic_study import Truth, grid, write_study

from analysis.compare.costs import Cost, cost_of, time_unit
from analysis.figures.accuracy import accuracy_against_data
from analysis.figures.costs import accuracy_against_cost
from analysis.figures.drawing import Drawing, base_looks, set_apart
from analysis.figures.paths import accuracy_against_distinct, accuracy_against_k, distinct_against_k
from analysis.figures.votes import emitted_against_k, votes_against_k
from analysis.load.checks import verified
from analysis.load.outcomes import Outcomes
from analysis.load.points import Point, accuracy_interval, make_points, score_of, share_interval
from analysis.load.studies import load_studies
from analysis.load.votes import curve, passed, voted
from analysis.sizes import PAGES, Page
from analysis.stats.linear import NotEnough
from analysis.stats.uncertainty import Kind, binomial, crossed_mean
from analysis.tables.results import results_table, score_text
from rft.records import Score, wilson
from rft.votes import Tally

SMALL = Truth(num_items=60, num_full=64)


def loaded(folder: Path) -> tuple[list[Point], Outcomes]:
    table = load_studies([folder])
    table, outcomes = verified(table)
    return make_points(table.cells, outcomes), outcomes


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"), [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0)]
)
def test_wilson_as_published(hits: int, n: int, low: float, high: float) -> None:
    # Agresti & Coull 1998 (Am. Stat. 52, 119): at 0 hits the upper end is z^2 / (n + z^2)
    assert wilson(hits / n, n=n) == pytest.approx((low, high), abs=1e-4)


def test_wilson_covers_where_the_standard_error_is_zero() -> None:
    n, truth = 200, 0.01
    chances = [math.comb(n, hits) * truth**hits * (1 - truth) ** (n - hits) for hits in range(n + 1)]
    ends = [wilson(hits / n, n=n) for hits in range(n + 1)]
    assert sum(c for c, (low, high) in zip(chances, ends, strict=True) if low <= truth <= high) > 0.93
    plain = [(h / n, 1.96 * math.sqrt(h / n * (1 - h / n) / n)) for h in range(n + 1)]
    assert sum(c for c, (p, half) in zip(chances, plain, strict=True) if p - half <= truth <= p + half) < 0.9


def test_no_hit_in_one_run_or_in_any_still_has_an_interval() -> None:
    zeros = crossed_mean(np.zeros((1, 50))).scaled(100)
    assert zeros.se == 0
    assert accuracy_interval(zeros) == pytest.approx((0.0, 100 * 3.8415 / 53.8415), abs=1e-3)
    many = crossed_mean(np.zeros((8, 50))).scaled(100)
    assert accuracy_interval(many) == accuracy_interval(zeros)
    assert accuracy_interval(crossed_mean(np.ones((3, 50))).scaled(100))[0] < 95
    low, high = accuracy_interval(binomial(0.5, n=100, kind=Kind.PUBLISHED).scaled(100))
    assert (low, high) == pytest.approx((40.4, 59.6), abs=0.05)


def test_several_replicates_keep_their_t_interval_cut_at_the_ends() -> None:
    values = np.zeros((2, 40))
    values[0, :2] = 1
    estimate = crossed_mean(values).scaled(100)
    assert accuracy_interval(estimate) == (0.0, pytest.approx(estimate.interval()[1]))
    assert estimate.interval()[0] < 0
    assert all(math.isnan(end) for end in accuracy_interval(replace(estimate, se=math.nan)))


def test_shares_that_are_no_proportions_keep_theirs() -> None:
    halves = crossed_mean(np.full((1, 30), 0.5) + np.tile([0.1, -0.1], 15)).scaled(100)
    assert share_interval(halves) == pytest.approx(halves.interval())
    assert share_interval(crossed_mean(np.zeros((1, 30))).scaled(100))[1] > 5


def test_tables_give_an_interval_where_the_error_is_zero(tmp_path: Path) -> None:
    specs = grid(models=("nano-m",), fracs=(1.0,), methods=("sft",))
    truth = Truth(num_items=20, num_full=16, at_full=0.0)
    table = load_studies([write_study(tmp_path / "s", specs=specs, truth=truth)])

    def text_of(*hits: int) -> str:
        """Of as many replicates, each with so many of 32 right, their outcomes not at hand."""
        cells = [
            replace(table.cells[0], folder=None, seeds={"data_seed": i}, scores={"maj1@1": Score.binomial(count, 32)})
            for i, count in enumerate(hits)
        ]
        return score_text(score_of(cells, "maj1@1", Outcomes({}, {})))

    assert text_of(0) == "0.0 (0.0 to 10.7)"
    assert text_of(32, 32) == "100.0 (89.3 to 100.0)"
    assert text_of(16) == "50.0 ± 8.8"
    assert text_of(0, 2) == "3.1 ± 4.4"  # scatter 3.1 and at most 3.1 of the problems, which both answered
    text = results_table(table, Outcomes({}, {}))
    assert "0.0 (0.0 to 16.1)" in text
    assert "Wilson" in text


def test_points_stand_apart_only_where_they_overlap() -> None:
    first, second, third = (
        [(1.0, 10.0, 20.0), (2.0, 10.0, 20.0)],
        [(1.0, 15.0, 25.0), (2.0, 30.0, 40.0)],
        [(1.0, 24.0, 26.0)],
    )
    assert set_apart([first, second], step=0.1) == [[0.95, 2.0], [1.05, 2.0]]
    assert set_apart([first, second, third], step=0.1)[2] == [pytest.approx(1.1)]  # of a chain of three
    assert set_apart([first[1:], second[1:]], step=0.1, pad=6.0) == [[1.95], [2.05]]


def test_accuracy_against_data_puts_points_at_their_amount(tmp_path: Path) -> None:
    specs = grid(models=("nano-s", "nano-m"), fracs=(0.25, 0.5, 1.0), methods=("icl", "sft", "sft_matched"))
    specs += [{"model": "nano-m", "method": "rft", "data_frac": frac, "k": 4, "seed": 0} for frac in (0.5, 1.0)]
    points, outcomes = loaded(write_study(tmp_path / "s", specs=specs, truth=SMALL))
    drawing = accuracy_against_data(points, outcomes)
    assert isinstance(drawing, Drawing)
    panel = drawing.figure.axes[0]
    xs = [sorted(bar[0].get_xdata()) for bar in panel.containers]
    assert xs[0] == pytest.approx([16, 32, 64])  # SFT
    assert all(min(x) > 64 for x in xs[1:])  # matched SFT, at one amount: in the grey strip
    assert sorted(panel.get_xticks()) == [16, 32, 64]
    other = drawing.figure.axes[1]
    (rft,) = [bar for bar in other.containers if len(bar[0].get_xdata()) == 2]
    assert list(rft[0].get_xdata()) == pytest.approx([32, 64], rel=0.06)  # two amounts: on the axis
    assert "side by side" in drawing.caption


def test_namesakes_keep_name_and_colour_in_every_figure(tmp_path: Path) -> None:
    specs = grid(models=("nano-s", "nano-m"), fracs=(1.0,), methods=("sft",))
    points, _ = loaded(write_study(tmp_path / "s", specs=specs, truth=SMALL))
    cells = [
        replace(
            p.cell,
            names={**p.cell.names, "model": "nano-s"},
            setting={**p.cell.setting, "model.arch.width": 64},
            pretrain_tokens=n,
        )
        for p, n in zip(points, (1_500_000, 6_000_000), strict=True)
    ]
    twins = [replace(p, cells=(cell,)) for p, cell in zip(points, cells, strict=True)]
    whole, alone = base_looks(twins, among=twins), base_looks(twins[1:], among=twins)
    assert list(whole.names.values()) == ["nano-s 1.5M tok", "nano-s 6M tok"]
    (name,) = alone.names.values()
    assert name == "nano-s 6M tok"
    assert alone.colours[name] == whole.colours[name] != whole.colours["nano-s 1.5M tok"]


def test_reasons_when_no_path_was_kept(tmp_path: Path) -> None:
    specs = grid(models=("nano-m",), fracs=(1.0,), methods=("rft",))
    points, outcomes = loaded(write_study(tmp_path / "s", specs=specs, truth=SMALL))
    none = {"distinct_per_question": 0.0, "distinct_per_question_with_human": 1.0}
    empty = [replace(p, cells=tuple(replace(c, **none) for c in p.cells)) for p in points]
    found = accuracy_against_distinct(empty, outcomes)
    assert isinstance(found, NotEnough)
    assert "none of 2 RFT settings kept a path" in found.reason
    against_k = distinct_against_k(empty, outcomes)
    assert isinstance(against_k, NotEnough)
    assert "none of 2 settings kept a path" in against_k.reason
    unknown = [
        replace(
            p,
            cells=tuple(replace(c, distinct_per_question=None, distinct_per_question_with_human=None) for c in p.cells),
        )
        for p in points
    ]
    missing = accuracy_against_distinct(unknown, outcomes)
    assert isinstance(missing, NotEnough)
    assert "no RFT cell on the full data with a count" in missing.reason
    some = accuracy_against_distinct([empty[0], points[1]], outcomes)
    assert isinstance(some, Drawing)
    assert "no path at all" not in some.caption  # the human one has its place


def test_distinct_paths_have_an_interval_over_replicates(tmp_path: Path) -> None:
    specs = grid(models=("nano-m",), fracs=(1.0,), methods=("rft",), seeds=range(5))
    points, outcomes = loaded(write_study(tmp_path / "s", specs=specs, truth=SMALL))
    points = [
        replace(p, cells=tuple(replace(c, distinct_per_question=2.0 + i / 10) for i, c in enumerate(p.cells)))
        for p in points
    ]
    drawing = distinct_against_k(points, outcomes)
    assert isinstance(drawing, Drawing)
    assert "t-intervals over 5 replicates" in drawing.caption
    assert "n = 64 questions" in drawing.caption
    one = distinct_against_k([replace(p, cells=p.cells[:1]) for p in points], outcomes)
    assert isinstance(one, Drawing)
    assert "One replicate: no interval" in one.caption


def brute_pass(draws: Sequence[bool], *, k: int) -> float:
    return float(np.mean([any(chosen) for chosen in itertools.combinations(draws, k)]))


def test_vote_curves_carry_the_error_of_problems_and_replicates() -> None:
    rng = np.random.default_rng(4)
    drawn = rng.random((3, 20, 4)) < rng.random((1, 20, 1))
    replicates: list[Mapping[str, Tally]] = [
        {str(i): Tally(4, int(right.sum()), (4 - int(right.sum()),)) for i, right in enumerate(problems)}
        for problems in drawn
    ]
    found = curve(replicates, statistic=passed)
    assert sorted(found) == [1, 2, 4]
    for k, estimate in found.items():
        values = np.array([[brute_pass(list(right), k=k) for right in problems] for problems in drawn])
        expected = crossed_mean(values)
        assert (estimate.value, estimate.se) == pytest.approx((expected.value, expected.se))
    assert found[1].value == pytest.approx(drawn.mean())
    assert curve(replicates, statistic=voted)[1].value == pytest.approx(drawn.mean())
    partly = [replicates[0], {i: d for i, d in replicates[1].items() if i != "0"}]
    assert curve(partly, statistic=passed)[2].num_items == 19  # problems that both answered
    assert curve([{"a": Tally(4, 1, ())}, {"b": Tally(4, 1, ())}], statistic=passed) == {}


def test_vote_figures_say_what_their_bands_hold(tmp_path: Path) -> None:
    specs = grid(models=("nano-m",), fracs=(1.0,), ks=(4,), methods=("sft", "rft", "fresh_human"), seeds=range(2))
    points, outcomes = loaded(write_study(tmp_path / "s", specs=specs, truth=SMALL, vote_k=4))
    for drawing in (votes_against_k(points, outcomes), emitted_against_k(points, outcomes)):
        assert isinstance(drawing, Drawing)
        assert "n = 60 test problems" in drawing.caption
        assert "these bases: t over replicates and problems" in drawing.caption
        assert "In fits.json alone: fresh human k=4." in drawing.caption
        assert len(drawing.fits) == 3
        for fit in drawing.fits:
            ends: Any = fit.get("pass", fit.get("distinct"))["4"]["interval_95"]
            assert ends[0] < ends[1] or "distinct" in fit  # of the synthetic draws all have as many paths
        assert drawing.figure.axes[0].collections  # the bands


def test_a_method_is_charged_with_what_it_is_made_of(tmp_path: Path) -> None:
    """Controls were charged with the sampling that only fixed their number, and ICL was left out."""
    methods = ("icl", "sft", "rft", "sft_matched", "oracle_paths", "fresh_human")
    specs = grid(models=("nano-m",), fracs=(1.0,), ks=(4,), methods=methods)
    cells = {c.method: c for c in load_studies([write_study(tmp_path / "s", specs=specs, truth=SMALL)]).cells}
    costs = {method: cost_of(cell) for method, cell in cells.items()}
    own = {method: next(s for s in c.cost if s.name == "finetune") for method, c in cells.items() if method != "icl"}
    for method in ("sft", "sft_matched", "oracle_paths", "fresh_human"):
        assert costs[method] == Cost(own[method].flops, own[method].seconds, evaluation=False)
    shard = next(s for s in cells["rft"].cost if s.name == "shard")
    assert costs["rft"] == Cost(own["rft"].flops + shard.flops, own["rft"].seconds + shard.seconds, evaluation=False)
    assert costs["icl"] == Cost(1e9, 1.0, evaluation=True)
    old = replace(cells["rft"], cost=tuple(replace(s, makes=None) for s in cells["rft"].cost))
    assert cost_of(old) is None  # a record that does not say: unknown, not guessed


def test_costs_are_in_units_that_a_person_reads(tmp_path: Path) -> None:
    assert time_unit([5.0, 40.0, 90.0]) == ("seconds", 1.0)
    assert time_unit([60.0, 300.0, 1800.0]) == ("minutes", 60.0)
    assert time_unit([3600.0, 7200.0, 1e5]) == ("hours", 3600.0)
    specs = grid(models=("nano-m",), fracs=(1.0,), ks=(4,), methods=("icl", "sft", "rft"))
    points, _ = loaded(write_study(tmp_path / "s", specs=specs, truth=SMALL))
    drawing = accuracy_against_cost(points)
    assert isinstance(drawing, Drawing)
    assert drawing.figure.axes[1].get_xlabel() == "device seconds beyond pretraining"
    assert "ICL trains nothing: it stands at the cost of its evaluation." in drawing.caption
    alone = accuracy_against_cost([p for p in points if p.method == "icl"])
    assert isinstance(alone, NotEnough)


def test_rounds_stand_at_the_draws_that_they_made(tmp_path: Path) -> None:
    """Expert iteration of two rounds stood at its k, beside RFT that had drawn half as much."""
    rounds = {"method": "expert_iteration", "title": "expert iteration", "data_frac": 1.0, "model": "nano-m", "seed": 0}
    specs = grid(models=("nano-m",), fracs=(1.0,), ks=(2, 4, 8), methods=("sft", "rft"))
    specs += [{**rounds, "k": k} for k in (2, 4, 8)]
    points, outcomes = loaded(write_study(tmp_path / "s", specs=specs, truth=SMALL))
    drawn = [
        replace(p, cells=tuple(replace(c, drawn_per_question=2.0 * (c.k or 0)) for c in p.cells))
        for p in points
        if p.method == "expert_iteration"
    ]
    drawing = accuracy_against_k([p for p in points if p.method != "expert_iteration"] + drawn, outcomes)
    assert isinstance(drawing, Drawing)
    assert [fit["x"] for fit in drawing.fits] == [[1.0, 2.0, 3.0], [2.0, 3.0, 4.0]]


def test_running_cells_are_one_line_and_failures_each_their_own(tmp_path: Path) -> None:
    specs = grid(models=("nano-s", "nano-m"), fracs=(1.0,), methods=("sft", "rft"), seeds=range(5))
    folder = write_study(
        tmp_path / "s", specs=specs, truth=SMALL, missing={i: "out of memory" if i < 2 else "" for i in range(20)}
    )
    text = results_table(load_studies([folder]), Outcomes({}, {}))
    assert "20 cells are missing" in text
    assert text.count("out of memory") == 2
    assert text.count("not run yet") == 1
    assert "18 cells: not run yet" in text


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES.keys())
def test_no_two_words_under_an_axis_run_into_each_other(page: Page, tmp_path: Path) -> None:
    specs = [
        *grid(models=("nano-xs", "nano-s", "nano-m", "nano-l"), fracs=(0.125, 0.25, 0.5, 1.0), ks=(1, 4, 16)),
        *grid(
            models=("nano-xs", "nano-s"), fracs=(1.0,), methods=("sft_best", "oracle_paths", "fresh_human"), ks=(16,)
        ),
    ]
    points, outcomes = loaded(write_study(tmp_path / "s", specs=specs, truth=SMALL))
    drawn = [accuracy_against_data(points, outcomes, page=page), accuracy_against_k(points, outcomes, page=page)]
    for drawing in drawn:
        assert isinstance(drawing, Drawing)
        drawing.figure.canvas.draw()
        for panel in drawing.figure.axes:
            words = [tick.get_window_extent() for tick in panel.get_xticklabels() if tick.get_text()]
            words.sort(key=lambda box: box.x0)
            assert len(words) > 1
            for one, other in itertools.pairwise(words):
                assert one.x1 < other.x0, [tick.get_text() for tick in panel.get_xticklabels()]
