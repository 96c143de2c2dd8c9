"""Whole studies: held-out truths never reach a prediction, rivals by brute force, cuts, names, sets, the command."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from synthetic_study import LOSS, PARAMS, Truth, grid, write_study

from analysis.claims.run import published_view
from analysis.compare.fits import keep_measurable
from analysis.load.checks import verified
from analysis.load.outcomes import Outcomes
from analysis.load.points import Point, make_points
from analysis.load.recipes import main_recipe
from analysis.load.studies import load_studies
from analysis.predict.axes import AXES, series_of
from analysis.predict.command import main
from analysis.predict.report import tables
from analysis.predict.rivals import LARGEST, LOG_LINEAR, PARAMETERS, rivals
from analysis.predict.rows import HoldOut, Row, every_row, named_rows, scores
from analysis.stats.prediction import Prediction

NOTHING = Outcomes({}, {})  # settings that are compared are of the same draws: no accuracy is worked out anew
MODELS = ("nano-xs", "nano-s", "nano-m", "nano-l")
TRUTH = Truth(num_items=2000, replicate_sd=0.3, draw_sd=0.3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four bases, the first two of them drawn twice; five amounts of data and five k."""
    common = {"fracs": (1 / 16, 0.125, 0.25, 0.5, 1.0), "ks": (1, 4, 16, 64, 256), "methods": ("sft",)}
    specs = grid(models=MODELS[:2], draws=(0, 1), **common) + grid(models=MODELS[2:], **common)
    specs += grid(models=("nano-m",), **{**common, "fracs": (1.0,), "methods": ("rft",)})
    return write_study(tmp_path_factory.mktemp("predict") / "s", specs=specs, truth=TRUTH)


@pytest.fixture(scope="module")
def points(folder: Path) -> Sequence[Point]:
    table, outcomes = verified(load_studies([folder]))
    return main_recipe(make_points(table.cells, outcomes)).points


def perturbed(points: Sequence[Point], held: set[str]) -> list[Point]:
    """The same points, but that some have measured something else."""
    return [_otherwise(point) if point.cell.setting_key + point.cell.base in held else point for point in points]


def _otherwise(point: Point) -> Point:
    one = point.estimate
    estimate = replace(one, value=97 - one.value, se=9.0, var_items=50.0, var_units=3.0)
    cells = [replace(c, scores={"maj1@1": replace(c.scores["maj1@1"], value=0.5, se=0.01)}) for c in point.cells]
    return Point(tuple(cells), estimate)


def test_k_of_models_that_saw_no_sample_is_no_axis(points: Sequence[Point]):
    """The method `sampled` draws from an SFT model and trains none: its accuracy is the same cell's at every k."""
    assert series_of(points, NOTHING, axis=AXES["k"])
    untrained = [
        Point(tuple(replace(cell, num_augmented=0.0) for cell in point.cells), point.estimate) for point in points
    ]
    assert not series_of(untrained, NOTHING, axis=AXES["k"])
    assert series_of(untrained, NOTHING, axis=AXES["data_frac"])


def predictions(rows: Sequence[Row]) -> list[object]:
    return [(row.series.label, row.name, row.prediction, row.two_step, row.rivals, row.ratio) for row in rows]


@pytest.mark.parametrize("hold_out", ["model=nano-l", "data_frac=1", "data_frac=1/2,1", "k=256", "k=64,256"])
def test_held_out_truths_change_no_bit_of_a_prediction(points: Sequence[Point], hold_out: str):
    asked = HoldOut.parse(hold_out)
    rows = named_rows(points, NOTHING, asked)
    assert any(isinstance(row.prediction, Prediction) for row in rows)
    held = {
        point.cell.setting_key + point.cell.base
        for series in series_of(points, NOTHING, axis=asked.axis)
        for place, point in enumerate(series.points)
        if asked.holds(series, place)
    }
    changed = named_rows(perturbed(points, held), NOTHING, asked)
    assert repr(predictions(changed)) == repr(predictions(rows))
    assert [row.truth for row in changed] != [row.truth for row in rows]


def test_every_cut_is_as_blind(points: Sequence[Point]):
    for count in (1, 2):
        rows = [row for row in every_row(points, NOTHING, axes=["data_frac"]) if row.num_held == count]
        held = {p.cell.setting_key + p.cell.base for row in rows for p in row.series.points[-count:]}
        again = [
            row for row in every_row(perturbed(points, held), NOTHING, axes=["data_frac"]) if row.num_held == count
        ]
        assert repr(predictions(again)) == repr(predictions(rows))


