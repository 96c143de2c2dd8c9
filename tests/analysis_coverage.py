"""Do the intervals hold what they say: simulated studies with known truth, on a grid written down first.

    python tests/analysis_coverage.py --studies 1000 > coverage.md

Generator, for every study anew: problem i has difficulty d_i ~ N(0, 1.2) and a taste for each setting j, u_ij ~ N(0, 0.3);
the cell of setting j and replicate r has e_rj ~ N(0, 0.08) (about 1.7 points from seed to seed); problem i is right with
chance logistic(m_j + d_i + u_ij + e_rj), 400 problems. So the three terms of the crossed variance are all there.
Estimands: expectations over problems and replicates, in points. `difference`: two settings. `slope`: accuracy on log2 data
over P points, m_j rising by 0.25 a doubling. Grid: replicates 1, 3, 5, 8; points 4, 7.
One replicate: its interval holds item noise only and is expected to cover less.
Null families: 8 true differences of 0, Holm-corrected, as in the claims. Power: the true difference for which the planner's
formula promises 80 %, given the true variances at that difference (accuracies nearer to 50 % are noisier).
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

if __package__ in (None, ""):
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from analysis.stats.comparisons import LEVEL, Verdict, holm, judge, power_of
from analysis.stats.fits import slope_weights
from analysis.stats.uncertainty import crossed_mean

NUM_ITEMS = 400
ITEM_SD, TASTE_SD, REPLICATE_SD = 1.2, 0.3, 0.08
REPLICATES = (1, 3, 5, 8)
POINTS = (4, 7)
LEVEL_M = -0.4


@dataclass(frozen=True)
class Row:
    """One line of the report."""

    what: str
    replicates: int
    studies: int
    share: float

    def __str__(self) -> str:
        error = math.sqrt(self.share * (1 - self.share) / self.studies)
        return f"| {self.what} | {self.replicates} | {self.studies} | {100 * self.share:.1f} ± {100 * error:.1f} % |"


def truth(m: np.ndarray) -> np.ndarray:
    """Expected accuracy at each m, by Gauss-Hermite over the normal sum of all effects."""
    sd = math.sqrt(ITEM_SD**2 + TASTE_SD**2 + REPLICATE_SD**2)
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    chances = 1 / (1 + np.exp(-(m[:, None] + sd * nodes[None, :])))
    return chances @ weights / weights.sum()


def draw_study(rng: np.random.Generator, m_J: np.ndarray, *, replicates: int) -> np.ndarray:
    """Right or wrong [replicates, settings, problems]."""
    width = len(m_J)
    base = m_J[:, None] + rng.normal(0, ITEM_SD, NUM_ITEMS) + rng.normal(0, TASTE_SD, (width, NUM_ITEMS))
    seeds = rng.normal(0, REPLICATE_SD, (replicates, width, 1))
    return rng.random((replicates, width, NUM_ITEMS)) < 1 / (1 + np.exp(-(base + seeds)))


def coverage(m_J: np.ndarray, weights_J: np.ndarray, *, replicates: int, studies: int, seed: int) -> float:
    """Share of studies whose 95 % interval of the contrast holds the truth."""
    rng = np.random.default_rng(seed)
    true = float(weights_J @ truth(m_J))
    hits = 0
    for _ in range(studies):
        outcomes = draw_study(rng, m_J, replicates=replicates).astype(float)
        low, high = crossed_mean(np.einsum("j,rji->ri", weights_J, outcomes)).interval()
        hits += low <= true <= high
    return hits / studies


def ladder(points: int) -> tuple[np.ndarray, np.ndarray]:
    """(m of each amount of data, slope weights)."""
    x = np.arange(points, dtype=float)
    return LEVEL_M + 0.25 * (x - x[-1]), slope_weights(x)


def null_families(*, replicates: int, studies: int, seed: int, size: int = 8) -> float:
    """Share of families of true zeros with a 'better' or 'worse' after Holm's correction."""
    rng = np.random.default_rng(seed)
    false = 0
    for _ in range(studies):
        drawn = (draw_study(rng, np.full(2, LEVEL_M), replicates=replicates).astype(float) for _ in range(size))
        estimates = [crossed_mean(100 * (outcomes[:, 1] - outcomes[:, 0])) for outcomes in drawn]
        adjusted = holm([estimate.p_value() for estimate in estimates])
        separated = [estimate for estimate, p in zip(estimates, adjusted, strict=True) if p <= 0.05]
        false += any(judge(estimate).verdict in (Verdict.BETTER, Verdict.WORSE) for estimate in separated)
    return false / studies


