"""What a referee found in the analysis, each against a truth that is known otherwise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from synthetic_study import Truth, grid, write_study

from analysis.claims.run import run_claims, study_view
from analysis.compare.controls import harder
from analysis.docs.blocks.tables import claims, gains, results
from analysis.docs.registry import Reference
from analysis.load.checks import verified
from analysis.load.outcomes import Outcomes
from analysis.load.points import Point, make_points
from analysis.load.query import same_but, where
from analysis.load.studies import load_studies
from analysis.plan.gains_plan import budget_text, gain_noise, prices_of
from analysis.stats.budget import best_design
from analysis.stats.components import components
from analysis.stats.uncertainty import nested_mean
from analysis.tables.noise import TOGETHER_NOTE, noise_rows, noise_summary
from rft.cli.archive import archive

METHODS = ("sft", "sft_matched", "rft")


def loaded(folder: Path) -> tuple[list[Point], Outcomes]:
    table, outcomes = verified(load_studies([folder]))
    return make_points(table.cells, outcomes), outcomes


def test_the_price_of_a_replicate_counts_a_shared_stage_once(tmp_path: Path) -> None:
    """RFT and its control rest on one pool: by hand, each distinct stage of one replicate once."""
    specs = grid(models=("nano-s",), fracs=(1.0,), ks=(4,), methods=METHODS, seeds=(0, 1))
    points, _ = loaded(write_study(tmp_path / "s", specs=specs, truth=Truth(num_items=50)))
    rft = where(points, method="rft")[0]
    control = same_but(rft, points, method="sft_matched")
    assert control is not None
    first = [p.cells[0] for p in (rft, control)]
    stages = {s.key: s for cell in first for s in cell.cost if s.name in ("shard", "finetune", "evaluate")}
    assert len(stages) == 5, "one pool, two trainings, two evaluations"
    prices = prices_of((rft, control))
    assert prices.replicate + 50 * prices.problem == pytest.approx(sum(s.seconds for s in stages.values()) / 60)


def test_with_one_replicate_a_draw_the_noise_is_the_sum_and_says_so(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    found = [
        components([[rng.normal(0, 2.0) + rng.normal(0, 3.0, (1, 1)) + rng.normal(0, 1.0, (1, 40)) for _ in range(8)]])
        for _ in range(60)
    ]
    assert all(one.together for one in found)
    assert np.mean([one.base.variance for one in found if one.base]) == pytest.approx(2.0**2 + 3.0**2, rel=0.2)
    one, two = (
        loaded(write_study(tmp_path / f"s{n}", specs=grid(
            models=("nano-s",), fracs=(1.0,), methods=("sft",), seeds=range(n), draws=range(5)
        ), truth=Truth(num_items=60)))
        for n in (1, 2)
    )  # fmt: skip
    (row,) = noise_rows(*one)[1]
    assert row[2].endswith("*")
    assert not row[3]
    assert " ".join(TOGETHER_NOTE.split()) in " ".join(noise_summary(*one).split())
    assert "*" not in noise_summary(*two)


def test_the_harder_control_stands_beside_its_own_numbers() -> None:
    rng = np.random.default_rng(2)
    few = nested_mean([[rng.normal(5.0, 1.0, (1, 50)) for _ in range(5)]])
    many = nested_mean([[rng.normal(1.0, 1.0, (2, 50)) for _ in range(8)]])
    found = harder([few, many])
    assert (found.value, found.num_draws, found.num_replicates) == (many.value, 8, 16)


def test_four_bases_decide_no_slope_on_loss(tmp_path: Path) -> None:
    models = ("nano-xs", "nano-s", "nano-m", "nano-l")
    specs = grid(models=models, fracs=(1.0,), ks=(4,), methods=("icl", *METHODS), seeds=(0,), draws=range(3))
    view = study_view(*loaded(write_study(tmp_path / "s", specs=specs, truth=Truth(num_items=200, at_full=60.0))))
    made = {r.claim: r for r in run_claims(view)}
    for name in ("6d", "2b"):
        assert made[name].ruling.value == "not testable"
        assert "a verdict over bases needs 5" in made[name].reason


def test_generated_blocks_hold_the_notes_on_shared_seeds(tmp_path: Path) -> None:
    specs = grid(models=("nano-s",), fracs=(1.0,), ks=(4,), methods=METHODS, seeds=(0, 1, 2), draws=range(3))
    shared = [{**spec, "seed": spec["seed"] % 1000} for spec in specs]
    study = write_study(tmp_path / "live", specs=shared, truth=Truth(num_items=40))
    archive(study, to=tmp_path / "kept")
    page = Reference(tmp_path / "kept")
    for block in (results, gains, claims):
        assert "Draws of a base share seeds: data_seed (3 values)" in str(block(page, ()))


def test_advice_for_five_configurations_of_six_draws(tmp_path: Path) -> None:
    """The layout of the claims study: where draws are the noise, more draws, one replicate; the budget is kept."""
    models = ("nano-xs", "nano-s", "nano-m", "nano-l")  # each is planned by itself
    specs = grid(models=models, fracs=(1.0,), ks=(4,), methods=METHODS, seeds=(0, 1), draws=range(6))
    points, outcomes = loaded(
        write_study(tmp_path / "s", specs=specs, truth=Truth(num_items=200, gain_sd=8.0, replicate_sd=0.3))
    )
    text = budget_text(points, outcomes, minutes=60)
    assert text.count("now 6 draws of the base, 2 replicates of each, 200 test problems") == 4
    for rft in where(points, method="rft"):
        control = same_but(rft, points, method="sft_matched")
        assert control is not None
        found = gain_noise(rft, control, outcomes)
        assert found is not None
        parts, design, prices = found
        assert (design.draws, design.replicates) == (6, 2)
        best = best_design(parts, prices, minutes=60)
        assert best is not None
        assert best.minutes(prices) <= 60
        assert best.half_width(parts) < design.half_width(parts)
        large = replace(parts, base=replace(parts.base, variance=64.0))  # type: ignore[type-var]
        planned = best_design(large, prices, minutes=design.minutes(prices))
        assert planned is not None
        assert planned.replicates == 1
        assert planned.draws > 6
