"""What a caption says of intervals is what the intervals that are drawn hold: of all of them, and of no other quantity.

Each study has a base of six draws beside one of a single draw, so that a caption read off one point is wrong of the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from synthetic_study import Truth, grid, write_study

from analysis.claims.run import study_view
from analysis.figures.drawing import Drawing
from analysis.figures.gains import gain_against_loss, self_made
from analysis.figures.over_sft import rft_over_sft
from analysis.figures.paths import distinct_against_k
from analysis.load.checks import verified
from analysis.load.outcomes import Outcomes
from analysis.load.points import Point, make_points
from analysis.load.studies import load_studies
from analysis.stats.uncertainty import Kind

SMALL = Truth(num_items=300, num_full=64, replicate_sd=0.4, draw_sd=2.0)


MODELS = ("nano-xs", "nano-s", "nano-m", "nano-l")


def loaded(folder: Path, specs: Sequence[dict[str, Any]], **options: Any) -> tuple[list[Point], Outcomes]:
    table, outcomes = verified(load_studies([write_study(folder, specs=specs, truth=SMALL, **options)]))
    return make_points(table.cells, outcomes), outcomes


def mixed(**options: Any) -> list[dict[str, Any]]:
    """nano-s with six draws, nano-m and nano-l with one."""
    one = [{**spec, "pretrain_seed": 0} for spec in grid(models=("nano-m", "nano-l"), **options)]
    return [*grid(models=("nano-s",), draws=range(6), **options), *one]


def scattered(points: Sequence[Point]) -> list[Point]:
    """With counts of distinct paths that differ from cell to cell."""
    rng = np.random.default_rng(3)
    return [
        replace(p, cells=tuple(replace(c, distinct_per_question=2.0 + rng.normal(0, 0.1)) for c in p.cells))
        for p in points
    ]


def of(drawn: object) -> Drawing:
    assert isinstance(drawn, Drawing), drawn
    return drawn


@pytest.mark.parametrize("backwards", [False, True])
def test_slopes_of_bases_with_many_draws_and_with_one_are_told_apart(tmp_path: Path, *, backwards: bool) -> None:
    points, outcomes = loaded(tmp_path / "s", mixed(methods=("sft",)))
    drawing = of(gain_against_loss(study_view(points[::-1] if backwards else points, outcomes)))
    assert f"Bars: 95 %, {Kind.ITEMS.value}; {Kind.DRAWS.value}." in drawing.caption


def test_a_difference_is_told_by_the_replicates_that_it_has_and_not_by_those_of_its_sides(tmp_path: Path) -> None:
    """Six draws of self-query, one of SFT: one pair."""
    specs = grid(models=("nano-s",), fracs=(1.0,), ks=(4,), methods=("self_query",), draws=range(6))
    specs += [{**spec, "pretrain_seed": 0} for spec in grid(models=("nano-s",), fracs=(1.0,), methods=("sft",))]
    points, outcomes = loaded(tmp_path / "s", specs)
    assert {p.estimate.kind for p in points if p.method == "self_query"} == {Kind.DRAWS}
    drawing = of(self_made(points, outcomes))
    assert [fit["estimate"]["holds"] for fit in drawing.fits] == [Kind.ITEMS.value]
    assert f"paired difference, {Kind.ITEMS.value}." in drawing.caption
    assert "new bases" not in drawing.caption


def test_paths_of_several_draws_are_not_counted_as_replicates(tmp_path: Path) -> None:
    """Twelve cells of six draws have an interval over six; three replicates of one draw one over three."""
    several = grid(models=("nano-s",), fracs=(1.0,), methods=("rft",), draws=range(6), seeds=range(2))
    points, _ = loaded(tmp_path / "s", several)
    assert {len(p.cells) for p in points} == {12}
    drawing = of(distinct_against_k(scattered(points)))
    assert "Bars: 95 % t-intervals over 6 draws (new bases of this kind). " in drawing.caption
    assert "No interval: all replicates count the same." in of(distinct_against_k(points)).caption
    one = [
        {**spec, "pretrain_seed": 0}
        for spec in grid(models=("nano-m",), fracs=(1.0,), methods=("rft",), seeds=range(3))
    ]
    points, _ = loaded(tmp_path / "t", [*several, *one])
    words = "over 6 draws (new bases of this kind), 3 replicates (these bases). "
    assert words in of(distinct_against_k(scattered(points))).caption


def test_thin_bars_of_means_over_bases_of_one_draw_are_of_bases(tmp_path: Path) -> None:
    """None of five bases shows what its draw does; their mean shows what another base would."""
    specs = [
        {**spec, "pretrain_seed": i, "model": model, "seed": i}
        for i, model in enumerate(MODELS)
        for spec in grid(models=(model,), fracs=(1.0,), ks=(4,), methods=("sft", "rft"))
    ]
    drawing = of(rft_over_sft(*loaded(tmp_path / "s", specs)))
    assert "thick, of these bases as they are (item noise only where a draw has one replicate)" in drawing.caption
    specs = mixed(fracs=(1.0,), ks=(4,), methods=("sft", "rft"))
    drawing = of(rft_over_sft(*loaded(tmp_path / "t", specs)))
    assert "thin, of new bases of this kind (draws too)" in drawing.caption
    assert "none where fewer than 5 draws" in drawing.caption
