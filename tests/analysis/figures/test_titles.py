"""Titles say what claims and fits say, sizes are those asked for, labels and ticks stand where a reader looks."""

from __future__ import annotations

import json
import math
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from synthetic_study import Truth, grid, write_study

from analysis.claims.rulings import ClaimResult, Ruling
from analysis.claims.run import published_claims
from analysis.figures.costs import accuracy_against_cost
from analysis.figures.drawing import Drawing, amount_text, decade_ticks, spread
from analysis.figures.findings import claim_words, costs, gain_lines, gains_of
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


def test_a_title_of_slopes_counts_those_told_from_0() -> None:
    ends = [(-1.0, 2.0), (0.1, 0.9), (-3.0, -1.0)]
    fits = [{"series": f"m{i}, SFT", "b": sum(e) / 2, "slope_estimate": {"interval_95": e}} for i, e in enumerate(ends)]
    assert gains_of(", SFT", "data")(fits, {}) == (
        "SFT gains -2.0 to +0.5 points per doubling of data; apart from 0 in 2 of 3 bases"
    )
    assert gains_of(", SFT", "data")(fits[:1], {}).endswith("none separates from 0")
    more = [*fits, {"series": "m3, SFT", "b": 4.0}]
    assert gains_of(", SFT", "data")(more, {}).endswith("apart from 0 in 2 of 3 bases that have an interval")


def test_a_title_says_that_the_sign_hangs_on_the_epoch_rule() -> None:
    claims = {"3": ruled(Ruling.SUPPORTED, claim="3")}
    assert "the sign depends on the epoch rule" in gain_lines([{"b": 1.0}, {"b": -1.0}], claims)
    assert "epoch rule" not in gain_lines([{"b": 1.0}, {"b": 2.0}], claims)


def test_a_pool_of_several_donors_is_not_said_to_pay_by_a_claim_on_own_pools() -> None:
    claims = {"4b": ruled(Ruling.SUPPORTED)}
    entry = {"flops_over_sft": 3.0, "k": 4, "donors": 0, "setting": "RFT k=4"}
    assert costs([entry], claims) == "RFT k=4 takes 3.0 times the compute of SFT and beats it (+2.0 points)"
    assert costs([{**entry, "donors": 2}], claims) == "RFT k=4 takes 3.0 times the compute of SFT"


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
    assert len(list(tmp_path.glob("*.pdf"))) == len(list(tmp_path.glob("*.png"))) == 10
    assert b"CreationDate" not in (tmp_path / "accuracy_vs_k.pdf").read_bytes()


def test_one_figure_alone_is_the_same_bytes_each_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = write_study(tmp_path / "s", specs=grid(models=("nano-m",), fracs=(1.0,)), truth=Truth(num_items=40))
    for out in ("one", "two"):
        arguments = [str(study), "--figure", "accuracy_vs_k", "--size", "slide", "--out", str(tmp_path / out)]
        assert main(arguments) == 0
    names = {path.name for path in (tmp_path / "one").iterdir()}
    assert names == {f"accuracy_vs_k.{ending}" for ending in ("png", "svg", "pdf")}
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
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
    assert " ".join(text.get_text() for text in heads).startswith(drawing.finding)
    assert heads[-1].get_text() == drawing.title
    assert panels_as_svg(drawing)
    assert not any(text.get_visible() for text in heads)
