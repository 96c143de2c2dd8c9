"""Fits of accuracy on data, loss and k: pure functions from points to fits, nothing drawn, nothing saved.

    fit = fit_series(points, lambda p: math.log2(p.mean_of("num_human")), outcomes, what="nano-s, SFT")
    fit.line.b, fit.line.r2       # 6.22 points per doubling, 0.989
    fit.slope.interval()          # of that slope: over replicates where there are any, else of item noise alone

Rules fixed before any study was looked at: a point below FLOOR or above CEILING percent is left out of a fit (there the
accuracy scale bends by construction) and said so; a line is of the draws of the base that all its points have, and needs
three points; weights are 1 / (p(1-p)/n + tau^2) with p from
the unweighted line and tau^2 by the method of moments of meta-regression (DerSimonian & Laird 1986, generalised).
Of these draws a line is of the replicates that all its points have, as its slope's interval is, x and y alike; where they
share none, of all, and the slope has no interval.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.load.coverage import LEAST
from analysis.load.outcomes import Outcomes
from analysis.load.pairs import paired_replicates
from analysis.load.points import PERCENT, Point, contrast
from analysis.load.query import NO_DRAW, left_out_of, on_common_cells, shared_words
from analysis.stats.linear import LineFit, NotEnough, fit_line
from analysis.stats.uncertainty import Estimate

Floats = NDArray[np.float64]

FLOOR = 2.0  # percent
CEILING = 98.0  # percent

# Why a point is in no line, besides its draws and replicates: the ends of what `on_a_line` says of it
AT_ENDS = f"outside {FLOOR:g} to {CEILING:g} %"
NO_PLACE = "no place on the axis"


@dataclass(frozen=True)
class SeriesFit:
    """One straight line through one series, on both scales, with and without weights."""

    what: str
    line: LineFit | NotEnough  # percent on x, all points alike: the headline
    weighted: LineFit | NotEnough  # percent on x, weights from the binomial error and tau^2
    logodds: LineFit | NotEnough  # log-odds on x
    slope: Estimate | None  # of the unweighted slope, at the level of replicates (or items): None where none is shared
    tau: float  # between-point standard deviation beyond binomial noise, points
    left_out: tuple[str, ...] = ()  # points outside FLOOR..CEILING, without an x, or of other cells, in words
    draws_left_out: int = 0  # that not all points have
    replicates_left_out: int = 0  # of the other draws, that not all points have


def slope_weights(x: ArrayLike) -> Floats:
    """The c_j with slope = sum c_j y_j of the unweighted line."""
    xs = np.asarray(x, float)
    centred = xs - xs.mean()
    weights: Floats = centred / (centred @ centred)
    return weights


def keep_measurable(points: Sequence[Point]) -> tuple[list[Point], tuple[str, ...]]:
    """Points within FLOOR..CEILING, and the others in words."""
    kept = [p for p in points if FLOOR <= p.estimate.value <= CEILING]
    out = tuple(
        f"{p.cell.cell_id}: {p.estimate.value:.1f} % is {AT_ENDS}"
        for p in points
        if not FLOOR <= p.estimate.value <= CEILING
    )
    return kept, out


def fit_series(
    points: Sequence[Point], x: Callable[[Point], float], outcomes: Outcomes, *, what: str, apply_rule: bool = True
) -> SeriesFit:
    """Fit percent on x, of points of one base, both of the cells in common. `apply_rule=False` keeps those at the floor or
    ceiling (published fits); a point whose x is not finite is left out.
    """
    kept, left_out = on_a_line(points, x, outcomes, apply_rule=apply_rule)
    fewer = unshared(points, kept)
    xs = np.array([x(point) for point in kept])
    ys = np.array([point.estimate.value for point in kept])
    line = fit_line(xs, ys, what=what) if len(kept) else NotEnough(what, _nothing_left(points, left_out))
    if not line:
        return SeriesFit(what, line, line, line, None, math.nan, left_out, **fewer)
    sizes = np.array([point_n(point) for point in kept])
    weights, tau = moment_weights(xs, ys, sizes=sizes)
    odds = log_odds(ys / PERCENT, n=sizes)
    return SeriesFit(
        what=what,
        line=line,
        weighted=fit_line(xs, ys, weights=weights, what=what),
        logodds=fit_line(xs, odds, what=what),
        slope=contrast(kept, tuple(slope_weights(xs)), outcomes) if _paired(kept) else None,
        tau=tau,
        left_out=left_out,
        **fewer,
    )


NOTHING_SHARED = "its points share no draw of the base"


def on_a_line(
    points: Sequence[Point],
    x: Callable[[Point], float],
    outcomes: Outcomes,
    *,
    apply_rule: bool = True,
    least: int = LEAST,
) -> tuple[list[Point], tuple[str, ...]]:
    """(the points that a line is through, on their common cells, in their order; the others, in words).

    Points at the floor or the ceiling, and those without a place on the axis, go first, so that they take no draws from the
    line; then those that would take most draws of the others (`most_in_common`), to no fewer than `least`; and so on until
    none goes.
    """
    left_out: dict[str, None] = {}
    kept = list(points)
    while True:
        measurable, out = keep_measurable(kept) if apply_rule else (kept, ())
        placed = [point for point in measurable if math.isfinite(x(point))]
        out += tuple(f"{p.cell.cell_id}: {NO_PLACE}" for p in measurable if not math.isfinite(x(p)))
        shared = on_common_cells(placed, outcomes, least=least)
        out += tuple(f"{p.cell.cell_id}: {shared_words([p], shared)}" for p in left_out_of(shared, placed))
        left_out |= dict.fromkeys(out)
        if not shared or (not out and [len(p.cells) for p in shared] == [len(p.cells) for p in kept]):
            return shared, tuple(left_out)
        kept = shared  # on fewer cells a point may lie at the floor, or have no place


def _paired(points: Sequence[Point]) -> bool:
    """Whether a contrast of points is of all their cells: else it would be of others than the line through them."""
    rows = paired_replicates(points)
    return all(sum(len(row[place]) for row in rows) == len(point.cells) for place, point in enumerate(points))


def unshared(points: Sequence[Point], shared: Sequence[Point]) -> dict[str, int]:
    """How many draws, and replicates of the other draws, of some points are not in the same points on their common cells."""
    there = {point.cell.setting_key for point in shared}
    same = [point for point in points if point.cell.setting_key in there]
    every, used = (
        {(c.draw, tuple(sorted(c.seeds.items()))) for p in group for c in p.cells} for group in (same, shared)
    )
    draws = {draw for draw, _ in used}
    return {
        "draws_left_out": len({draw for draw, _ in every} - draws),
        "replicates_left_out": sum(draw in draws for draw, _ in every - used),
    }


def _nothing_left(points: Sequence[Point], left_out: Sequence[str]) -> str:
    if not points:
        return "no points"
    return (
        NOTHING_SHARED if any(NO_DRAW in text for text in left_out) else f"no point within {FLOOR:g} to {CEILING:g} %"
    )


def point_n(point: Point) -> float:
    """Test problems answered behind a point, over all its replicates."""
    return float(sum(cell.accuracy.n for cell in point.cells if cell.accuracy is not None))


def log_odds(p: ArrayLike, *, n: ArrayLike) -> Floats:
    """log((hits + 1/2) / (misses + 1/2)): finite at 0 and 1 (Haldane 1956, Anscombe 1956)."""
    ps, ns = np.asarray(p, float), np.asarray(n, float)
    odds: Floats = np.log((ps * ns + 0.5) / ((1 - ps) * ns + 0.5))
    return odds


def moment_weights(x: Floats, y_percent: Floats, *, sizes: Floats) -> tuple[Floats, float]:
    """(weights, tau in points): inverse of the fitted binomial variance plus tau^2 by moments."""
    design = np.stack([np.ones_like(x), x], axis=1)
    fitted = design @ np.linalg.lstsq(design, y_percent, rcond=None)[0]
    p = np.clip(fitted / PERCENT, 0.5 / sizes, 1 - 0.5 / sizes)
    variance = p * (1 - p) / sizes * PERCENT**2
    w = 1 / variance
    inverse = np.linalg.inv((design * w[:, None]).T @ design)
    error = y_percent - design @ (inverse @ (design.T @ (w * y_percent)))
    excess = float(w @ error**2) - (len(x) - 2)
    scale = float(w.sum() - np.trace(inverse @ (design * (w**2)[:, None]).T @ design))
    tau2 = max(0.0, excess / scale) if scale > 0 else 0.0
    return 1 / (variance + tau2), math.sqrt(tau2)


def power_law(x: ArrayLike, y: ArrayLike, *, what: str) -> LineFit | NotEnough:
    """y = exp(a) x^b by least squares in log-log; points that are not positive are refused as no power law has them."""
    xs, ys = np.asarray(x, float), np.asarray(y, float)
    if np.any(xs <= 0) or np.any(ys <= 0):
        return NotEnough(what, "a power law needs positive values, and some are 0")
    return fit_line(np.log(xs), np.log(ys), what=what)


def line_entry(line: LineFit | NotEnough, *, formula: str) -> dict[str, Any]:
    """A fit as JSON."""
    if isinstance(line, NotEnough):
        return {"formula": formula, "not_enough_data": str(line)}
    return {
        "formula": formula,
        "a": line.a,
        "se_a": line.se_a,
        "b": line.b,
        "se_b": line.se_b,
        "b_interval_95": list(line.interval()),
        "r2": None if math.isnan(line.r2) else line.r2,
        "n": line.n,
        "x": line.x.tolist(),
        "y": line.y.tolist(),
        "residuals": line.residuals.tolist(),
        "b_without_each_point": [None if math.isnan(b) else b for b in line.leave_one_out[:, 1].tolist()],
    }


def series_entry(fit: SeriesFit, *, formula: str) -> dict[str, Any]:
    """All that is known of a series' fit, as JSON: the unweighted line on top, the variants below."""
    entry = {"series": fit.what, **line_entry(fit.line, formula=formula)}
    if fit.left_out:
        entry["left_out"] = list(fit.left_out)
    entry |= unshared_entry({"draws_left_out": fit.draws_left_out, "replicates_left_out": fit.replicates_left_out})
    if fit.slope is not None:
        entry["slope_estimate"] = estimate_entry(fit.slope)
    if fit.line:
        entry["weighted"] = line_entry(fit.weighted, formula=formula + ", weighted")
        entry["log_odds"] = line_entry(fit.logodds, formula=formula.replace("accuracy", "log-odds"))
        entry["tau_points"] = fit.tau
    return entry


def unshared_entry(counts: Mapping[str, int]) -> dict[str, int]:
    """What `unshared` counts, as JSON: what there is none of is absent."""
    return {name: count for name, count in counts.items() if count}


def estimate_entry(estimate: Estimate) -> dict[str, Any]:
    """An estimate as JSON; unknown errors are null."""
    low, high = estimate.interval()
    return {
        "value": estimate.value,
        "se": _finite(estimate.se),
        "interval_95": [_finite(low), _finite(high)],
        "num_replicates": estimate.num_replicates,
        "num_items": estimate.num_items,
        "holds": estimate.kind.value,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
