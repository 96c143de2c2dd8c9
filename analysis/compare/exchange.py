"""The exchange rate: what a self-generated verified path is worth in fresh human problems.

At equal optimiser steps let a(h) be the accuracy of SFT on h human problems, a line through the human-only cells at the RFT
cell's steps: `sft_matched` (n problems), `fresh_human` with three or more numbers of fresh problems, and any SFT cell of the
base whose steps agree (`same_steps`). RFT on n problems and its paths has A. With x the amount counted from n,

    x = log2(h / n)     fresh = n (2 ** r - 1)        "log": every doubling of the problems is worth as much
    x = h / n - 1       fresh = n r                   "linear": every problem is worth as much
    r = (A - a(n)) / (slope of a on x)

`fresh` is how many fresh human problems the paths are worth together; by number of kept paths, or of NEW ones (whose equation
list is not the human one), it is the rate. 0: repetition would do as well; below 0: the paths harm. Numerator and denominator
are linear in accuracies, so that Fieller's theorem (1954, J. R. Statist. Soc. B 16, 175-185) gives the interval, which is not
clipped: of new bases of this kind where there are two draws or more, and of these bases as they are. Where it covers all
amounts that were measured, or the slope is not separable from 0, the rate is not estimable.

    results = exchange_rates(points, outcomes)
    results[0].log.fresh, results[0].log.interval          # 57.0, (12.0, 110.0)
    results[0].log.per(results[0].new)                     # 0.4, (0.08, 0.77): of a new path
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.compare.fits import slope_weights
from analysis.load.cells import matches
from analysis.load.outcomes import Outcomes
from analysis.load.pairs import paired_replicates
from analysis.load.points import Point, contrast
from analysis.load.query import left_out_of, most_in_common, on_paired_replicates, same_but, step_gap, where
from analysis.stats.linear import NotEnough, t_quantile
from analysis.stats.uncertainty import Estimate

LEVEL = 0.95
FRESH_COUNT = "methods.fresh_human.fresh_count"  # null: as many as RFT kept paths
AMOUNTS = ("method", "data_frac", "k", "train.epochs", "train.epoch_rule")  # what makes the amount and the steps
MIN_FRESH = 3  # amounts beyond n: fewer cannot tell the two scales apart, nor a bend from noise
ROUNDED = 0.5  # paths
NOT_ESTIMABLE = "not estimable"

MOST_DOUBLINGS = 64.0  # more human problems than there will ever be

Floats = NDArray[np.float64]
Interval = tuple[float, float]


@dataclass(frozen=True)
class Scale:
    """A way of counting human problems from n."""

    name: str
    x: Callable[[Floats], Floats]  # of h / n
    fresh: Callable[[float], float]  # fresh problems of x, in units of n


SCALES = (
    Scale("log", np.log2, lambda x: 2.0 ** min(x, MOST_DOUBLINGS) - 1.0),
    Scale("linear", lambda ratio: ratio - 1.0, lambda x: x),
)


@dataclass(frozen=True)
class Rate:
    """What the paths of one RFT setting are worth together, on one scale; `interval` None: not estimable."""

    fresh: float  # fresh human problems
    interval: Interval | None  # 95 %, not clipped; of what `Exchange.label` says
    these_bases: Interval | None  # the same of the drawn bases as they are
    note: str  # '' or what limits the answer
    numerator: Estimate  # RFT - SFT at n problems and equal steps, points
    slope: Estimate  # points per unit of x

    def per_these_bases(self, paths: float | None) -> Interval | None:
        """The interval of one path in the drawn bases as they are."""
        if self.these_bases is None or not paths:
            return None
        return self.these_bases[0] / paths, self.these_bases[1] / paths

    def per(self, paths: float | None) -> tuple[float, Interval] | None:
        """(value, interval) of one path; None where it is not estimable or there is no path."""
        if self.interval is None or not paths:
            return None
        return self.fresh / paths, (self.interval[0] / paths, self.interval[1] / paths)


@dataclass(frozen=True)
class Exchange:
    """The exchange rate of one RFT setting."""

    rft: Point
    log: Rate
    linear: Rate
    num_human: float  # n
    kept: float
    new: float | None  # kept paths with another equation list than the human one; None: not recorded
    curve: tuple[Point, ...]  # the human-only points
    left_out: tuple[str, ...] = ()  # amounts of human problems that share few draws or replicates with the rest

    @property
    def label(self) -> str:
        """What the intervals hold."""
        return self.log.numerator.kind.value


def _has_several(point: Point) -> bool:
    """Whether a problem may have several human solutions."""
    return point.cell.setting.get("data.solutions") == "all"


def human_problems(point: Point) -> float | None:
    """Distinct human problems a point trained on; where one may be several examples, None unless they were counted."""
    own = point.mean_of("num_human_problems" if _has_several(point) else "num_human")
    if own is None:
        return None
    return own + (point.mean_of("num_augmented") or 0) if point.method == "fresh_human" else own


def new_paths(point: Point) -> float | None:
    """Kept paths with another equation list than the human ones; None where what was kept is not every distinct path."""
    human = point.mean_of("human_paths_per_question") if _has_several(point) else 1.0
    distinct, with_human = point.mean_of("distinct_per_question"), point.mean_of("distinct_per_question_with_human")
    questions, kept = point.mean_of("num_questions_sampled"), point.mean_of("num_augmented")
    if human is None or distinct is None or with_human is None or questions is None or kept is None:
        return None
    return (with_human - human) * questions if abs(distinct * questions - kept) <= ROUNDED else None


def human_curve(rft: Point, points: Sequence[Point]) -> list[Point]:
    """Human-only points at the optimiser steps of an RFT point, ascending; one for each amount (its own control first)."""
    own = [c for method in ("sft_matched", "fresh_human") if (c := same_but(rft, points, method=method))]
    others = where(points, method={"sft", "sft_matched", "fresh_human"})
    gaps = [(gap, p) for p in others if matches(p.cell, rft.cell, but=AMOUNTS) and (gap := step_gap(rft, p))]
    nearest = sorted(((gap, p) for gap, p in gaps if gap.small), key=lambda one: abs(one[0].mean))
    found: dict[int, Point] = {}
    for point in [*own, *(p for _, p in nearest)]:
        amount = human_problems(point)
        if amount:
            found.setdefault(round(amount), point)
    return [found[amount] for amount in sorted(found)]


def exchange_rate(rft: Point, points: Sequence[Point], outcomes: Outcomes) -> Exchange | NotEnough:
    """The exchange rate of one RFT point, of the draws and replicates that all its cells have: paths, amounts and accuracies
    alike.
    """
    what = f"the exchange rate of {rft.cell.cell_id}"
    every = [rft, *human_curve(rft, points)]
    members = on_paired_replicates(most_in_common(every, keep=every[:2]), outcomes)
    left_out = [f"{human_problems(p):,.0f}" for p in left_out_of(members, every[1:])]
    if not members:
        return NotEnough(what, "the RFT cell and its human-only cells share no replicate of a draw of the base")
    rft, curve = members[0], members[1:]
    n, kept = human_problems(rft), rft.mean_of("num_augmented")
    if not n or not kept:
        return NotEnough(what, "it kept no path, so there is nothing to exchange")
    ratios = np.array([human_problems(p) or math.nan for p in curve]) / n
    fresh = int(np.sum(ratios > 1 + 1e-9))
    if fresh < MIN_FRESH or fresh == len(curve):
        need = f"sft_matched and {MIN_FRESH} amounts of fresh human problems ({FRESH_COUNT}) at equal optimiser steps"
        return NotEnough(what, f"it needs {need}; there are {fresh} such amounts")
    log, linear = (_rate(scale, rft, curve, ratios, n=n, outcomes=outcomes) for scale in SCALES)
    return Exchange(rft, log, linear, n, kept, new_paths(rft), tuple(curve), tuple(left_out))


def _rate(scale: Scale, rft: Point, curve: Sequence[Point], ratios: Floats, *, n: float, outcomes: Outcomes) -> Rate:
    x = scale.x(ratios)
    slopes = slope_weights(x)
    height = np.full(len(x), 1 / len(x)) - x.mean() * slopes  # weights of the line's height at n
    members = (rft, *curve)
    top = contrast(members, (1.0, *-height), outcomes)
    bottom = contrast(members, (0.0, *slopes), outcomes)
    total = contrast(members, (1.0, *(slopes - height)), outcomes)
    assert top is not None, "its cells share a replicate"
    assert bottom is not None, "its cells share a replicate"
    assert total is not None, "its cells share a replicate"
    low, high, note = fieller(top, bottom, total)
    these_low, these_high, unknown = fieller(top.these_bases, bottom.these_bases, total.these_bases)
    value = top.value / bottom.value if bottom.value else math.nan
    if not note and low <= x.min() and high >= x.max():
        note = f"{NOT_ESTIMABLE}: its interval covers all amounts that were measured"
    if not note and bottom.value < 0:
        note = f"{NOT_ESTIMABLE}: more human problems at equal steps lower the accuracy"
    if note:
        return Rate(math.nan, None, None, note, top, bottom)
    if not x.min() <= value <= x.max():
        note = f"extrapolated beyond {x.min():+.2f} to {x.max():+.2f} (x of the {scale.name} scale)"
    interval = (n * scale.fresh(low), n * scale.fresh(high))
    these = None if unknown else (n * scale.fresh(these_low), n * scale.fresh(these_high))
    return Rate(n * scale.fresh(value), interval, these, note, top, bottom)


def fieller(top: Estimate, bottom: Estimate, total: Estimate, *, level: float = LEVEL) -> tuple[float, float, str]:
    """Interval of top / bottom; `total` is their sum, from which the covariance follows. (low, high, why there is none)."""
    v11, v22 = top.se**2, bottom.se**2
    v12 = (total.se**2 - v11 - v22) / 2
    t = t_quantile(level, df=min(top.df, bottom.df, total.df))
    if not (math.isfinite(v11) and math.isfinite(v22) and math.isfinite(t)):
        return -math.inf, math.inf, f"{NOT_ESTIMABLE}: its error is unknown"
    a = bottom.value**2 - t**2 * v22
    b = top.value * bottom.value - t**2 * v12
    c = top.value**2 - t**2 * v11
    inside = b**2 - a * c
    if a <= 0 or inside < 0:
        return -math.inf, math.inf, f"{NOT_ESTIMABLE}: the slope of the human-only cells is not separable from 0"
    return (b - math.sqrt(inside)) / a, (b + math.sqrt(inside)) / a, ""


def exchange_rates(points: Sequence[Point], outcomes: Outcomes) -> list[Exchange | NotEnough]:
    """Every RFT point that has a human-only control. `points` hold every FRESH_COUNT (`main_recipe(..., free=...)`)."""
    rft = [p for p in where(points, method="rft") if same_but(p, points, method="sft_matched")]
    return [exchange_rate(p, points, outcomes) for p in rft]


@dataclass(frozen=True)
class Split:
    """RFT - SFT as a sum, in points: what repetition does, what true diversity adds, what is left.

    All of the draws and replicates that the parts which there are have in common, so that the three add up to the total.
    """

    rft: Point
    total: Estimate  # RFT - SFT
    steps: Estimate | None  # sft_matched - SFT: more optimiser steps
    diversity: Estimate | None  # oracle_paths - sft_matched: as many true alternative paths
    rest: Estimate | None  # RFT - oracle_paths: sampled and not true paths (lucky wrong reasoning, less diversity)
    left_out: int  # replicates of RFT that another part lacks


def split_gain(rft: Point, points: Sequence[Point], outcomes: Outcomes) -> Split | None:
    """The parts of one RFT gain; None without a plain SFT cell of a replicate that RFT has. A control that has none of the
    replicates of the others is no part.
    """
    members = {"rft": rft}
    for method in ("sft", "sft_matched", "oracle_paths"):
        found = same_but(rft, points, method=method)
        if found is not None and paired_replicates([*members.values(), found]):
            members[method] = found
    if "sft" not in members:
        return None
    every = list(members.values())

    def minus(first: str, second: str) -> Estimate | None:
        if not {first, second} <= members.keys():
            return None
        return contrast(every, [float(name == first) - float(name == second) for name in members], outcomes)

    total = minus("rft", "sft")
    assert total is not None, "its cells share a replicate"
    left_out = len(rft.cells) - len(on_paired_replicates(every, outcomes)[0].cells)
    steps, diversity = minus("sft_matched", "sft"), minus("oracle_paths", "sft_matched")
    return Split(rft, total, steps, diversity, minus("rft", "oracle_paths"), left_out)
