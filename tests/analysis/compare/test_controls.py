"""The harder of two controls: its interval and tests on simulated studies, and the claim and table that use it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from synthetic_study import Truth, grid, write_study

from analysis.claims.rulings import ClaimResult, Ruling
from analysis.claims.run import run_claims, study_view
from analysis.compare.comparisons import Verdict, judge, lacking
from analysis.compare.controls import Harder, harder
from analysis.load.checks import verified
from analysis.load.outcomes import Outcomes
from analysis.load.points import Point, make_points
from analysis.load.studies import load_studies
from analysis.stats.uncertainty import Estimate, nested_mean, replicate_mean
from analysis.tables.matched import compared, matched_rows, matched_summary

METHODS = ("sft", "sft_matched", "sft_best", "rft")


def loaded(folder: Path) -> tuple[list[Point], Outcomes]:
    table, outcomes = verified(load_studies([folder]))
    return make_points(table.cells, outcomes), outcomes


def drawn(rng: np.random.Generator, truth: tuple[float, float], *, shared: float) -> list[Estimate]:
    """Two differences of eight replicates, correlated through RFT, which both subtract a control from."""
    common = rng.normal(0, 1, 8)
    return [replicate_mean(t + shared * common + rng.normal(0, 1, 8)) for t in truth]


@pytest.mark.parametrize("shared", [0.0, 1.0])
@pytest.mark.parametrize("truth", [(0.0, 0.0), (0.0, 3.0), (-1.0, 0.5)])
def test_the_interval_holds_the_smaller_true_difference(truth: tuple[float, float], shared: float) -> None:
    """Each end is missed at most at its rate; the interval of the smallest difference alone is too low at equal controls."""
    rng = np.random.default_rng(5)
    ends = np.array([harder(drawn(rng, truth, shared=shared)).interval() for _ in range(3000)])
    below, above = (ends[:, 0] > min(truth)).mean(), (ends[:, 1] < min(truth)).mean()
    assert below <= 0.025 + 0.008
    assert above <= 0.025 + 0.008


def test_picking_the_higher_control_by_its_test_result_is_too_low() -> None:
    """Why the upper end is widened: the least of two noisy differences with its own interval is too often below the truth."""
    rng = np.random.default_rng(6)
    picked = [min(drawn(rng, (0.0, 0.0), shared=0.0), key=lambda one: one.value) for _ in range(3000)]
    assert np.mean([one.interval()[1] < 0 for one in picked]) > 0.035


def test_p_and_interval_agree() -> None:
    rng = np.random.default_rng(7)
    for truth in ((1.5, 1.5), (-1.5, 1.0), (0.0, 0.0), (2.0, 0.8)):
        for _ in range(200):
            one = harder(drawn(rng, truth, shared=0.5))
            low, high = one.interval()
            assert (one.p_value() <= 0.05) == (low > 0 or high < 0)


def study(folder: Path, *, best: float, methods: tuple[str, ...] = METHODS) -> dict[str, ClaimResult]:
    specs = grid(models=("nano-m",), fracs=(1.0,), ks=(4,), methods=methods, draws=range(6))
    truth = Truth(
        num_items=1500, replicate_sd=0.4, rft_at_1=4.0, rft_per_k=0.0, control={"sft_matched": -3.0, "sft_best": best}
    )
    points, outcomes = loaded(write_study(folder, specs=specs, truth=truth))
    return {result.claim: result for result in run_claims(study_view(points, outcomes))}


def test_a_gain_over_the_weaker_control_alone_is_no_gain(tmp_path: Path) -> None:
    """RFT +4 over SFT; step-matched SFT lies 3 below SFT, but SFT at its validated budget is as good as RFT."""
    found = study(tmp_path / "s", best=4.0)["4a"]
    assert found.ruling in (Ruling.NOT_SEPARABLE, Ruling.EQUIVALENT)
    assert any(line.startswith("minus SFT at equal steps: +") for line in found.details)
    assert any(line.startswith("minus SFT at its validated budget: ") for line in found.details)
    assert study(tmp_path / "t", best=0.0)["4a"].ruling is Ruling.SUPPORTED


@pytest.mark.parametrize("control", ["sft_matched", "sft_best"])
def test_a_study_with_one_control_says_which(tmp_path: Path, control: str) -> None:
    found = study(tmp_path / "s", best=0.0, methods=("sft", "rft", control))["4a"]
    words = {"sft_matched": "SFT at equal steps alone", "sft_best": "SFT at its validated budget alone"}
    assert words[control] in found.reason


def test_the_table_shows_both_differences(tmp_path: Path) -> None:
    specs = grid(models=("nano-m",), fracs=(1.0,), ks=(4,), methods=METHODS, seeds=range(5))
    points, outcomes = loaded(write_study(tmp_path / "s", specs=specs, truth=Truth(num_items=200)))
    header, (row,) = matched_rows(compared(points, outcomes))
    told = dict(zip(header, row, strict=True))
    at = {p.method: p.estimate.value for p in points}
    assert float(told["from matched"]) == pytest.approx(at["rft"] - at["sft_matched"], abs=0.06)
    assert float(told["from best"]) == pytest.approx(at["rft"] - at["sft_best"], abs=0.06)
    assert told["RFT - SFT"] == min(told["from matched"], told["from best"], key=float)
    assert "the interval is widened for there being two" in " ".join(matched_summary(points, outcomes).split())
    without = matched_summary([p for p in points if p.method != "sft_best"], outcomes)
    assert "SFT at equal steps alone" in without


def of_draws(rng: np.random.Generator, *, mean: float, draws: int, sd: float = 0.2) -> Estimate:
    """A difference of some draws of a base, two replicates each, 300 problems."""
    levels = rng.normal(mean, sd, draws)
    return nested_mean([[rng.normal(level, 3.0, (2, 300)) for level in levels]])


def test_both_intervals_are_of_the_harder_control() -> None:
    rng = np.random.default_rng(8)
    parts = [of_draws(rng, mean=mean, draws=6, sd=2.0) for mean in (3.0, 5.0)]
    one = harder(parts)
    assert one.new_bases is one
    assert isinstance(one.these_bases, Harder)
    for of_one, of_parts in ((one, parts), (one.these_bases, [part.these_bases for part in parts])):
        assert of_one.interval()[0] == min(part.interval()[0] for part in of_parts)
        assert of_one.interval()[1] == min(part.interval(level=0.975)[1] for part in of_parts)
    assert one.these_bases.half_width() < one.half_width()
    assert lacking(one) == ""


@pytest.mark.parametrize(
    ("draws", "verdict", "why"),
    [
        (1, Verdict.NOT_ESTIMABLE, "not estimable: one draw"),
        (4, Verdict.NOT_SEPARABLE, "4 draws of 1 base(s), a verdict needs 5 of one"),
        (5, Verdict.BETTER, "p "),
    ],
)
@pytest.mark.parametrize("weaker", [2.0, 8.0])
def test_a_verdict_needs_five_draws_against_each_control(draws: int, verdict: Verdict, why: str, weaker: float) -> None:
    """Whether the one with few draws is the harder or the weaker."""
    rng = np.random.default_rng(9)
    few, many = of_draws(rng, mean=weaker, draws=draws), of_draws(rng, mean=4.0, draws=8)
    for order in ((few, many), (many, few)):
        found = judge(harder(order))
        assert found.verdict is verdict
        assert found.reason.startswith(why)


def test_a_study_has_to_be_large_enough_for_both_controls() -> None:
    """The smaller difference is the surer: what separates it alone leaves the other open."""
    rng = np.random.default_rng(10)
    sure, unsure = of_draws(rng, mean=1.6, draws=6, sd=0.2), of_draws(rng, mean=3.0, draws=6, sd=3.0)
    alone = [judge(part).needed for part in (sure, unsure)]
    both = judge(harder([sure, unsure])).needed
    assert alone[0] is not None
    assert alone[1] is not None
    assert both is not None
    assert alone[0].draws < alone[1].draws == both.draws


def test_rows_against_the_harder_control_are_corrected_for_their_number(tmp_path: Path) -> None:
    specs = grid(models=("nano-m",), fracs=(1.0,), ks=(1, 4, 16), methods=METHODS, draws=range(6))
    points, outcomes = loaded(write_study(tmp_path / "s", specs=specs, truth=Truth(num_items=300, rft_at_1=3.0)))
    found = compared(points, outcomes)
    assert [set(one.differences) for one in found] == [{"sft_matched", "sft_best"}] * 3
    ps = [one.result.estimate.p_value() for one in found]
    assert found[int(np.argmin(ps))].result.p_holm == pytest.approx(min(1.0, 3 * min(ps)))
    for one in found:
        assert one.result.odds is not None
        assert one.result.odds.value == pytest.approx(min(part.value for part in one.result.odds.judged))


def test_sampling_from_sft_is_no_method_to_compare(tmp_path: Path) -> None:
    """The method `sampled` is SFT, with a pool that nothing is trained on: a gain over controls would be one of nothing."""
    specs = grid(models=("nano-m",), fracs=(1.0,), ks=(4,), methods=(*METHODS, "sampled"), draws=range(2))
    points, outcomes = loaded(write_study(tmp_path / "s", specs=specs, truth=Truth(num_items=200)))
    assert "sampled" in {point.method for point in points}
    assert [one.point.method for one in compared(points, outcomes)] == ["rft"]
