"""How sure a number is, at the level its claim is about.

Test problems are crossed with all cells: every replicate answers the same problems. For a statistic that is a mean over
problems in every replicate (an accuracy, a difference, a slope: any linear contrast of accuracies) let v[r, i] be its
value in replicate r on problem i. Then

    variance = var_r(mean_i v) / R  +  var_i(mean_r v) / I  -  var_ri(interaction) / (R I)

(two-way random effects, each problem and replicate drawn anew; the third term is counted twice by the first two), with
Satterthwaite's degrees of freedom as in Clark's quasi F (Clark 1973, J. Verb. Learn. Verb. Behav. 12, 335-359). One
replicate cannot show the first term: its interval holds item noise only and is so labelled.

    estimate = crossed_mean(values_RI)
    estimate.interval(level=0.95), estimate.kind      # (-0.4, 3.1), Kind.EXPLORATORY
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from analysis.stats.linear import t_quantile

Floats = NDArray[np.float64]

VERDICT_REPLICATES = 5  # fewer replicates give no verdict on a user's own study


class Kind(Enum):
    """What an interval holds."""

    ITEMS = "item noise only (1 replicate)"
    EXPLORATORY = "t-interval over 2 to 4 replicates, exploratory"
    REPLICATES = "t-interval over replicates and problems"
    PUBLISHED = "published count: binomial, unpaired, one run"
    BASES = "t-interval over bases"


@dataclass(frozen=True)
class Estimate:
    """A value with its standard error and what that error holds."""

    value: float
    se: float  # NaN where nothing is known of it
    df: float  # degrees of freedom of the standard error; inf: normal
    num_replicates: int
    num_items: int  # test problems; 0 where the outcomes are not at hand
    kind: Kind
    var_replicates: float = math.nan  # variance of one replicate's value about the method's mean, problems held fixed
    var_items: float = math.nan  # the part of se^2 that more replicates do not shrink
    num_bases: int = 0  # of Kind.BASES: how many
    reach: float = math.nan  # how far one problem's value can lie from `value`; NaN where that is not known

    def half_width(self, *, level: float = 0.95) -> float:
        """Half of the interval; NaN where nothing is known of it.

        Where all that was seen is equal, the error is not zero but too small to be seen: among n problems none differed, so
        at most a share 1 - ((1 - level) / 2)^(1/n) of all problems does (Clopper and Pearson 1934; the rule of three), each
        by no more than `reach`.
        """
        if self.se > 0:
            return t_quantile(level, df=self.df) * self.se
        if not self.num_items:
            return math.nan
        return self.reach * (1.0 - ((1.0 - level) / 2) ** (1.0 / self.num_items))

    def interval(self, *, level: float = 0.95) -> tuple[float, float]:
        """Two-sided t-interval."""
        half = self.half_width(level=level)
        return self.value - half, self.value + half

    def p_value(self, null: float = 0.0) -> float:
        """Two-sided p of the value being `null`."""
        from scipy import stats

        if not self.se > 0:  # all problems alike: a sign test over them
            known = self.value != null and self.num_items and math.isfinite(self.se)
            return min(1.0, 2.0 * 0.5**self.num_items) if known else 1.0
        return float(2 * stats.t.sf(abs(self.value - null) / self.se, self.df))

    def scaled(self, factor: float) -> Estimate:
        """The same in another unit, e.g. 100 for percent."""
        return replace(
            self,
            value=self.value * factor,
            se=self.se * abs(factor),
            reach=self.reach * abs(factor),
            var_replicates=self.var_replicates * factor**2,
            var_items=self.var_items * factor**2,
        )


def kind_of(num_replicates: int) -> Kind:
    """The label of an interval over so many replicates."""
    if num_replicates == 1:
        return Kind.ITEMS
    return Kind.REPLICATES if num_replicates >= VERDICT_REPLICATES else Kind.EXPLORATORY


def crossed_mean(values_RI: Floats, *, bounds: tuple[float, float] = (math.nan, math.nan)) -> Estimate:
    """Mean of values [replicates, problems], both drawn at random and crossed (see the module's formula).

    `bounds`: the least and the greatest value that a problem can have, for the interval where all values are equal.
    """
    estimate = _crossed_mean(np.where(np.abs(values_RI) < ROUND_OFF, 0.0, values_RI))
    return replace(estimate, reach=max(bounds[1] - estimate.value, estimate.value - bounds[0]))


def _crossed_mean(values_RI: Floats) -> Estimate:
    num_reps, num_items = values_RI.shape
    rep_means, item_means = values_RI.mean(axis=1), values_RI.mean(axis=0)
    mean = float(values_RI.mean())
    items = float(item_means.var(ddof=1)) / num_items if num_items > 1 else math.nan
    if num_reps == 1:
        return Estimate(mean, math.sqrt(items), num_items - 1, 1, num_items, Kind.ITEMS, math.nan, items)
    rest = values_RI - rep_means[:, None] - item_means[None, :] + mean
    both = float((rest**2).sum()) / ((num_reps - 1) * (num_items - 1)) / (num_reps * num_items)
    reps = float(rep_means.var(ddof=1)) / num_reps
    return _combine(mean, reps=reps, items=items, both=both, shape=(num_reps, num_items))


ROUND_OFF = 1e-9  # in points or shares: less is what rounding leaves of contrasts of equal answers
TIE = 1e-9  # of the interaction's term: what rounding leaves of replicates that are equal


def _combine(mean: float, *, reps: float, items: float, both: float, shape: tuple[int, int]) -> Estimate:
    """The three terms put together.

    In expectation the replicate term is at least the interaction's. Where it comes out smaller by chance, degrees of freedom
    are taken at the interaction's size: else a lucky draw of close replicates would be rewarded twice, with a small error and
    with many degrees of freedom (simulated families of true zeros then say too often that there is a difference). Where
    replicates are equal by chance though their problems differ, the interaction's term stands for theirs.
    """
    num_reps, num_items = shape
    only_items = max(0.0, items - both)
    if reps <= TIE * both:
        reps = both
    variance = reps + only_items
    if math.sqrt(variance) < ROUND_OFF:
        variance = 0.0
    if variance > 0:
        floored = max(reps, both)
        df = (floored + only_items) ** 2 / (floored**2 / (num_reps - 1) + only_items**2 / (num_items - 1))
    else:
        df = float(num_reps - 1)
    return Estimate(mean, math.sqrt(variance), df, num_reps, num_items, kind_of(num_reps), reps * num_reps, only_items)


def replicate_mean(values_R: Floats) -> Estimate:
    """Mean over replicates without per-problem outcomes: a plain t-interval; one replicate has no error."""
    num = len(values_R)
    mean = float(np.mean(values_R))
    if num == 1:
        return Estimate(mean, math.nan, math.nan, 1, 0, Kind.ITEMS)
    variance = float(np.var(values_R, ddof=1))
    if variance == 0:  # equal replicates and no problems to look at: not enough data to say how sure it is
        return Estimate(mean, math.nan, math.nan, num, 0, kind_of(num))
    return Estimate(mean, math.sqrt(variance / num), num - 1, num, 0, kind_of(num), variance, math.nan)


def binomial(value: float, *, n: int, kind: Kind = Kind.PUBLISHED) -> Estimate:
    """A fraction of n problems, its error binomial: of one run on one drawing of problems."""
    variance = value * (1 - value) / n
    return Estimate(value, math.sqrt(variance), math.inf, 1, n, kind, math.nan, variance)


def wilson(value: float, *, n: int, level: float = 0.95) -> tuple[float, float]:
    """Score interval of a fraction of n problems (Wilson 1927): not of zero width at 0 or n hits, as value ± z se is."""
    from scipy import stats

    z2 = float(stats.norm.ppf(0.5 + level / 2)) ** 2
    centre = value + z2 / (2 * n)
    half = math.sqrt(z2 * (value * (1 - value) + z2 / (4 * n)) / n)
    return max(0.0, (centre - half) / (1 + z2 / n)), min(1.0, (centre + half) / (1 + z2 / n))


def resample_items(
    correct_CI: NDArray[np.bool_], *, num_resamples: int, rng: np.random.Generator, block: int = 256
) -> Floats:
    """Accuracies [resamples, cells] over problems drawn with replacement, the same draw for all cells."""
    num_cells, num_items = correct_CI.shape
    columns = np.ascontiguousarray(correct_CI.T, np.float32)
    result = np.empty((num_resamples, num_cells))
    for start in range(0, num_resamples, block):
        rows = min(block, num_resamples - start)
        counts = rng.multinomial(num_items, np.full(num_items, 1 / num_items), size=rows).astype(np.float32)
        result[start : start + rows] = counts @ columns / num_items
    return result


def crossed_statistic(
    correct_RJI: NDArray[np.bool_],
    statistic: Callable[[Floats], Floats],
    *,
    num_resamples: int = 1000,
    rng: np.random.Generator,
) -> Estimate:
    """A statistic of the J accuracies of each replicate that is not linear in them (a log-odds slope, a ratio).

    `statistic` maps accuracies [..., J] to values [...]. The item terms of the module's formula come from the joint
    bootstrap over problems: Var_b(mean_r s) is the second term, (mean_r Var_b(s_r) - Var_b(mean_r s)) / (R - 1) the third.
    Resamples where the statistic is not finite are left out; more than 5 % of them give a NaN error.
    """
    num_reps, width, num_items = correct_RJI.shape
    per_rep = statistic(correct_RJI.mean(axis=2))
    mean = float(per_rep.mean())
    flat = resample_items(correct_RJI.reshape(-1, num_items), num_resamples=num_resamples, rng=rng)
    drawn_BR = statistic(flat.reshape(num_resamples, num_reps, width))
    fine = np.isfinite(drawn_BR).all(axis=1)
    if fine.mean() < 0.95 or not math.isfinite(mean):
        return Estimate(mean, math.nan, math.nan, num_reps, num_items, kind_of(num_reps))
    drawn_BR = drawn_BR[fine]
    items = float(drawn_BR.mean(axis=1).var(ddof=1))
    if num_reps == 1:
        return Estimate(mean, math.sqrt(items), num_items - 1, 1, num_items, Kind.ITEMS, math.nan, items)
    both = max(0.0, (float(drawn_BR.var(axis=0, ddof=1).mean()) - items) / (num_reps - 1))
    reps = float(per_rep.var(ddof=1)) / num_reps
    return _combine(mean, reps=reps, items=items, both=both, shape=(num_reps, num_items))
