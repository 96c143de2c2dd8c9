"""Two grids of SFT at its validated budget in one study: every base and every output takes the same, and says which.

The truth is by hand: RFT is 10 points above the narrow grid and 4 above the wide one, in every base.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from synthetic_study import Truth, grid, write_study

from analysis.claims.rulings import ClaimResult
from analysis.claims.run import run_claims, study_view
from analysis.compare.controls import Against
from analysis.load.cells import BEST, EPOCH_GRID
from analysis.load.checks import verified
from analysis.load.outcomes import Outcomes
from analysis.load.points import Point, make_points
from analysis.load.recipes import main_recipe
from analysis.load.studies import load_studies
from analysis.tables.matched import GRID, compared, matched_rows, matched_summary

MODELS = ("nano-xs", "nano-s", "nano-m")
# text puts the wide grid in front of the narrow one, or behind it
SPELLED = [([1.0, 2.0, 4.0, 8.0], [4.0, 8.0]), ([4.0, 8.0, 16.0, 32.0], [1.0, 2.0])]


@dataclass(frozen=True)
class ByGrid(Truth):
    """Accuracy by method, and of SFT at its validated budget by the length of its grid."""

    def accuracy(self, spec: Mapping[str, Any]) -> float:
        if spec["method"] == "rft":
            return 50.0
        return {2: 40.0, 4: 46.0}[len(spec[EPOCH_GRID])] if spec["method"] == BEST else 38.0


def study(folder: Path, *, grids: Mapping[str, list[list[float]]]) -> tuple[list[Point], Outcomes]:
    """Three bases; `grids` of each."""
    specs = grid(models=MODELS, fracs=(1.0,), ks=(4,), methods=("sft", "rft"), seeds=range(2))
    for spec in grid(models=MODELS, fracs=(1.0,), methods=(BEST,), seeds=range(2)):
        specs += [{**spec, EPOCH_GRID: own} for own in grids[spec["model"]]]
    truth = ByGrid(num_items=2000, replicate_sd=0.2)
    table, outcomes = verified(load_studies([write_study(folder, specs=specs, truth=truth)]))
    return make_points(table.cells, outcomes), outcomes


def told(points: list[Point], outcomes: Outcomes) -> tuple[dict[str, Against], ClaimResult]:
    claims = {claim.claim: claim for claim in run_claims(study_view(points, outcomes))}
    return {one.point.cell.model: one for one in compared(points, outcomes)}, claims["4a"]


@pytest.mark.parametrize(("wide", "narrow"), SPELLED)
@pytest.mark.parametrize("backwards", [False, True])
def test_of_two_grids_that_all_bases_have_the_wide_one_is_taken(
    tmp_path: Path, wide: list[float], narrow: list[float], *, backwards: bool
) -> None:
    points, outcomes = study(tmp_path / "s", grids={model: [wide, narrow] for model in MODELS})
    points = points[::-1] if backwards else points
    rows, claim = told(points, outcomes)
    assert {model: one.result.estimate.value for model, one in rows.items()} == pytest.approx(
        dict.fromkeys(MODELS, 4.0), abs=1.5
    )
    assert claim.estimate is not None
    assert claim.estimate.value == pytest.approx(sum(one.result.estimate.value for one in rows.values()) / 3)
    words = f"(best of {', '.join(f'{epochs:g}' for epochs in wide)} epochs)"
    assert words in claim.reason
    assert words in " ".join(matched_summary(points, outcomes).split())


@pytest.mark.parametrize(("wide", "narrow"), SPELLED)
def test_one_setting_less_changes_the_grid_of_every_base_alike(
    tmp_path: Path, wide: list[float], narrow: list[float]
) -> None:
    """The table took the wide grid of the two bases that had it, and the claim the narrow one of all three."""
    own = {model: [wide, narrow] for model in MODELS[:2]} | {MODELS[2]: [narrow]}
    rows, claim = told(*study(tmp_path / "s", grids=own))
    assert {tuple(one.controls[BEST].cell.setting[EPOCH_GRID]) for one in rows.values()} == {tuple(narrow)}
    assert {model: one.result.estimate.value for model, one in rows.items()} == pytest.approx(
        dict.fromkeys(MODELS, 10.0), abs=1.5
    )
    assert claim.estimate is not None
    assert claim.estimate.value == pytest.approx(sum(one.result.estimate.value for one in rows.values()) / 3)


@pytest.mark.parametrize("draws", [(1,), (7, 8, 9, 10, 11, 12, 13)], ids=["one shared", "none shared"])
def test_a_wider_grid_takes_no_control_in_draws_that_rft_lacks(tmp_path: Path, draws: tuple[int, ...]) -> None:
    """Six draws of the narrow grid beside RFT; the wide one, which would be taken of equals, in one or in seven others."""
    wide, narrow = SPELLED[0]
    specs = grid(models=MODELS, fracs=(1.0,), ks=(4,), methods=("sft", "rft"), draws=range(6))
    for own, when in ((narrow, tuple(range(6))), (wide, draws)):
        specs += [{**s, EPOCH_GRID: own} for s in grid(models=MODELS, fracs=(1.0,), methods=(BEST,), draws=when)]
    truth = ByGrid(num_items=1000, replicate_sd=0.2)
    table, outcomes = verified(load_studies([write_study(tmp_path, specs=specs, truth=truth)]))
    rows, claim = told(make_points(table.cells, outcomes), outcomes)
    assert {tuple(one.controls[BEST].cell.setting[EPOCH_GRID]) for one in rows.values()} == {tuple(narrow)}
    assert claim.estimate is not None
    assert claim.estimate.num_draws == 6 * len(MODELS)
    assert "(best of 4, 8 epochs)" in claim.reason


def test_where_no_grid_is_of_all_bases_each_row_names_its_own(tmp_path: Path) -> None:
    wide, narrow = SPELLED[0]
    points, outcomes = study(tmp_path / "s", grids={"nano-xs": [narrow], "nano-s": [wide], "nano-m": [wide]})
    header, rows = matched_rows(compared(points, outcomes))
    assert {row[0]: row[header.index(GRID)] for row in rows} == {
        "nano-xs": "4, 8", "nano-s": "1, 2, 4, 8", "nano-m": "1, 2, 4, 8",
    }  # fmt: skip
    assert "best of" not in matched_summary(points, outcomes)
    _, claim = told(points, outcomes)
    assert "mean of 2 bases" in claim.reason
    assert "best of 1, 2, 4, 8 epochs" in claim.reason


def test_a_grid_that_was_tried_at_another_rate_alone_takes_no_control_away(tmp_path: Path):
    """Settings at the other rate are left out; of what is kept there is one grid, and RFT is 10 points above it."""
    narrow, wide = SPELLED[0][::-1]
    specs = grid(models=MODELS, fracs=(1.0,), ks=(4,), methods=("sft", "rft"), seeds=range(2))
    for spec in grid(models=MODELS, fracs=(1.0,), methods=(BEST,), seeds=range(2)):
        specs += [{**spec, EPOCH_GRID: narrow}, {**spec, EPOCH_GRID: wide, "train.lr": 1e-4}]
    truth = ByGrid(num_items=2000, replicate_sd=0.2)
    table, outcomes = verified(load_studies([write_study(tmp_path, specs=specs, truth=truth)]))
    recipe = main_recipe(make_points(table.cells, outcomes))
    assert recipe.left_out == {"train.lr": {"0.0001": len(MODELS)}}
    assert [p.cell.setting[EPOCH_GRID] for p in recipe.points if p.method == BEST] == [narrow] * len(MODELS)