def spread(m_J: np.ndarray, *, studies: int = 400) -> tuple[float, float]:
    """True (replicate SD of the paired difference of two settings, variance of it that replicates do not shrink), in points.

    400 studies of 40 replicates: the first to 0.6 %.
    """
    rng = np.random.default_rng(12)
    sds, fixed = [], []
    for _ in range(studies):
        outcomes = draw_study(rng, m_J, replicates=40).astype(float)
        estimate = crossed_mean(100 * (outcomes[:, 1] - outcomes[:, 0]))
        sds.append(estimate.var_replicates)
        fixed.append(estimate.var_items)
    return math.sqrt(float(np.mean(sds))), float(np.mean(fixed))


def promised_setting(*, replicates: int) -> tuple[float, float]:
    """(m of the better setting, difference in points) at which the planner's formula gives 80 % power."""
    base = float(truth(np.array([LEVEL_M]))[0])
    setting, difference = LEVEL_M, 0.0
    for _ in range(3):  # the variances depend on the setting, a little
        sd, fixed = spread(np.array([LEVEL_M, setting]))

        def lacks_power(points: float, sd: float = sd, fixed: float = fixed) -> bool:
            return power_of(points, sd=sd, var_items=fixed, replicates=replicates) < 0.8

        def lacks_height(m: float, wanted: float) -> bool:
            return 100 * (float(truth(np.array([m]))[0]) - base) < wanted

        difference = bisect(lacks_power, low=0.0, high=30.0)
        setting = bisect(partial(lacks_height, wanted=difference), low=LEVEL_M, high=LEVEL_M + 5)
    return setting, difference


def bisect(too_low: Callable[[float], bool], *, low: float, high: float) -> float:
    """Where `too_low` ends."""
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if too_low(middle) else (low, middle)
    return high


def power(*, replicates: int, studies: int, seed: int) -> tuple[float, float]:
    """(difference in points, share of studies that say 'better')."""
    setting, difference = promised_setting(replicates=replicates)
    rng = np.random.default_rng(seed)
    found = 0
    for _ in range(studies):
        outcomes = draw_study(rng, np.array([LEVEL_M, setting]), replicates=replicates).astype(float)
        low, _ = crossed_mean(100 * (outcomes[:, 1] - outcomes[:, 0])).interval(level=LEVEL)
        found += low > 0  # at this size never within the margin: what `judge` calls better
    return difference, found / studies


def report(studies: int, *, seed: int) -> str:
    """The whole grid as a Markdown table; families and powers, whose shares lie at an edge, of ten times the studies."""
    lines = ["| what | replicates | studies | share |", "|---|---|---|---|"]
    two, minus = np.array([LEVEL_M, LEVEL_M + 0.25]), np.array([-1.0, 1.0])
    for replicates in REPLICATES:
        share = coverage(two, minus, replicates=replicates, studies=studies, seed=seed + replicates)
        lines.append(str(Row("95 % interval of a difference covers", replicates, studies, share)))
        for points in POINTS:
            m, weights = ladder(points)
            share = coverage(m, weights, replicates=replicates, studies=studies, seed=seed + 100 * points + replicates)
            lines.append(str(Row(f"95 % interval of a slope over {points} points covers", replicates, studies, share)))
    many = 10 * studies
    for replicates in (5, 8):
        share = null_families(replicates=replicates, studies=many, seed=seed + replicates)
        lines.append(str(Row("null family of 8 says better or worse", replicates, many, share)))
        difference, share = power(replicates=replicates, studies=many, seed=seed + replicates)
        lines.append(
            str(Row(f"says better at the promised {difference:.2f} points (80 % wanted)", replicates, many, share))
        )
    return "\n".join(lines)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Coverage of the analysis' intervals on simulated studies.")
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(report(options.studies, seed=options.seed))


if __name__ == "__main__":
    main()
