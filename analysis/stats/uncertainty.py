"""How sure a number is, at the level its claim is about.

A base configuration (size, budget, corpus recipe) is drawn anew with every pretraining and corpus seed; replicates (seeds of
data, training, sampling) lie within draws; test problems are crossed with all of them. So a result has TWO intervals:

    these bases                  the drawn bases as they are: replicates and problems drawn anew
    new bases of this kind       draws of the configuration, replicates and problems drawn anew; verdicts use this one

Of one draw the second is not estimable, and no number stands for it. Where every base has one draw (published studies,
imported models) a mean over bases has an interval over bases, in which a base's own draw lies. The formula is that of
`analysis.stats.nested`.

    estimate = nested_mean([[replicates_RI, ...one array a draw], ...one list a base configuration])
    estimate.interval(level=0.95)            # of new bases where that is estimable, else of these: `estimate.kind` says which
    estimate.these_bases.interval(), estimate.new_bases       # (0.4, 1.3), None for one draw
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from analysis.stats.drawn import Draws, SeedsOfDraws, Units, drawn_bases, new_bases
from analysis.stats.linear import t_quantile
from analysis.stats.nested import ROUND_OFF, Spread
from analysis.stats.sharing import alone_words

Floats = NDArray[np.float64]

NOT_ESTIMABLE = "not estimable: one draw"


class Kind(Enum):
    """What an interval holds."""

    ITEMS = "these bases: item noise only (1 replicate)"
    REPLICATES = "these bases: t over replicates and problems"
    DRAWS = "new bases of this kind: t over draws, replicates and problems"
    BASES = "t over bases, a base's own draw inside it"
    PUBLISHED = "published count: binomial, unpaired, one run"


GENERAL = (Kind.DRAWS, Kind.BASES)  # intervals that hold the draw of a base


@dataclass(frozen=True)
class Estimate:
    """A value with its standard error and what that error holds."""

    value: float
    se: float  # NaN where nothing is known of it
    df: float  # degrees of freedom of the standard error; inf: normal
    num_replicates: int  # of all draws together
    num_items: int  # test problems; 0 where the outcomes are not at hand
    kind: Kind
    var_units: float = math.nan  # variance of the value of one unit that is drawn anew: a draw, a base, or a replicate
    var_items: float = math.nan  # the part of se^2 that more units do not shrink
    num_draws: int = 1  # of bases, of all configurations together
    num_bases: int = 1  # configurations
    reach: float = math.nan  # how far one problem's value can lie from `value`; NaN where that is not known
    num_fitted: int = 1  # means or coefficients about which the units scatter: 2 for a slope
    these: Estimate | None = None  # the same for the drawn bases as they are, where this one holds the draw
    alone: tuple[str, ...] = ()  # names of seeds of which all units have one value: what another would do is not in it

    @property
    def these_bases(self) -> Estimate:
        """For the drawn bases as they are: description."""
        return self if self.these is None else self.these

    @property
    def new_bases(self) -> Estimate | None:
        """For new bases of this kind: what verdicts rest on; None where it is not estimable."""
        return self if self.kind in GENERAL and math.isfinite(self.half_width()) else None

    @property
    def num_units(self) -> int:
        """How many units the interval rests on: draws, bases, or replicates of one draw."""
        return {Kind.DRAWS: self.num_draws, Kind.BASES: self.num_bases}.get(self.kind, self.num_replicates)

    @property
    def judged(self) -> tuple[Estimate, ...]:
        """What a verdict on it rests on: itself; of the smallest of several differences all of them."""
        return (self,)

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
            var_units=self.var_units * factor**2,
            var_items=self.var_items * factor**2,
            these=None if self.these is None else self.these.scaled(factor),
        )


def both_intervals(estimate: Estimate, *, digits: int = 2, level: float = 0.95) -> str:
    """'these bases -0.12 to +1.30; new bases of this kind not estimable: one draw', the two in plain words."""
    if estimate.kind is Kind.PUBLISHED:
        return f"{interval_words(estimate, digits=digits, level=level)}; {estimate.kind.value}"
    these, new = estimate.these_bases, estimate.new_bases
    first = f"these bases {interval_words(these, digits=digits, level=level)}"
    if these.kind is Kind.BASES or not math.isfinite(these.half_width()):  # single runs without outcomes
        first = "these bases unknown"
    elif these.kind is Kind.ITEMS:
        first += " (item noise only)"
    general = NOT_ESTIMABLE if new is None else interval_words(new, digits=digits, level=level)
    held = ", over bases, a base's own draw inside" if estimate.kind is Kind.BASES else ""
    return f"{first}; new bases of this kind {general}{held}{held_alone(estimate)}"


def held_alone(estimate: Estimate) -> str:
    """', with one corpus alone': what an interval of new bases does not hold, as all draws have one of it; '' for nothing."""
    words = alone_words(estimate.alone) if estimate.new_bases is not None else ""
    return f", with {words} alone" if words else ""


def interval_words(estimate: Estimate, *, digits: int = 2, level: float = 0.95) -> str:
    """'-0.12 to +1.30'; 'unknown' where an end is."""
    low, high = estimate.interval(level=level)
    known = math.isfinite(low) and math.isfinite(high)
    return f"{low:+.{digits}f} to {high:+.{digits}f}" if known else "unknown"


def nested_mean(
    bases: Sequence[Draws],
    *,
    seeds: Sequence[SeedsOfDraws] | None = None,
    bounds: tuple[float, float] = (math.nan, math.nan),
) -> Estimate:
    """Mean over base configurations of the mean over draws of the mean over replicates, with both intervals.

    Configurations count alike, and so do the draws of one. Problems are the same everywhere; arrays of one problem are values
    whose problems are not at hand. `seeds`: of every replicate, with its draw's; those that several draws share are crossed
    with them (analysis.stats.crossed), without `seeds` none is shared. `bounds`: the least and the greatest value that a
    problem can have, for the interval where all values are equal.
    """
    clean = [[np.where(np.abs(draw) < ROUND_OFF, 0.0, draw) for draw in draws] for draws in bases]
    every = [draw for draws in clean for draw in draws]
    counts = {
        "num_replicates": sum(len(draw) for draw in every), "num_draws": len(every), "num_bases": len(bases),
        "num_items": every[0].shape[1] if every[0].shape[1] > 1 else 0,
    }  # fmt: skip
    units = Units.of(clean, seeds)
    kind = Kind.REPLICATES if any(len(draw) > 1 for draw in every) else Kind.ITEMS
    these = _estimate(drawn_bases(clean, units), kind=kind, bounds=bounds, **counts)
    general = new_bases(clean, units)
    if general is None:
        return these
    held = Kind.DRAWS if units.several_draws else Kind.BASES
    return replace(_estimate(general, kind=held, bounds=bounds, **counts), these=these, alone=units.alone)


def _estimate(spread: Spread, *, kind: Kind, bounds: tuple[float, float], num_items: int, **counts: int) -> Estimate:
    value, se, units = float(spread.value), float(spread.se), float(spread.units)
    if se == 0 and not num_items:  # equal values and no problems to look at: not enough data to say how sure it is
        se = math.nan
    num_units = {Kind.DRAWS: counts["num_draws"], Kind.BASES: counts["num_bases"]}.get(kind, counts["num_replicates"])
    return Estimate(
        value, se, float(spread.df) if math.isfinite(se) else math.nan, counts["num_replicates"], num_items, kind,
        num_draws=counts["num_draws"], num_bases=counts["num_bases"],
        num_fitted=counts["num_bases"] if kind is Kind.DRAWS else 1,
        var_units=units * num_units if kind is not Kind.ITEMS else math.nan,
        var_items=float(spread.items) if num_items else math.nan,
        reach=max(bounds[1] - value, value - bounds[0]),
    )  # fmt: skip


def crossed_mean(values_RI: Floats, *, bounds: tuple[float, float] = (math.nan, math.nan)) -> Estimate:
    """Mean of values [replicates, problems] of one draw of one base."""
    return nested_mean([[values_RI]], bounds=bounds)


def replicate_mean(values_R: Floats) -> Estimate:
    """Mean over replicates of one draw without per-problem outcomes: a plain t-interval; one replicate has no error."""
    return nested_mean([[np.asarray(values_R, float)[:, None]]])


def binomial(value: float, *, n: int, kind: Kind = Kind.PUBLISHED) -> Estimate:
    """A fraction of n problems, its error binomial: of one run on one drawing of problems."""
    variance = value * (1 - value) / n
    return Estimate(value, math.sqrt(variance), math.inf, 1, n, kind, math.nan, variance)
