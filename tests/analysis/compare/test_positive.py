"""Positive controls: studies whose truth says where a thing can be learnt, and what is then said of small differences."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from synthetic_study import Truth, grid, write_study

from analysis.claims.rulings import Ruling
from analysis.claims.run import run_claims, study_view
from analysis.compare.comparisons import Standing, standing
from analysis.compare.positive import positive_controls
from analysis.load.checks import verified
from analysis.load.outcomes import Outcomes
from analysis.load.points import Point, make_points
from analysis.load.recipes import ENGINE
from analysis.load.studies import load_studies
from analysis.stats.uncertainty import nested_mean
from analysis.tables.matched import matched_summary

Spec = Mapping[str, Any]
DRAWS = range(6)
METHODS = ("sft", "sft_matched", "rft")
COUNT = "methods.fresh_human.fresh_count"


@dataclass(frozen=True)
class Levels(Truth):
    """Accuracy of a setting by a function of it."""

    level: Callable[[Spec], float] = lambda _: 40.0

    def accuracy(self, spec: Spec) -> float:
        """Percent."""
        return self.level(spec)


def studied(folder: Path, specs: Sequence[Spec], level: Callable[[Spec], float]) -> tuple[list[Point], Outcomes]:
    truth = Levels(level=level, replicate_sd=0.05, item_sd=8.0, num_items=2000)
    table, outcomes = verified(load_studies([write_study(folder, specs=list(map(dict, specs)), truth=truth)]))
    return make_points(table.cells, outcomes), outcomes


def drawn(method: str, *, model: str, draws: Sequence[int] = DRAWS, **more: Any) -> list[dict[str, Any]]:
    common = {"model": model, "method": method, "data_frac": 1.0, "k": 4, **more}
    return [{**common, "seed": 1000 * draw, "pretrain_seed": draw} for draw in draws]


def compared(*, models: tuple[str, ...] = ("nano-s",), half: bool = False) -> list[dict[str, Any]]:
    """RFT beside SFT at equal steps and SFT, perhaps on half of the data too."""
    found = grid(models=models, fracs=(1.0,), ks=(4,), methods=METHODS, draws=DRAWS)
    return found + (halves(models) if half else [])


def halves(models: Sequence[str]) -> list[dict[str, Any]]:
    return [one for model in models for one in drawn("sft", model=model, data_frac=0.5, k=None)]


def extra(model: str = "nano-s") -> list[dict[str, Any]]:
    """Self-query and RFT without de-duplication, in one base alone."""
    return [*drawn("self_query", model=model), *drawn("rft", model=model, policy="no_dedup")]


def margin_of(points: Sequence[Point], outcomes: Outcomes) -> str:
    (row,) = [line for line in matched_summary(points, outcomes).splitlines() if line.startswith("nano-s ")]
    return row


def rulings(points: Sequence[Point], outcomes: Outcomes, *claims: str) -> dict[str, Ruling]:
    return {one.claim: one.ruling for one in run_claims(study_view(points, outcomes)) if one.claim in claims}


FRESH = drawn("fresh_human", model="nano-s")
CASES = {
    "nothing was run": ([], {}, "no control", "was run in this base"),
    "neither helps": (halves(["nano-s"]) + FRESH, {}, "flat control", "nothing might be learnt"),
    "twice the data alone helps": (halves(["nano-s"]) + FRESH, {"half": -9.0}, "within", ""),
    "fresh problems alone help": (halves(["nano-s"]) + FRESH, {"fresh": 9.0}, "within", ""),
    "fresh problems of three draws": (drawn("fresh_human", model="nano-s", draws=range(3)), {"fresh": 20.0}, "few draws", ""),
}  # fmt: skip


@pytest.mark.parametrize("case", list(CASES))
def test_a_small_difference_is_said_by_what_is_known_to_help(tmp_path: Path, case: str) -> None:
    more, gains, word, note = CASES[case]

    def level(spec: Spec) -> float:
        kind = "half" if spec["data_frac"] == 0.5 else "fresh" if spec["method"] == "fresh_human" else "other"
        return 40.0 + gains.get(kind, 0.0)

    points, outcomes = studied(tmp_path / "s", compared() + more, level)
    text = " ".join(matched_summary(points, outcomes).split())
    assert f" {word} " in f"{margin_of(points, outcomes)} "
    assert note in text
    for other in {"no control", "flat control", "few draws"} - {word}:
        assert f"{other}: within it" not in text


def test_fresh_problems_of_another_k_are_a_control_too(tmp_path: Path) -> None:
    specs = compared() + drawn("fresh_human", model="nano-s", k=16) + drawn("sft_matched", model="nano-s", k=16)
    points, outcomes = studied(tmp_path / "s", specs, lambda s: 60.0 if s["method"] == "fresh_human" else 40.0)
    tops = [point for point in points if point.method == "rft"]
    (found,) = positive_controls(tops, points, outcomes)
    assert found.value == pytest.approx(20, abs=1)


@pytest.mark.parametrize("learns", ["nano-s", "nano-m"])
def test_a_claim_on_one_base_asks_for_the_control_of_that_base(tmp_path: Path, learns: str) -> None:
    """Self-query and RFT without de-duplication ran on nano-s alone; twice the data helps there, or only elsewhere."""
    specs = compared(models=("nano-s", "nano-m"), half=True) + extra()
    points, outcomes = studied(
        tmp_path / "s", specs, lambda s: 32.0 if s["data_frac"] == 0.5 and s["model"] == learns else 40.0
    )
    here = learns == "nano-s"
    expected = (Ruling.SUPPORTED, Ruling.EQUIVALENT) if here else (Ruling.NOT_SEPARABLE, Ruling.NOT_SEPARABLE)
    assert rulings(points, outcomes, "8a", "6b") == dict(zip(("8a", "6b"), expected, strict=True))


def test_fresh_problems_serve_every_claim(tmp_path: Path) -> None:
    specs = compared() + FRESH + extra()
    points, outcomes = studied(tmp_path / "s", specs, lambda s: 60.0 if s["method"] == "fresh_human" else 40.0)
    assert rulings(points, outcomes, "8a", "6b") == {"6b": Ruling.EQUIVALENT, "8a": Ruling.SUPPORTED}


def test_a_mean_over_bases_has_the_control_of_just_these_bases(tmp_path: Path) -> None:
    """Twice the data gains 4 points in one base and 10 in another: the mean of both is 7, however often a base is named."""
    specs = compared(models=("nano-s", "nano-m"), half=True)
    at = {"nano-s": 36.0, "nano-m": 30.0}
    points, outcomes = studied(tmp_path / "s", specs, lambda s: at[s["model"]] if s["data_frac"] == 0.5 else 40.0)
    tops = [point for point in points if point.method == "rft"]
    means = [positive_controls(some, points, outcomes)[0].value for some in (tops[:1], tops[1:], tops, [*tops, *tops])]
    assert sorted(means[:2]) == pytest.approx([4, 10], abs=0.6)
    assert means[2:] == pytest.approx([np.mean(means[:2])] * 2)


def test_bases_with_controls_of_different_kinds_have_one_and_a_base_without_any_has_none(tmp_path: Path) -> None:
    specs = compared(models=("nano-s", "nano-m")) + FRESH + halves(["nano-m"])
    gains = {"nano-s": 20.0, "nano-m": 0.0}
    points, outcomes = studied(
        tmp_path / "s",
        specs,
        lambda s: 40 + (gains[s["model"]] if s["method"] == "fresh_human" else -10 if s["data_frac"] == 0.5 else 0),
    )
    tops = [point for point in points if point.method == "rft"]
    (both,) = positive_controls(tops, points, outcomes)
    assert both.value == pytest.approx(15, abs=1)
    without = [p for p in points if p.cell.data_frac != 0.5]
    assert positive_controls(tops, without, outcomes) == []


def test_of_many_idle_controls_one_separates_no_more_often_than_of_one() -> None:
    """Five controls that gain nothing, 1000 times: at most 2.5 % of studies are taken to have a base where a thing helps."""
    rng = np.random.default_rng(3)
    found = []
    for _ in range(1000):
        idle = [nested_mean([[rng.normal(0, 1, (1, 1)) for _ in range(6)]]) for _ in range(5)]
        found.append(standing(idle))
    assert set(found) <= {Standing.FLAT, Standing.SEPARATES}
    assert np.mean([one is Standing.SEPARATES for one in found]) <= 0.025 + 0.008


@pytest.mark.parametrize(
    "own",
    [
        pytest.param(lambda base: {ENGINE: ("torch", "vllm")[base]}, id="an engine for each base"),
        pytest.param(lambda base: {COUNT: (60, 70)[base]}, id="as many fresh problems as each base kept paths"),
    ],
)
def test_fresh_problems_of_bases_are_one_control_whatever_drew_the_paths_and_however_many(
    tmp_path: Path, own: Callable[[int], dict[str, Any]]
):
    """Fresh problems are worth 20 points in both bases, twice the data nothing."""
    models = ("nano-s", "nano-m")
    specs = compared(models=models, half=True)
    for base, model in enumerate(models):
        specs += drawn("fresh_human", model=model, **own(base))
    points, outcomes = studied(tmp_path, specs, lambda spec: 60.0 if spec["method"] == "fresh_human" else 40.0)
    tops = [point for point in points if point.method == "rft"]
    found = sorted(control.value for control in positive_controls(tops, points, outcomes))
    assert found == pytest.approx([0.0, 20.0], abs=1.0)
    assert rulings(points, outcomes, "4a") == {"4a": Ruling.EQUIVALENT}, "claims look beyond the commonest recipe too"
