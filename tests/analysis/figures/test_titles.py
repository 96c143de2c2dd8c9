"""Titles say what claims and fits say, sizes are those asked for, labels and ticks stand where a reader looks."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from pictures import pictures
from PIL import Image
from synthetic_study import Truth, grid, write_study

from analysis.claims.rulings import ClaimResult, Ruling
from analysis.claims.run import published_claims
from analysis.compare.comparisons import Standing
from analysis.compare.controls import harder
from analysis.figures.accuracy import accuracy_against_data, accuracy_against_loss
from analysis.figures.costs import accuracy_against_cost
from analysis.figures.drawing import Drawing, amount_text, decade_ticks, spread
from analysis.figures.findings import (
    claim_words,
    costs,
    gain_lines,
    gains_of,
    loss_lines,
    of_claims,
    of_rulings,
)
from analysis.figures.overview import sft_against_data
from analysis.load.studies import load_studies
from analysis.plot_scaling import main
from analysis.sizes import PAGES
from analysis.stats.uncertainty import Estimate, Kind
from analysis.style import HEADLINE, new_figure
from tests.analysis.figures.test_drawing import loaded

ESTIMATE = Estimate(2.0, 0.5, 9, 1, 100, Kind.BASES, num_draws=10, num_bases=10)


def ruled(ruling: Ruling, *, claim: str = "4b") -> ClaimResult:
    return ClaimResult(claim, "title", "statistic", ruling, "reason", estimate=ESTIMATE, margin=1.0)


@pytest.mark.parametrize(
    ("ruling", "said"),
    [
        (Ruling.SUPPORTED, "RFT beats SFT: +2.0 points (95 % +0.9 to +3.1)"),
        (Ruling.CONTRADICTED, "RFT trails SFT: +2.0"),
        (Ruling.EQUIVALENT, "RFT minus SFT: none beyond ±1 points"),
        (Ruling.NOT_SEPARABLE, "Nothing separates: RFT minus SFT +2.0 points"),
        (Ruling.NOT_TESTABLE, "RFT minus SFT on these bases: +2.0 points"),
    ],
)
def test_a_title_says_what_was_ruled(ruling: Ruling, said: str) -> None:
    assert claim_words(ruled(ruling)).startswith(said)


def test_a_title_of_a_difference_apart_from_0_says_what_keeps_it_from_a_verdict() -> None:
    """Self-query lies 20 points below SFT and only a positive control is missing; 'Nothing separates' was its title."""
    lower = replace(ruled(Ruling.NOT_SEPARABLE, claim="8a"), estimate=replace(ESTIMATE, value=-19.7))
    said = {one: claim_words(replace(lower, control=one)) for one in (Standing.NEVER, Standing.FLAT, Standing.FEW)}
    assert said[Standing.NEVER] == (
        "Self-query minus SFT is below 0, no paired positive control was run in each base: -19.7 points (95 % -20.8 to -18.6)"
    )
    assert said[Standing.FLAT].startswith("Self-query minus SFT is below 0, no positive control separates: ")
    assert said[Standing.FEW].startswith("Self-query minus SFT is below 0, too few draws of a positive control: ")
    small = replace(lower, estimate=replace(ESTIMATE, value=0.1), control=Standing.NEVER)
    assert claim_words(small).startswith(
        "Nothing separates, no paired positive control was run in each base: self-query minus SFT +0.1"
    )
    corrected = replace(ruled(Ruling.NOT_SEPARABLE), p_holm=0.07)
    assert claim_words(corrected).startswith("RFT minus SFT is above 0, not after Holm's correction: +2.0")


def test_the_better_of_two_controls_is_said_of_two_alone() -> None:
    one = ruled(Ruling.SUPPORTED, claim="4a")
    assert claim_words(one).startswith("RFT beats its SFT control: +2.0")
    assert claim_words(replace(one, against="SFT at equal steps")).startswith("RFT beats SFT at equal steps: +2.0")
    both = replace(one, estimate=harder([ESTIMATE, replace(ESTIMATE, value=3.0)]))
    assert claim_words(both).startswith("RFT beats the better SFT control: +2.0")


def test_a_title_of_slopes_counts_those_told_from_0() -> None:
    ends = [(-1.0, 2.0), (0.1, 0.9), (-3.0, -1.0)]
    fits = [{"method": "sft", "b": sum(e) / 2, "slope_estimate": {"value": sum(e) / 2, "interval_95": e}} for e in ends]
    assert gains_of("sft", "data")(fits, {}) == (
        "SFT gains -2.0 to +0.5 points per doubling of data; apart from 0 in 2 of 3 bases"
    )
    assert gains_of("sft", "data")(fits[:1], {}).endswith("none separates from 0")
    more = [*fits, {"method": "sft", "b": 4.0}, {"method": "sft_matched", "b": 90.0}]
    assert gains_of("sft", "data")(more, {}).endswith("apart from 0 in 2 of 3 bases that have an interval")


def test_a_title_says_that_the_sign_hangs_on_the_epoch_rule() -> None:
    claims = {"3": ruled(Ruling.SUPPORTED, claim="3")}
    assert "the sign depends on the epoch rule" in gain_lines([{"b": 1.0}, {"b": -1.0}], claims)
    assert "epoch rule" not in gain_lines([{"b": 1.0}, {"b": 2.0}], claims)


def test_what_the_claim_is_not_about_is_not_said_to_pay_by_it() -> None:
    claims = {"4b": ruled(Ruling.SUPPORTED)}
    entry = {"flops_over_sft": 3.0, "k": 4, "donors": 0, "setting": "RFT k=4", "of_claim": True}
    pays = "RFT k=4 takes 3.0 times the compute of SFT and beats it (+2.0 points)"
    assert costs([entry], claims) == pays
    other = {**entry, "setting": "expert iteration k=64", "k": 64, "flops_over_sft": 90.0, "of_claim": False}
    assert costs([entry, other, {**other, "setting": "self-query k=64"}, other], claims) == pays
    assert costs([other], claims) == "expert iteration k=64 takes 90.0 times the compute of SFT"
    lora = {**entry, "setting": "RFT k=4, LoRA 8", "flops_over_sft": 5.0}
    assert costs([entry, lora], claims) == pays.replace("3.0", "3.0 to 5.0")


LORA = ("nano-xs", "nano-s", "nano-m")  # trained as LoRA; nano-l in full


def mixed_recipes(folder: Path) -> Path:
    """Bases of which three are tuned by LoRA, so that a series has two labels."""
    specs = grid(models=(*LORA, "nano-l"), fracs=(0.25, 0.5, 1.0), ks=(4,), methods=("sft", "rft"))
    specs = [{**spec, "lora_rank": 8} if spec["model"] in LORA else spec for spec in specs]
    return write_study(folder, specs=specs, truth=Truth(num_items=200, per_loss=-30.0))


def test_titles_tell_lora_of_one_method_from_that_of_another(tmp_path: Path) -> None:
    points, outcomes = loaded(mixed_recipes(tmp_path / "s"))
    drawing = accuracy_against_loss(points)
    assert isinstance(drawing, Drawing)
    slopes = {e["setting"]: -round(e["b"]) for e in drawing.fits if "b" in e}
    assert set(slopes) == {"SFT, LoRA 8", "RFT k=4, LoRA 8"}
    # three bases leave a slope wide open: the title is asked for as if each were known to a point
    title = loss_lines([{**e, "b_interval_95": [e["b"] - 1, e["b"] + 1]} for e in drawing.fits if "b" in e], {})
    for setting, cost in slopes.items():
        assert f"{setting} {cost}" in title
    gains = sft_against_data(points, outcomes)
    assert isinstance(gains, Drawing)
    slopes = [e["b"] for e in gains.fits]
    assert len(slopes) == 4
    for drawn in (gains, accuracy_against_data(points, outcomes)):
        assert isinstance(drawn, Drawing)
        assert f"SFT gains {min(slopes):+.1f} to {max(slopes):+.1f} points" in gains_of("sft", "data")(drawn.fits, {})


def test_a_title_of_many_lines_or_texts_says_so() -> None:
    lines = [
        {"setting": f"RFT, {n} donors k=4", "loss_text": "wiki", "b": -n - 0.1, "b_interval_95": [-n - 2.0, -0.2]}
        for n in (2, 3, 4, 5)
    ]
    text = "A unit of pretraining loss costs points: RFT, 2 donors k=4 2, RFT, 3 donors k=4 3, RFT, 4 donors k=4 4"
    assert loss_lines(lines, {}) == f"{text} and 1 more"
    two = [{**lines[0], "b": -0.2}, {**lines[0], "loss_text": "code", "b": -7.0}]
    assert loss_lines(two, {}).endswith("RFT, 2 donors k=4 on wiki 0, RFT, 2 donors k=4 on code 7")


def test_a_title_names_no_slope_that_may_be_flat() -> None:
    steep = {"setting": "SFT", "loss_text": "wiki", "b": -166.0, "b_interval_95": [-270.0, -62.0]}
    flat = {"setting": "ICL", "loss_text": "wiki", "b": -62.0, "b_interval_95": [-400.0, 276.0]}
    assert loss_lines([flat, steep], {}) == "A unit of pretraining loss costs points: SFT 166; 1 not told from flat"
    assert loss_lines([flat], {}) == "No line over pretraining loss is told from flat"
    assert loss_lines([{**flat, "b_interval_95": [-math.inf, math.inf]}], {}) == loss_lines([flat], {})
    assert loss_lines([], {}).startswith("Too few bases")


def test_the_loss_title_leaves_a_claim_that_could_not_be_tested_to_the_report() -> None:
    (claim,) = (result for result in published_claims() if result.claim == "2c")
    assert of_rulings("2c")([], {"2c": claim}) == claim_words(claim) != ""
    untested = replace(claim, ruling=Ruling.NOT_TESTABLE)
    assert of_claims("2c")([], {"2c": untested}).endswith("no verdict on new ones")
    assert of_rulings("2c")([], {"2c": untested}) == ""


def test_a_setting_costs_times_the_sft_of_its_own_recipe(tmp_path: Path) -> None:
    """Each base's RFT by its own SFT, from the records' JSON; a second SFT of another recipe changes nothing."""
    specs = grid(models=("nano-m",), fracs=(1.0,), ks=(4,), methods=("sft", "rft"))
    for number, epochs in enumerate((2, 8)):
        order = [{**specs[0], "epochs": epochs}, *specs, {**specs[0], "epochs": epochs, "seed": 1}]
        folder = write_study(tmp_path / str(number), specs=order, truth=Truth(num_items=40))
        for path in folder.glob("*/record.json"):
            record = json.loads(path.read_text())
            if record["setting"].get("train.epochs") == epochs:
                for stage in record["cost"]:
                    stage["flops"] *= 10
                path.write_text(json.dumps(record))
        drawing = accuracy_against_cost(loaded(folder)[0])
        assert isinstance(drawing, Drawing)
        (rft,) = [e for e in drawing.fits if e["setting"] == "RFT k=4"]
        plain = min(e["flops"] for e in drawing.fits if e["setting"] == "SFT")
        assert rft["flops_over_sft"] == pytest.approx(rft["flops"] / plain)
        assert rft["of_claim"]


@pictures("png")
def test_the_published_titles_have_the_claims_numbers(tmp_path: Path) -> None:
    assert main(["--paper", "--out", str(tmp_path), "--size", "column"]) == 0
    fits = json.loads((tmp_path / "fits.json").read_text())["fits"]
    titles = {fit["figure"]: fit["title"] for fit in fits if "figure" in fit}
    values = {result.claim: result.estimate.value for result in published_claims() if result.estimate is not None}
    for name, claim in (("accuracy_vs_data", "4b"), ("accuracy_vs_loss", "2c"), ("gain_vs_loss", "3")):
        found = re.search(r": ([+-][\d.]+) points", titles[name])
        assert found, titles[name]
        assert float(found[1]) == pytest.approx(values[claim], abs=0.05)
    for path in tmp_path.glob("*.png"):
        with Image.open(path) as image:
            assert image.width == pytest.approx(PAGES["column"].width * PAGES["column"].dpi, abs=1)
    assert len(list(tmp_path.glob("*.png"))) == 11


def test_one_figure_alone_is_the_same_bytes_each_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = write_study(tmp_path / "s", specs=grid(models=("nano-m",), fracs=(1.0,)), truth=Truth(num_items=40))
    for out in ("one", "two"):
        arguments = [str(study), "--figure", "accuracy_vs_k", "--size", "slide", "--out", str(tmp_path / out)]
        assert main(arguments) == 0
    names = {path.name for path in (tmp_path / "one").iterdir()}
    assert names == {f"accuracy_vs_k.{ending}" for ending in ("png", "svg", "pdf")}
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert b"CreationDate" not in (tmp_path / "one" / "accuracy_vs_k.pdf").read_bytes()
    assert main([str(study), "--figure", "accuracy_vs_kk"]) == 2
    assert "did you mean accuracy_vs_k" in capsys.readouterr().err
    assert main([str(study), "--figure", "published_fig2"]) == 2
    assert "--paper" in capsys.readouterr().err


def test_labels_stay_in_order_and_apart_and_move_no_further_than_needed() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        wanted = sorted(rng.random(6).tolist())
        found = spread(wanted, step=0.1)
        assert all(after - before >= 0.1 - 1e-12 for before, after in pairwise(found))
        cost = sum((a - b) ** 2 for a, b in zip(found, wanted, strict=True))
        for other in (np.array(found) + rng.normal(0, 0.02, (200, 6))).tolist():
            if all(after - before >= 0.1 for before, after in pairwise(other)):
                assert sum((a - b) ** 2 for a, b in zip(other, wanted, strict=True)) >= cost
    assert spread([0.1, 0.5], step=0.1) == [0.1, 0.5]


@pytest.mark.parametrize("ends", [(10.0, 57.0), (3.1e17, 4e19), (2.2e-3, 2.9e-3), (1.0, 1.0), (0.4, 2e6)])
def test_cost_ticks_are_at_1_2_and_5_of_a_decade(ends: tuple[float, float]) -> None:
    figure, axes = new_figure(width=4, height=3)
    panel = axes[0][0]
    panel.set_xscale("log")
    decade_ticks(panel.xaxis, ends)
    low, high = panel.get_xlim()
    shown = [tick for tick in panel.get_xticks() if low <= tick <= high]
    assert 2 <= len(shown) <= 7
    assert {round(tick / 10 ** math.floor(math.log10(tick) + 1e-9)) for tick in shown} <= {1, 2, 5}
    assert low < ends[0] <= ends[1] < high
    assert figure is panel.figure


def test_amounts_have_thousands_separators() -> None:
    assert [amount_text(n) for n in (234.0, 7473.0, 12000.0, 2.0)] == ["234", "7,473", "12,000", "2"]


def test_the_cost_figure_charges_every_method_what_its_record_says_it_is_made_of(tmp_path: Path) -> None:
    """By hand from the records' JSON: stages marked as making the model, pretraining not counted."""
    methods = ("sft", "rft", "sft_matched", "oracle_paths", "fresh_human")
    folder = write_study(
        tmp_path / "s",
        specs=grid(models=("nano-m",), fracs=(1.0,), ks=(4,), methods=methods),
        truth=Truth(num_items=40, num_full=64),
    )
    by_hand = {}
    for path in folder.glob("*/record.json"):
        record = json.loads(path.read_text())
        stages = [s for s in record["cost"] if s["makes"] and s["name"] in ("sft", "finetune", "shard", "select")]
        by_hand[record["setting"]["method"]] = sum(s["used"] * s["flops"] for s in stages)
    drawing = accuracy_against_cost(loaded(folder)[0])
    assert isinstance(drawing, Drawing)
    found = sorted(entry["flops"] for entry in drawing.fits)
    assert found == pytest.approx(sorted(by_hand.values()))
    (rft,) = [entry for entry in drawing.fits if entry["setting"] == "RFT k=4"]
    assert rft["flops_over_sft"] == pytest.approx(by_hand["rft"] / by_hand["sft"])
    assert by_hand["rft"] > by_hand["sft_matched"]  # the control is not charged with the sampling
    assert len(load_studies([folder]).cells) == len(found)


def test_the_report_takes_the_title_off_the_picture(tmp_path: Path) -> None:
    from analysis.report.sections import panels_as_svg
    from analysis.study import draw_all

    study = write_study(tmp_path / "s", specs=grid(models=("nano-m",), fracs=(1.0,)), truth=Truth(num_items=40))
    drawing = next(d for d in draw_all(*loaded(study)) if isinstance(d, Drawing))
    heads = [text for text in drawing.figure.texts if text.get_gid() == HEADLINE]
    told = " ".join(text.get_text() for text in heads).replace("\N{NO-BREAK SPACE}", " ")
    assert told.startswith(drawing.finding)
    assert heads[-1].get_text() == drawing.title
    assert panels_as_svg(drawing)
    assert not any(text.get_visible() for text in heads)
