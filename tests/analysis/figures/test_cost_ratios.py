"""How many times SFT's compute a method takes: of the same draws and replicates on both sides, by brute force and by hand."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from synthetic_study import Truth, grid, write_study

from analysis.figures.costs import accuracy_against_cost
from analysis.figures.drawing import Drawing
from analysis.load.checks import verified
from analysis.load.points import make_points
from analysis.load.studies import load_studies

TRUTH = Truth(num_items=20, num_full=32)
DRAW = 1000  # between the seeds of two draws, see `grid`
Costs = dict[tuple[str, int], dict[int, dict[int, float]]]  # (method, k) -> draw -> seed -> FLOPs


def study(
    folder: Path, specs: list[dict[str, Any]], factor: Callable[[dict[str, Any]], float]
) -> tuple[dict[str, Any], Costs]:
    """The figure's entries by setting, and FLOPs of each cell from its record, sampling and fine-tuning times `factor`."""
    write_study(folder, specs=specs, truth=TRUTH)
    costs: Costs = defaultdict(lambda: defaultdict(dict))
    for path in folder.glob("*/record.json"):
        record = json.loads(path.read_text())
        spec = specs[int(path.parent.name)]
        own = [s for s in record["cost"] if s["makes"] and s["name"] in ("sft", "finetune", "shard", "select")]
        for stage in own:
            stage["flops"] *= factor(spec)
        path.write_text(json.dumps(record))
        costs[spec["method"], spec["k"] or 0][spec["pretrain_seed"]][spec["seed"]] = sum(
            s["used"] * s["flops"] for s in own
        )
    table, outcomes = verified(load_studies([folder]))
    drawing = accuracy_against_cost(make_points(table.cells, outcomes))
    assert isinstance(drawing, Drawing)
    return {entry["setting"]: entry for entry in drawing.fits}, costs


def test_draws_that_cost_more_do_not_make_the_method_dearer(tmp_path: Path) -> None:
    """Every stage of draw 0 takes ten times the FLOPs, and k=16 was run in draw 0 alone: the ratio is what each draw has."""
    specs = grid(models=("nano-s",), fracs=(1.0,), ks=(4, 16), methods=("sft", "rft"), draws=range(4))
    specs = [spec for spec in specs if spec["k"] != 16 or spec["pretrain_seed"] == 0]
    entries, costs = study(tmp_path / "s", specs, lambda spec: 10.0 if spec["pretrain_seed"] == 0 else 1.0)
    for k in (4, 16):
        (mine,) = {
            round(cost / costs["sft", 0][draw][seed], 9)
            for draw, seeds in costs["rft", k].items()
            for seed, cost in seeds.items()
        }
        assert entries[f"RFT k={k}"]["flops_over_sft"] == pytest.approx(mine)


def test_more_replicates_of_a_draw_give_it_no_more_weight(tmp_path: Path) -> None:
    """Draw 0 has five replicates, the others one; costs at random. Means over draws of means over shared seeds."""
    chance = random.Random(3)
    specs = grid(models=("nano-s",), fracs=(1.0,), ks=(4,), methods=("sft", "rft"), draws=range(3), seeds=range(5))
    specs = [spec for spec in specs if spec["pretrain_seed"] == 0 or spec["seed"] % DRAW == 0]
    specs = [spec for spec in specs if (spec["method"], spec["seed"]) not in {("sft", 1), ("rft", 3)}]
    entries, costs = study(tmp_path / "s", specs, lambda _: chance.uniform(0.2, 5.0))
    rft, sft = costs["rft", 4], costs["sft", 0]
    both = {draw: set(rft[draw]) & set(sft[draw]) for draw in rft}
    assert {draw: len(seeds) for draw, seeds in both.items()} == {0: 3, 1: 1, 2: 1}

    def mean(costs: dict[int, dict[int, float]], seeds: dict[int, set[int]]) -> float:
        return fmean(fmean(costs[draw][seed] for seed in own) for draw, own in seeds.items())

    assert entries["RFT k=4"]["flops_over_sft"] == pytest.approx(mean(rft, both) / mean(sft, both))
    for setting, own in (("RFT k=4", rft), ("SFT", sft)):
        assert entries[setting]["flops"] == pytest.approx(mean(own, {draw: set(seeds) for draw, seeds in own.items()}))


def test_no_ratio_without_a_shared_replicate(tmp_path: Path) -> None:
    specs = grid(models=("nano-s",), fracs=(1.0,), ks=(4,), methods=("sft", "rft"), draws=range(2))
    specs = [spec for spec in specs if (spec["method"] == "sft") == (spec["pretrain_seed"] == 0)]
    entries, _ = study(tmp_path / "s", specs, lambda _: 1.0)
    assert "flops_over_sft" not in entries["RFT k=4"]