def test_the_leak_test_would_find_a_leak(points: Sequence[Point]):
    """A fitted cell that measures something else does change the prediction."""
    rows = named_rows(points, NOTHING, HoldOut.parse("model=nano-l"))
    fitted = {p.cell.setting_key + p.cell.base for p in rows[0].fitted}
    assert repr(predictions(named_rows(perturbed(points, fitted), NOTHING, HoldOut.parse("model=nano-l")))) != repr(
        predictions(rows)
    )


def test_rivals_by_hand(points: Sequence[Point]):
    row = next(r for r in named_rows(points, NOTHING, HoldOut.parse("model=nano-l")) if r.series.label == "SFT")
    by_model = {p.cell.model: p.estimate.value for p in row.fitted}
    assert row.rivals[LARGEST] == by_model["nano-m"]
    compute = [math.log2(6 * PARAMS[m] * 2e6) for m in MODELS]
    line = np.polyfit(compute[:3], [by_model[m] for m in MODELS[:3]], 1)
    assert row.rivals[LOG_LINEAR] == pytest.approx(np.clip(np.polyval(line, compute[3]), 0, 100))
    counts = np.log2([PARAMS[m] for m in MODELS])  # of three bases the line stands, whatever is fitted
    line = np.polyfit(counts[:3], [by_model[m] for m in MODELS[:3]], 1)
    assert row.rivals[PARAMETERS] == pytest.approx(np.clip(np.polyval(line, counts[3]), 0, 100))
    line = np.polyfit([-LOSS[m] for m in MODELS[:3]], [by_model[m] for m in MODELS[:3]], 1)
    assert isinstance(row.prediction, Prediction)
    assert row.prediction.value == pytest.approx(np.polyval(line, -LOSS["nano-l"]))


def test_the_largest_seen_is_seen_at_the_ceiling_too(points: Sequence[Point]):
    """No form holds 99.5 %, but whoever guesses that nothing changes has seen it."""
    asked = HoldOut.parse("model=nano-l")
    (sft,) = (r for r in named_rows(points, NOTHING, asked) if r.series.label == "SFT")
    top = sft.fitted[-1]
    assert top.cell.model == "nano-m"
    lifted = Point(top.cells, replace(top.estimate, value=99.5))
    again = named_rows([lifted if p is top else p for p in points], NOTHING, asked)
    (row,) = (r for r in again if r.series.label == "SFT")
    assert row.left_out
    found = rivals(keep_measurable(row.fitted)[0], row.series, row.place, seen=row.fitted, relatives=[])
    assert found[LARGEST] == 99.5


def test_models_of_unlike_knowledge_stand_in_one_unit(points: Sequence[Point]):
    """The compute of one base is not known: FLOPs of the others beside its parameters would make it the smallest of all."""
    unknown = [
        Point(tuple(replace(c, pretrain_tokens=None, cost=()) for c in p.cells), p.estimate)
        if p.cell.model == "nano-l"
        else p
        for p in points
    ]
    for series in series_of(unknown, NOTHING, axis=AXES["model"]):
        assert series.names[-1] == "nano-l"
        assert [series.axis.size(p) for p in series.points] == [PARAMS[p.cell.model] for p in series.points]
    for series in series_of(points, NOTHING, axis=AXES["model"]):
        assert series.axis.unit == "pretraining compute"


def test_the_plane_of_data_is_over_all_bases(points: Sequence[Point]):
    rows = named_rows(points, NOTHING, HoldOut.parse("data_frac=1"))
    row = next(r for r in rows if r.series.label == "SFT, nano-s")
    cells = [p for p in points if p.method == "sft" and p.cell.data_frac != 1]
    design = [
        [1, math.log2(p.cell.data_frac or 1), math.log2(p.cell.num_params or 1)] for p in cells if p.estimate.value >= 2
    ]
    values = [p.estimate.value for p in cells if p.estimate.value >= 2]
    beta = np.linalg.lstsq(np.array(design), np.array(values), rcond=None)[0]
    assert row.rivals[PARAMETERS] == pytest.approx(float(beta @ [1, 0, math.log2(row.place.num_params or 1)]))


def test_what_is_left_out_at_the_floor_is_said(points: Sequence[Point]):
    """A base at 0 % enters no fit, and the table says of how many settings the fit is."""
    floor = [
        Point(p.cells, replace(p.estimate, value=0.0)) if (p.cell.model, p.cell.data_frac) == ("nano-xs", 1) else p
        for p in points
    ]
    asked = HoldOut.parse("model=nano-l")
    held = [tables(named_rows(one, NOTHING, asked), one, NOTHING).held.rows for one in (points, floor)]
    fitted = [{field[1]: field[3] for field in rows if field[0] == "SFT"} for rows in held]
    assert fitted == [{"nano-l": "3"}, {"nano-l": "2 of 3"}]
    reach = {(name, settings) for name, settings, _ in tables([], floor, NOTHING).reach.rows}
    assert ("SFT", "3 of 4") in reach


