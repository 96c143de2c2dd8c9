"""Claims about data amount and pretraining loss: (1) log-linear, (2) loss as the predictor.

Each function takes a StudyView and returns the results of one claim, its primary contrast first. What is tested, with
margin and level, is written in the ClaimTest constants.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from analysis.claims.rulings import ALPHA, ClaimResult, ClaimTest, Ruling, StudyView, directional, gain_line
from analysis.compare.comparisons import lacking
from analysis.compare.fits import on_a_line
from analysis.compare.loss_fits import TEXTS_DIFFER, base_rows, held_out, measurable, texts_differ, williams
from analysis.compare.shape import MARGIN, ShapeResult, compare_rivals, log_linear
from analysis.load.names import base_names
from analysis.load.points import Point
from analysis.load.query import ALL_DATA, where
from analysis.stats.linear import NotEnough, fit_linear
from analysis.stats.power import VERDICT_UNITS

SMALLEST_FRACTION = 1 / 8  # the paper calls 1 to 1/8 the stable range; 1/32 is a variant

LOG_LINEAR = ClaimTest(
    "1",
    "SFT accuracy is linear in the logarithm of the data amount",
    "largest departure over bases of SFT accuracy (1 to 1/8, equal epochs, 2 to 98 %) from a line on log2 data; "
    "90 % interval within ±2",
    margin=MARGIN,
    primary=True,
)
LOSS_PREDICTS = ClaimTest(
    "2a",
    "pretraining loss predicts SFT accuracy better than the number of parameters",
    "Williams' t between |r(SFT, loss)| and |r(SFT, log10 parameters)|, full data; parameters nominal or without embeddings",
    margin=None,
    primary=True,
    unit="t",
)
LOSS_LINEAR = ClaimTest(
    "2b",
    "SFT and ICL accuracy are linear in pretraining loss",
    "largest quadratic term of accuracy on loss, as its greatest departure over the bases' range; 90 % within ±2",
    margin=MARGIN,
    primary=False,
)
ICL_STEEPER = ClaimTest(
    "2c",
    "ICL is steeper in pretraining loss than SFT",
    "slope over bases of (ICL - SFT) on loss, below 0",
    margin=None,
    primary=False,
    unit="points per nat",
)


def sft_ladders(points: Sequence[Point], *, smallest: float) -> dict[str, list[Point]]:
    """SFT points by base name from `smallest` to all data, ascending."""
    sft = [p for p in where(points, method="sft") if (p.cell.data_frac or 0) >= smallest - 1e-9]
    names = base_names(p.cell for p in sft)
    ladders: dict[str, list[Point]] = {name: [] for name in names.values()}
    for point in sorted(sft, key=lambda p: p.cell.data_frac or 0):
        ladders[names[point.cell.base]].append(point)
    return ladders


def log_amounts(ladder: Sequence[Point]) -> list[float]:
    """log2 of the data fraction."""
    return [_log_amount(point) for point in ladder]


def _log_amount(point: Point) -> float:
    return math.log2(point.cell.data_frac or math.nan)


def claim_log_linear(view: StudyView) -> list[ClaimResult]:
    """(1)"""
    ladders = sft_ladders(view.same_epochs, smallest=SMALLEST_FRACTION)
    found = {name: log_linear(ladder, log_amounts(ladder), view.outcomes) for name, ladder in ladders.items()}
    shapes = {name: result for name, result in found.items() if isinstance(result, ShapeResult)}
    if not shapes:
        reason = next((str(result) for result in found.values()), "no SFT cells")
        return [LOG_LINEAR.not_testable(reason)]
    details = [f"{name}: largest departure {s.largest:+.2f}, within ±{s.bound:.2f}" for name, s in shapes.items()]
    details += [f"left out: {text}" for s in shapes.values() for text in s.left_out]
    details += [f"{name}: {result}" for name, result in found.items() if isinstance(result, NotEnough)]
    ladders = sft_ladders(view.same_epochs, smallest=0)
    whole = {name: on_a_line(ladder, _log_amount, view.outcomes)[0] for name, ladder in ladders.items()}
    rivals = compare_rivals(
        {
            name: ([p.mean_of("num_human") or 0 for p in ladder], [p.estimate.value for p in ladder])
            for name, ladder in whole.items()
        }
    )
    if not isinstance(rivals, NotEnough):
        details += [
            f"rival on held-out largest points: {s.name} {s.rmse:.2f} points {'; '.join(s.notes)}" for s in rivals
        ]
    largest = max((s.departures for s in shapes.values()), key=lambda d: max(abs(e.value) for e in d))
    estimate = max(largest, key=lambda e: abs(e.value))
    p_line = max(s.p_line for s in shapes.values())
    p_bent = min(1.0, len(shapes) * min(s.p_bent for s in shapes.values()))
    text = f"largest departure {estimate.value:+.2f}; all 90 % intervals within ±{max(s.bound for s in shapes.values()):.2f}"
    why = next((why for shape in shapes.values() for e in shape.departures if (why := lacking(e))), "")
    if why:
        return [LOG_LINEAR.result(Ruling.NOT_TESTABLE, f"{text}; {why}", estimate=estimate, details=tuple(details))]
    if p_line <= ALPHA:
        ruling, p = Ruling.SUPPORTED, p_line
    elif p_bent <= ALPHA:
        ruling, p = Ruling.CONTRADICTED, p_bent
    else:
        ruling, p = Ruling.NOT_SEPARABLE, min(p_line, p_bent)
    return [LOG_LINEAR.result(ruling, text, estimate=estimate, p=p, details=tuple(details))]


def full_points(points: Sequence[Point], *, method: str) -> list[Point]:
    """Measurable points of a method on all data, one per base."""
    return measurable(where(points, method=method, data_frac=ALL_DATA))


def claim_loss_predicts(view: StudyView) -> list[ClaimResult]:
    """(2)"""
    sft = full_points(view.points, method="sft")
    results = [_williams_result(sft)]
    results.append(_linear_result(view))
    results.append(_steeper_result(view))
    return results


def _williams_result(sft: list[Point]) -> ClaimResult:
    if texts_differ(sft):
        return LOSS_PREDICTS.not_testable(TEXTS_DIFFER)
    if len(sft) < VERDICT_UNITS:
        return LOSS_PREDICTS.not_testable(f"{len(sft)} bases; Williams' test needs at least {VERDICT_UNITS}")
    rows = base_rows(sft)
    if not np.isfinite(rows.log_params).all():
        return LOSS_PREDICTS.not_testable("a base has no number of parameters")
    test = williams(rows.y, rows.loss, rows.log_params)
    if isinstance(test, NotEnough):
        return LOSS_PREDICTS.not_testable(test)
    details = [
        f"held-out-base error on {name}: {error if isinstance(error, NotEnough) else f'{error:.2f} points'}"
        for name, error in held_out(rows).items()
    ]
    text = f"R² {test.r_first**2:.3f} on loss, {test.r_second**2:.3f} on log10 parameters; t = {test.t:.2f}, n = {len(sft)}"
    text += f", p = {test.p:.3f}"
    ruling = Ruling.NOT_SEPARABLE if test.p > ALPHA else Ruling.SUPPORTED if test.t > 0 else Ruling.CONTRADICTED
    return LOSS_PREDICTS.result(ruling, text, p=test.p, details=tuple(details))


def _linear_result(view: StudyView) -> ClaimResult:
    worst: list[tuple[float, float, str]] = []
    details = []
    for method in ("sft", "icl"):
        points = full_points(view.points, method=method)
        if len(points) < VERDICT_UNITS:
            details.append(f"{method}: {len(points)} measurable bases, a verdict over bases needs {VERDICT_UNITS}")
            continue
        if texts_differ(points):
            details.append(f"{method}: {TEXTS_DIFFER}")
            continue
        loss = np.array([p.loss for p in points], float)
        centre = (loss.max() + loss.min()) / 2
        half = (loss.max() - loss.min()) / 2
        scaled = (loss - centre) / half  # the quadratic term then is the bend from the middle to the ends
        design = np.stack([np.ones_like(scaled), scaled, scaled**2], axis=1)
        fit = fit_linear(design, [p.estimate.value for p in points], names=("a", "b", "c"), what=f"bend of {method}")
        if isinstance(fit, NotEnough):
            details.append(str(fit))
            continue
        low, high = (end / 2 for end in fit.interval_of(2, level=0.90))  # half of c: departure from the best chord
        worst.append((low, high, method))
        details.append(f"{method}: departure {fit.beta[2] / 2:+.2f} (90 % {low:+.2f} to {high:+.2f}), n = {fit.n}")
    if not worst:
        return LOSS_LINEAR.not_testable("; ".join(details) or "no bases")
    text = "; ".join(details)
    if all(low > -MARGIN and high < MARGIN for low, high, _ in worst):
        return LOSS_LINEAR.result(Ruling.SUPPORTED, text)
    if any(low > MARGIN or high < -MARGIN for low, high, _ in worst):
        return LOSS_LINEAR.result(Ruling.CONTRADICTED, text)
    return LOSS_LINEAR.result(Ruling.NOT_SEPARABLE, text)


def _steeper_result(view: StudyView) -> ClaimResult:
    icl = {p.cell.base: p for p in full_points(view.points, method="icl")}
    sft = {p.cell.base: p for p in full_points(view.points, method="sft")}
    shared = [base for base in icl if base in sft]
    groups = [((icl[b], sft[b]), (1.0, -1.0)) for b in shared]
    found = gain_line(groups, view.outcomes, what="ICL minus SFT against loss")
    if isinstance(found, NotEnough):
        return ICL_STEEPER.not_testable(f"{found} (bases where ICL is off the floor)")
    line, slope = found
    return directional(ICL_STEEPER, slope, view=view, sign=-1, what=f"slope of ICL - SFT, {line.n} bases")
