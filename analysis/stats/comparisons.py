"""Is one setting better than another: better, worse, equivalent or not separable, and what would separate them.

    result = compare(rft, sft, outcomes, margin=1.0)
    result.verdict, result.estimate.interval(), result.replicates_needed    # Verdict.NOT_SEPARABLE, (-0.6, 3.2), 14

The replicate-level interval decides about methods; McNemar's test describes two checkpoints and decides nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

import numpy as np

from analysis.load.cells import MATCHED, Cell
from analysis.load.outcomes import Outcomes
from analysis.load.points import Point, contrast
from analysis.load.query import same_but
from analysis.stats.uncertainty import VERDICT_REPLICATES, Estimate, Floats, Kind

LEVEL = 0.95  # of the interval that says better or worse
POWER = 0.8  # wanted chance of separating a difference that is there
MARGIN = 1.0  # points: differences smaller than this do not matter (less than one binomial SE at 1,319 problems)
ASSUMED_REPLICATE_SD = 2.0  # points from seed to seed, of a paired difference; used where one replicate can show none
MOST_REPLICATES = 1000


class Verdict(Enum):
    """How a comparison ends."""

    BETTER = "better"
    WORSE = "worse"
    EQUIVALENT = "equivalent"
    NOT_SEPARABLE = "not separable"


@dataclass(frozen=True)
class Comparison:
    """First minus second, in points."""

    estimate: Estimate
    verdict: Verdict
    margin: float  # points
    reason: str  # why not separable, or what the verdict rests on
    replicates_needed: (
        int | None
    )  # for 80 % power at the measured difference; None: not by replicates on these problems
    problems_needed: int | None  # where the problems limit: how many would do with unlimited replicates
    assumed_sd: float | None  # the replicate standard deviation taken where it could not be measured


def compare(first: Point, second: Point, outcomes: Outcomes, *, margin: float = MARGIN) -> Comparison | None:
    """Compare two settings on shared problems, replicate by replicate; None when no replicate is shared."""
    estimate = contrast((first, second), (1.0, -1.0), outcomes)
    return None if estimate is None else judge(estimate, margin=margin)


def judge(estimate: Estimate, *, margin: float = MARGIN, level: float = LEVEL) -> Comparison:
    """The verdict on a difference.

    Equivalent: the interval of level 1 - 2 (1 - level) (two one-sided tests, Schuirmann 1987) lies within the margin; this
    goes before better and worse, since by the margin's meaning a smaller difference does not matter. Fewer than five
    replicates of a measured study give no verdict.
    """
    sd, var_items, assumed = _spread(estimate)
    needed = replicates_to_separate(estimate.value, sd=sd, var_items=var_items)
    problems = problems_to_separate(estimate) if needed is None else None
    verdict, reason = _verdict(estimate, margin=margin, level=level)
    return Comparison(estimate, verdict, margin, reason, needed, problems, sd if assumed else None)


def _verdict(estimate: Estimate, *, margin: float, level: float) -> tuple[Verdict, str]:
    if not math.isfinite(estimate.half_width()):
        return Verdict.NOT_SEPARABLE, "not enough data: its error is unknown"
    if estimate.kind is not Kind.PUBLISHED and estimate.num_replicates < VERDICT_REPLICATES:
        held = "item noise only" if estimate.num_replicates == 1 else "exploratory"
        return (
            Verdict.NOT_SEPARABLE,
            f"{estimate.num_replicates} replicate(s), a verdict needs {VERDICT_REPLICATES} ({held})",
        )
    low, high = estimate.interval(level=1 - 2 * (1 - level))
    if -margin < low and high < margin:
        return Verdict.EQUIVALENT, f"90 % interval within ±{margin:g} points"
    low, high = estimate.interval(level=level)
    if low > 0:
        return Verdict.BETTER, f"{level:.0%} interval above 0"
    if high < 0:
        return Verdict.WORSE, f"{level:.0%} interval below 0"
    return Verdict.NOT_SEPARABLE, f"{level:.0%} interval holds 0 and reaches past ±{margin:g} points"


def _spread(estimate: Estimate) -> tuple[float, float, bool]:
    """(standard deviation of one replicate, variance that replicates do not shrink, whether the first was assumed).

    One replicate shows neither part. Assumed then: seeds add ASSUMED_REPLICATE_SD, and its item noise is that of problems
    which flip from run to run, so that it averages out over replicates like the rest.
    """
    if math.isfinite(estimate.var_replicates):
        return (
            math.sqrt(estimate.var_replicates),
            estimate.var_items if math.isfinite(estimate.var_items) else 0.0,
            False,
        )
    noise = estimate.var_items if math.isfinite(estimate.var_items) else 0.0
    return math.sqrt(ASSUMED_REPLICATE_SD**2 + noise), 0.0, True


MOST_DF = 1e6  # beyond, t is normal to six digits
VARIANCE_NODES = 200  # where the replicates' variance may fall by chance: power is then exact to 0.05 %


def power_of(difference: float, *, sd: float, var_items: float, replicates: int, level: float = LEVEL) -> float:
    """Chance that the interval of so many replicates excludes 0 on the right side.

    The study will know its replicate variance, and so its degrees of freedom (Satterthwaite), only by estimates: power is the
    mean over what it may find (chi-square), not the power at the true values, which promises up to 1 % too much.
    """
    from scipy import special

    variance = sd**2 / replicates + var_items
    if variance <= 0:
        return 1.0 if difference else 0.0
    found = sd**2 / replicates * _variance_ratios(replicates - 1)
    share = found / (found + var_items) if sd > 0 else np.zeros(VARIANCE_NODES)
    df = (replicates - 1) / np.maximum(share**2, (replicates - 1) / MOST_DF)
    ends = special.stdtrit(df, 0.5 + level / 2) * np.sqrt(found + var_items)
    return float(np.mean(special.ndtr((abs(difference) - ends) / math.sqrt(variance))))


@lru_cache(maxsize=4 * MOST_REPLICATES)
def _variance_ratios(df: int) -> Floats:
    """Equally likely ratios of an estimated to the true variance."""
    from scipy import special

    ranks = (np.arange(VARIANCE_NODES) + 0.5) / VARIANCE_NODES
    ratios: Floats = special.chdtri(df, 1 - ranks) / df
    return ratios


def replicates_to_separate(difference: float, *, sd: float, var_items: float, power: float = POWER) -> int | None:
    """Fewest replicates (at least five) with that power; None when MOST_REPLICATES do not reach it."""
    if difference == 0 or power_of(difference, sd=sd, var_items=var_items, replicates=MOST_REPLICATES) < power:
        return None
    low, high = VERDICT_REPLICATES, MOST_REPLICATES
    while low < high:
        middle = (low + high) // 2
        if power_of(difference, sd=sd, var_items=var_items, replicates=middle) >= power:
            high = middle
        else:
            low = middle + 1
    return low


def problems_to_separate(estimate: Estimate, *, power: float = POWER) -> int | None:
    """Test problems that would do if replicates were unlimited; None when the difference or their error is 0 or unknown."""
    from scipy import stats

    if estimate.value == 0 or not estimate.num_items or not estimate.var_items > 0:
        return None
    wanted = (abs(estimate.value) / (stats.norm.ppf(0.5 + LEVEL / 2) + stats.norm.ppf(power))) ** 2
    return math.ceil(estimate.num_items * estimate.var_items / wanted)


def mcnemar(first: Cell, second: Cell, outcomes: Outcomes) -> tuple[int, int, float] | None:
    """(right only by the first, right only by the second, exact two-sided p) of two checkpoints: no verdict."""
    from scipy import stats

    found = outcomes.matrix([first, second])
    if found is None:
        return None
    mine, theirs = found[1]
    only_first, only_second = int(np.sum(mine & ~theirs)), int(np.sum(~mine & theirs))
    total = only_first + only_second
    p = float(stats.binomtest(only_first, total).pvalue) if total else 1.0
    return only_first, only_second, p


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values, in the order given (Holm 1979, Scand. J. Statist. 6, 65-70)."""
    adjusted = [0.0] * len(p_values)
    running = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = running
    return adjusted


def matched_pairs(points: Sequence[Point]) -> list[tuple[Point, Point]]:
    """Settings that have a control of their own, SFT at their optimiser steps, and that control."""
    treated = [point for point in points if point.method != MATCHED]
    return [(p, control) for p in treated if (control := same_but(p, points, method=MATCHED)) is not None]
