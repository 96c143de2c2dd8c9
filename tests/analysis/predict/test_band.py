"""The figure of predictions: its band is the interval of table and bar; what stands aside, and what is left out, is said."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from synthetic_study import Truth, grid, write_study

from analysis.claims.run import published_view
from analysis.figures.drawing import Drawing
from analysis.load.checks import verified
from analysis.load.outcomes import Outcomes
from analysis.load.points import Point, make_points
from analysis.load.studies import load_studies
from analysis.predict import figure as figures
from analysis.predict.figure import prediction_figure
from analysis.predict.report import report, tables
from analysis.predict.rows import HoldOut, every_row, named_rows
from analysis.stats.linear import NotEnough
from analysis.stats.prediction import Prediction, Seen, predict
from analysis.style import HEADLINE, unbroken

FRACS = (0.125, 0.25, 0.5, 0.75, 1.0)
MODELS = ("nano-xs", "nano-s", "nano-m", "nano-l")
FAR_APART = Truth(
    draw_sd=8.0, gain_sd=0.6, replicate_sd=0.6, per_doubling=3.0, at_full=44.0, per_loss=-20, num_items=1319
)


def studied(folder: Path, specs: list[dict[str, Any]]) -> tuple[list[Point], Outcomes]:
    table, outcomes = verified(load_studies([write_study(folder, specs=specs, truth=FAR_APART, rng_seed=3)]))
    return make_points(table.cells, outcomes), outcomes


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Point], Outcomes]:
    """Bases whose draws lie ten points apart: what one draw has of one amount it has of all."""
    specs = grid(models=MODELS, draws=range(5), fracs=FRACS, methods=("sft",))
    return studied(tmp_path_factory.mktemp("band") / "s", specs)


def bands(drawing: Drawing) -> dict[str, list[tuple[float, float, float]]]:
    """By the label of a panel (place on its axis, lower end, upper end), as drawn."""
    found = {}
    for axes in drawing.figure.axes:
        if axes.collections:
            corners = axes.collections[0].get_paths()[0].vertices
            xs = sorted({float(x) for x, _ in corners})
            ends = {x: [float(y) for u, y in corners if u == x] for x in xs}
            found[axes.get_title().partition(" (")[0]] = [(x, min(ends[x]), max(ends[x])) for x in xs]
    return found


PUBLISHED = "model=LLaMA2-70B"


@pytest.mark.parametrize("hold_out", [None, "data_frac=1", "data_frac=0.75,1", PUBLISHED])
def test_band_bar_and_table_are_one_interval(study: tuple[list[Point], Outcomes], hold_out: str | None) -> None:
    """The band was up to 98 points wide where the bar had 17."""
    study = (list(published_view().points), published_view().outcomes) if hold_out == PUBLISHED else study
    rows = every_row(*study) if hold_out is None else named_rows(*study, HoldOut.parse(hold_out))
    drawing = prediction_figure(rows)
    assert isinstance(drawing, Drawing)
    drawn, table = bands(drawing), tables(rows, *study).held.rows
    first = [row for row in rows if row.num_held == rows[0].num_held and not row.refused]
    assert {row.series.label for row in first} == set(drawn)
    assert first
    for row in first:
        one = row.prediction
        assert isinstance(one, Prediction)
        at = -row.place.coordinate if row.series.axis.of_models else 2.0**row.place.coordinate
        _, low, high = min(drawn[row.series.label], key=lambda band: abs(band[0] - at))
        assert (low, high) == pytest.approx((one.low, one.high))
        fields = [field[6] for field in table if field[:2] == (row.series.label, row.name)]
        assert fields == [f"{low:.1f} to {high:.1f}"]


def test_the_band_is_narrow_where_draws_cancel(study: tuple[list[Point], Outcomes]) -> None:
    """As from settings whose draws are unlike, it would be three times as wide."""
    (row, *_) = every_row(*study, axes=["data_frac"])
    used, axis = row.fitted, row.series.axis
    apart = [Seen.of(axis.coordinate(p) or 0.0, p.estimate) for p in used]
    plain = predict(apart, row.told.target(row.place.coordinate))
    assert isinstance(plain, Prediction)
    assert isinstance(row.prediction, Prediction)
    drawing = prediction_figure([row])
    assert isinstance(drawing, Drawing)
    (band,) = bands(drawing).values()
    widths = [high - low for _, low, high in band]
    assert max(widths) < (plain.high - plain.low) / 3


def test_the_title_says_the_finding_of_every_series(
    study: tuple[list[Point], Outcomes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stood behind the caption, and counted the panels alone."""
    monkeypatch.setattr(figures, "MOST_PANELS", 2)
    rows = [row for row in every_row(*study) if row.num_held == 1 and not row.refused]
    inside = sum(isinstance(r.prediction, Prediction) and r.prediction.covers(r.truth or 0.0) for r in rows)
    drawing = prediction_figure(rows)
    assert isinstance(drawing, Drawing)
    assert len([axes for axes in drawing.figure.axes if axes.collections]) == 2 < len({r.series.label for r in rows})
    assert drawing.finding == f"{inside} of {len(rows)} held-out cells lie inside their 95 % prediction interval"
    assert drawing.finding not in drawing.words
    heads = " ".join(text.get_text() for text in drawing.figure.texts if text.get_gid() == HEADLINE)
    assert heads == f"{unbroken(drawing.finding)} Prediction"


