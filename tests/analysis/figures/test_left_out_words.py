"""Captions say of each point in no line why; the figure over losses is of the k that most bases have."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import synthetic_study
from synthetic_study import Truth, grid, write_study

from analysis.figures.accuracy import accuracy_against_data, accuracy_against_loss
from analysis.figures.drawing import Drawing
from analysis.figures.overview import sft_against_data
from analysis.figures.paths import accuracy_against_distinct, accuracy_against_k, distinct_against_k
from analysis.load.checks import verified
from analysis.load.outcomes import Outcomes
from analysis.load.points import Point, make_points
from analysis.load.studies import load_studies

Spec = dict[str, Any]
Study = tuple[list[Point], Outcomes]
THIN = "In no line, as the others of a series have more draws or replicates in common without them"
ENDS = "Outside 2 to 98 % and so in no line"


def studied(folder: Path, specs: Sequence[Spec], truth: Truth | None = None) -> Study:
    table, outcomes = verified(load_studies([write_study(folder, specs=list(specs), truth=truth, rng_seed=4)]))
    return make_points(table.cells, outcomes), outcomes


def words(drawing: object) -> str:
    assert isinstance(drawing, Drawing)
    return drawing.caption


@pytest.fixture(scope="module")
def thin(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Three amounts and three k in four draws of two bases; an eighth of the data and k = 64 in one draw."""
    common: Spec = {"models": ("nano-s", "nano-m"), "methods": ("sft", "rft")}
    specs = grid(**common, fracs=(0.25, 0.5, 1.0), ks=(1, 4, 16), draws=range(1, 5))
    specs = [spec for spec in specs if spec["method"] == "sft" or spec["data_frac"] == 1]
    specs += grid(**{**common, "methods": ("sft",)}, fracs=(0.125,), draws=(1,))
    specs += grid(**{**common, "methods": ("rft",)}, fracs=(1.0,), ks=(64,), draws=(1,))
    return studied(tmp_path_factory.mktemp("thin") / "s", specs)


def test_points_of_few_draws_are_not_said_to_be_at_the_floor(thin: Study) -> None:
    """They lay at 12 and 24 %, and the caption had them outside 2 to 98 %."""
    for function in (accuracy_against_data, sft_against_data):
        caption = words(function(*thin))
        assert f"{THIN}: 2 points (nano-s, SFT 1/8; nano-m, SFT 1/8)." in caption
        assert ENDS not in caption


def test_a_k_that_is_shown_and_in_no_line_is_named(thin: Study) -> None:
    for function in (accuracy_against_k, accuracy_against_distinct, distinct_against_k):
        assert f"{THIN}: 2 points (nano-s, RFT k=64; nano-m, RFT k=64)." in words(function(*thin))


def test_each_point_has_its_own_reason_once(tmp_path: Path) -> None:
    """One amount of one draw, and one in all draws at 0 %."""
    truth = Truth(at_full=25.0, per_loss=0.0, per_doubling=7.0, item_sd=0.3, replicate_sd=0.3, num_items=800)
    specs = grid(models=("nano-s",), methods=("sft",), fracs=(1 / 16, 0.25, 0.5, 1.0), draws=range(1, 5))
    specs += grid(models=("nano-s",), methods=("sft",), fracs=(0.75,), draws=(2,))
    caption = words(sft_against_data(*studied(tmp_path / "s", specs, truth)))
    assert f"{ENDS}: 1 point (nano-s, SFT 1/16)." in caption
    assert f"{THIN}: 1 point (nano-s, SFT 0.75)." in caption


MODELS = ("m1", "m2", "m3", "m4", "m5")


@pytest.fixture
def five_bases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        synthetic_study, "LOSS", {**synthetic_study.LOSS, **{m: 2.0 - 0.1 * i for i, m in enumerate(MODELS)}}
    )
    monkeypatch.setattr(
        synthetic_study, "PARAMS", {**synthetic_study.PARAMS, **{m: 1e5 * 2**i for i, m in enumerate(MODELS)}}
    )


def lines(drawing: object) -> dict[str, int]:
    """Bases of each line over pretraining loss."""
    assert isinstance(drawing, Drawing)
    return {fit["setting"]: fit["n"] for fit in drawing.fits if "n" in fit}


@pytest.mark.usefixtures("five_bases")
def test_one_cell_of_a_larger_k_takes_no_base_from_the_line_over_losses(tmp_path: Path) -> None:
    """RFT at k = 64 of one base took k = 16 of all five, line and title, without a word."""
    whole = grid(models=MODELS, fracs=(1.0,), ks=(16,), methods=("sft", "rft"), draws=(1, 2))
    one_more = grid(models=MODELS[:1], fracs=(1.0,), ks=(64,), methods=("rft",), draws=(1,))
    wanted = accuracy_against_loss(studied(tmp_path / "whole", whole)[0])
    found = accuracy_against_loss(studied(tmp_path / "more", whole + one_more)[0])
    assert lines(found) == lines(wanted) == {"SFT": 5, "RFT k=16": 5}
    assert "RFT k=16 is the k that most have; larger ones are not drawn: m1, RFT k=64." in words(found)
    assert "the k that most have" not in words(wanted)


@pytest.mark.usefixtures("five_bases")
def test_a_base_without_the_k_of_the_others_is_named(tmp_path: Path) -> None:
    four = grid(models=MODELS[:4], fracs=(1.0,), ks=(4, 16), methods=("sft", "rft"))
    last = grid(models=MODELS[4:], fracs=(1.0,), ks=(4,), methods=("sft", "rft"))
    of_four = accuracy_against_loss(studied(tmp_path / "s", [*four, *last])[0])
    assert lines(of_four) == {"SFT": 5, "RFT k=4": 5}
    larger = "; ".join(f"{model}, RFT k=16" for model in MODELS[:3])
    assert f"RFT k=4 is the k that most have; larger ones are not drawn: {larger} and 1 more." in words(of_four)
    only = grid(models=MODELS[4:], fracs=(1.0,), ks=(1,), methods=("sft", "rft"))
    drawing = accuracy_against_loss(studied(tmp_path / "t", [*four, *only])[0])
    assert lines(drawing) == {"SFT": 5, "RFT k=16": 4}
    assert "Without RFT k=16: m5." in words(drawing)
