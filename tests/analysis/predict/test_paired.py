"""Predictions of amounts and k on the draws that there are: what cancels, against differences of pairs; coverage."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from synthetic_study import Truth, grid, write_study

from analysis.load.checks import verified
from analysis.load.outcomes import Outcomes
from analysis.load.points import Point, make_points
from analysis.load.studies import load_studies
from analysis.predict.axes import AXES, series_of
from analysis.predict.paired import seen_of
from analysis.predict.report import report, tables
from analysis.predict.rows import every_row, predicted
from analysis.stats.prediction import Prediction, Seen, Target, predict

N = 1319
DATA = AXES["data_frac"]
NOTHING = Outcomes({}, {})  # all settings are of the same draws: no accuracy is worked out anew


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory) -> list[Point]:
    """Two bases that differ by ten points from draw to draw, all amounts alike."""
    specs = grid(models=("nano-s", "nano-m"), draws=range(5), fracs=(0.125, 0.25, 0.5, 1.0), methods=("sft",))
    truth = Truth(draw_sd=10.0, gain_sd=1.0, replicate_sd=1.0, per_doubling=4.0, num_items=N)
    table, outcomes = verified(
        load_studies([write_study(tmp_path_factory.mktemp("paired") / "s", specs=specs, truth=truth)])
    )
    return make_points(table.cells, outcomes)


def test_what_a_draw_does_to_every_amount_cancels(points: list[Point]) -> None:
    """Half the mean variance, from draw to draw, of the differences of two amounts: the textbook's interaction."""
    for series in series_of(points, NOTHING, axis=DATA):
        accuracy = {
            p.cell.data_frac: {c.draw: 100 * c.accuracy.value for c in p.cells if c.accuracy} for p in series.points
        }
        pairs = [
            np.var([one[d] - other[d] for d in one], ddof=1) / 2
            for one, other in itertools.combinations(accuracy.values(), 2)
        ]
        seen = seen_of(series.points, DATA)
        assert [cell.unit for cell in seen] == pytest.approx([float(np.mean(pairs))] * 4)
        assert seen[0].unit < 10 < Seen.of(0, series.points[0].estimate).unit


def test_settings_of_other_draws_are_not_paired(points: list[Point]) -> None:
    series = series_of(points, NOTHING, axis=DATA)[0]
    fewer = Point(series.points[-1].cells[:3], series.points[-1].estimate)
    plain = [Seen.of(DATA.coordinate(p) or 0, p.estimate) for p in series.points[:3]]
    assert seen_of(series.points[:3], DATA, beside=[fewer]) == plain
    assert seen_of(series.points[:3], DATA, beside=[series.points[-1]]) != plain
    assert [cell.unit for cell in seen_of(series.points[:3], AXES["model"])] == [cell.unit for cell in plain]


def test_a_line_of_draws_far_apart_is_predicted(points: list[Point]) -> None:
    """Three amounts of two bases: it was 'interval 100 points wide'."""
    rows = [row for row in every_row(points, NOTHING, axes=["data_frac"]) if row.num_held == 1]
    assert len(rows) == 2
    for row in rows:
        assert isinstance(row.prediction, Prediction)
        assert row.prediction.high - row.prediction.low < 35
        assert row.truth is not None
        assert row.prediction.covers(row.truth)


def test_an_amount_of_other_draws_is_left_out_by_name_and_the_rest_is_predicted(tmp_path: Path) -> None:
    """One amount of a draw that no other has took the whole series with it, without a word."""
    common = {"models": ("nano-s",), "methods": ("sft",)}
    specs = grid(**common, draws=range(3), fracs=(0.125, 0.25, 0.5, 1.0)) + grid(**common, draws=(9,), fracs=(0.0625,))
    table, outcomes = verified(load_studies([write_study(tmp_path / "s", specs=specs, truth=Truth(num_items=800))]))
    everything = make_points(table.cells, outcomes)
    for order in (everything, everything[::-1]):
        (series,) = series_of(order, outcomes, axis=AXES["data_frac"])
        assert (series.names, series.left_out) == (("0.125", "0.25", "0.5", "1"), ("0.0625",))
    rows = every_row(everything, outcomes, axes=("data_frac",))
    without = [p for p in everything if p.cell.data_frac != 0.0625]
    again = every_row(without, outcomes, axes=("data_frac",))
    assert [predicted(row, "one step") for row in rows] == [predicted(row, "one step") for row in again]
    said = " ".join(report(rows, everything, outcomes).split())
    aside = "data_frac = 0.0625, run in 1 draw (pretrain_seed 9), where the others have 3 draws (pretrain_seed 0, 1, 2)"
    assert f"Left out of SFT, nano-s: {aside} in common." in said
    assert "Left out" not in report(again, without, outcomes)


