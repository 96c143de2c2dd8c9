"""A method that the analysis has never heard of is in every table and figure, with title, look, control and facts."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from synthetic_study import Truth, grid, write_study

from analysis.figures.drawing import Drawing, method_looks
from analysis.load.checks import verified
from analysis.load.labels import method_label, series_by_label
from analysis.load.outcomes import Outcomes
from analysis.load.points import Point, make_points
from analysis.load.query import where
from analysis.load.studies import load_studies
from analysis.plan.planner import next_runs
from analysis.report.sections import results_section
from analysis.study import draw_all
from analysis.style import FREE_COLOURS, FREE_MARKERS, METHODS, UNION_STYLES, method_styles
from analysis.tables.grids import Grid, paper_tables
from analysis.tables.matched import compared, matched_summary
from analysis.tables.results import records_csv, results_rows

TITLE, CONTROL = "toy method", "SFT, steps of toy method"
TRUTH = Truth(num_items=120, num_full=64, at_full=40.0, control={"sft_matched": 1.0, "toy_method": 9.0})
OWN = {"methods.toy_method.rounds": 2}


def toy_specs(*, ks: tuple[int | None, ...] = (1, 4), fracs: tuple[float, ...] = (0.5, 1.0)) -> list[dict[str, object]]:
    common = [
        {"model": model, "k": k, "seed": seed, "title": TITLE, **OWN}
        for model in ("nano-s", "nano-m", "nano-l")
        for k in ks
        for seed in range(2)
    ]
    toy = [{**spec, "method": "toy_method", "data_frac": frac} for spec in common for frac in fracs]
    control = {"method": "sft_matched", "data_frac": 1.0, "title": "SFT, matched steps", "to": "toy_method"}
    return [*toy, *({**spec, **control} for spec in common)]


@dataclass(frozen=True)
class Drawn:
    points: list[Point]
    outcomes: Outcomes
    figures: Mapping[str, Drawing]
    grids: Mapping[str, Grid]
    folder: Path


def drawn(folder: Path, specs: list[dict[str, object]]) -> Drawn:
    write_study(folder, specs=specs, truth=TRUTH, vote_k=4, paths=True)
    table, outcomes = verified(load_studies([folder]))
    points = make_points(table.cells, outcomes)
    figures = {d.name: d for d in draw_all(points, outcomes) if isinstance(d, Drawing)}
    return Drawn(points, outcomes, figures, paper_tables(table, Outcomes({}, {})), folder)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    specs = [*grid(models=("nano-s", "nano-m", "nano-l"), seeds=range(2)), *toy_specs()]
    return drawn(tmp_path_factory.mktemp("toy") / "s", specs)


def legend_of(drawing: Drawing) -> list[str]:
    """What a figure names its series: in a legend, or beside the ends of their lines."""
    listed = [text for legend in drawing.figure.legends for text in legend.get_texts()]
    return [text.get_text() for text in (*listed, *(text for axes in drawing.figure.axes for text in axes.texts))]


LEGENDS = {
    "accuracy_vs_data": {f"{TITLE} k=1", f"{TITLE} k=4", f"{CONTROL} k=1", f"{CONTROL} k=4"},
    "accuracy_vs_loss": {f"{TITLE} k=4"},
    "accuracy_vs_k": {TITLE, CONTROL, "RFT", "SFT, matched steps"},
    "distinct_vs_k": {f"nano-s, {TITLE}", "nano-s"},
    "all_vs_loss": {f"{TITLE} k=1", f"{TITLE} k=4"},
    "accuracy_vs_distinct": {f"nano-m, {TITLE}", "nano-m"},
    "accuracy_vs_cost": {TITLE, CONTROL},
    "votes_vs_k": {f"{TITLE} k=4", f"{CONTROL} k=4"},
    "emitted_paths": {f"{TITLE} k=4", f"{CONTROL} k=4"},
}


@pytest.mark.parametrize("name", LEGENDS)
def test_figures_show_it_by_the_title_of_its_record(study: Drawn, name: str):
    shown = legend_of(study.figures[name])
    assert set(shown) >= LEGENDS[name], shown
    assert not any("toy_method" in label for label in shown)


def test_histograms_have_a_row_for_its_draws(study: Drawn):
    names = {str(entry["series"]) for entry in study.figures["path_histograms"].fits}
    assert {"nano-s, correct", f"nano-s, {TITLE}, correct", f"nano-l, {TITLE}, distinct"} <= names


def test_its_fits_are_beside_those_of_rft(study: Drawn):
    entries = {str(fit["series"]): fit for fit in study.figures["accuracy_vs_loss"].fits}
    toy, rft = (entries[f"accuracy against pretraining loss, {name} k=4"] for name in (TITLE, "RFT"))
    assert toy["n"] == rft["n"] == 3
    truth = {p.cell.loss: p.estimate.value for p in where(study.points, method="toy_method", k=4, data_frac=1)}
    assert dict(zip(toy["x"], toy["y"], strict=True)) == pytest.approx(truth)


def test_tables_have_its_rows_columns_and_facts(study: Drawn):
    one, two, four, five, six = (study.grids[f"table{i}"] for i in (1, 2, 4, 5, 6))
    assert one.header[-1] == TITLE
    (top,) = where(study.points, method="toy_method", model="nano-s", k=4, data_frac=1)
    row = next(row for row in one.rows if row[0] == "nano-s")
    assert row[-1].startswith(f"{top.estimate.value:.1f} ±")
    assert f"nano-s, {TITLE}" in two.header
    counted = two.rows[-1][two.header.index(f"nano-s, {TITLE}")]
    assert counted == f"{top.mean_of('distinct_per_question'):.2f}"
    assert ("nano-m", f"{TITLE} k=4") in {row[:2] for row in four.rows}
    labels = [row[0] for row in five.rows]
    assert labels[-6:] == [*[f"{TITLE} k=1", f"{TITLE} k=4"] * 2, f"{CONTROL} k=1", f"{CONTROL} k=4"]
    assert {f"{TITLE} k=4", f"{CONTROL} k=4"} <= {row[1] for row in six.rows}


def test_results_name_it_and_its_control_one_after_the_other(study: Drawn):
    table = load_studies([study.folder])
    header, rows = results_rows(table, Outcomes({}, {}))
    shown = [row[header.index("method")] for row in rows if row[0] == "nano-s" and row[header.index("data")] == "1"]
    assert shown == ["rft", "rft", "sft", "sft_matched", "sft_matched", TITLE, TITLE, CONTROL, CONTROL]
    (line, *_) = [
        r for r in csv.DictReader(records_csv(table, Outcomes({}, {})).splitlines()) if r["method"] == "toy_method"
    ]
    assert line["methods.toy_method.rounds"] == "2"


def test_its_gain_at_equal_steps_is_tabled_and_planned(study: Drawn):
    text = matched_summary(study.points, study.outcomes)
    assert text.startswith(f"RFT and {TITLE} minus SFT at equal steps alone")
    assert sum(f"  {TITLE}  " in line for line in text.splitlines()) == 6  # three models, two k
    options = next_runs(study.points, study.outcomes, target="rft_gain")
    assert any(TITLE in option.action for option in options)
    against = compared(study.points, study.outcomes)
    html = results_section(load_studies([study.folder]), study.points, study.outcomes, against=against)
    assert TITLE in html


def test_without_a_k_it_is_a_level_and_still_everywhere(tmp_path: Path):
    specs = [*grid(models=("nano-s", "nano-m", "nano-l"), seeds=range(2)), *toy_specs(ks=(None,), fracs=(1.0,))]
    found = drawn(tmp_path / "s", specs)
    assert f"{TITLE} (level)" in legend_of(found.figures["accuracy_vs_k"])
    assert TITLE in legend_of(found.figures["accuracy_vs_loss"])
    assert "" not in {row[-1] for row in found.grids["table1"].rows}


def test_numbers_of_other_methods_do_not_change_by_its_presence(study: Drawn, tmp_path: Path):
    specs = grid(models=("nano-s", "nano-m", "nano-l"), seeds=range(2))
    alone = drawn(tmp_path / "s", specs)
    for name, drawing in alone.figures.items():
        with_toy = {json.dumps(fit, sort_keys=True) for fit in study.figures[name].fits}
        assert {json.dumps(fit, sort_keys=True) for fit in drawing.fits} <= with_toy, name
    assert set(alone.grids["table5"].rows) <= set(study.grids["table5"].rows)


def test_its_look_is_its_own_and_the_same_in_every_study(study: Drawn):
    looks = method_looks(study.points)
    fixed = {(style.marker, style.colour) for style in (*METHODS.values(), *UNION_STYLES)}
    toy, control = looks["toy_method", False], looks["toy_method", True]
    assert toy.colour in FREE_COLOURS
    assert toy.marker in FREE_MARKERS
    assert len({(toy.marker, toy.colour), (control.marker, control.colour), *fixed}) == len(fixed) + 2
    assert method_looks(where(study.points, method="toy_method"))["toy_method", False] == toy


def test_many_unknown_methods_have_colours_of_their_own():
    names = {f"method_{i}": f"method {i}" for i in range(len(FREE_COLOURS))}
    styles = method_styles(names)
    assert len({style.colour for style in styles.values()}) == len(FREE_COLOURS)
    assert method_styles(dict(reversed(names.items()))) == styles
    assert {style.colour for style in METHODS.values()}.isdisjoint(FREE_COLOURS)
    assert {style.marker for style in (*METHODS.values(), *UNION_STYLES)}.isdisjoint(FREE_MARKERS)


def test_series_stand_known_first_then_each_with_its_control(study: Drawn):
    labels = list(series_by_label(where(study.points, model="nano-s", data_frac=1)))
    assert labels[-4:] == [f"{TITLE} k=1", f"{TITLE} k=4", f"{CONTROL} k=1", f"{CONTROL} k=4"]
    assert all(TITLE not in label for label in labels[:-4])
    assert {method_label(p.cell) for p in study.points if p.cell.matched_to == "rft"} == {
        "SFT, matched steps k=1",
        "SFT, matched steps k=4",
    }
