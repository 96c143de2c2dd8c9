"""Replicates that agree by chance are no proof; figures and tables of an earlier drawing do not stay beside the new ones."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pictures import pictures
from synthetic_study import Truth, grid, write_study

from analysis.compare.comparisons import Verdict, judge
from analysis.compare.loss_fits import fit_on_loss
from analysis.load.ladders import shared_tops
from analysis.load.outcomes import Outcomes
from analysis.load.points import make_points
from analysis.load.studies import load_studies
from analysis.stats.uncertainty import crossed_mean, nested_mean
from analysis.study import draw_study
from rft.records import read_json, write_json

SMALL = Truth(num_items=40, num_full=32)


def test_equal_replicates_have_the_error_of_their_problems() -> None:
    """Two runs, each right on 20 of 60: what 40 hits of 120 independent trials have."""
    right = np.zeros((2, 60))
    right[0, :20] = right[1, 13:33] = 1  # in common 7, as of independent runs
    assert crossed_mean(right).se == pytest.approx(math.sqrt(2 / 9 / 120), rel=0.03)


def test_one_problem_in_each_of_five_runs_is_no_certainty() -> None:
    """RFT right on one problem of 60, another in every run, its control on none: it was 'supported, p 1.7e-18'."""
    gained = np.zeros((5, 60))
    gained[range(5), range(5)] = 1.0
    estimate = nested_mean([[run[None] for run in gained]], bounds=(-1.0, 1.0)).scaled(100)  # each on a base of its own
    assert estimate.new_bases is estimate
    assert estimate.p_value() > 0.05
    assert judge(estimate).verdict is Verdict.NOT_SEPARABLE


def test_losses_of_other_texts_are_on_no_line(tmp_path: Path) -> None:
    specs = grid(models=("nano-s", "nano-m", "nano-l"), fracs=(1.0,), methods=("sft",))
    cells = list(load_studies([write_study(tmp_path / "s", specs=specs, truth=SMALL)]).cells)
    points = make_points(cells, Outcomes({}, {}))
    assert fit_on_loss(points, [1.0, 2.0, 3.5], what="x")
    mixed = make_points([replace(cells[0], loss_text="another"), *cells[1:]], Outcomes({}, {}))
    assert "on different texts" in str(fit_on_loss(mixed, [1.0, 2.0, 3.5], what="x"))


def test_a_claim_over_bases_is_of_one_k(tmp_path: Path) -> None:
    """One base has k = 16 too: the mean over bases is at k = 4, which both have."""
    specs = grid(models=("nano-s", "nano-m"), fracs=(1.0,), ks=(4, 16), methods=("rft",))
    specs = [spec for spec in specs if (spec["model"], spec["k"]) != ("nano-m", 16)]
    points = make_points(load_studies([write_study(tmp_path / "s", specs=specs, truth=SMALL)]).cells, Outcomes({}, {}))
    assert [(p.cell.model, p.cell.k) for p in shared_tops(points)] == [("nano-s", 4), ("nano-m", 4)]


def test_a_repeat_with_other_counts_is_refused(tmp_path: Path) -> None:
    specs = grid(models=("nano-s",), fracs=(1.0,), ks=(4,), methods=("rft",))
    one, two = (write_study(tmp_path / name, specs=specs, truth=SMALL) for name in "ab")
    row = read_json(two / "0" / "record.json")
    row["data"]["distinct_per_question"] = 3.0
    write_json(two / "0" / "record.json", row)
    with pytest.raises(ValueError, match=r"distinct_per_question is .* and 3.0"):
        load_studies([one, two])


@pictures("png", "svg")
def test_what_a_study_lost_leaves_its_figures_folder(tmp_path: Path) -> None:
    folder, out = tmp_path / "s", tmp_path / "out"
    write_study(folder, specs=grid(models=("nano-s",), methods=("sft", "rft")), truth=SMALL)
    draw_study([folder], out=out)
    (out / "mine.png").write_bytes(b"of the user")
    before = {path.name for path in out.iterdir()}
    assert {"accuracy_vs_k.png", "accuracy_vs_k.svg", "table2.md", "table2.tex", "table2.csv"} <= before
    manifest = read_json(folder / "study.json")
    kept = [entry for entry in manifest["cells"] if "_rft_" not in entry["cell_id"]]
    write_json(folder / "study.json", manifest | {"cells": kept})
    draw_study([folder], out=out)
    after = {path.name for path in out.iterdir()}
    assert not {"accuracy_vs_k.png", "accuracy_vs_k.svg", "table2.md", "table2.tex", "table2.csv"} & after
    assert {"accuracy_vs_data.png", "table1.md", "mine.png"} <= after


def test_what_rounding_leaves_of_a_slope_of_zero_is_no_finding():
    """Every setting right on the very same problems: the true slope is 0, and weights times accuracies sum to 1e-15."""
    rng = np.random.default_rng(0)
    for _ in range(50):
        doublings = np.log2(np.sort(rng.uniform(0.05, 3, 3)))
        weights = 100 * (doublings - doublings.mean()) / ((doublings - doublings.mean()) ** 2).sum()
        right = np.repeat((rng.random((5, 1, 64)) < 0.3).astype(float), 3, axis=1)
        slopes = np.einsum("j,rji->ri", weights, right)
        found = crossed_mean(slopes, bounds=(weights.clip(max=0).sum(), weights.clip(0).sum()))
        low, high = found.interval(level=0.95)
        assert low < 0 < high
        assert found.p_value() == 1.0