def test_amounts_of_few_draws_predict_those_draws(tmp_path: Path) -> None:
    """All data has six draws ten points apart, its fractions the first two: as in a study of these two draws alone.

    The mean of six was predicted from two of them, and missed by what the draws differ.
    """
    fractions = (0.125, 0.25, 0.5, 1.0)
    specs = grid(models=("nano-s",), draws=range(6), fracs=fractions, methods=("sft",))
    truth = Truth(draw_sd=10.0, replicate_sd=0.5, per_doubling=4.0, num_items=N)
    table, outcomes = verified(load_studies([write_study(tmp_path / "s", specs=specs, truth=truth)]))
    of_two = [cell for cell in table.cells if cell.seeds["pretrain_seed"] < 2]
    unlike = [cell for cell in table.cells if cell in of_two or cell.data_frac == 1]
    wanted, found = [
        every_row(make_points(cells, outcomes), outcomes, axes=["data_frac"]) for cells in (of_two, unlike)
    ]
    assert [row.truth for row in found] == [row.truth for row in wanted]
    assert repr([(row.prediction, row.rivals) for row in found]) == repr(
        [(row.prediction, row.rivals) for row in wanted]
    )
    measured = np.mean([100 * c.accuracy.value for c in of_two if c.data_frac == 1 and c.accuracy is not None])
    assert found[0].truth == pytest.approx(float(measured))
    settings = tables([], make_points(unlike, outcomes), outcomes).reach.rows
    assert settings == tables([], make_points(of_two, outcomes), outcomes).reach.rows


def test_amounts_that_share_no_draw_are_no_series(tmp_path: Path) -> None:
    specs = grid(models=("nano-s",), draws=range(2), fracs=(0.5, 1.0), methods=("sft",))
    table, outcomes = verified(load_studies([write_study(tmp_path / "s", specs=specs)]))
    apart = [c for c in table.cells if c.seeds["pretrain_seed"] == (c.data_frac == 1)]
    assert not series_of(make_points(apart, outcomes), outcomes, axis=DATA)
    assert series_of(make_points(table.cells, outcomes), outcomes, axis=DATA)


U = np.array([-3.0, -2, -1, 0])
LAWS = {"line": 45 + 4 * U, "sigmoid": 100 / (1 + np.exp(-(0.4 + 0.5 * U))), "ceiling": 70 - 4 * 2.0 ** (-0.6 * U)}


@dataclass(frozen=True)
class Kind:
    """How made-up studies are."""

    law: str = "line"
    bases: int = 5
    draws: int = 6
    off: float = 0.0  # standard deviation of a setting from the law, whatever the draw; points
    shared: float = 0.0  # ... of one draw's training set, the same for all bases


def study(rng: np.random.Generator, kind: Kind) -> tuple[list[list[Seen]], list[float]]:
    """Seen cells at three amounts of every base, and what each measures at the fourth, on the same draws and problems."""
    item = rng.normal(0, 1.2, N)
    sets = rng.normal(0, 1, (kind.draws, 4)) * kind.shared
    seen, truths = [], []
    for _ in range(kind.bases):
        law = LAWS[kind.law] + kind.off * rng.normal(0, 1, 4) + rng.normal(0, 5)
        percent = np.clip(law + rng.normal(0, 9, (kind.draws, 1)) + rng.normal(0, 1.5, (kind.draws, 4)) + sets, 2, 98)
        odds = np.log(percent / (100 - percent))
        right = rng.random((kind.draws, 4, N)) < 1 / (1 + np.exp(-(1.25 * odds[..., None] + item)))
        y = 100 * right.mean(-1)
        items = 100**2 * right.mean(0).var(-1, ddof=1) / N
        rest = y[:, :3] - y[:, :3].mean(0) - y[:, :3].mean(1, keepdims=True) + y[:, :3].mean()
        own = float((rest**2).sum() / (2 * (kind.draws - 1)))
        means = y.mean(0)
        seen.append(
            [Seen(float(a), float(m), float(v), own, kind.draws) for a, m, v in zip(U[:3], means, items, strict=False)]
        )
        truths.append(float(means[3]))
    return seen, truths


@pytest.mark.parametrize(
    ("kind", "least"),
    [(Kind(), 0.94), (Kind("sigmoid"), 0.94), (Kind("ceiling"), 0.94), (Kind(off=1.5), 0.92), (Kind(shared=4.0), 0.90),
     (Kind(bases=2, draws=3), 0.94)],
    ids=["line", "sigmoid", "ceiling", "settings off the law", "one training set for all bases", "small study"],
)  # fmt: skip
def test_intervals_hold_what_the_same_draws_measure(kind: Kind, least: float) -> None:
    """Problems are not paired, which makes intervals of true lines wider than they must be; what bases share, narrower."""
    rng = np.random.default_rng(31)
    inside, widths = [], []
    for _ in range(80):
        seen, truths = study(rng, kind)
        for place, truth in enumerate(truths):
            kin = [cells for other, cells in enumerate(seen) if other != place]
            found = predict(seen[place], Target(0.0, N, kind.draws), kin=kin)
            assert isinstance(found, Prediction)
            inside.append(found.covers(truth))
            widths.append(found.high - found.low)
    assert np.mean(inside) >= least
    if kind.bases == 5:
        assert np.median(widths) < 25


def test_kin_give_scatter_and_no_value() -> None:
    cells = [Seen(float(u), 40 + 4 * u + e, 0.5, 0.0, 1) for u, e in zip((-3, -2, -1), (0.1, -0.2, 0.1), strict=True)]
    rough = [replace(cell, percent=cell.percent + e) for cell, e in zip(cells, (3, -6, 3), strict=True)]
    alone, beside = predict(cells, Target(0, N, 1)), predict(cells, Target(0, N, 1), kin=[rough])
    assert isinstance(alone, Prediction)
    assert isinstance(beside, Prediction)
    assert beside.value == alone.value
    assert beside.parts.fit > alone.parts.fit
    short = predict(cells, Target(0, N, 1), kin=[rough[:2]])  # two places show no scatter about a line
    assert short == alone
