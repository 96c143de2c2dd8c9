"""Claims about pretraining loss where settings have unlike draws of the base: slopes against plain regressions over the draws
that are compared.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from synthetic_study import LOSS, Truth, write_study

from analysis.claims.gains import odds_slopes, slope_estimates
from analysis.claims.run import run_claims, study_view
from analysis.load.checks import verified
from analysis.load.outcomes import Outcomes
from analysis.load.points import Point, make_points
from analysis.load.studies import load_studies
from rft.records import read_json, write_json

MODELS = tuple(LOSS)
DRAWS = range(6)
SOME = (0, 1)  # draws of the settings that have few
Accuracies = Mapping[tuple[str, int, str, float | None], float]


@dataclass(frozen=True)
class Made(Truth):
    """Accuracies by a rule of the test."""

    rule: Callable[[Mapping[str, Any]], float] = lambda spec: 40.0

    def accuracy(self, spec: Mapping[str, Any]) -> float:
        return self.rule(spec)


def losses() -> dict[tuple[str, int], float]:
    rng = np.random.default_rng(4)
    return {(model, draw): LOSS[model] + rng.normal(0, 0.08) for model in MODELS for draw in DRAWS}


def spec_of(model: str, draw: int, method: str, *, frac: float = 1.0) -> dict[str, Any]:
    k = 4 if method == "rft" else None
    return {"model": model, "method": method, "data_frac": frac, "k": k, "seed": 100 * draw + 1, "pretrain_seed": draw}


def loaded(
    folder: Path, specs: list[dict[str, Any]], rule: Callable[[Mapping[str, Any]], float]
) -> tuple[list[Point], Outcomes]:
    loss = losses()
    write_study(folder, specs=specs, truth=Made(rule=rule, num_items=2000, replicate_sd=0.0, item_sd=0.01))
    for path in folder.glob("*/record.json"):
        record = read_json(path)
        record["model"]["pretrain_loss_nats"] = loss[record["names"]["model"], record["seeds"]["pretrain_seed"]]
        write_json(path, record)
    table, outcomes = verified(load_studies([folder]))
    return make_points(table.cells, outcomes), outcomes


def accuracies(points: list[Point]) -> Accuracies:
    return {
        (c.model, c.seeds["pretrain_seed"], c.method, c.data_frac): c.accuracy.value
        for p in points
        for c in p.cells
        if c.accuracy is not None
    }


@pytest.mark.parametrize("many", ["rft", "sft"])
def test_the_loss_beside_a_gain_is_of_the_draws_that_are_compared(tmp_path: Path, many: str) -> None:
    """One setting has six draws, the other two: the slope is that of the two, whichever setting has more."""
    loss = losses()

    def rule(spec: Mapping[str, Any]) -> float:
        own = loss[spec["model"], spec["pretrain_seed"]]
        return 40 + (10 + 20 * (own - 1.8) if spec["method"] == "rft" else 0.0)

    draws = {method: DRAWS if method == many else SOME for method in ("rft", "sft")}
    specs = [spec_of(model, draw, method) for method in draws for model in MODELS for draw in draws[method]]
    points, outcomes = loaded(tmp_path / "s", specs, rule)
    at = accuracies(points)
    gains = [np.mean([100 * (at[m, d, "rft", 1.0] - at[m, d, "sft", 1.0]) for d in SOME]) for m in MODELS]
    by_hand = stats.linregress([np.mean([loss[m, d] for d in SOME]) for m in MODELS], gains)
    (found,) = (r for r in run_claims(study_view(points, outcomes)) if r.claim == "5a")
    assert found.estimate is not None
    assert (found.estimate.value, found.estimate.se) == pytest.approx((by_hand.slope, by_hand.stderr))


def test_gains_per_doubling_are_of_the_draws_that_all_amounts_have(tmp_path: Path) -> None:
    """Six draws of all data, two of its fractions: on both scales slopes and losses are those of the two."""
    fractions, loss = (0.125, 0.25, 0.5, 1.0), losses()

    def rule(spec: Mapping[str, Any]) -> float:
        other = 0.0 if spec["pretrain_seed"] in SOME else 10 * MODELS.index(spec["model"])
        return 45 + 6 * math.log2(spec["data_frac"]) + other

    specs = [spec_of(m, d, "sft", frac=f) for m in MODELS for f in fractions for d in (DRAWS if f == 1 else SOME)]
    points, outcomes = loaded(tmp_path / "s", specs, rule)
    at = accuracies(points)
    mean = {(m, f): np.mean([at[m, d, "sft", f] for d in SOME]) for m in MODELS for f in fractions}
    x = np.log2(fractions)
    tops, slopes = slope_estimates(points, outcomes)
    odds_tops, odds = odds_slopes(points, outcomes, smallest=1 / 8)
    for place, model in enumerate(MODELS):
        ys = np.array([mean[model, f] for f in fractions])
        assert slopes[place].value == pytest.approx(np.polyfit(x, 100 * ys, 1)[0])
        assert odds[place] == pytest.approx(np.polyfit(x, np.log(ys / (1 - ys)), 1)[0], abs=2e-3)
        assert tops[place].loss == odds_tops[place].loss == pytest.approx(np.mean([loss[model, d] for d in SOME]))
    line = stats.linregress([p.loss for p in tops], odds)
    (found,) = (r for r in run_claims(study_view(points, outcomes)) if r.claim == "3")
    assert f"on log-odds {line.slope:+.3f} per doubling per nat" in found.reason
    points_line = stats.linregress([np.mean([loss[m, d] for d in SOME]) for m in MODELS], [s.value for s in slopes])
    assert found.estimate is not None
    assert found.estimate.value == pytest.approx(points_line.slope)


def test_rivals_of_the_line_in_data_see_the_draws_that_all_amounts_have(tmp_path: Path):
    """Draw 0 gains 6 points per doubling; the others lie 15 points higher and have the whole data alone."""

    def misses(folder: Path, *, num_draws: int) -> list[float]:
        specs = [
            spec_of(model, draw, "sft", frac=frac)
            for model in MODELS[:3]
            for draw in range(num_draws)
            for frac in (0.125, 0.25, 0.5, 1.0)
            if draw == 0 or frac == 1.0
        ]
        folder.mkdir()
        points, outcomes = loaded(
            folder, specs, lambda s: 40.0 + 6 * math.log2(s["data_frac"]) + (15 if s["pretrain_seed"] else 0)
        )
        (claim,) = [one for one in run_claims(study_view(points, outcomes)) if one.claim == "1"]
        return [float(found[1]) for text in claim.details if (found := re.match(r"rival .* ([0-9.]+) points", text))]

    for num_draws in (1, 6):  # 13 points and more where the whole data has the mean of six draws
        found = misses(tmp_path / str(num_draws), num_draws=num_draws)
        assert len(found) == 3
        assert max(found) < 6