def held(points: Sequence[Point], outcomes: Outcomes) -> dict[str, tuple[str, str]]:
    """Of the amount 1 held out: by series what is measured, and what is predicted."""
    rows = named_rows(points, outcomes, HoldOut.parse("data_frac=1"))
    fields = tables(rows, points, outcomes).held.rows
    return {field[0]: (field[8], field[5]) for field in fields}


def test_a_held_out_amount_that_stands_aside_is_no_cell_that_is_not_measured_yet(tmp_path: Path) -> None:
    """All data in one draw of six; of one base in all draws, beside which the other had no row."""
    models = ("nano-s", "nano-m")
    fewer = grid(models=models, draws=range(6), fracs=FRACS[:4], methods=("sft",))
    thin = grid(models=models, draws=(2,), fracs=(1.0,), methods=("sft",))
    rest = grid(models=("nano-m",), draws=(0, 1, 3, 4, 5), fracs=(1.0,), methods=("sft",))
    points, outcomes = studied(tmp_path / "thin", fewer + thin)
    assert {name: measured for name, (measured, _) in held(points, outcomes).items()} == {
        "SFT, nano-s": "left out: 1 draw",
        "SFT, nano-m": "left out: 1 draw",
    }
    points, outcomes = studied(tmp_path / "more", fewer + thin + rest)
    found = held(points, outcomes)
    assert found["SFT, nano-s"][0] == "left out: 1 draw"
    (whole,) = [p for p in points if p.cell.model == "nano-m" and p.cell.data_frac == 1]
    assert found["SFT, nano-m"][0] == f"{whole.estimate.value:.1f}"
    rows = named_rows(points, outcomes, HoldOut.parse("data_frac=1"))
    said = " ".join(report(rows, points, outcomes).split())
    common = "6 draws (pretrain_seed 0, 1, 2, 3, 4, 5) in common."
    assert f"data_frac = 1, run in 1 draw (pretrain_seed 2), where the others have {common}" in said
    assert "Left out: measured, but in draws of the base" in said
    never = named_rows(points, outcomes, HoldOut.parse("data_frac=0.625"))
    assert [row.apart for row in never] == [None, None]


def test_draws_that_not_all_settings_have_are_named(tmp_path: Path) -> None:
    """All data in six draws, its parts in four of them: two draws are in no prediction."""
    specs = grid(models=("nano-s",), draws=range(4), fracs=FRACS[:4], methods=("sft",))
    specs += grid(models=("nano-s",), draws=range(6), fracs=(1.0,), methods=("sft",))
    points, outcomes = studied(tmp_path / "s", specs)
    rows = every_row(points, outcomes, axes=["data_frac"])
    names = "data_frac = 0.125, 0.25, 0.5, 0.75, 1"
    said = tables(rows, points, outcomes).refusals
    assert f"Left out of SFT, nano-s: 2 draws (pretrain_seed 4, 5) that not all of {names} have." in said
    truths = [100 * c.accuracy.value for p in points for c in p.cells if c.data_frac == 1 and c.accuracy]
    assert rows[0].truth == pytest.approx(np.mean(truths[:4]))
    assert not isinstance(rows[0].prediction, NotEnough)
