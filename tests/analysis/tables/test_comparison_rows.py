"""What rows of the tables of comparisons and of noise say in corner cases, beside numbers worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from synthetic_study import Truth, grid, write_study

from analysis.compare.comparisons import judge
from analysis.compare.controls import harder
from analysis.compare.limits import Limits
from analysis.figures.accuracy import accuracy_against_loss
from analysis.load.cells import Cell
from analysis.load.checks import verified
from analysis.load.outcomes import Outcomes
from analysis.load.points import make_points
from analysis.load.studies import load_studies
from analysis.stats.components import components
from analysis.stats.uncertainty import Estimate, nested_mean
from analysis.tables.matched import compared, matched_notes, matched_rows
from analysis.tables.noise import component_text, noise_summary

METHODS = ("sft", "sft_matched", "sft_best", "rft")


def cells_of(folder: Path, truth: Truth, *, fracs: tuple[float, ...] = (1.0,)) -> tuple[list[Cell], Outcomes]:
    specs = grid(models=("nano-m",), fracs=fracs, ks=(4,), methods=METHODS, draws=range(6))
    table, outcomes = verified(load_studies([write_study(folder, specs=specs, truth=truth)]))
    return list(table.cells), outcomes


def test_a_row_has_the_draws_of_the_comparison_with_the_fewest(tmp_path: Path) -> None:
    """Step-matched SFT in one draw, SFT at its validated budget in six: 'draws 6' stood beside 'one draw'."""
    cells, outcomes = cells_of(tmp_path / "s", Truth(rft_at_1=9.0, control={"sft_matched": -9.0}))
    some = [c for c in cells if c.method != "sft_matched" or c.seeds["pretrain_seed"] == 0]
    found = compared(make_points(some, outcomes), outcomes)
    header, (row,) = matched_rows(found)
    told = dict(zip(header, row, strict=True))
    assert (told["draws"], told["seeds"], told["verdict"]) == ("1", "1", "not estimable: one draw")
    assert any("the fewest" in note for note in matched_notes(found))
    whole = compared(make_points(cells, outcomes), outcomes)
    assert dict(zip(header, matched_rows(whole)[1][0], strict=True))["draws"] == "6"
    assert not any("the fewest" in note for note in matched_notes(whole))


@pytest.mark.parametrize("measured_first", [False, True])
def test_what_draws_show_is_not_assumed_where_another_control_has_one(measured_first: bool) -> None:
    """Six draws that scatter by eight points need more than the five that the assumed scatter asks for."""
    rng = np.random.default_rng(3)

    def of_draws(count: int, *, mean: float, sd: float) -> Estimate:
        level = rng.normal(0, sd, count) if count > 1 else np.zeros(1)
        values = mean + (level - level.mean())[:, None] + rng.normal(0, 1.0, (count, 400))
        return nested_mean([[draw[None] for draw in values]], bounds=(-100, 100))

    measured, single = of_draws(6, mean=5.0, sd=8.0), of_draws(1, mean=20.0, sd=0.0)
    found = harder([measured, single] if measured_first else [single, measured])
    result, alone = judge(found), judge(measured)
    assert result.verdict.value == "not estimable: one draw"
    assert found.new_bases is None
    assert result.needed is not None
    assert alone.needed is not None
    assert result.needed.draws == alone.needed.draws > 5


def test_a_difference_below_the_margin_is_not_above_it(tmp_path: Path) -> None:
    for lift, word in ((12.0, "above"), (-12.0, "below")):
        cells, outcomes = cells_of(tmp_path / word, Truth(rft_at_1=lift, rft_per_k=0.0, replicate_sd=0.3))
        header, (row,) = matched_rows(compared(make_points(cells, outcomes), outcomes))
        assert row[header.index("margin")] == word


def test_values_that_do_not_vary_have_no_standard_deviation(tmp_path: Path) -> None:
    """'0.0 (0.0 to 0.0)' is no interval of what was not seen; equal draws of unlike problems show the problems alone."""
    cells, outcomes = cells_of(tmp_path / "s", Truth(at_full=0.0, rft_at_1=0.0, rft_per_k=0.0, control={}))
    points = make_points(cells, outcomes)
    assert {point.estimate.value for point in points} == {0.0}
    assert noise_summary(points, outcomes) == ""
    right = np.array([[1.0, 0.0, 1.0, 1.0, 0.0, 1.0]])
    found = components([[right] * 5])
    assert component_text(found.base) == ""
    assert component_text(found.problem).startswith(f"{right.std(ddof=1):.1f} (")


def test_a_post_trained_base_is_said_to_be_left_out(tmp_path: Path) -> None:
    """It has a loss: 'no cell of a base with a pretraining loss' was not so."""
    cells, outcomes = cells_of(tmp_path / "s", Truth())
    trained_on = make_points([replace(cell, post_trained=True) for cell in cells], outcomes)
    assert "post-trained, and left out" in str(accuracy_against_loss(trained_on))
    unknown = make_points([replace(cell, loss=None) for cell in cells], outcomes)
    assert "no cell of a base with a pretraining loss" in str(accuracy_against_loss(unknown))


def test_of_an_imported_model_no_draws_are_asked_for(tmp_path: Path) -> None:
    """The same outcomes: of a base that is pretrained '5 draws' would separate them, of a given model nothing."""
    specs = grid(models=("nano-s",), fracs=(1.0,), ks=(4,), methods=METHODS, seeds=range(4))
    truth = Truth(rft_at_1=3.0, num_items=100)
    table, outcomes = verified(load_studies([write_study(tmp_path / "s", specs=specs, truth=truth)]))
    given = [
        replace(
            cell,
            seeds={name: seed for name, seed in cell.seeds.items() if name != "pretrain_seed"},
            setting={**cell.setting, "data.kind": "jsonl"},
        )
        for cell in table.cells
    ]
    told = {}
    for name, cells in (("drawn", table.cells), ("given", given)):
        found = compared(make_points(cells, outcomes), outcomes)
        header, (row,) = matched_rows(found)
        told[name] = row[header.index("to separate")], " ".join(matched_notes(found))
        assert row[header.index("verdict")] == "not estimable: one draw"
    assert "draws" in told["drawn"][0]
    assert told["given"][0] == "no other draw"
    assert "To separate" not in told["given"][1]
    assert "claims are tested over 5 models or more" in told["given"][1]


def test_no_more_problems_are_asked_for_than_a_file_has() -> None:
    """Draws that agree, and problems that scatter: for 80 % the error has to be the difference over 1.96 + 0.84."""
    rng = np.random.default_rng(11)
    flips = np.where(rng.random(400) < 0.15, np.where(rng.random(400) < 0.6, 100.0, -100.0), 0.0)
    found = nested_mean([[flips[None] + rng.normal(0, 0.5, 400) for _ in range(6)]], bounds=(-100, 100))
    enough = round(400 * ((1.96 + 0.84) * float(flips.std()) / 20 / found.value) ** 2)
    assert 700 < enough < 760
    for available, problems in ((400, None), (700, None), (790, 790), (900, 800), (20_000, 800)):
        result = judge(found, p=1.0, limits=Limits(problems=available))
        assert (result.needed and result.needed.problems) == problems
        assert (result.needed_text == "not separable by any feasible study") == (problems is None)
