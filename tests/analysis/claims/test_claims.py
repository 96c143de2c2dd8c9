"""Claims and planner on synthetic studies with known truth, and on the published numbers."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from synthetic_study import Truth, grid, write_study

from analysis.claims.rulings import Ruling
from analysis.claims.run import CLAIMS, claims_table, published_view, run_claims, study_view
from analysis.load.cells import Cell
from analysis.load.checks import verified
from analysis.load.outcomes import Outcomes
from analysis.load.pairs import paired_replicates
from analysis.load.points import Point, contrast, make_points
from analysis.load.studies import load_studies
from analysis.plan.planner import TARGETS, Option, next_runs
from analysis.stats.budget import draws_table
from analysis.stats.linear import NotEnough
from analysis.tables.matched import matched_summary

EVERY = ("icl", "sft", "sft_matched", "oracle_paths", "fresh_human", "rft")


def loaded(folder: Path) -> tuple[list[Point], Outcomes]:
    table = load_studies([folder])
    table, outcomes = verified(table)
    return make_points(table.cells, outcomes), outcomes


@pytest.fixture(scope="module")
def clear(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Point], Outcomes]:
    """Five bases' worth is not there: four bases, five draws of each, a large RFT effect."""
    specs = grid(
        models=("nano-xs", "nano-s", "nano-m", "nano-l"), fracs=(0.25, 0.5, 1.0), ks=(1, 4, 16), methods=EVERY, draws=range(5)
    )  # fmt: skip
    truth = Truth(num_items=500, rft_per_k=2.0, replicate_sd=1.0)
    return loaded(write_study(tmp_path_factory.mktemp("claims") / "clear", specs=specs, truth=truth, rng_seed=1))


def by_claim(points: list[Point], outcomes: Outcomes) -> dict[str, object]:
    return {result.claim: result.ruling for result in run_claims(study_view(points, outcomes))}


def test_a_large_effect_is_supported(clear: tuple[list[Point], Outcomes]) -> None:
    rulings = by_claim(*clear)
    assert rulings["4a"] is Ruling.SUPPORTED
    assert rulings["6a"] is Ruling.SUPPORTED
    assert rulings["2a"] is Ruling.NOT_TESTABLE  # four bases
    assert rulings["8a"] is Ruling.NOT_TESTABLE


def test_an_opposite_effect_is_contradicted(tmp_path: Path) -> None:
    specs = grid(models=("nano-m",), fracs=(1.0,), ks=(4,), methods=("sft", "sft_matched", "rft"), draws=range(6))
    truth = Truth(num_items=600, rft_at_1=-8.0, rft_per_k=0.0, replicate_sd=0.5)
    assert by_claim(*loaded(write_study(tmp_path / "s", specs=specs, truth=truth)))["4a"] is Ruling.CONTRADICTED


def test_one_replicate_gives_no_verdict_and_says_how_many_would(tmp_path: Path) -> None:
    points, outcomes = loaded(write_study(tmp_path / "s", specs=grid(), truth=Truth(num_items=200)))
    results = run_claims(study_view(points, outcomes))
    assert {r.ruling for r in results} == {Ruling.NOT_TESTABLE}
    text = matched_summary(points, outcomes)
    assert "item noise only" in text
    assert "to separate" in text
    assert " draws\n" in text
    assert "not estimable: one draw" in text
    assert max(map(len, text.splitlines())) <= 120
    assert "assumed" in text


def test_published_rulings() -> None:
    results = {result.claim: result for result in run_claims(published_view())}
    assert results["2a"].ruling is Ruling.NOT_SEPARABLE
    assert results["3"].ruling is Ruling.SUPPORTED
    assert "sign reversed" in results["3"].reason  # depends on the epoch rule
    assert results["4a"].ruling is Ruling.NOT_TESTABLE  # no control at equal steps was run
    assert (
        results["5a"].ruling is Ruling.NOT_SEPARABLE
    )  # five bases with samples of their own, one of them without a gain
    assert results["5b"].ruling is Ruling.SUPPORTED
    assert results["1"].ruling is Ruling.NOT_TESTABLE  # shapes base by base, each of one draw
    assert "not estimable: one draw" in results["1"].reason
    table = claims_table({"published": list(results.values())})
    assert table.count("\n") >= len(results)


def test_what_would_separate_a_primary_claim_is_asked_at_its_share_of_the_level() -> None:
    """A primary slope of the published study does not separate: so many bases would, at 5 % over the number of primaries."""
    results = run_claims(published_view())
    primary = [r for r in results if r.primary and r.p is not None and r.ruling is not Ruling.NOT_TESTABLE]
    rng = np.random.default_rng(2)
    asked = [
        r for r in primary if r.ruling is Ruling.NOT_SEPARABLE and " bases" in r.reason.rpartition("to separate")[2]
    ]
    assert asked
    for result in asked:
        assert result.estimate is not None
        found = re.search(rf"to separate at 5 %/{len(primary)}: (\d+) bases$", result.reason)
        assert found is not None, result.reason
        bases, true = int(found[1]), abs(result.estimate.value)
        sd = result.estimate.se * math.sqrt(result.estimate.num_bases)
        power = [_power_of_slope(rng, true, sd, bases=n, level=0.05 / len(primary)) for n in (bases, bases - 1)]
        assert power[0] >= 0.79
        assert power[1] <= 0.81


