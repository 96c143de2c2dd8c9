"""The exchange rate: what a self-generated verified path is worth in fresh human problems.

At equal optimiser steps, let a(n) be the accuracy of SFT on n human problems; RFT on n problems and `kept` paths has A. Then

    m = n_SFT(A) / n                 how many times the human data SFT would need
    worth = (m - 1) n / kept         fresh human problems that one kept path is worth; 0 (m = 1): repetition would do

The curve is a line in log2 n through the human-only cells at the RFT cell's steps: `sft_matched` (n problems), `fresh_human`
(n + kept) and any SFT cell of the base whose steps agree within 2 %. m = 2 ** (N / D), N = A - a(n), D = the curve's slope,
both linear in accuracies, so that Fieller's theorem (1954, J. R. Statist. Soc. B 16, 175-185) gives the interval at the
level of replicates and problems. Nothing is extrapolated: beyond the curve's ends the answer is a bound.

    results = exchange_rates(points, outcomes)
    results[0].m, results[0].m_interval, results[0].worth        # 1.4, (1.1, 1.9), 0.35
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.load.cells import matches
from analysis.load.outcomes import Outcomes
from analysis.load.points import Point, contrast
from analysis.load.query import same_but, same_steps, where
from analysis.stats.fits import slope_weights
from analysis.stats.linear import NotEnough, t_quantile
from analysis.stats.uncertainty import Estimate

LEVEL = 0.95
AMOUNTS = ("method", "data_frac", "k", "train.epochs", "train.epoch_rule")  # what makes the amount and the steps


@dataclass(frozen=True)
class Exchange:
    """The exchange rate of one RFT setting."""

    rft: Point
    m: float  # clipped to the curve
    m_interval: tuple[float, float]  # clipped to the curve
    worth: float  # fresh human problems per kept path
    worth_interval: tuple[float, float]
    num_human: float  # n
    kept: float
    curve: tuple[Point, ...]  # the human-only points
    numerator: Estimate  # RFT - SFT at n problems and equal steps, points
    slope: Estimate  # points per doubling of human problems at equal steps
    note: str  # '' or what limits the answer

    @property
    def label(self) -> str:
        """What the interval holds."""
        return self.numerator.kind.value


def human_problems(point: Point) -> float | None:
    """Distinct human problems a human-only point trained on."""
    own = point.mean_of("num_human")
    if own is None:
        return None
    return own + (point.mean_of("num_augmented") or 0) if point.method == "fresh_human" else own


def human_curve(rft: Point, points: Sequence[Point]) -> list[Point]:
    """Human-only points at the optimiser steps of an RFT point, ascending; one for each amount (its own control first)."""
    steps = rft.mean_of("num_optimizer_steps")
    own = [c for method in ("sft_matched", "fresh_human") if (c := same_but(rft, points, method=method))]
    same = [
        p
        for p in where(points, method={"sft", "sft_matched", "fresh_human"})
        if matches(p.cell, rft.cell, but=AMOUNTS) and steps and p.mean_of("num_optimizer_steps") and same_steps(rft, p)
    ]
    found: dict[int, Point] = {}
    nearest = sorted(same, key=lambda p: abs((p.mean_of("num_optimizer_steps") or 0) / (steps or 1) - 1))
    for point in [*own, *nearest]:
        amount = human_problems(point)
        if amount:
            found.setdefault(round(amount), point)
    return [found[amount] for amount in sorted(found)]


def exchange_rate(rft: Point, points: Sequence[Point], outcomes: Outcomes) -> Exchange | NotEnough:
    """The exchange rate of one RFT point."""
    what = f"the exchange rate of {rft.cell.cell_id}"
    curve = human_curve(rft, points)
    n, kept = rft.mean_of("num_human"), rft.mean_of("num_augmented")
    if len(curve) < 2:
        return NotEnough(
            what, "it needs sft_matched and fresh_human (or SFT at other amounts) at the same optimiser steps"
        )
    if not n or not kept:
        return NotEnough(what, "it kept no path, so there is nothing to exchange")
    amounts = [human_problems(p) or math.nan for p in curve]
    x = np.log2(np.array(amounts) / n)
    slopes = slope_weights(x)
    height = np.full(len(x), 1 / len(x)) - x.mean() * slopes  # weights of the line's height at n
    members = (rft, *curve)
    top = contrast(members, (1.0, *-height), outcomes)
    bottom = contrast(members, (0.0, *slopes), outcomes)
    total = contrast(members, (1.0, *(slopes - height)), outcomes)
    if top is None or bottom is None or total is None:
        return NotEnough(what, "the RFT cell and its human-only cells share no replicate")
    low, high, note = fieller(top, bottom, total)
    ends = (float(x.min()), float(x.max()))
    ratio = top.value / bottom.value if bottom.value > 0 else math.nan
    if not math.isfinite(ratio):
        return NotEnough(what, "more human problems at equal steps did not help here, so there is no rate")
    if not ends[0] <= ratio <= ends[1]:
        note = (
            note + "; " if note else ""
        ) + f"beyond the measured curve: m is {'above' if ratio > ends[1] else 'below'}"
        note += f" {2 ** ends[ratio > ends[1]]:.2f}"
    m, m_low, m_high = (2 ** float(np.clip(v, *ends)) for v in (ratio, low, high))
    worth = [(value - 1) * n / kept for value in (m, m_low, m_high)]
    return Exchange(rft, m, (m_low, m_high), worth[0], (worth[1], worth[2]), n, kept, tuple(curve), top, bottom, note)


def fieller(top: Estimate, bottom: Estimate, total: Estimate, *, level: float = LEVEL) -> tuple[float, float, str]:
    """Interval of top / bottom; `total` is their sum, from which the covariance follows. (low, high, note)."""
    v11, v22 = top.se**2, bottom.se**2
    v12 = (total.se**2 - v11 - v22) / 2
    t = t_quantile(level, df=min(top.df, bottom.df, total.df))
    if not (math.isfinite(v11) and math.isfinite(v22) and math.isfinite(t)):
        return -math.inf, math.inf, "its error is unknown"
    a = bottom.value**2 - t**2 * v22
    b = top.value * bottom.value - t**2 * v12
    c = top.value**2 - t**2 * v11
    inside = b**2 - a * c
    if a <= 0 or inside < 0:
        return -math.inf, math.inf, "unbounded: the human curve's slope is not separable from 0"
    return (b - math.sqrt(inside)) / a, (b + math.sqrt(inside)) / a, ""


def exchange_rates(points: Sequence[Point], outcomes: Outcomes) -> list[Exchange | NotEnough]:
    """Every RFT point that has a human-only control."""
    rft = [p for p in where(points, method="rft") if same_but(p, points, method="sft_matched")]
    return [exchange_rate(p, points, outcomes) for p in rft]


@dataclass(frozen=True)
class Split:
    """RFT - SFT as a sum, in points: what repetition does, what true diversity adds, what is left."""

    rft: Point
    total: Estimate  # RFT - SFT
    steps: Estimate | None  # sft_matched - SFT: more optimiser steps
    diversity: Estimate | None  # oracle_paths - sft_matched: as many true alternative paths
    rest: Estimate | None  # RFT - oracle_paths: sampled and not true paths (lucky wrong reasoning, less diversity)


def split_gain(rft: Point, points: Sequence[Point], outcomes: Outcomes) -> Split | None:
    """The parts of one RFT gain; None without the plain SFT cell."""
    sft = same_but(rft, points, method="sft")
    total = contrast((rft, sft), (1.0, -1.0), outcomes) if sft is not None else None
    if sft is None or total is None:
        return None
    matched = same_but(rft, points, method="sft_matched")
    oracle = same_but(rft, points, method="oracle_paths")

    def minus(first: Point | None, second: Point | None) -> Estimate | None:
        if first is None or second is None:
            return None
        return contrast((first, second), (1.0, -1.0), outcomes)

    return Split(rft, total, minus(matched, sft), minus(oracle, matched), minus(rft, oracle))
