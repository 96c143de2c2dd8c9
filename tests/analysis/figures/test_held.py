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
from analysis.figures.exchange import exchange_figure
from analysis.figures.gains import gain_against_loss, self_made
from analysis.figures.over_sft import _Panel, _words, rft_over_sft
from analysis.figures.paths import distinct_against_k
from analysis.figures.votes import votes_against_k
from analysis.load.checks import verified
from analysis.load.outcomes import Outcomes
from analysis.load.points import Point, make_points
from analysis.load.studies import load_studies
from analysis.stats.uncertainty import Kind, nested_mean

SMALL = Truth(num_items=300, num_full=64, replicate_sd=0.4, draw_sd=2.0)


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
    points, outcomes = loaded(tmp_path / "s", several)
    assert {len(p.cells) for p in points} == {12}
    drawing = of(distinct_against_k(scattered(points), outcomes))
    assert "Bars: 95 % t-intervals over 6 draws (new bases of this kind). " in drawing.caption
    assert "No interval: all replicates count the same." in of(distinct_against_k(points, outcomes)).caption
    one = [
        {**spec, "pretrain_seed": 0}
        for spec in grid(models=("nano-m",), fracs=(1.0,), methods=("rft",), seeds=range(3))
    ]
    points, outcomes = loaded(tmp_path / "t", [*several, *one])
    words = "over 6 draws (new bases of this kind), 3 replicates (these bases). "
    assert words in of(distinct_against_k(scattered(points), outcomes)).caption


def test_bars_of_differences_say_what_they_hold(tmp_path: Path) -> None:
    drawing = of(rft_over_sft(*loaded(tmp_path / "s", mixed(fracs=(1.0,), ks=(4,), methods=("sft", "rft")))))
    assert "thick, of these bases as they are (item noise only where a draw has one replicate)" in drawing.caption
    assert "thin, of new bases of this kind (draws too)" in drawing.caption
    assert "none where fewer than 5 draws" in drawing.caption


def test_a_mean_of_bases_of_one_draw_has_a_bar_over_bases() -> None:
    """None of six bases shows what its draw does; their mean shows what another base would."""
    rng = np.random.default_rng(4)
    bases = [[rng.normal(level, 3.0, (1, 300))] for level in rng.normal(2.0, 1.0, 6)]
    words = _words(
        [*(nested_mean([base]) for base in bases), nested_mean(bases)], [_Panel("minus SFT", {})], several=True
    )
    assert "thin, of new bases of this kind (of means: over bases, a base's own draw inside)" in words


def test_curves_in_the_file_alone_say_nothing_of_the_shades(tmp_path: Path) -> None:
    """Votes of SFT at its validated budget are not drawn, and they alone have six draws."""
    specs = [{**spec, "pretrain_seed": 0} for spec in grid(models=("nano-s",), fracs=(1.0,), methods=("sft",))]
    specs += grid(models=("nano-s",), fracs=(1.0,), methods=("sft_best",), draws=range(6))
    drawing = of(votes_against_k(*loaded(tmp_path / "s", specs, vote_k=4)))
    assert f"Shaded: 95 %, {Kind.ITEMS.value}. " in drawing.caption
    assert "In fits.json alone: SFT" in drawing.caption


def test_parts_of_a_gain_have_intervals_of_their_own_kind(tmp_path: Path) -> None:
    """The rate rests on six draws, and the parts, all beside an oracle of one draw, on that one."""
    one = {"models": ("nano-s",), "fracs": (1.0,), "ks": (16,)}
    specs = grid(methods=("sft", "sft_matched", "rft"), draws=range(6), **one)
    fresh = grid(methods=("fresh_human",), draws=range(6), **one)
    specs += [{**spec, "fresh": count} for spec in fresh for count in (32, 64, 128)]
    specs += [{**spec, "pretrain_seed": 0} for spec in grid(methods=("oracle_paths",), **one)]
    points, outcomes = loaded(tmp_path / "s", specs)
    text = of(exchange_figure(points, outcomes)).caption
    assert f"95 % intervals: {Kind.DRAWS.value} (Fieller)" in text
    assert f"in parts (95 %: {Kind.ITEMS.value}). Parts of nano-s: of the 1 of RFT's 6 cells" in text