def test_cuts_hold_out_the_largest_and_scores_are_means(points: Sequence[Point]):
    rows = [row for row in every_row(points, NOTHING) if row.series.label == "SFT" and row.series.axis.name == "model"]
    assert [(row.num_held, row.name) for row in rows] == [
        (1, "nano-l"), (2, "nano-m"), (2, "nano-l"), (3, "nano-s"), (3, "nano-m"), (3, "nano-l"),
    ]  # fmt: skip
    assert [bool(row.refused) and "3 are needed" in row.refused for row in rows] == [False, *[True] * 5]
    told = [row for row in every_row(points, NOTHING) if not row.refused]
    found = scores(told)[LARGEST]
    errors = [(row.rivals[LARGEST] or 0) - (row.truth or 0) for row in told]
    assert found.rmse == pytest.approx(math.sqrt(sum(e * e for e in errors) / len(errors)))
    assert found.n == len(errors)


def test_a_setting_is_the_whole_configuration(tmp_path: Path):
    """Two learning temperatures are two studies: a series never mixes them."""
    fracs = (0.125, 0.25, 0.5, 1.0)
    specs = grid(models=("nano-m",), fracs=fracs, methods=("sft",))
    mixed = specs + [{**spec, "data.world.max_value": 9} for spec in specs[:2]]
    table, outcomes = verified(load_studies([write_study(tmp_path / "s", specs=mixed, truth=TRUTH)]))
    main_points = main_recipe(make_points(table.cells, outcomes)).points
    (series,) = series_of(main_points, NOTHING, axis=AXES["data_frac"])
    assert len({p.cell.setting.get("data.world.max_value") for p in series.points}) == 1
    assert len(series.points) == len({p.cell.data_frac for p in series.points})


def test_an_amount_that_nobody_measured_is_predicted_without_a_truth(points: Sequence[Point]):
    rows = named_rows(points, NOTHING, HoldOut.parse("k=1024"))
    assert {row.truth for row in rows} == {None}
    assert not scores(rows)
    assert all(field[8] == "not yet" for field in tables(rows, points, NOTHING).held.rows)


@pytest.mark.parametrize(
    ("hold_out", "message"),
    [
        ("epochs=3", "none of model=NAME, data_frac=NUMBER, k=NUMBER"),
        ("model=", "none of model=NAME"),
        ("k=many", "'many' is no number: give 0.5, 1/8 or 16"),
        ("model=nano-z", "no base is called 'nano-z'; there are nano-l, nano-m, nano-s, nano-xs"),
        ("model=nano-xs,nano-s,nano-m,nano-l", "no series has model="),
        ("k=0", "'0' is no amount: give one above 0"),
    ],
)
def test_the_command_says_what_it_cannot_do(folder: Path, hold_out: str, message: str, tmp_path: Path, capsys):
    assert main([str(folder), "--hold-out", hold_out, "--out", str(tmp_path)]) == 2
    assert message in capsys.readouterr().err


def test_the_command_names_the_set_and_writes_table_and_figure(folder: Path, tmp_path: Path, capsys):
    assert main([str(folder), "--out", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "Test set: world-easy." in text
    assert "cannot be predicted from these cells" in text
    assert (tmp_path / "prediction.png").stat().st_size > 10_000
    assert (tmp_path / "prediction.csv").read_text().startswith("series,held out,size")
    assert main([str(folder), "--test-set", "svamp", "--out", str(tmp_path)]) == 2
    assert "no cell was scored on the test set 'svamp'" in capsys.readouterr().err


def test_two_settings_predict_nothing(tmp_path: Path, capsys):
    study = write_study(tmp_path / "s", specs=grid(models=("nano-s", "nano-m"), methods=("icl",)), truth=TRUTH)
    assert main([str(study)]) == 0
    text = capsys.readouterr().out
    assert "1 fitted setting, 3 are needed" in text
    assert "no figure: not enough data" in text


def test_the_published_study_is_predicted_from_its_smaller_bases():
    """The line of Fig. 2 without 70B, by numpy alone, and the paper's value beside it."""
    row = next(r for r in every_row(published_view().points, NOTHING, axes=["model"]) if r.series.label == "SFT")
    losses, values = [1.80, 1.75, 1.73, 1.68, 1.62, 1.57], [35.9, 41.6, 43.0, 50.0, 54.6, 59.3]
    assert isinstance(row.prediction, Prediction)
    assert row.prediction.value == pytest.approx(np.polyval(np.polyfit(losses, values, 1), 1.50))
    assert (row.name, row.truth) == ("LLaMA2-70B", pytest.approx(63.2))
    assert row.prediction.covers(63.2)
    assert row.two_step is not None
    assert row.ratio == pytest.approx(8.4 / 5.5)
