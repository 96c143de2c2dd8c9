"""Distinct paths of test draws, held-out predictions, recipes and donors: against brute force and known truth."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from synthetic_study import Truth, grid, write_study

from analysis.claims.run import run_claims, study_view
from analysis.figures.drawing import Drawing
from analysis.figures.exchange import exchange_against
from analysis.figures.histograms import CHOSEN, counted_pools, path_histograms
from analysis.load.checks import verified
from analysis.load.outcomes import Outcomes, PathDraws, read_path_draws
from analysis.load.points import Point, make_points
from analysis.load.recipes import main_recipe
from analysis.load.studies import load_studies
from analysis.load.votes import distinct
from analysis.plan.planner import donor_ladder, next_runs
from analysis.stats.linear import HeldOut, NotEnough, fit_line, hold_out
from rft.records import write_jsonl


def loaded(folder: Path) -> tuple[list[Point], Outcomes]:
    table = load_studies([folder])
    table, outcomes = verified(table)
    return make_points(table.cells, outcomes), outcomes


@pytest.mark.parametrize("paths", [[0, 1, 0, 2, None, 1], [None, None], [0, 0, 0], [0, 1, 2]])
def test_distinct_at_k_is_the_mean_over_all_subsets(paths: list[int | None]) -> None:
    draws = PathDraws(len(paths), tuple(paths.count(p) for p in {p for p in paths if p is not None}))
    for k in range(1, len(paths) + 1):
        brute = [len(set(chosen) - {None}) for chosen in itertools.combinations(paths, k)]
        assert math.isclose(distinct(draws, [k])[0], float(np.mean(brute)), abs_tol=1e-12)


def test_paths_are_read_by_problem_and_absent_ones_are_none(tmp_path: Path) -> None:
    specs = grid(models=("nano-m",), fracs=(1.0,), ks=(4,), methods=("sft",))
    (cell,) = load_studies([write_study(tmp_path / "s", specs=specs, truth=Truth(num_items=3))]).cells
    assert cell.folder is not None
    assert read_path_draws(cell) is None  # it did not vote
    greedy = {"outcome": "C", "answer": "1"}
    rows = [{"id": "a", "gold": "1", "greedy": greedy, "draws": {"outcomes": "CWN", "answers": ["1", "2", None], "paths": [0, 0, None]}}]  # fmt: skip # noqa: E501
    write_jsonl(cell.folder / "outcomes.jsonl.gz", rows)
    assert read_path_draws(cell) == {"a": PathDraws(3, (2,))}


@pytest.mark.parametrize("emitted", [4, 1, 2])
def test_emitted_paths_follow_the_truth(tmp_path: Path, emitted: int) -> None:
    """RFT minus SFT at its steps, which emits as plain SFT does; a detail of claim 6a and no claim of its own."""
    methods = ("sft", "sft_matched", "rft")
    specs = grid(models=("nano-s", "nano-m"), fracs=(1.0,), ks=(4,), methods=methods, seeds=range(5))
    truth = Truth(num_items=60, num_full=32, emitted={"sft": 9, "sft_matched": 2, "rft": emitted})
    points, outcomes = loaded(write_study(tmp_path / "s", specs=specs, truth=truth, vote_k=4, rng_seed=3))
    results = {r.claim: r for r in run_claims(study_view(points, outcomes))}
    assert "6c" not in results
    said = [text for text in results["6a"].details if text.startswith("emitted on test questions")]
    assert len(said) == 2  # bases
    true = [sum(1 - (1 - 1 / (n + 1)) ** 4 for _ in range(n)) for n in (emitted, 2)]
    for text in said:
        assert abs(float(re.findall(r": ([+-][0-9.]+) distinct", text)[0]) - (true[0] - true[1])) < 0.3
        assert "matched in steps" in text


def test_a_held_out_point_does_not_inform_its_prediction() -> None:
    x, y = [0.0, 1.0, 2.0, 3.0, 4.0], [0.0, 1.1, 1.9, 3.0, 90.0]
    held = hold_out(x, y, index=-1)
    assert isinstance(held, HeldOut)
    assert (held.measured, held.n) == (90.0, 4)
    assert held.low < 4.0 < held.high < 10
    assert isinstance(hold_out(x[:3], y[:3], index=-1), NotEnough)


def test_prediction_intervals_cover() -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(600):
        x = np.arange(6.0)
        held = hold_out(x, 3 + 2 * x + rng.normal(0, 1, 6), index=-1)
        assert isinstance(held, HeldOut)
        hits += held.low <= held.measured <= held.high
    assert 0.93 <= hits / 600 <= 0.97


def test_other_recipes_are_left_out_and_said_so(tmp_path: Path) -> None:
    specs = grid(
        models=("nano-s", "nano-m"), fracs=(1.0,), ks=(4,), methods=("sft", "sft_matched", "rft"), seeds=range(5)
    )
    other = [{**spec, "human_style": 0.0} for spec in specs if spec["model"] == "nano-m"]
    points, outcomes = loaded(
        write_study(tmp_path / "s", specs=[*specs, *other], truth=Truth(num_items=60, num_full=32))
    )
    recipe = main_recipe(points)
    assert len(recipe.points) == len(points) - 3 == 6
    assert recipe.left_out == {"data.world.human_style": {"0": 3}}
    assert "3 settings of others are left out: data.world.human_style = 0 (3)" in str(recipe)
    run_claims(study_view(points, outcomes))
    assert str(main_recipe(recipe.points)) == ""


def test_the_exchange_rate_is_drawn_against_loss_and_style(tmp_path: Path) -> None:
    methods, bases = ("sft", "sft_matched", "rft"), ("nano-s", "nano-m", "nano-l")
    specs = grid(models=bases, fracs=(1.0,), ks=(16,), methods=methods, seeds=range(5))
    fresh = grid(models=bases, fracs=(1.0,), ks=(16,), methods=("fresh_human",), seeds=range(5))
    specs += [{**spec, "fresh": count} for spec in fresh for count in (32, 64, 128)]
    other = [{**spec, "human_style": 0.0} for spec in specs if spec["model"] == "nano-m"]
    truth = Truth(
        num_items=2000, num_full=64, replicate_sd=0.3, rft_at_1=4.5, rft_per_k=0.0, fresh_gain=lambda share: 8 * share
    )
    points, outcomes = loaded(write_study(tmp_path / "s", specs=[*specs, *other], truth=truth))
    drawing = exchange_against(points, outcomes)
    assert isinstance(drawing, Drawing)
    assert [entry["series"] for entry in drawing.fits] == [
        "worth of a path against loss",
        "worth of a path against human_style",
    ]
    assert drawing.fits[0]["n"] == 3  # the other style is not in the line over bases
    alone = [p for p in points if p.cell.model == "nano-m" and p.cell.human_style == 0.9]
    assert isinstance(exchange_against(alone, outcomes), NotEnough)


def test_histograms_add_up_over_replicates(tmp_path: Path) -> None:
    specs = grid(models=("nano-s", "nano-m"), fracs=(1.0,), ks=(1, 4), methods=("rft",), seeds=range(2))
    points, _ = loaded(write_study(tmp_path / "s", specs=specs, truth=Truth(num_items=20, num_full=64)))
    k, pools = counted_pools(points)
    assert (k, list(pools)) == (4, ["nano-s", "nano-m"])
    cells = [c for p in points if p.cell.k == 4 and p.cell.model == "nano-m" for c in p.cells]
    assert pools["nano-m"].histograms["correct"].tolist() == [
        sum(v) for v in zip(*(c.histograms["correct"] for c in cells), strict=True)
    ]
    drawing = path_histograms(points)
    assert isinstance(drawing, Drawing)
    entry = next(e for e in drawing.fits if e["series"] == "nano-m, correct")
    assert math.isclose(entry["mean"], 1.6, abs_tol=0.05)
    assert CHOSEN not in drawing.words


def test_histograms_say_that_they_count_what_a_chooser_leaves_out(tmp_path: Path) -> None:
    specs = [{"model": "nano-s", "method": "rft", "data_frac": 1.0, "k": 4, "seed": seed} for seed in range(2)]
    points, _ = loaded(write_study(tmp_path / "s", specs=specs, truth=Truth(num_items=20, num_full=64)))
    cells = tuple(replace(c, setting={**c.setting, "select.choose": "shortest"}) for c in points[0].cells)
    drawing = path_histograms([replace(points[0], cells=cells)])
    assert isinstance(drawing, Drawing)
    assert CHOSEN in drawing.words


def test_the_planner_offers_another_donor(tmp_path: Path) -> None:
    common = {"model": "nano-m", "method": "rft", "data_frac": 1.0, "k": 4}
    donors = ([], ["nano-s", "nano-m"], ["nano-xs", "nano-s", "nano-m", "nano-l"])
    specs = [{**common, "union": union, "seed": seed} for union in donors for seed in range(3)]
    points, outcomes = loaded(write_study(tmp_path / "s", specs=specs, truth=Truth(num_items=200, num_full=64)))
    assert [max(1, len(p.cell.union)) for p in donor_ladder(points, points[0].cell.base)] == [1, 2, 4]
    options = next_runs(points, outcomes, target="donor_slope")
    assert not isinstance(options, NotEnough)
    assert any("another donor (5 in all)" in option.action for option in options)
    assert all(option.half_width_after < option.half_width_now for option in options)
    assert isinstance(next_runs([points[0]], outcomes, target="donor_slope"), NotEnough)


def test_hold_out_agrees_with_leave_one_out() -> None:
    rng = np.random.default_rng(1)
    x, y = np.arange(7.0), rng.normal(0, 1, 7)
    line = fit_line(x, y)
    assert line
    for i in range(7):
        held = hold_out(x, y, index=i)
        assert isinstance(held, HeldOut)
        assert math.isclose(held.measured - held.predicted, line.held_out_errors[i], abs_tol=1e-9)