def _power_of_slope(rng: np.random.Generator, true: float, sd: float, *, bases: int, level: float) -> float:
    """How often an interval with bases - 2 degrees of freedom lies above 0."""
    se = sd / math.sqrt(bases) * np.sqrt(rng.chisquare(bases - 2, 40_000) / (bases - 2))
    values = rng.normal(true, sd / math.sqrt(bases), 40_000)
    return float(np.mean(values > stats.t.ppf(1 - level / 2, bases - 2) * se))


def test_every_claim_has_a_test_and_one_primary() -> None:
    results = run_claims(published_view())
    for claim in CLAIMS:
        mine = [r for r in results if r.claim.rstrip("abcd") == claim]
        assert mine
        assert sum(r.primary for r in mine) == 1


def test_contrast_pairs_replicates_and_icl_goes_with_all(clear: tuple[list[Point], Outcomes]) -> None:
    points, outcomes = clear
    sft = next(p for p in points if p.method == "sft" and p.cell.data_frac == 1)
    rft = next(p for p in points if p.method == "rft" and p.cell.base == sft.cell.base and p.cell.data_frac == 1)
    rows = paired_replicates([rft, sft])
    seeds = [a.seeds["data_seed"] for (a,), _ in rows]
    assert seeds == [b.seeds["data_seed"] for _, (b,) in rows] == [0, 1000, 2000, 3000, 4000]
    assert all(a.draw == b.draw for (a,), (b,) in rows)
    estimate = contrast((rft, sft), (1, -1), outcomes)
    assert estimate is not None
    assert math.isclose(estimate.value, rft.estimate.value - sft.estimate.value)
    fewer = Point(sft.cells[:2], sft.estimate)
    assert len(paired_replicates([rft, fewer])) == 2


@pytest.mark.parametrize("target", sorted(set(TARGETS) - {"donor_slope"}))
def test_planner_ranks_options_that_shrink(clear: tuple[list[Point], Outcomes], target: str) -> None:
    options = next_runs(*clear, target=target)
    assert not isinstance(options, NotEnough)
    assert all(isinstance(o, Option) and o.half_width_after < o.half_width_now for o in options)
    assert [o.shrink_per_hour for o in options] == sorted((o.shrink_per_hour for o in options), reverse=True)


def test_planner_refuses_an_unknown_target(clear: tuple[list[Point], Outcomes]) -> None:
    with pytest.raises(ValueError, match="allowed are"):
        next_runs(*clear, target="luck")


def test_the_time_of_runs_whose_cost_is_unknown_is_unknown() -> None:
    view = published_view()  # table 4 has the cost of SFT on all data alone
    options = next_runs(view.points, view.outcomes, target="data_slope")
    assert isinstance(options, list)
    assert {option.hours for option in options if "human examples" in option.action} == {0.0}
    against_loss = next_runs(view.points, view.outcomes, target="loss_slope")
    assert isinstance(against_loss, list)
    assert all(option.hours > 0 for option in against_loss)
    assert "draws for 80%" in draws_table(sd=2.0, num_problems=1319)


@pytest.mark.parametrize(("claim", "method"), [("5a", "rft"), ("2c", "icl"), ("7b", "union")])
def test_draws_without_a_partner_change_no_slope_of_gains(tmp_path: Path, claim: str, method: str) -> None:
    """Gains are paired within a drawn base: SFT of draws that the other setting lacks says nothing of the gain."""
    models = ("nano-xs", "nano-s", "nano-m", "nano-l")
    specs = grid(models=models, fracs=(1.0,), ks=(4,), methods=("icl", "sft", "rft"), draws=range(6))
    rft = [spec for spec in specs if spec["method"] == "rft"]
    few = [{**spec, "union": list(models[:2])} for spec in rft]
    more = [{**spec, "union": list(models)} for spec in rft]
    truth = Truth(num_items=300, draw_sd=9.0, at_full=50.0, icl=35.0)
    folder = write_study(tmp_path / "s", specs=[*specs, *few, *more], truth=truth, rng_seed=4)
    points, outcomes = loaded(folder)

    def kept(cell: Cell, *, shared: bool) -> bool:
        late = cell.seeds["pretrain_seed"] >= 3
        rare = len(cell.union) == len(models) if method == "union" else cell.method == method and not cell.union
        return not late or not (rare or shared)

    found = []
    for shared in (False, True):
        cells = [cell for point in points for cell in point.cells if kept(cell, shared=shared)]
        results = run_claims(study_view(make_points(cells, outcomes), outcomes))
        (result,) = (result for result in results if result.claim == claim)
        assert result.estimate is not None, result.reason
        found.append(result.estimate)
    assert found[0].value == pytest.approx(found[1].value, abs=1e-9)
    assert found[0].se == pytest.approx(found[1].se, abs=1e-9)
