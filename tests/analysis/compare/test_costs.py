"""What counts as a method's own cost, and what a further replicate or draw of the base is priced at."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest
from composing import tiny
from synthetic_study import Truth, grid, write_study

import rft.methods
import rft.stages
from analysis.compare.costs import DRAWN, GIVEN, IN_ORDER, SAMPLING, SHARED, cost_of
from analysis.load.checks import verified
from analysis.load.outcomes import Outcomes
from analysis.load.points import Point, make_points
from analysis.load.query import where
from analysis.load.studies import load_studies
from analysis.plan.hours import base_hours, own_hours
from rft.plan.cell import CellPlan, plan
from rft.plan.sources import resolve
from rft.records import StageCost
from rft.stages.stage import Stage

# Every other kind there is: a new one stands here or among those that cells share
OWN = {
    "allocate": {"deal", "dealt_shard"},
    "examples": {"human_set", "kept_set", "matched_set", "oracle_set", "fresh_set", "reverse_set", "query_set"}
    | {"revise_set", "within_limit", "holdout"},
    "training": {"finetune", "tuning"},
    "sampling": {"shard", "served_shard", "imported_samples"},
    "selection": {"select", "thin", "choose", "scores", "relabel"},
    "evaluation": {"evaluate", "vote"},
}
SEEDS = ("data_seed", "train_seed", "sample_seed")


def loaded(folder: Path) -> tuple[list[Point], Outcomes]:
    table, outcomes = verified(load_studies([folder]))
    return make_points(table.cells, outcomes), outcomes


def kinds() -> set[str]:
    """Of all stages of the package."""
    for package in (rft.stages, rft.methods):
        for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
            importlib.import_module(module.name)

    def below(cls: type[Any]) -> Iterator[type[Any]]:
        for one in cls.__subclasses__():
            yield from (one, *below(one))

    return {one.kind for one in below(Stage) if one.__module__.startswith("rft.") and "kind" in vars(one)}


def test_every_kind_of_stage_is_known_to_be_shared_or_a_methods_own() -> None:
    own = set.union(*OWN.values())
    assert not own & set(SHARED)
    assert kinds() == own | set(SHARED)
    assert sorted(IN_ORDER) == sorted(kinds()), "a report lists each kind at its place"
    assert set(SAMPLING) == OWN["sampling"] | OWN["allocate"], "the paper's table 4 counts all ways of drawing"


@pytest.mark.parametrize(
    "method", ["sft", "rft", "sft_matched", "oracle_paths", "fresh_human", "self_query", "self_revise", "sft_best"]
)
def test_shared_are_the_stages_that_replicates_of_a_draw_have_in_common(method: str) -> None:
    """By the keys of plans: another replicate has the same, another draw of the base all but those of the base."""

    def planned(*overrides: str) -> CellPlan:
        cfg = tiny(f"method={method}", "methods.sft_best.epoch_grid=[1,2]", *overrides)
        return plan(cfg, resolve(cfg))

    def common(one: CellPlan, other: CellPlan) -> set[str]:
        return {stage.kind for stage in set(one.stages) & set(other.stages)}

    first = planned()
    every = {stage.kind for stage in first.stages}
    replicate = planned(*(f"{name}=7" for name in SEEDS))
    assert common(first, replicate) == every & set(SHARED)
    draw = planned(*(f"{name}=7" for name in SEEDS), "pretrain_seed=7")
    assert common(first, draw) == every & set(GIVEN)
    assert {"world_problems", "heldout"} <= every & set(GIVEN)
    assert {"corpus", "pretrain", "loss"} == every & set(DRAWN)


def test_the_making_of_problems_is_no_cost_of_a_method(tmp_path: Path) -> None:
    """By hand: nano-xs of the quickstart, 22.1 s of problems and 8.8 s of its own."""
    specs = grid(models=("nano-xs",), fracs=(1.0,), methods=("sft",))
    points, _ = loaded(write_study(tmp_path / "s", specs=specs, truth=Truth(num_items=20)))
    made = (
        StageCost("world_problems", "w", 22.1, 0.0, 0, True, makes=True),
        StageCost("human_set", "h", 0.6, 0.0, 0, False, makes=True),
        StageCost("finetune", "f", 8.2, 5e10, 0, False, makes=True),
        StageCost("pretrain", "p", 200.0, 1e12, 0, True, makes=True),
    )
    point = replace(points[0], cells=(replace(points[0].cell, cost=made),))
    cost = cost_of(point.cell)
    assert cost is not None
    assert cost.seconds == pytest.approx(8.8)
    assert own_hours([point]) * 3600 == pytest.approx(8.8)


def test_one_slow_pretraining_does_not_price_all_draws(tmp_path: Path) -> None:
    """Six draws, of which the first took twenty times as long as the others."""
    specs = grid(models=("nano-s",), fracs=(1.0,), methods=("sft",), draws=range(6))
    points, _ = loaded(write_study(tmp_path / "s", specs=specs, truth=Truth(num_items=20)))
    took = [3331.0, 246.0, 152.0, 190.0, 201.0, 170.0]
    cells = tuple(
        replace(cell, cost=(StageCost("pretrain", f"p{cell.draw}", seconds, 1.0, 1, False, makes=True),))
        for cell, seconds in zip(points[0].cells, took, strict=True)
    )
    assert base_hours(replace(points[0], cells=cells)) * 3600 == pytest.approx(median(took)) == pytest.approx(195.5)


@pytest.mark.parametrize("matched", [6, 2, 1])
def test_the_price_of_a_replicate_does_not_depend_on_how_many_controls_there_are(tmp_path: Path, matched: int) -> None:
    """One replicate of RFT and its control: one pool, two trainings, two evaluations, added up from its records."""
    common: dict[str, Any] = {"model": "nano-s", "data_frac": 1.0, "k": 64}
    specs = [{**common, "method": "rft", "seed": seed} for seed in range(6)]
    specs += [{**common, "method": "sft_matched", "seed": seed} for seed in range(matched)]
    points, _ = loaded(write_study(tmp_path / "s", specs=specs, truth=Truth(num_items=20)))
    rft, control = (where(points, method=name)[0] for name in ("rft", "sft_matched"))
    stages = {s.key: s.seconds for p in (rft, control) for s in p.cell.cost if s.name != "pretrain"}
    for order in ((rft, control), (control, rft)):
        assert own_hours(order) * 3600 == pytest.approx(sum(stages.values()))
    assert np.isfinite(own_hours([]))
